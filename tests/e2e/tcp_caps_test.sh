#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The bytes of a data connection (RFC 6062) are in the allocation's counters and the user's budget, over
# a restart of the control process too, and keep to caps that a reload sets. A busy machine relays
# slower, never faster.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams
cp "$TP_CONFIG" "$E2E_TMP/without"
client=$E2E_TMP/client

limits_are()
{
	cp "$E2E_TMP/without" "$TP_CONFIG"
	echo "limits: {budget: {megabytes: 1000000, period: day}${1:+, caps: $1}}" >> "$TP_CONFIG"
	relayctl config reload > "$E2E_TMP/reload" 2>&1 || { cat "$E2E_TMP/reload"; return 1; }
}

# Octets of the one allocation, both ways.
counted_is()
{
	relayctl -j allocation list > "$E2E_TMP/list" &&
		[ "$(e2e_json "$E2E_TMP/list" "r[0]['octets_to_peer'] + r[0]['octets_to_client']")" = "$1" ]
}

# The count is of whole KiB.
budget_is()
{
	relayctl -j budget show demo > "$E2E_TMP/budget" &&
		[ "$(e2e_json "$E2E_TMP/budget" "r[0]['octets'] if r else 0")" = "$1" ]
}

# The client has sent so often.
sent()
{
	[ "$(grep -c '^sent' "$client")" = "$1" ]
}

# Bytes of all allocations, both ways.
all_octets()
{
	relayctl -j allocation list > "$E2E_TMP/list" &&
		e2e_json "$E2E_TMP/list" "sum(a['octets_to_peer'] + a['octets_to_client'] for a in r)"
}

# rate_is LEAST MOST COMMAND...: of all together meanwhile, in kbit/s. The burst is 80 ms, and the
# edge reports its bytes every 100 ms.
rate_is()
{
	local least=$1 most=$2 before after began ended

	shift 2
	began=$EPOCHREALTIME
	before=$(all_octets)
	"$@" || return 1
	after=$(all_octets)
	ended=$EPOCHREALTIME
	python3 -c "
kbit, s = 8 * ($after - $before) / 1000, $ended - $began
print(f'{kbit / s:.0f} kbit/s over {s:.1f} s')
assert $least * s <= kbit <= 1.05 * $most * s + 0.2 * $most"
}

# How many allocations of 50,000 bytes have ended.
brief_ended()
{
	[ "$(grep "allocation_ended" "$TP_LAB_DIR/control.log" | grep -c "to_peer_octets=50000 ")" = "$1" ]
}

# bytes SIZE LEAST: the client sends them, which takes so many seconds at least.
bytes()
{
	local before

	before=$(grep -c '^sent' "$client")
	echo "$1 $2" >&6
	e2e_wait 60 sent $((before + 1)) && e2e_not grep '^not ok' "$client" || { cat "$client"; false; }
}

ended_with()
{
	grep "allocation_ended" "$TP_LAB_DIR/control.log" | grep -q "to_peer_octets=$1 "
}

# A client of a TCP allocation, which gets its orders by descriptor 6.
client_start()
{
	rm -f "$E2E_TMP/go"
	mkfifo "$E2E_TMP/go"
	e2e_run a timeout 300 python3 "$E2E_TOP/tests/e2e/tcp_client.py" "$TP_RELAY4" 3478 "$TP_B4" \
		--peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" --part metered \
		< "$E2E_TMP/go" > "$client" 2>&1 &
	job=$!
	exec 6> "$E2E_TMP/go"
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
e2e_check "a budget comes by a reload" limits_are
client_start
e2e_check "4,096,000 bytes pass" bytes 4096000 0
e2e_check "they are the allocation's" e2e_wait 60 counted_is 4096000
e2e_check "and the user's" e2e_wait 60 budget_is 4096000
e2e_lab kill control > /dev/null 6>&-
e2e_check "1,024,000 more pass without the control process" bytes 1024000 0
e2e_lab start control > /dev/null 6>&-
e2e_check "the edge has found control again" e2e_wait 60 edge_runs
e2e_check "all of them are counted, once" e2e_wait 60 counted_is 5120000
e2e_check "for the user, too" e2e_wait 60 budget_is 5120000
# The burst is 40 ms, and a read may exceed it.
e2e_check "a cap of the user comes by a reload" limits_are "{user: {bandwidth: 8000}}"
e2e_check "4,096,000 bytes take 4 seconds" bytes 4096000 3.9
e2e_check "a lower one of the allocation" limits_are "{user: {bandwidth: 8000}, allocation: {bandwidth: 2000}}"
e2e_check "1,024,000 bytes take 4 seconds" bytes 1024000 3.9
e2e_check "the cap is lifted" limits_are
e2e_check "20,480,000 bytes pass" bytes 20480000 0
e2e_check "nothing is lost" e2e_wait 60 counted_is 30720000
exec 6>&-
wait $job
e2e_check "the record of its end has them" e2e_wait 60 ended_with 30720000
relayctl budget reset demo > "$E2E_TMP/reset"
e2e_check "allocations that end at once" e2e_run a timeout 300 python3 "$E2E_TOP/tests/e2e/tcp_client.py" \
	"$TP_RELAY4" 3478 "$TP_B4" --peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" --part brief
e2e_check "have all their bytes in their records" e2e_wait 60 brief_ended 30
e2e_check "and in the user's budget" e2e_wait 60 budget_is 1500000

# A call by UDP that wants all of the cap, and a TCP allocation beside it.
e2e_check "a cap of the user" limits_are "{user: {bandwidth: 2000}}"
e2e_stream_open "$E2E_TMP/stream.json" --peer "$TP_B4" --rate 500 --size 500 ||
	{ e2e_not_ok "the call runs"; exit 1; }
client_start
e2e_check "first bytes" bytes 1024 0
e2e_check "no more than the cap passes" rate_is 0 2000 sleep 4
# More than a half, which a fixed division would leave; a busy machine relays less for a while.
e2e_check "the call has the cap while the other is silent" e2e_wait 120 rate_is 1300 2000 sleep 3
e2e_check "both have a half each: 1,024,000 bytes take 7 seconds" rate_is 0 2000 bytes 1024000 7
exec 6>&-
wait $job
e2e_stream_close > "$E2E_TMP/close" || true
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log
