#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The data plane beside the kernel, without a control process: two namespaces, one link, tables of
# a stand-in. Other packets stay with the kernel; kill -9, truncation and SIGTERM do no harm.
#
#   dataplane_test.sh DATAPLANE TABLES_MAKE FORBID UNMAP
. "$(dirname "$0")/../_init.sh"

dataplane=$(realpath "$1")
tables_make=$2
forbid=$3
unmap=$4
probe="python3 $(dirname "$0")/probe.py"
name=dpt$$
relay=$name-relay host=$name-host
relay4=10.98.0.1 relay6=fd98::1 host4=10.98.0.2

[ "$(id -u)" = 0 ] || e2e_skip "needs root"
e2e_need ip nft ethtool python3 ping truncate
[ -x "$dataplane" ] || e2e_skip "no data plane built"
E2E_TMP=$(mktemp -d)
pids=
trap finish EXIT
trap 'exit 1' INT TERM

finish()
{
	local status=$?

	trap - EXIT INT TERM
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	ip netns del $relay 2>/dev/null
	ip netns del $host 2>/dev/null
	if [ $status != 0 ] || [ $e2e_failed -gt 0 ]; then
		for log in "$E2E_TMP"/*.log; do
			echo "--- the end of $log"
			tail -n 30 "$log"
		done
		e2e_failed=$((e2e_failed + (status != 0)))
	fi
	rm -rf "$E2E_TMP" /run/dpdk/turnpike-$name
	echo "$E2E_TEST: $e2e_passed checks passed, $e2e_failed failed"
	# A bare exit in a trap would end with the status from before the trap.
	[ $e2e_failed = 0 ] && [ $e2e_passed -gt 0 ] && exit 0
	exit 1
}

in_relay()
{
	ip netns exec $relay "$@"
}

in_host()
{
	ip netns exec $host "$@"
}

# spawn NAMESPACE LOG COMMAND...: sets pid.
spawn()
{
	ip netns exec "$1" "${@:3}" >> "$E2E_TMP/$2.log" 2>&1 &
	pid=$!
	pids="$pids $pid"
}

# drop PID SIGNAL: returns when it is gone, or fails after a minute.
drop()
{
	local i

	kill "-$2" "$1"
	for ((i = 0; i < 6000; i++)); do
		kill -0 "$1" 2>/dev/null || { wait "$1" 2>/dev/null; status=$?; return 0; }
		sleep 0.01
	done
	return 1
}

network_up()
{
	ip netns add $relay && ip netns add $host || return 1
	ip link add nic0 netns $relay type veth peer name eth0 netns $host
	ip -n $relay addr add $relay4/24 dev nic0
	ip -n $relay addr add $relay6/64 dev nic0 nodad
	ip -n $host addr add $host4/24 dev eth0
	ip -n $host addr add fd98::2/64 dev eth0 nodad
	in_relay ethtool -K nic0 tx off >/dev/null
	in_host ethtool -K eth0 tx off >/dev/null
	ip -n $relay link set lo up
	ip -n $relay link set nic0 up
	ip -n $host link set eth0 up
}

# config DEVICE
config_write()
{
	cat > "$E2E_TMP/turnpike.yaml" <<-END
		instance: $name
		runtime_directory: $E2E_TMP/run
		realm: example.org
		dataplane: {ports: [$1]}
		segment: {directory: $E2E_TMP}
		listeners:
		  - {address: $relay4, port: 3478}
		  - {address: "$relay6", port: 3478}
		relay: {addresses: [$relay4, "$relay6"], ports: 40000-60999}
		users: [{name: a, password: b}]
	END
}

start_dataplane()
{
	spawn $relay dataplane "$dataplane" --allow-root --config "$E2E_TMP/turnpike.yaml"
	dataplane_pid=$pid
}

start_tables()
{
	spawn $relay tables "$tables_make" $name "$E2E_TMP/run" "$E2E_TMP" \
		40000 60999 $relay4 3478 $relay6 3478
	tables_pid=$pid
}

logged()
{
	grep -q " $1" "$E2E_TMP/dataplane.log"
}

kernel_works()
{
	e2e_check "$1: ping" in_host ping -c 2 -i 0.2 -W 20 -q $relay4
	e2e_check "$1: ping over IPv6" in_host ping -c 2 -i 0.2 -W 20 -q $relay6
	e2e_check "$1: the relay host's own UDP service" in_host $probe ask $relay4 53 20
	e2e_check "$1: the relay host's own UDP queries" in_relay $probe ask $host4 53 200
	e2e_check "$1: TCP to our port number" in_host python3 -c "
import socket
s = socket.create_connection(('$relay4', 3478), 60)
s.sendall(b'x' * 100000)
s.shutdown(socket.SHUT_WR)
n = 0
while d := s.recv(65536): n += len(d)
assert n == 100000"
}

network_up || e2e_skip "no network namespaces"
config_write "{interface: nic0}"
spawn $relay echo python3 "$(dirname "$0")/probe.py" echo $relay4 53
spawn $host echo python3 "$(dirname "$0")/probe.py" echo $host4 53
spawn $relay tcp python3 -c "
import socket
l = socket.create_server(('$relay4', 3478))
while True:
    c, _ = l.accept()
    while d := c.recv(65536): c.sendall(d)
    c.close()"
sleep 0.3
e2e_check "before: the kernel refuses our ports" in_host $probe refused $relay4 3478

start_dataplane
e2e_check "starts" e2e_wait 60 logged process_started
e2e_check "without tables our ports are silent" in_host $probe silent $relay4 3478 10
e2e_check "and those of the relay range" in_host $probe silent $relay6 40001 10
kernel_works "without tables"
in_relay timeout 60 "$dataplane" --allow-root --config "$E2E_TMP/turnpike.yaml" 2> "$E2E_TMP/second.log"
e2e_check "a second data plane of the instance is refused" [ $? = 4 ]
sed "s,/run\$,/other," "$E2E_TMP/turnpike.yaml" > "$E2E_TMP/other.yaml"
in_relay timeout 60 "$dataplane" --allow-root --config "$E2E_TMP/other.yaml" --instance other-$name \
	2> "$E2E_TMP/other.log"
e2e_check "another instance on the same interface is refused" [ $? = 4 ]
e2e_check "and has not touched what is there" \
	eval "ip -n $relay link show nic0 | grep -q turnpike_steer"
e2e_check "but taken its own table away" [ "$(in_relay nft list tables | wc -l)" = 1 ]

start_tables
e2e_check "a Binding request is answered" in_host $probe binding $relay4 3478
e2e_check "over IPv6 too" in_host $probe binding $relay6 3478
kernel_works "with tables"
e2e_check "grace periods run" e2e_wait 60 grep -q 'grace [1-9][0-9]* of' "$E2E_TMP/tables.log"

drop "$dataplane_pid" KILL
e2e_check "killed: our ports are silent" in_host $probe silent $relay4 3478 20
e2e_check "killed: and the relay's" in_host $probe silent $relay4 40000 5
e2e_check "killed: ping" in_host ping -c 2 -i 0.2 -W 20 -q $relay4
start_dataplane
gap=$(in_host $probe binding $relay4 3478)
e2e_check "started again: forwards after $gap ms (goal 2,000)" [ "$gap" != none ]
e2e_check "started again: says what it found" logged steering_leftover

truncate -s 0 "$E2E_TMP/turnpike-$name.tables"
e2e_check "truncated tables are noticed" e2e_wait 60 logged segment_lost
e2e_check "and the kernel is not let in" in_host $probe silent $relay4 3478 5
e2e_check "the data plane lives" kill -0 "$dataplane_pid"
drop "$tables_pid" KILL
start_tables
e2e_check "with new tables it answers again" in_host $probe binding $relay4 3478

drop "$tables_pid" KILL
e2e_check "SIGTERM ends it" drop "$dataplane_pid" TERM
e2e_check "with status 0" [ "$status" = 0 ]
e2e_check "no XDP program is left" e2e_not eval "ip -n $relay link show nic0 | grep -q xdp"
e2e_check "no nft table is left" [ -z "$(in_relay nft list tables)" ]
e2e_check "no port stays reserved" \
	[ -z "$(in_relay cat /proc/sys/net/ipv4/ip_local_reserved_ports)" ]
e2e_check "the files stay for the killed writer of the tables" \
	[ -n "$(find "$E2E_TMP" -name 'turnpike-*' ! -name '*.yaml')" ]
e2e_check "no socket is left" [ ! -e "$E2E_TMP/run/dataplane.sock" ]
e2e_check "the kernel refuses our ports again" in_host $probe refused $relay4 3478

config_write "{device: net_af_packet0, interface: nic0}"
: > "$E2E_TMP/dataplane.log"
start_dataplane
start_tables
e2e_check "AF_PACKET: a Binding request is answered" in_host $probe binding $relay4 3478
e2e_check "AF_PACKET: the kernel says nothing beside it" in_host $probe silent $relay4 40000 10
kernel_works "AF_PACKET"
drop "$tables_pid" KILL
e2e_check "AF_PACKET: SIGTERM" drop "$dataplane_pid" TERM
e2e_check "AF_PACKET: no nft table is left" [ -z "$(in_relay nft list tables)" ]

# Free huge pages that are not to be had, as when others take them first: only the kernel's list
# of them is a fake, in a mount namespace of this process.
start_without_pages()
{
	spawn $relay dataplane unshare -m --propagation private sh -c '
		d=/sys/kernel/mm/hugepages
		mount -t tmpfs none $d && mkdir $d/hugepages-2048kB && cd $d/hugepages-2048kB &&
		echo 500 | tee nr_hugepages free_hugepages > /dev/null &&
		echo 0 | tee resv_hugepages surplus_hugepages > /dev/null && exec "$@"' - \
		"$dataplane" --allow-root --config "$E2E_TMP/turnpike.yaml"
	dataplane_pid=$pid
}

config_write "{interface: nic0}"
: > "$E2E_TMP/dataplane.log"
start_without_pages
e2e_check "huge pages taken by others: starts again without" e2e_wait 60 logged process_started
# Where a program of the machine has just left real ones, they are to be had.
if logged 'process_started .*huge_pages=false'; then
	e2e_check "and says why" logged 'hugepages_missing.*not to be had'
else
	echo "real huge pages are free: the start had no need to go without"
fi
start_tables
e2e_check "and a Binding request is answered" in_host $probe binding $relay4 3478
drop "$tables_pid" KILL
e2e_check "SIGTERM ends it" drop "$dataplane_pid" TERM
e2e_check "with status 0" [ "$status" = 0 ]

# ---- drivers and units that have failed others --------------------------------------------------
# fails_with FORBIDDEN PATTERN...: the data plane does not start, and its log has all of these.
fails_with()
{
	local pattern

	: > "$E2E_TMP/dataplane.log"
	in_relay timeout 120 "$forbid" "$1" "$dataplane" --allow-root --config "$E2E_TMP/turnpike.yaml" \
		>> "$E2E_TMP/dataplane.log" 2>&1
	[ $? = 1 ] || return 1
	for pattern in "${@:2}"; do
		logged "$pattern" || { echo "no $pattern"; return 1; }
	done
}

e2e_check "a unit without AF_XDP is named" \
	fails_with af-xdp 'port_failed.*AF_XDP sockets are refused.*RestrictAddressFamilies='
e2e_check "a first frame that does not leave: each mode is tried, then named" \
	fails_with first-frame 'xdp_fallback.*next="native, copy"' 'xdp_fallback.*next=generic' \
	'port_failed.*the first frame did not leave by nic0.*net_af_packet0'
config_write "{interface: nic0, xdp: native}"
e2e_check "a chosen mode is not left" \
	fails_with first-frame 'port_failed.*the first frame did not leave.*xdp: generic'
e2e_check "and no other is tried" e2e_not logged xdp_fallback

config_write "{interface: nic0}"
: > "$E2E_TMP/dataplane.log"
start_dataplane
start_tables
e2e_check "served" in_host $probe binding $relay4 3478
e2e_check "the sockets' map is emptied" in_relay "$unmap" nic0
asked_in_vain()
{
	in_host $probe silent $relay4 3478 3 && logged 'queue_unserved.*found no socket'
}
e2e_check "packets that find no socket are named" e2e_wait 60 asked_in_vain
drop "$tables_pid" KILL
e2e_check "SIGTERM ends it" drop "$dataplane_pid" TERM

# ---- budgets of busy polling --------------------------------------------------------------------
flood()
{
	in_host python3 -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(60000):
    try:
        s.sendto(b'x' * 100, ('$relay4', 3478 if i % 2 else 40000))
    except OSError:
        pass"
}

for budget in 0 64 256; do
	config_write "{device: \"net_af_xdp0,iface=nic0,busy_budget=$budget\", interface: nic0}"
	: > "$E2E_TMP/dataplane.log"
	start_dataplane
	start_tables
	e2e_check "busy polling, budget $budget: served" in_host $probe binding $relay4 3478
	flood
	e2e_check "and after an overload" in_host $probe binding $relay4 3478
	drop "$tables_pid" KILL
	e2e_check "SIGTERM ends it" drop "$dataplane_pid" TERM
done
