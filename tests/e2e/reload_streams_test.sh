#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Listeners of tcp, tls and dtls and a relay address come and go by reloads, while two clients by TLS
# talk: no message of theirs is lost and no connection is made anew.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams

says()
{
	read -r -t 240 answer <&"${TALK[0]}" && [[ $answer = "$1"* ]] || { echo "got $answer"; false; }
}

# Both processes, as `turnpike` and the units do by SIGHUP.
reload()
{
	relayctl config reload > "$E2E_TMP/reload" 2>&1 && relayctl certificate reload > /dev/null
}

listeners_add()
{
	sed -i "s|^listeners:|&\\n    - {transport: tcp, address: \"$TP_RELAY4\", port: 3490}\\n$(
		)    - {transport: tls, address: \"$TP_RELAY4\", port: 3491}\\n$(
		)    - {transport: dtls, address: \"$TP_RELAY4\", port: 3492}|" "$TP_CONFIG" && reload
}

listeners_remove()
{
	sed -i '/port: 349[012]}/d' "$TP_CONFIG" && reload
}

# calls TRANSPORT PORT: two clients that call each other.
calls()
{
	e2e_run a timeout 100 python3 "$E2E_TOP/tests/e2e/talk.py" "$TP_RELAY4" --transport "$1" \
		--port "$2" --ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" \
		< /dev/null 2>&1 | grep -q '^all '
}

connects()
{
	e2e_run a timeout 20 bash -c "exec 5<>/dev/tcp/$TP_RELAY4/$1" 2> /dev/null
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
edge_pid=$(e2e_pid_of edge)
coproc TALK { e2e_run a python3 "$E2E_TOP/tests/e2e/talk.py" "$TP_RELAY4" \
	--ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" 2>&1; }
e2e_check "two clients by TLS talk" says ready
e2e_check "nobody listens at the new port" e2e_not connects 3490
for round in 1 2; do
	e2e_check "round $round: listeners are added" listeners_add
	e2e_check "round $round: a call by TCP" e2e_wait 200 calls tcp 3490
	e2e_check "round $round: a call by TLS" e2e_wait 200 calls tls 3491
	e2e_check "round $round: a call by DTLS" e2e_wait 200 calls dtls 3492
	e2e_check "round $round: they are removed" listeners_remove
	e2e_check "round $round: nobody listens there" e2e_wait 60 e2e_not connects 3490
	echo >&"${TALK[1]}"
	e2e_check "round $round: the clients' requests are answered" says ready
done
e2e_check "the log has the changes" grep -q 'config_reloaded.*listeners_added=3' "$TP_LAB_DIR/edge.log"
e2e_check "it is the same edge" [ "$(e2e_pid_of edge)" = "$edge_pid" ]
exec {TALK[1]}>&-
e2e_check "no message is missing" says all
echo "messages each way: ${answer#all }"
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log
