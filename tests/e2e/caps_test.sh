#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A reload caps the calls under way and lifts the cap again; restarts of either process keep it. Rates
# are judged by the relay's counters against the time around both readings: a busy machine relays
# less, never more. Marks and shares are judged by the packets that arrive.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"
report=$E2E_TMP/stream.json
cp "$TP_CONFIG" "$E2E_TMP/without"

dropped()
{
	$ctl -t drop show all | awk -v name="$1" '$1 == name { gsub(",", "", $2); n = $2 }
		END { print n + 0 }'
}

drops_grow()
{
	local before

	before=$(dropped "$1")
	e2e_wait 120 more_dropped "$1" "$before"
}

more_dropped()
{
	[ "$(dropped "$1")" -gt "$2" ]
}

caps_are()
{
	cp "$E2E_TMP/without" "$TP_CONFIG"
	[ -z "$1" ] || echo "limits: {caps: $1}" >> "$TP_CONFIG"
	$ctl config reload > "$E2E_TMP/reload" 2>&1 || { cat "$E2E_TMP/reload"; return 1; }
}

# Octets of the one allocation, both ways.
octets()
{
	$ctl -j allocation list > "$E2E_TMP/list.json" &&
		e2e_json "$E2E_TMP/list.json" "r[0]['octets_to_peer'] + r[0]['octets_to_client']"
}

e2e_stream_open "$report" --peer "$TP_B4" --rate 500 --size 500 || { e2e_not_ok "the stream runs"; exit 1; }
e2e_stream_works "calls work without a cap"
e2e_check "nothing was dropped for one" [ "$(dropped cap_allocation)" = 0 ]

# The stream offers 4,000 kbit/s, both ways together.
e2e_check "a cap of allocations comes by a reload" caps_are "{allocation: {bandwidth: 400}}"
e2e_check "the reload names it" grep -q "limits.caps.allocation.bandwidth.*0 to 400" "$E2E_TMP/reload"
e2e_check "it drops what is beyond" drops_grow cap_allocation
began=$EPOCHREALTIME
before=$(octets)
e2e_wait 120 more_dropped cap_allocation $(($(dropped cap_allocation) + 2000))
after=$(octets)
ended=$EPOCHREALTIME
e2e_check "the rate is not above the cap" python3 -c "
bits, s = 8 * ($after - $before), $ended - $began
print(f'{bits / s / 1000:.0f} kbit/s over {s:.1f} s')
assert 0 < bits <= 1.05 * 400e3 * s + 48000 + 8 * 1000"
id=$($ctl -j allocation list > "$E2E_TMP/list.json" && e2e_json "$E2E_TMP/list.json" "r[0]['id']")
$ctl -j allocation show "$id" > "$E2E_TMP/show.json"
e2e_holds "$E2E_TMP/show.json" "the allocation shows its drops" "r['cap_dropped'] > 2000"

e2e_check "the control process is killed" e2e_lab kill control
e2e_check "and starts" e2e_lab start control
e2e_check "the cap holds after that" drops_grow cap_allocation
e2e_check "the data plane is killed" e2e_lab kill dataplane
e2e_check "and starts again" e2e_lab start dataplane
e2e_check "the cap holds after that, too" drops_grow cap_allocation

e2e_check "a cap of users takes its place" caps_are "{user: {packet_rate: 50}}"
e2e_check "and drops by its own name" drops_grow cap_user
e2e_check "a cap of the realm" caps_are "{realm: {bandwidth: 400}}"
e2e_check "likewise" drops_grow cap_realm
e2e_check "a cap of all" caps_are "{all: {bandwidth: 400}}"
e2e_check "likewise, last" drops_grow cap_all
e2e_check "all caps leave" caps_are ""
e2e_stream_works "calls work again"
none=$(dropped cap_all)
e2e_stream_works "and still"
e2e_check "nothing is dropped any more" [ "$(dropped cap_all)" = "$none" ]
e2e_check "the stream ran" e2e_stream_close

# flows PART: the lines of the client's checks.
flows()
{
	local status=0

	e2e_run a timeout 400 python3 "$E2E_TOP/tests/e2e/cap_flows.py" "$1" "$TP_RELAY4" "$TP_B4" \
		--peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" > "$E2E_TMP/flows.$1" 2>&1 ||
		status=$?
	grep -E '^(not ok|offered|ECN-capable|not ECN)' "$E2E_TMP/flows.$1"
	[ $status = 0 ] || cat "$E2E_TMP/flows.$1"
	return $status
}

# Not for another reason than that one of the two gets more.
shares_nothing()
{
	e2e_not flows share && grep -q "^not ok - they share" "$E2E_TMP/flows.share" &&
		awk '$1 == "offered" { ratio = $NF } END { exit ratio <= 2 }' "$E2E_TMP/flows.share"
}

e2e_check "a cap of one allocation" caps_are "{allocation: {bandwidth: 400}}"
e2e_check "ECN-capable packets are marked on the wire before any is lost, others never" flows mark
# A sender that a busy machine stops offers less than its share meanwhile.
if [ -n "$E2E_LONG" ]; then
	e2e_check "a cap of the realm once more" caps_are "{realm: {bandwidth: 400}}"
	e2e_check "one session offers ten times as much as another and gets the same" flows share
	e2e_check "the caps leave" caps_are ""
	e2e_check "without a cap it gets more" shares_nothing
fi
