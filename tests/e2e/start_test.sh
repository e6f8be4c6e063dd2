#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The ways to start and to go on: without a configuration; as users of their own, never as root
# unasked; SIGHUP under a stream; and a stop in either order, after which nothing is left.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
[ "$(id -u)" = 0 ] || e2e_skip "needs root"
e2e_need ip nft ethtool python3 unshare turnutils_uclient
# The user and the group are this test's alone: /etc/passwd and /etc/group are its own copies.
if [ -z "${E2E_START_INSIDE:-}" ]; then
	E2E_START_INSIDE=1 exec unshare -m --propagation slave "$0" "$@"
fi

host=start-host-$$ client=start-client-$$
host4=45.77.1.1 client4=45.77.1.2
relayctl=$E2E_BUILD/tools/relayctl/relayctl
instance=start-$$
config=
E2E_TMP=$(mktemp -d)
control_pid= dataplane_pid=

start_end()
{
	local status=$?

	start_stop control dataplane
	ip netns del $host
	ip netns del $client
	(exit $status)
	e2e_lab() { :; }
	e2e_end
} 2>/dev/null

start_namespaces()
{
	ip netns add $host && ip netns add $client || return
	ip link add wan0 netns $host type veth peer name eth0 netns $client || return
	for ns in $host:wan0 $client:eth0; do
		ip netns exec "${ns%:*}" ethtool -K "${ns#*:}" tx off tso off gso off gro off > /dev/null
		ip -n "${ns%:*}" link set lo up
		ip -n "${ns%:*}" link set "${ns#*:}" up
	done
	ip -n $host address add $host4/24 dev wan0
	ip -n $client address add $client4/24 dev eth0
	ip -n $host route add default via $client4
	e2e_wait 120 ip netns exec $client ping -q -c 1 -W 20 $host4 > /dev/null
}

# start_control OPTION...
start_control()
{
	ip netns exec $host "$E2E_BUILD/control/turnpike-control" --instance $instance "$@" \
		> "$E2E_TMP/control.out" 2> "$E2E_TMP/control.log" &
	control_pid=$!
}

start_dataplane()
{
	ip netns exec $host "$E2E_BUILD/dataplane/turnpike-dataplane" --instance $instance "$@" \
		> /dev/null 2> "$E2E_TMP/dataplane.log" &
	dataplane_pid=$!
}

start_ctl()
{
	"$relayctl" -s /run/turnpike/$instance/control.sock "$@"
}

start_forwards()
{
	start_ctl status -j 2>/dev/null | grep -q '"forwarding": true'
}

# start_stop PROCESS...: SIGTERM, one after the other.
start_stop()
{
	local process pid

	for process; do
		pid=${process}_pid
		[ -z "${!pid}" ] || kill "${!pid}" && wait "${!pid}"
		printf -v "$pid" ''
	done 2>/dev/null
}

