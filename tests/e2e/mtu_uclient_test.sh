#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# coturn's own client with messages that do not fit legs of 1,280 bytes to client and peer, in the long
# form to one of them, too: they come back but for the first ones, from whose loss the echo's host
# learns the length. With -g (DF, DONT-FRAGMENT) short messages pass, and for long ones the client is
# told the number.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_uclient turnutils_peer
e2e_begin

messages=50
legs_a="10.77.1.0/24 dev a0"
legs_b="10.77.2.0/24 dev b0"

# leg a|b MTU: of packets from the router to that side; senders elsewhere forget what they knew.
leg()
{
	local route=legs_$1

	e2e_run net ip route change ${!route} mtu "$2"
	e2e_run a ip route flush cache
	e2e_run b ip route flush cache
}

# run NAME LEAST OPTION...: of one client's messages at least so many come back.
run()
{
	(
		log=$(mktemp "$E2E_TMP/uclient.XXXXXX")
		e2e_run a timeout 120 turnutils_uclient -c -m 1 -n $messages -z 40 -u demo -w demo-password \
			-e "$TP_B4" "${@:3}" "$TP_RELAY4" > "$log" 2>&1
		received=$(sed -n 's/.*tot_recv_msgs=\([0-9]*\)$/\1/p' "$log" | tail -n 1)
		if [ "${received:-0}" -ge "$2" ]; then
			echo "ok - $1: $received of $messages"
		else
			echo "not ok - $1: ${received:-0} of $messages, at least $2 wanted"
			tail -n 8 "$log"
		fi > "$log.verdict"
	) 9>&- &
	jobs+=($!)
}

verdicts()
{
	wait "${jobs[@]}"
	jobs=()
	for verdict in "$E2E_TMP"/uclient.*.verdict; do
		cat "$verdict"
		e2e_passed=$((e2e_passed + $(grep -c '^ok' "$verdict")))
		e2e_failed=$((e2e_failed + $(grep -c '^not ok' "$verdict")))
		rm "$verdict"
	done
}

# The length that the client's host has learnt for the way to the relay.
learnt()
{
	e2e_run a ip -o route get "$TP_RELAY4" | sed -n 's/.* mtu \([0-9]*\).*/\1/p'
}

jobs=()
e2e_background b peer.log turnutils_peer -L "$TP_B4" -p 3480
kinds=("to both")
[ -z "$E2E_LONG" ] || kinds=("to the client" "to the peer" "to both")
for narrow in "${kinds[@]}"; do
	leg a 1500
	leg b 1500
	[ "$narrow" = "to the peer" ] || leg a 1280
	[ "$narrow" = "to the client" ] || leg b 1280
	for length in 1300 1450; do
		run "leg of 1,280 $narrow, channels of $length bytes" $((messages * 3 / 4)) -l $length
		run "leg of 1,280 $narrow, indications of $length bytes" $((messages * 3 / 4)) -s -l $length
	done
	verdicts
	run "leg of 1,280 $narrow, -g, channels of 1,000 bytes" $messages -g -l 1000
	run "leg of 1,280 $narrow, -g, indications of 1,000 bytes" $messages -g -s -l 1000
	verdicts
done

leg a 1500
# With -g messages of 1,450 bytes, of which the leg to the peer takes none.
e2e_run a timeout 120 turnutils_uclient -c -m 1 -n $messages -z 40 -u demo -w demo-password \
	-e "$TP_B4" -g -l 1450 "$TP_RELAY4" > "$E2E_TMP/told" 2>&1
echo "the client's host has learnt $(learnt)"
[ "$E2E_SERVER" != turnpike ] ||
	e2e_check "the client is told 1,284, the leg's MTU and the channel's header" [ "$(learnt)" = 1284 ]
