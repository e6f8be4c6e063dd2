#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Gateways change under a stream: another MAC at the same address, then another gateway. Traffic
# follows within a second, both times.
. "$(dirname "$0")/_init.sh"

e2e_begin

# One second, and what a busy machine adds to it.
limit_ms=1200

# --- no client yet
nexthop_gateways()
{
	e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" nexthop list |
		tee "$E2E_TMP/hops" | grep -cE " ($TP_NET4|$TP_NET6) .*([0-9a-f]{2}:){5}[0-9a-f]{2} .*resolved"
}

if [ "$E2E_SERVER" = turnpike ]; then
	e2e_check "both default gateways are known before the first client" \
		e2e_wait 2 eval '[ "$(nexthop_gateways)" = 2 ]'
	cat "$E2E_TMP/hops"
fi

# --- another MAC
report=$E2E_TMP/mac.json
e2e_stream "$report" --peer "$TP_B4" --rate 500 --seconds 8 &
stream=$!
sleep 3
ip -n "$TP_NS_NET" link set dev r0 address 02:00:00:77:00:01
# What a host with a new MAC does, and the kernel leaves to user space: announce it.
e2e_run net python3 "$E2E_TOP/tests/e2e/announce.py" r0 "$TP_NET4"
wait $stream
e2e_holds "$report" "another MAC of the gateway is followed up within a second" \
	"r['up']['sent'] > 3900 and r['up']['gap_ms'] < $limit_ms"
e2e_holds "$report" "and down" "r['down']['received'] > 3000 and r['down']['gap_ms'] < $limit_ms"

# --- another gateway: r9 beside r0, with a MAC of its own. The firewall knows r0 alone.
e2e_lab firewall open a
e2e_lab firewall open b
# Each of the two answers for its own address only.
e2e_run net sh -c "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore"
ip -n "$TP_NS_NET" link add link r0 name r9 type macvlan mode bridge
ip -n "$TP_NS_NET" link set r9 up
ip -n "$TP_NS_NET" address add 10.77.0.253/32 dev r9
sleep 0.5
r9_packets()
{
	ip netns exec "$TP_NS_NET" cat /sys/class/net/r9/statistics/rx_packets
}
report=$E2E_TMP/route.json
e2e_stream "$report" --peer "$TP_B4" --rate 500 --seconds 8 &
stream=$!
sleep 3
before=$(r9_packets)
ip -n "$TP_NS_RELAY" route replace default via 10.77.0.253
sleep 3
through=$(($(r9_packets) - before))
wait $stream
e2e_check "the new gateway carries the stream ($through packets)" [ $through -gt 1000 ]
e2e_holds "$report" "another route is followed within a second" \
	"r['up']['sent'] > 3900 and r['up']['gap_ms'] < $limit_ms and r['down']['gap_ms'] < $limit_ms"
e2e_json "$report" "'route change: longest silence %s ms up, %s ms down, lost %d and %d' % (
	r['up']['gap_ms'], r['down']['gap_ms'], r['up']['lost'], r['down']['lost'])"