start_nothing_left()
{
	local left

	left=$(ls -d /dev/shm/turnpike-$instance{,.*} /run/turnpike/$instance/*.sock 2>/dev/null
		ip -n $host -d link show dev wan0 | grep xdp
		ip netns exec $host nft list tables)
	[ -z "$left" ] || echo "$left"
	[ -z "$left" ]
}

start_mint()
{
	local minted

	minted=$(start_ctl credential mint somebody -j) || return
	user=$(sed -n 's/.*"username": "\(.*\)".*/\1/p' <<< "$minted")
	password=$(sed -n 's/.*"password": "\(.*\)".*/\1/p' <<< "$minted")
	[ -n "$user" ] && [ -n "$password" ]
}

# start_uclient: channels between two relayed addresses, with the minted credential.
start_uclient()
{
	ip netns exec $client timeout 300 turnutils_uclient -s -y -c -m 2 -n 20 -z 20 -u "$user" \
		-w "$password" $host4 > "$E2E_TMP/uclient" 2>&1
	grep -q 'tot_send_msgs=40, tot_recv_msgs=40' "$E2E_TMP/uclient" ||
		{ tail -n 5 "$E2E_TMP/uclient"; return 1; }
}

start_config()
{
	config=$E2E_TMP/turnpike.yaml
	chmod 755 "$E2E_TMP"
	(umask 077 && echo first-secret-of-this-test > "$E2E_TMP/first.secret")
	(umask 077 && echo other-secret-of-this-test > "$E2E_TMP/other.secret")
	cat > "$config" <<-END
	realm: start.example
	dataplane: {ports: [{interface: wan0}]}
	listeners: [{transport: udp, address: $host4}]
	relay: {addresses: [$host4]}
	secrets: [{id: first, secret_file: first.secret}]
	END
}

# start_users: users and groups that only this test sees.
start_users()
{
	local file

	for file in passwd group; do
		grep -v ^turnpike /etc/$file > "$E2E_TMP/$file"
		chmod 644 "$E2E_TMP/$file"
	done
	echo "turnpike-control:x:64999:64999::/nonexistent:/usr/sbin/nologin" >> "$E2E_TMP/passwd"
	echo "turnpike-dataplane:x:64998:64998::/nonexistent:/usr/sbin/nologin" >> "$E2E_TMP/passwd"
	echo "turnpike:x:64996:" >> "$E2E_TMP/group"
	[ "$1" = without-group ] || printf '%s\n' turnpike-files:x:64997: \
		turnpike-tables:x:64995:turnpike-control,turnpike-dataplane \
		>> "$E2E_TMP/group"
	mount --bind "$E2E_TMP/passwd" /etc/passwd && mount --bind "$E2E_TMP/group" /etc/group
}

# start_refused PROCESS REMEDY OPTION...: it does not start, and its last line names the remedy.
start_refused()
{
	local process=$1 remedy=$2 pid

	shift 2
	start_$process "$@"
	pid=${process}_pid
	wait "${!pid}"
	[ $? = 2 ] && grep -q "start_failed.*$remedy" "$E2E_TMP/$process.log"
}

trap start_end EXIT
trap 'exit 1' INT TERM
e2e_check "two namespaces and a veth" start_namespaces || exit 1

# ---- no configuration ---------------------------------------------------------------------------
for process in control dataplane; do
	e2e_check "$process refuses to stay root" \
		start_refused $process "uid 0.*--user turnpike-$process.*install-users.*--allow-root"
	e2e_check "$process refuses root by name" \
		start_refused $process "uid 0.*--allow-root" --user root
	e2e_check "$process refuses a user that is not there" \
		start_refused $process "no such user.*install-users" --user turnpike-no-such
done
start_control --allow-root
start_dataplane --allow-root
e2e_check "without a configuration it forwards on the default route's interface" \
	e2e_wait 120 start_forwards
[ $e2e_failed = 0 ] || cat "$E2E_TMP"/*.log
e2e_check "its secret is shown" grep -q '^secret: [0-9a-f]\{48,\}$' "$E2E_TMP/control.out"
e2e_check "and is not in the log" \
	e2e_not grep -qF "$(sed -n 's/^secret: //p' "$E2E_TMP/control.out")" "$E2E_TMP/control.log"
e2e_check "a credential can be minted" start_mint
e2e_check "coturn's client is relayed with it" start_uclient
start_stop control dataplane
e2e_check "control stopped first: nothing is left" start_nothing_left

# ---- a user of its own --------------------------------------------------------------------------
start_config
start_users without-group
start_control --config "$config" --user turnpike-control
wait $control_pid
e2e_check "--user without the files' group fails" [ $? = 1 ]
e2e_check "and says what to do" grep -q 'tools/install-users.*segment.group' "$E2E_TMP/control.log"
umount /etc/passwd /etc/group
start_users with-group
chown turnpike-control "$E2E_TMP"/*.secret
start_control --config "$config" --user turnpike-control
start_dataplane --config "$config" --user turnpike-dataplane
e2e_check "as users of their own they forward" e2e_wait 120 start_forwards
[ $e2e_failed = 0 ] || cat "$E2E_TMP"/*.log
e2e_check "it runs as that user" grep -q '^Uid:.64999.64999.64999' /proc/$control_pid/status
e2e_check "the data plane as its own" grep -q '^Uid:.64998.64998.64998' /proc/$dataplane_pid/status
e2e_check "with no capability" grep -q '^CapPrm:.0000000000000000' /proc/$control_pid/status
e2e_check "a credential can be minted" start_mint
e2e_check "coturn's client is relayed with it" start_uclient

# ---- reload -------------------------------------------------------------------------------------
start_reloaded()
{
	kill -HUP $control_pid
	e2e_wait 120 grep -q "$1" "$E2E_TMP/control.log"
}

start_stream()
{
	(umask 077 && echo "$password" > "$E2E_TMP/password")
	TP_NS_A=$client TP_NS_B=$client TP_PASSWORD_FILE=$E2E_TMP/password E2E_STREAM_SERVER=$host4
	e2e_stream_open "$E2E_TMP/stream.json" --user "$user" --rate 1000 --peer-relay
	e2e_stream_works "a stream passes"
}

start_stream
cp "$config" "$E2E_TMP/good"
echo 'limits: {allocation: 1}' >> "$config"
e2e_check "SIGHUP with a mistake changes nothing" start_reloaded 'config_error.*limits.allocation'
sed 's/id: first, secret_file: first/id: other, secret_file: other/' "$E2E_TMP/good" > "$config"
e2e_check "SIGHUP takes the other secret" start_reloaded config_reloaded
e2e_stream_works "the stream goes on"
e2e_stream_close
e2e_holds "$E2E_TMP/stream.json" "the stream across both lost nothing" \
	"r['up']['sent'] > 100 and all(r[d]['lost'] == r[d]['corrupt'] == 0 for d in ('up', 'down'))"
e2e_check "the old secret's credential is refused" e2e_not start_uclient
e2e_check "a new one can be minted" start_mint
e2e_check "and is taken" start_uclient
start_stop dataplane control
e2e_check "the data plane stopped first: nothing is left" start_nothing_left

# start_members USERS: of the group of the tables; its file stays where it is mounted.
start_members()
{
	sed "s/^\(turnpike-tables:x:64995:\).*/\1$1/" "$E2E_TMP/group" > "$E2E_TMP/group.new" &&
		cat "$E2E_TMP/group.new" > "$E2E_TMP/group"
}

