#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/quickstart --interface on a veth with two queues: clients with the printed credentials are
# relayed, the kernel keeps everything else, --undo leaves nothing even of a killed data plane.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
[ "$(id -u)" = 0 ] || e2e_skip "needs root"
e2e_need ip nft ethtool python3 turnutils_uclient turnutils_stunclient
[ -x "$E2E_BUILD/control/turnpike-control" ] || e2e_skip "no control process built"
[ -x "$E2E_BUILD/dataplane/turnpike-dataplane" ] || e2e_skip "no data plane built"

name=quick-if-$$
host=quick-host-$$
client=quick-client-$$
host4=45.77.0.1 host6=2a0e:77::1 client4=45.77.0.2 client6=2a0e:77::2 outside4=45.77.9.9
control_socket=/run/turnpike-$name/control.sock
E2E_TMP=$(mktemp -d)

interface_end()
{
	local status=$?

	interface_quickstart --undo --name $name > /dev/null 2>&1
	ip netns del $host
	ip netns del $client
	(exit $status)
	e2e_end
}

interface_namespaces()
{
	local ns device

	ip netns add $host && ip netns add $client || return
	ip link add wan0 netns $host numrxqueues 2 numtxqueues 2 type veth peer name eth0 \
		netns $client || return
	for ns in $host:wan0 $client:eth0; do
		device=${ns#*:} ns=${ns%:*}
		ip netns exec $ns ethtool -K $device tx off tso off gso off gro off > /dev/null
		ip -n $ns link set lo up
		ip -n $ns link set $device up
	done
	ip netns exec $client ethtool -L eth0 tx 1 2>/dev/null
	ip -n $host address add $host4/24 dev wan0
	ip -n $host address add $host6/64 dev wan0 nodad
	ip -n $client address add $client4/24 dev eth0
	ip -n $client address add $client6/64 dev eth0 nodad
	ip netns exec $host sysctl -q -w net.ipv4.ip_local_reserved_ports=5000-5001
	e2e_wait 120 interface_ping
}

interface_ping()
{
	ip netns exec $client ping -q -c 2 -i 0.2 -W 20 $host4 > /dev/null
}

interface_quickstart()
{
	TURNPIKE_BUILD=$E2E_BUILD ip netns exec $host "$E2E_TOP/tools/quickstart" "$@" 9>&-
}

# interface_up OPTION...: sets user, and password in its file.
interface_up()
{
	interface_quickstart --interface wan0 --name $name --no-install "$@" > "$E2E_TMP/up" 2>&1 ||
		return
	user=$(sed -n 's/^user name *//p' "$E2E_TMP/up")
	(umask 077 && sed -n 's/^password *//p' "$E2E_TMP/up" > "$E2E_TMP/password")
}

# interface_stream NAME SERVER OPTION...
interface_stream()
{
	local what=$1 report=$E2E_TMP/stream.json

	"$E2E_STREAM" run --server "$2" --user "$user" --password-file "$E2E_TMP/password" \
		--netns $client --peer-netns $client --rate 200 --seconds 2 "${@:3}" > "$report" ||
		{ e2e_not_ok "$what: set-up"; return; }
	e2e_holds "$report" "$what: nothing lost" "r['up']['sent'] > 390 and
		all(r[d]['lost'] == r[d]['corrupt'] == 0 for d in ('up', 'down'))"
}

interface_uclient()
{
	ip netns exec $client timeout 300 turnutils_uclient -s -y -c -m 2 -n 20 -z 20 -u "$user" \
		-w "$(cat "$E2E_TMP/password")" $host4 > "$E2E_TMP/uclient" 2>&1
	grep -q 'tot_send_msgs=40, tot_recv_msgs=40' "$E2E_TMP/uclient" ||
		{ tail -n 5 "$E2E_TMP/uclient"; return 1; }
}

interface_tcp()
{
	python3 - $host $client $host4 <<-'END'
	import ctypes, hashlib, os, socket, sys, threading
	libc = ctypes.CDLL(None, use_errno=True)
	def enter(ns):
	    fd = os.open("/run/netns/" + ns, os.O_RDONLY)
	    if libc.setns(fd, 0x40000000) != 0:
	        raise OSError(ctypes.get_errno(), "setns")
	data = os.urandom(1 << 20)
	enter(sys.argv[1])
	server = socket.create_server((sys.argv[3], 2222))
	threading.Thread(target=lambda: server.accept()[0].sendall(data), daemon=True).start()
	enter(sys.argv[2])
	got, s = b"", socket.create_connection((sys.argv[3], 2222), 5)
	while len(got) < len(data):
	    got += s.recv(65536)
	sys.exit(hashlib.sha256(got).digest() != hashlib.sha256(data).digest())
	END
}

# The page's server, as the quick start says to start it.
interface_page()
{
	local status=0

	ip netns exec $host "$E2E_TOP/tools/voicecall/voicecall" serve --relay-socket $control_socket \
		--relayctl "$E2E_BUILD/tools/relayctl/relayctl" > "$E2E_TMP/page" 2>&1 &
	e2e_wait 120 grep -q '^lounge: http://localhost:8080/#' "$E2E_TMP/page" || status=1
	kill $!
	wait $! 2>/dev/null
	return $status
}

# The users of the relay's processes, root's left out.
interface_users()
{
	ps -o user:32= -p "$(ip netns pids $host | paste -sd ,)" | grep -v root | sort -u | xargs
}

interface_nothing_left()
{
	local left

	left=$(
		exec 2>/dev/null
		ip -n $host -d link show dev wan0 | grep xdp
		ip netns exec $host nft list tables
		ls -d /run/turnpike-$name /var/lib/turnpike-quickstart-$name /dev/shm/turnpike-$name \
			/var/lib/turnpike-users/for-quickstart-$name
		ip netns pids $host
	)
	[ -z "$left" ] || echo "$left"
	[ -z "$left" ] &&
		[ "$(ip netns exec $host cat /proc/sys/net/ipv4/ip_local_reserved_ports)" = 5000-5001 ] &&
		[ "$(ip netns exec $host ethtool -l wan0 | sed -n 's/^RX:[^0-9]*//p' | tail -n 1)" = 2 ]
}

trap interface_end EXIT
trap 'exit 1' INT TERM
e2e_check "two namespaces and a veth" interface_namespaces || exit 1

e2e_check "an interface that is not there is named" e2e_not interface_up --interface nic7
e2e_check "beside the one that is" grep -q "no interface 'nic7': one of wan0" "$E2E_TMP/up"
e2e_check "an external address that is none is named" \
	e2e_not interface_up --external-address 300.1.2.3
e2e_check "with what to do about it" grep -q '300.1.2.3' "$E2E_TMP/up"
e2e_check "--undo after that" interface_quickstart --undo --name $name
e2e_check "nothing is left" interface_nothing_left

e2e_check "the relay runs on wan0" interface_up
[ $e2e_failed = 0 ] || { cat "$E2E_TMP/up"; exit 1; }
for address in $host4 "[$host6]"; do
	e2e_check "its URL is printed: $address" grep -qF "turn:$address:3478?transport=udp" "$E2E_TMP/up"
done
e2e_check "with a user and a password" [ -n "$user" -a -s "$E2E_TMP/password" ]
e2e_check "a STUN client gets its address" \
	grep -q "reflexive addr: $client4:" <(ip netns exec $client turnutils_stunclient $host4)
interface_stream "relay to relay" $host4 --peer-relay
interface_stream "IPv6 client, IPv4 peer" "[$host6]:3478" --peer $client4
interface_stream "IPv4 client, IPv6 peer" $host4 --peer $client6 --family 6
e2e_check "turnutils_uclient, both ends relayed" interface_uclient
e2e_check "the kernel keeps TCP" interface_tcp
e2e_check "and ping" interface_ping
if /usr/bin/python3 -c 'import aiohttp' 2>/dev/null; then
	e2e_check "the call page is served on localhost" interface_page
fi

# Again, now behind 1:1 NAT: the secret stays, so credentials minted before are still valid.
kept_user=$user
cp "$E2E_TMP/password" "$E2E_TMP/kept"
e2e_check "a second time, with an external address" interface_up --external-address $outside4
[ $e2e_failed = 0 ] || { cat "$E2E_TMP/up"; exit 1; }
user=$kept_user
cp "$E2E_TMP/kept" "$E2E_TMP/password"
interface_stream "relay to relay, by the external address" $host4 --peer-relay
e2e_holds "$E2E_TMP/stream.json" "clients are told $outside4" "r['relayed'].startswith('$outside4:')"

e2e_check "the processes are users of their own" [ "$(interface_users)" = \
	"turnpike-control turnpike-dataplane" ]
# The one that would start the data plane again goes first.
kill -9 "$(cut -d ' ' -f 1 /run/turnpike-$name/pids/turnpike)"
kill -9 $(ip netns pids $host)
e2e_check "--undo after all was killed" interface_quickstart --undo --name $name
[ $e2e_failed = 0 ] || exit 1
e2e_check "nothing is left" interface_nothing_left
e2e_check "--undo with nothing to undo" interface_quickstart --undo --name $name
