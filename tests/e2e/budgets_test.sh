#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Budgets of bytes: a stream is counted, killed processes lose none of what was on disk, a spent budget
# caps or ends the calls and refuses new ones, and a reset begins anew. Octets relayed without a
# budget are not counted by one that comes back.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"
report=$E2E_TMP/stream.json
cp "$TP_CONFIG" "$E2E_TMP/without"

budget_write()
{
	cp "$E2E_TMP/without" "$TP_CONFIG"
	[ -z "$1" ] || echo "limits: {budget: $1}" >> "$TP_CONFIG"
}

# "": none
budget_is()
{
	budget_write "$1"
	$ctl config reload > "$E2E_TMP/reload" 2>&1 || { cat "$E2E_TMP/reload"; return 1; }
}

# Octets that are counted of the user; 0 while control is away.
counted()
{
	$ctl -j budget show demo 2> /dev/null > "$E2E_TMP/budget" &&
		e2e_json "$E2E_TMP/budget" "r[0]['octets'] if r else 0" || echo 0
}

# Unlike a count of 0, this needs an answer.
none_counted()
{
	$ctl -j budget show demo > "$E2E_TMP/budget" && [ "$(e2e_json "$E2E_TMP/budget" 'len(r)')" = 0 ]
}

counted_is()
{
	[ "$(counted)" = "$1" ]
}

# The same twice, with two of the rounds between in which control writes all to the disk.
settled()
{
	local first

	first=$(counted)
	sleep 10
	[ "$first" != 0 ] && counted_is "$first"
}

counted_beyond()
{
	[ "$(counted)" -gt "$1" ]
}

calls()
{
	$ctl -j allocation list > "$E2E_TMP/calls" && [ "$(e2e_json "$E2E_TMP/calls" 'len(r)')" = "$1" ]
}

dropped()
{
	$ctl -t drop show all | awk '$1 == "cap_user" { gsub(",", "", $2); n = $2 } END { print n + 0 }'
}

drops_grow()
{
	[ "$(dropped)" -gt "$1" ]
}

spent()
{
	$ctl -j budget show demo > "$E2E_TMP/budget" && [ "$(e2e_json "$E2E_TMP/budget" "r[0]['used'] >= 1")" = true ]
}

# One call; its exit status is that of the Allocate.
call_is_refused()
{
	e2e_stream "$E2E_TMP/refused" --peer "$TP_B4" --seconds 1 > "$E2E_TMP/refused.log" 2>&1 && return 1
	grep -q 486 "$E2E_TMP/refused.log" "$E2E_TMP/refused" || { cat "$E2E_TMP/refused.log"; return 1; }
}

logged()
{
	grep -q "$1" "$TP_LAB_DIR/control.log"
}

e2e_stream_open "$report" --peer "$TP_B4" --rate 200 --size 500 || { e2e_not_ok "the stream runs"; exit 1; }
e2e_stream_works "calls work without a budget"
e2e_check "nothing is counted for nobody" none_counted
e2e_check "a budget comes by a reload" budget_is "{megabytes: 1000000, period: day}"
e2e_check "the reload names it" grep -q "limits.budget.megabytes.*0 to 1000000" "$E2E_TMP/reload"
e2e_check "the stream is counted" e2e_wait 120 counted_beyond 200000

e2e_check "it is counted on" e2e_wait 120 counted_beyond $(($(counted) + 2000000))
e2e_check "the stream rests" pkill -STOP -P "$e2e_stream_pid"
e2e_check "the count rests" e2e_wait 120 settled
before=$(counted)
e2e_check "the control process is killed" e2e_lab kill control --signal KILL
e2e_check "and starts" e2e_lab start control
e2e_check "it remembers each octet" e2e_wait 60 counted_is "$before"
e2e_check "the count rests" e2e_wait 60 settled
e2e_check "at the same octet" counted_is "$before"
e2e_check "the data plane is killed" e2e_lab kill dataplane
e2e_check "and starts" e2e_lab start dataplane
e2e_check "the count rests" e2e_wait 60 settled
e2e_check "where it was" counted_is "$before"
e2e_check "the budget leaves" budget_is ""
e2e_check "the stream runs without it" pkill -CONT -P "$e2e_stream_pid"
e2e_stream_works "and is relayed"
e2e_check "the stream rests" pkill -STOP -P "$e2e_stream_pid"
e2e_check "the control process is killed" e2e_lab kill control --signal KILL
e2e_check "the budget comes back with the next one" budget_write "{megabytes: 1000000, period: day}"
e2e_check "which starts" e2e_lab start control
e2e_check "the count rests" e2e_wait 60 settled
e2e_check "without the octets in between" counted_is "$before"
e2e_check "the stream goes on" pkill -CONT -P "$e2e_stream_pid"
e2e_check "it says so" logged budgets_loaded
e2e_check "and counts on" e2e_wait 120 counted_beyond $((before + 3000000))
e2e_stream_works "the call lives"

e2e_check "a spent budget of calls that are capped" budget_is \
	"{megabytes: 3, period: day, calls: cap, bandwidth: 8}"
e2e_check "caps them" e2e_wait 120 drops_grow 20
e2e_check "the list says that it is spent" spent
e2e_check "a new call is refused" call_is_refused
$ctl budget reset demo > "$E2E_TMP/reset"
e2e_check "a reset is confirmed" grep -q demo "$E2E_TMP/reset"
# Under the cap this would take 500 s.
e2e_check "and lifts the cap until as much has passed again" e2e_wait 120 counted_beyond 500000
# Beyond the present count: the line is written where a count passes the budget.
e2e_check "a spent budget of calls that end" budget_is \
	"{megabytes: $(($(counted) / 1000000 + 2)), period: day}"
e2e_check "ends them" e2e_wait 120 calls 0
e2e_check "with their reason" e2e_wait 60 logged "allocation_ended.*reason=budget"
e2e_check "and a line about the user" logged "budget_spent user=demo"
e2e_check "and a new call is refused" call_is_refused
$ctl budget show > "$E2E_TMP/show"
e2e_check "the list shows it" grep -q "demo.*static" "$E2E_TMP/show"
e2e_check "the file is the user's own" sh -c "[ \$(stat -c %a '$(dirname "$TP_SOCKET")/budgets') = 600 ]"
e2e_check "the budget leaves" budget_is ""
e2e_check "and calls work again" e2e_stream "$E2E_TMP/last" --peer "$TP_B4" --seconds 1
kill "$e2e_stream_pid" 2> /dev/null || true
