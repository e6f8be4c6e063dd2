#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The control process is killed twenty times while two clients by TLS talk: no message is lost, no
# connection is made anew, and each new process knows both allocations.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams
kills=20

says()
{
	read -r -t 240 answer <&"${TALK[0]}" && [[ $answer = "$1"* ]] || { echo "got $answer"; false; }
}

# kill_and_ask: the clients' requests of the pause are answered by the new process.
kill_and_ask()
{
	e2e_lab kill control && echo >&"${TALK[1]}" && e2e_lab start control && says ready
}

accepted()
{
	relayctl -j edge show > "$E2E_TMP/edge" && e2e_json "$E2E_TMP/edge" \
		"[c['value'] for c in r['counters'] if c['counter'] == 'accepted'][0]"
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
coproc TALK { e2e_run a python3 "$E2E_TOP/tests/e2e/talk.py" "$TP_RELAY4" \
	--ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" 2>&1; }
e2e_check "two clients by TLS talk" says ready
before=$(accepted)
for ((run = 1; run <= kills; run++)); do
	e2e_check "kill $run: both allocations are refreshed" kill_and_ask
done
e2e_check "the edge has found both processes again" e2e_wait 60 edge_runs
e2e_check "no connection was made" [ "$(accepted)" = "$before" ]
exec {TALK[1]}>&-
e2e_check "no message is missing" says all
echo "messages each way: ${answer#all }"
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log
