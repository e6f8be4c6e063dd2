#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The lab itself: which side reaches which, and that `down` undoes everything, wherever `up`
# stopped. The relay's place is empty here.
. "$(dirname "$0")/_init.sh"

E2E_SERVER=none
e2e_up()
{
	e2e_lab up --no-relay "$@" && eval "$(e2e_lab env)"
}

# reaches SIDE ADDRESS [SECONDS]: the machine may be slow; a network that rejects answers at once.
reaches()
{
	e2e_run "$1" ping -c 1 -W "${3:-60}" -q "$2" >/dev/null 2>&1
}

# tcp SIDE ADDRESS PORT: connected or refused by the host itself means that the network let it by.
tcp_passes()
{
	e2e_run "$1" python3 - "$2" "$3" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
	s.settimeout(60)
	try:
	    s.connect((sys.argv[1], int(sys.argv[2])))
	except ConnectionRefusedError:
	    pass
	except OSError:
	    sys.exit(1)
	END
}

# The traces of this lab on the machine: the same before and after. (Hugepages are left out: other
# labs move that counter too.)
trace()
{
	ip netns list | grep -F "$E2E_LAB" || true
	grep -F "$E2E_LAB" /proc/mounts || true
	ls -d "/run/turnpike-$E2E_LAB" "/etc/netns/$E2E_LAB"-* /dev/shm/turnpike-"$E2E_LAB" 2>/dev/null || true
}

[ "$(id -u)" = 0 ] || e2e_skip "needs root"
before=$(e2e_lab down; trace)
e2e_begin --nodes 2 --relay-addresses 3

for address in "$TP_RELAY4" "$TP_RELAY4_2" "$TP_RELAY6" "$TP_RELAY6_2" 10.77.0.11 fd77::12 \
	"$TP_NET4" 10.77.3.3 fd77:3::3; do
	e2e_check "a reaches $address" reaches a "$address"
done
e2e_check "b reaches the relay" reaches b "$TP_RELAY4"
e2e_check "the relay reaches b over IPv6" reaches relay "$TP_B6"
e2e_check "a does not reach b" e2e_not reaches a "$TP_B4"
e2e_check "b does not reach a over IPv6" e2e_not reaches b "$TP_A6"

e2e_lab firewall open a
e2e_check "one open side is not enough" e2e_not reaches a "$TP_B4"
e2e_lab firewall open b
e2e_check "two open sides reach each other" reaches a "$TP_B4"
e2e_lab firewall tcp443 a
e2e_check "tcp443: no ping to the relay" e2e_not reaches a "$TP_RELAY4"
e2e_check "tcp443: port 443 passes" tcp_passes a "$TP_RELAY4" 443
e2e_check "tcp443: port 443 passes over IPv6" tcp_passes a "$TP_RELAY6" 443
e2e_check "tcp443: port 3478 does not" e2e_not tcp_passes a "$TP_RELAY4" 3478
e2e_lab firewall relay-only a
e2e_check "relay-only again: the relay answers" reaches a "$TP_RELAY4"

e2e_lab config > "$E2E_TMP/one.yaml"
sed 's/^        - {device.*/&\n        - {device: "net_af_xdp1,iface=nic1", interface: nic1}/' \
	"$E2E_TMP/one.yaml" > "$E2E_TMP/two.yaml"
e2e_check "a configuration of --direct is refused at once, by name" \
	grep -q "names the interface nic1.*--direct" \
	<("$E2E_TOP/tools/lab" --name "$E2E_LAB-2" up --no-relay --config "$E2E_TMP/two.yaml" 2>&1)
e2e_check "nothing is left of it" e2e_not ls "/run/turnpike-$E2E_LAB-2" 2>/dev/null
mkdir "/run/turnpike-$E2E_LAB-2.failed"
e2e_check "env prints nothing after a failed up" \
	[ -z "$("$E2E_TOP/tools/lab" --name "$E2E_LAB-2" env 2>/dev/null)" ]
rmdir "/run/turnpike-$E2E_LAB-2.failed"

e2e_check "names resolve without DNS" e2e_run a getent hosts relay.lab.turnpike
e2e_check "the certificate names the relay" openssl verify -CAfile "$TP_CA" \
	-verify_hostname relay.lab.turnpike "$TP_LAB_DIR/relay.pem"
e2e_check "status says all runs" e2e_lab status

e2e_background a sleep.log sleep 300
stranger_log=$E2E_TMP/stranger
ip netns exec "$TP_NS_B" sleep 301 9>&- &
stranger=$!
e2e_wait 120 grep -qx sleep "/proc/$stranger/comm"
e2e_lab down 2> "$stranger_log"
e2e_check "down ends what the lab started" e2e_not kill -0 "$e2e_pid" 2>/dev/null
e2e_check "down leaves alone what it did not start" kill -0 $stranger
e2e_check "and names it" grep -q "pid $stranger " "$stranger_log"
kill $stranger
e2e_check "nothing is left" [ "$(trace)" = "$before" ]
e2e_check "down works twice" e2e_lab down

for delay in 0.05 0.2 0.4 0.7 1.0; do
	setsid "$E2E_TOP/tools/lab" --name "$E2E_LAB" up --no-relay > "$E2E_TMP/up.log" 2>&1 9>&- &
	up=$!
	sleep $delay
	kill -9 -- -$up 2>/dev/null
	wait $up 2>/dev/null
	e2e_lab down 2>/dev/null
	e2e_check "up killed after $delay s leaves nothing after down" [ "$(trace)" = "$before" ]
done