e2e_check "a group of the tables that they are not in" start_members ""
start_control --config "$config" --user turnpike-control
start_dataplane --config "$config" --user turnpike-dataplane
e2e_check "they start again" e2e_wait 120 start_forwards
for process in control dataplane; do
	e2e_check "$process says how to join it" grep -q \
		"config_warning.*usermod -aG turnpike-tables turnpike-$process" "$E2E_TMP/$process.log"
done
e2e_check "members again" start_members turnpike-control,turnpike-dataplane
start_stop control dataplane
e2e_check "control stopped first, as another user: nothing is left" start_nothing_left

# ---- as systemd starts them: never root -------------------------------------------------------
start_control_as_unit()
{
	ip netns exec $host setpriv --reuid turnpike-control --regid turnpike-files --groups turnpike,turnpike-tables \
		--inh-caps=-all --bounding-set=-all "$E2E_BUILD/control/turnpike-control" \
		--instance $instance --config "$config" > /dev/null 2> "$E2E_TMP/control.log" &
	control_pid=$!
}

start_dataplane_as_unit()
{
	local unit=$E2E_TOP/tools/systemd/turnpike-dataplane.service.in capabilities

	capabilities=$(sed -n 's/^AmbientCapabilities=//p' "$unit" | sed 's/CAP_/+/g' | tr 'A-Z ' 'a-z,')
	ip netns exec $host setpriv --reuid turnpike-dataplane --regid turnpike-files --groups turnpike-tables \
		--inh-caps="-all,$capabilities" --ambient-caps="-all,$capabilities" \
		--bounding-set="-all,$capabilities" "$E2E_BUILD/dataplane/turnpike-dataplane" \
		--instance $instance --config "$config" > /dev/null 2> "$E2E_TMP/dataplane.log" &
	dataplane_pid=$!
}

start_as_units()
{
	start_control_as_unit
	start_dataplane_as_unit
}

# As tmpfiles.d makes it, and seen by this test alone.
mount -t tmpfs -o mode=0775,gid=64997 start-run /run/turnpike
start_as_units
e2e_check "as the units start them, they forward" e2e_wait 120 start_forwards
[ $e2e_failed = 0 ] || cat "$E2E_TMP"/*.log
e2e_check "a credential can be minted" start_mint
e2e_check "coturn's client is relayed with it" start_uclient

# ---- files of a version without the group of the tables ---------------------------------------
start_segment=$(cat /run/turnpike/$instance/segment)/turnpike-$instance

# start_regroup KIND...: to the group that all three processes are in.
start_regroup()
{
	local kind

	for kind; do
		chgrp 64997 "$start_segment.$kind" || return
	done
}

start_has_group()
{
	[ "$(stat -c %g "$start_segment.$1")" = 64995 ]
}

for process in control dataplane; do
	e2e_check "$process alone is killed; the files are of the old group" \
		start_regroup tables inject private state punt
	pid=${process}_pid
	kill -9 "${!pid}"
	wait "${!pid}" 2>/dev/null
	e2e_check "nothing forwards" e2e_wait 120 e2e_not start_forwards
	start_${process}_as_unit
	e2e_check "started again, they forward" e2e_wait 120 start_forwards
	[ $e2e_failed = 0 ] || cat "$E2E_TMP"/*.log
	e2e_check "a credential can be minted" start_mint
	e2e_check "coturn's client is relayed with it" start_uclient
done
for kind in state punt; do
	e2e_check "$kind is closed to the edge again" start_has_group $kind
done

kill -9 $dataplane_pid
wait $dataplane_pid 2>/dev/null
start_stop control
start_as_units
e2e_check "after a killed data plane they forward again" e2e_wait 120 start_forwards
[ $e2e_failed = 0 ] || cat "$E2E_TMP"/*.log
start_stop control dataplane
e2e_check "and nothing is left" start_nothing_left
