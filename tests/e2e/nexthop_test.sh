#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Gateways change under a stream: another MAC at the same address, then another gateway. Traffic
# follows both times (goal: within a second).
. "$(dirname "$0")/_init.sh"

e2e_begin

e2e_silence()
{
	e2e_json "$report" "'$1: longest silence %s ms up, %s ms down, lost %d and %d' % (
		r['up']['gap_ms'], r['down']['gap_ms'], r['up']['lost'], r['down']['lost'])"
}

# --- no client yet
nexthop_gateways()
{
	e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" nexthop list |
		tee "$E2E_TMP/hops" | grep -cE " ($TP_NET4|$TP_NET6) .*([0-9a-f]{2}:){5}[0-9a-f]{2} .*resolved"
}

if [ "$E2E_SERVER" = turnpike ]; then
	e2e_check "both default gateways are known before the first client" \
		e2e_wait 120 eval '[ "$(nexthop_gateways)" = 2 ]'
	cat "$E2E_TMP/hops"
fi

# --- another MAC
report=$E2E_TMP/mac.json
e2e_stream_open "$report" --peer "$TP_B4" --rate 500
e2e_stream_works "packets pass before"
ip -n "$TP_NS_NET" link set dev r0 address 02:00:00:77:00:01
# A host with a new MAC announces it; the kernel leaves that to user space.
e2e_run net python3 "$E2E_TOP/tests/e2e/announce.py" r0 "$TP_NET4"
e2e_stream_works "another MAC of the gateway is followed both ways"
e2e_stream_close
e2e_silence "another MAC"

# --- another gateway: r9 beside r0, with a MAC of its own. The firewall knows r0 alone.
e2e_lab firewall open a
e2e_lab firewall open b
# Each of the two answers for its own address only.
e2e_run net sh -c "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore"
ip -n "$TP_NS_NET" link add link r0 name r9 type macvlan mode bridge
ip -n "$TP_NS_NET" link set r9 up
ip -n "$TP_NS_NET" address add 10.77.0.253/32 dev r9
r9_packets()
{
	ip netns exec "$TP_NS_NET" cat /sys/class/net/r9/statistics/rx_packets
}
report=$E2E_TMP/route.json
e2e_stream_open "$report" --peer "$TP_B4" --rate 500
e2e_stream_works "packets pass before"
before=$(r9_packets)
ip -n "$TP_NS_RELAY" route replace default via 10.77.0.253
e2e_check "the new gateway carries the stream" \
	e2e_wait 120 eval '[ $(($(r9_packets) - before)) -gt 1000 ]'
e2e_stream_works "another route is followed both ways"
e2e_stream_close
e2e_silence "another route"
