#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The fallback where AF_XDP does not work: net_af_packet, beside a kernel that sees every packet
# too. Calls are relayed, nothing twice, and the kernel answers none of our packets, thanks to the
# nft table alone.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need tcpdump turnutils_uclient turnutils_peer

config=$(mktemp)
e2e_lab config | sed 's/net_af_xdp0,iface=nic0/net_af_packet0,iface=nic0/' > "$config"
e2e_begin --config "$config"
rm -f "$config"
probe="python3 $(dirname "$0")/dataplane/probe.py"

quiet()
{
	"$@" > /dev/null
}

e2e_check "the port is AF_PACKET" grep -q 'port_started.*device=net_af_packet0' \
	"$TP_LAB_DIR/dataplane.log"
e2e_background net unreachable.log tcpdump -lni r0 "src host $TP_RELAY4 and \
	icmp[icmptype] = icmp-unreach and (icmp[30:2] = 3478 or icmp[30:2] > 49151) or src host $TP_RELAY4 and icmp[icmptype] = icmp-echoreply"
tcpdump_pid=$e2e_pid
e2e_wait 120 grep -q listening "$E2E_TMP/unreachable.log"

# stream NAME OPTION...
stream()
{
	e2e_stream "$E2E_TMP/$1.json" --rate 100 --seconds 4 --drain-ms 5000 "${@:2}"
	e2e_holds "$E2E_TMP/$1.json" "$1: nothing lost, doubled or changed" \
		"all(r[d]['sent'] > 390 and r[d]['lost'] == 0 and r[d]['duplicated'] == 0 and
		r[d]['corrupt'] == 0 for d in ('up', 'down')) and
		r['strange'] == 0 and r['other_source'] == 0"
}

stream "channels" --peer "$TP_B4" --data channel
stream "indications" --peer "$TP_B4" --data send
stream "both ends relayed" --peer-relay --data channel
E2E_STREAM_SERVER=$TP_RELAY6 stream "IPv6" --peer "$TP_B6" --family 6 --data channel
e2e_check "a Binding request is answered" quiet e2e_run a $probe binding "$TP_RELAY4" 3478
e2e_check "a relayed port without allocation is silent" \
	quiet e2e_run a $probe silent "$TP_RELAY4" 50000 20
e2e_check "the kernel pings beside it" quiet e2e_run a ping -c 3 -i 0.2 -W 20 -q "$TP_RELAY4"
# The capture is in order: it has all that came before.
e2e_check "the capture has the pings" e2e_wait 120 grep -q 'echo reply' "$E2E_TMP/unreachable.log"
kill $tcpdump_pid
e2e_check "the kernel answered for none of our ports" \
	e2e_not grep -q unreachable "$E2E_TMP/unreachable.log"
# The same without the table, to prove that the check above can fail; the data plane sleeps, or it
# would put the table back.
kill -STOP "$(e2e_pid_of dataplane)"
e2e_run relay nft delete table inet "turnpike-$E2E_LAB"
e2e_check "it is the nft table that keeps it from answering" \
	quiet e2e_run a $probe refused "$TP_RELAY4" 50000
kill -CONT "$(e2e_pid_of dataplane)"
e2e_check "the data plane puts the table back" \
	e2e_wait 120 quiet e2e_run relay nft list table inet "turnpike-$E2E_LAB"
