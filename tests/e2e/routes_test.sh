#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Default routes as routing daemons make them: equal-cost paths, next-hop objects and groups with and
# without the kernel's compatibility mode, an IPv6 gateway for IPv4, two metrics, two halves. New
# calls are relayed by each.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
relay=$TP_NS_RELAY gateway=$TP_NET4 second=10.77.0.253
ip -n "$TP_NS_NET" address add $second/24 dev r0
gateway6=$(ip -n "$TP_NS_NET" -6 -o address show dev r0 scope link | sed -n 's/.*inet6 \([^/]*\).*/\1/p')

# in_relay COMMANDS: by a shell in the relay's namespace.
in_relay()
{
	e2e_run relay sh -ec "$1"
}

# clean: without IPv4 routes by a gateway, and without objects.
clean()
{
	e2e_run relay sh -c "
		ip route flush table main scope global
		ip route del 0.0.0.0/1; ip route del 128.0.0.0/1
		while ip route del default; do :; done
		ip nexthop flush
		sysctl -qw net.ipv4.nexthop_compat_mode=1" > /dev/null 2>&1
}

# relayed: whether a new call's packets reach its peer and come back.
relayed()
{
	e2e_stream "$E2E_TMP/stream.json" --peer "$TP_B4" --rate 50 --seconds 1 2>/dev/null &&
		[ "$(e2e_json "$E2E_TMP/stream.json" \
			'r["up"]["received"] > 0 and r["down"]["received"] > 0')" = true ]
}

# route NAME COMMANDS: instead of the routes there are.
route()
{
	clean
	if ! in_relay "$2" > "$E2E_TMP/route" 2>&1; then
		echo "not run: $1: $(cat "$E2E_TMP/route")"
		return
	fi
	e2e_check "calls are relayed by $1" e2e_wait 120 relayed
}

e2e_check "calls are relayed by the lab's route" e2e_wait 120 relayed
route "equal-cost paths" \
	"ip route add default nexthop via $gateway nexthop via $second"
route "a next-hop object" \
	"ip nexthop add id 7 via $gateway dev nic0; ip route add default nhid 7"
route "a next-hop object without compatibility" \
	"sysctl -qw net.ipv4.nexthop_compat_mode=0
	ip nexthop add id 7 via $gateway dev nic0; ip route add default nhid 7"
route "a group without compatibility" \
	"sysctl -qw net.ipv4.nexthop_compat_mode=0
	ip nexthop add id 7 via $gateway dev nic0; ip nexthop add id 8 via $second dev nic0
	ip nexthop add id 9 group 7/8; ip route add default nhid 9"
route "an IPv6 gateway" "ip -4 route add default via inet6 $gateway6 dev nic0"
route "two halves" "ip route add 0.0.0.0/1 via $gateway; ip route add 128.0.0.0/1 via $gateway"
route "the better of two metrics" \
	"ip route add default via $second metric 10; ip route add default via $gateway metric 20"
ip -n "$relay" route del default metric 10
ip -n "$TP_NS_NET" address del $second/24 dev r0
e2e_check "and by the other once the better one is gone" e2e_wait 120 relayed

# unroutable: whether the control process has counted an answer without a way to its client.
unroutable()
{
	[ "$(in_relay "$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET -t counter show" |
		awk '$1 == "rings_no_route" { print $2 }')" -gt 0 ]
}
e2e_check "no answer was without a route until now" e2e_not unroutable
clean
e2e_stream "$E2E_TMP/none.json" --peer "$TP_B4" --seconds 1 2>/dev/null &
asking=$!
e2e_check "without any, the answer that cannot leave is counted" e2e_wait 120 unroutable
wait $asking || true
