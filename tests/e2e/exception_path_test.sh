#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A card that the kernel does not see, with a twin for the kernel: all other packets go there and
# back as if the kernel had the card, and calls are relayed beside it. The card has two queues and
# each frame takes one of them by chance, so every call meets both workers.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need turnutils_uclient turnutils_peer ping tcpdump
e2e_begin --exception-path

probe="python3 $(dirname "$0")/dataplane/probe.py"

quiet()
{
	"$@" > /dev/null
}

# twin_field NAME: of the interface, as the kernel knows it.
twin_field()
{
	e2e_run relay ip -j link show nic0 | python3 -c "import json, sys
print(json.load(sys.stdin)[0]['$1'])"
}

twin_has_carrier()
{
	[ "$(e2e_run relay cat /sys/class/net/nic0/carrier)" = "$1" ]
}

tcp_back_and_forth()
{
	e2e_run a timeout 120 python3 -c "
import socket, threading
s = socket.create_connection(('$1', 3478), 60)
data = bytes(range(256)) * 8192
threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR))).start()
back = b''
while d := s.recv(65536): back += d
assert back == data, len(back)"
}

kernel_works()
{
	e2e_check "$1: ping" quiet e2e_run a ping -c 3 -i 0.2 -W 20 -q "$TP_RELAY4"
	e2e_check "$1: ping over IPv6" quiet e2e_run a ping -c 3 -i 0.2 -W 20 -q "$TP_RELAY6"
	e2e_check "$1: 1400 octets" quiet e2e_run a ping -s 1400 -c 2 -i 0.2 -W 20 -q "$TP_RELAY4"
	e2e_check "$1: TCP, 2 MB there and back" tcp_back_and_forth "$TP_RELAY4"
	e2e_check "$1: TCP over IPv6" tcp_back_and_forth "$TP_RELAY6"
	e2e_check "$1: the relay host's own UDP service" quiet e2e_run a $probe ask "$TP_RELAY4" 53 50
	e2e_check "$1: the relay host's own UDP queries" quiet e2e_run relay $probe ask "$TP_B4" 53 200
	e2e_check "$1: a closed port that is not ours is refused" quiet e2e_run a $probe refused "$TP_RELAY4" 9
}

e2e_check "the twin has the card's MAC address" [ "$(twin_field address)" = 02:00:00:4d:00:01 ]
e2e_check "and its MTU" [ "$(twin_field mtu)" = 1500 ]
e2e_check "and its carrier" e2e_wait 120 twin_has_carrier 1
e2e_background relay service.log python3 "$(dirname "$0")/dataplane/probe.py" echo "$TP_RELAY4" 53
e2e_background b service.log python3 "$(dirname "$0")/dataplane/probe.py" echo "$TP_B4" 53
e2e_background net service.log python3 "$(dirname "$0")/dataplane/probe.py" echo "$TP_NET4" 53
e2e_background relay tcp4.log python3 "$(dirname "$0")/dataplane/probe.py" echo_tcp "$TP_RELAY4" 3478
e2e_background relay tcp6.log python3 "$(dirname "$0")/dataplane/probe.py" echo_tcp "$TP_RELAY6" 3478
e2e_lab firewall open a
e2e_lab firewall open b
sleep 0.5
kernel_works "beside the relay"
e2e_check "a Binding request is answered" quiet e2e_run a $probe binding "$TP_RELAY4" 3478
e2e_check "a relayed port without allocation is silent" \
	quiet e2e_run a $probe silent "$TP_RELAY4" 50000 20
e2e_lab firewall relay-only a
e2e_lab firewall relay-only b

# An answer of the kernel to a stranger's UDP at one of our ports would show here.
e2e_background net unreachable.log tcpdump -lni r0 "src host $TP_RELAY4 and \
	(icmp[icmptype] = icmp-unreach and (icmp[30:2] = 3478 or icmp[30:2] > 49151) or
	icmp[icmptype] = icmp-echoreply)"
tcpdump_pid=$e2e_pid
e2e_check "a capture begins" e2e_wait 120 grep -q listening "$E2E_TMP/unreachable.log"
. "$(dirname "$0")/_uclient.sh"

e2e_lab kill dataplane
e2e_check "killed: the twin is still there" [ "$(twin_field mtu)" = 1500 ]
e2e_check "killed: without a carrier" e2e_wait 120 twin_has_carrier 0
e2e_lab start dataplane
kernel_works "started again"
uclient "channels after the restart" $password -e "$TP_B4" "$TP_RELAY4"
uclient_wait
e2e_check "each worker has seen its part" eval "e2e_run relay \
	'$E2E_BUILD/tools/relayctl/relayctl' -s '$TP_SOCKET' -j worker show | python3 -c '
import json, sys
w = json.load(sys.stdin)
assert len(w) == 2 and all(x[\"rx_packets\"] > 1000 for x in w), w'"

# Without tables the data plane cannot tell our packets: the host goes on, and the guard keeps it
# from answering.
e2e_lab kill control --signal TERM
e2e_lab kill dataplane --signal TERM
e2e_check "stopped: what was there before stays" [ "$(twin_field operstate)" = DOWN ]
e2e_lab start dataplane
e2e_check "without tables: the carrier comes" e2e_wait 120 twin_has_carrier 1
e2e_check "without tables: ping" quiet e2e_run a ping -c 3 -i 0.2 -W 20 -q "$TP_RELAY4"
e2e_check "without tables: the relay host's own UDP queries" \
	quiet e2e_run relay $probe ask "$TP_NET4" 53 50
e2e_check "without tables: our ports are silent" quiet e2e_run a $probe silent "$TP_RELAY4" 3478 10
# The capture is in order: it has all that came before.
e2e_run a ping -c 1 -s 99 -W 20 -q "$TP_RELAY4" > /dev/null
e2e_check "the capture has the last ping" e2e_wait 120 grep -q 'echo reply.* length 107' "$E2E_TMP/unreachable.log"
kill $tcpdump_pid
e2e_check "nowhere did the kernel answer for our ports" \
	e2e_not grep -q unreachable "$E2E_TMP/unreachable.log"
