#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The edge is killed again and again: a UDP call loses nothing, clients by TCP, TLS and DTLS come back
# at once under a quota that one left allocation would exhaust, and nothing of the old ones stays.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams
kills=${E2E_LONG:+20}
kills=${kills:-5}
report=$E2E_TMP/stream.json

# is EXPRESSION COMMAND...: an expression over the command's JSON. One that fails is no answer.
is()
{
	relayctl -j "${@:2}" > "$E2E_TMP/answer" && [ "$(e2e_json "$E2E_TMP/answer" "$1")" = true ]
}

entries()
{
	relayctl -j status > "$E2E_TMP/answer" && e2e_json "$E2E_TMP/answer" "r['segment']['entries_used']"
}

counter()
{
	relayctl -j edge show > "$E2E_TMP/answer" && e2e_json "$E2E_TMP/answer" \
		"[c['value'] for c in r['counters'] if c['counter'] == '$1'][0]"
}

ready()
{
	read -r -t 240 answer <&"${CLIENTS[0]}" && [[ $answer = ready* ]] || { echo "got $answer"; false; }
}

# The stream's allocation and those of the three clients are all that a user may have.
echo "limits: {user_quota: 4}" >> "$TP_CONFIG"
relayctl config reload > "$E2E_TMP/reload" 2>&1
e2e_check "a quota of four allocations" grep -q quota "$E2E_TMP/reload"
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
e2e_stream_open "$report" --peer "$TP_B4" --rate 200
e2e_stream_works "a UDP call"
alone=$(entries)
coproc CLIENTS { e2e_run a python3 "$E2E_TOP/tests/e2e/kill_edge.py" "$TP_RELAY4" \
	--ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" 2>&1; }
e2e_check "clients by TCP, TLS and DTLS beside it" ready
all=$(entries)
for ((run = 1; run <= kills; run++)); do
	e2e_check "kill $run" e2e_lab kill edge
	echo >&"${CLIENTS[1]}" # they come back while it is away
	e2e_check "kill $run: it starts again" e2e_lab start edge
	e2e_check "kill $run: the clients are back" ready
	echo "kill $run: meanwhile ${answer#ready }"
	e2e_check "kill $run: the old allocations are gone" e2e_wait 60 is "len(r) == 4" allocation list
	e2e_check "kill $run: no entry is left of them" e2e_wait 60 is \
		"r['segment']['entries_used'] == $all" status
	e2e_check "kill $run: three connections" e2e_wait 60 is "r['connections'] == 3" edge show
	e2e_check "kill $run: the rings are in order" [ "$(counter link_resets) $(counter link_bad)" = "0 0" ]
done
e2e_stream_ask "request refresh"
e2e_stream_works "the UDP call works"
exec {CLIENTS[1]}>&-
e2e_check "the clients' allocations end" e2e_wait 60 is "len(r) == 1" allocation list
e2e_check "with all their entries" e2e_wait 60 is "r['segment']['entries_used'] == $alone" status
e2e_check "the stream ends" e2e_stream_close
e2e_holds "$report" "the UDP call lost nothing" \
	"r['up']['sent'] > 100 and r['up']['lost'] == r['down']['lost'] == 0"
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log
