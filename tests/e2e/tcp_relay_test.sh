#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# TCP allocations (RFC 6062): clients of coturn, each connected with each other, and a client of this
# test: refusals, both ends of a connection, over TLS too, and while control is killed.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need turnutils_uclient
e2e_need_turnpike
e2e_begin --streams
clients=20
messages=${E2E_LONG:+500}
messages=${messages:-100}

# Each connects to all the others' relayed addresses, then sends to one.
uclient()
{
	local log=$E2E_TMP/uclient.log received

	e2e_run a timeout 200 turnutils_uclient -c -m $clients -n $messages -z 20 -u demo \
		-w demo-password "$@" "$TP_RELAY4" > "$log" 2>&1
	received=$(sed -n 's/.*tot_send_msgs=[0-9]*, tot_recv_msgs=\([0-9]*\)$/\1/p' "$log" | tail -n 1)
	[ "${received:-0}" = $((clients * messages)) ] && grep -q 'Total lost packets 0 ' "$log" ||
		{ tail -n 5 "$log"; false; }
}

# client PART OPTION...: the lines of the client's checks.
client()
{
	local part=$1 out=$E2E_TMP/client.$1

	shift
	e2e_run a timeout 200 python3 "$E2E_TOP/tests/e2e/tcp_client.py" "$TP_RELAY4" "${port:-3478}" \
		"$TP_B4" --peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" --part "$part" "$@" \
		> "$out" 2>&1
	e2e_check "$part ${*:+over TLS}: all checks of the client" client_passed $? "$out"
}

client_passed()
{
	[ "$1" = 0 ] && grep -q '^ok' "$2" || { cat "$2"; false; }
}

no_connections()
{
	relayctl -j edge show | python3 -c 'import json, sys
c = {v["counter"]: v["value"] for v in json.load(sys.stdin)["counters"]}
sys.exit(c["relay_joined"] == 0 or c["relay_joined"] != c["relay_ended"])'
}

sed -i "s|^\( *\)- {name: demo, .*|&\n\1- {name: second, password_file: $TP_PASSWORD_FILE}|" "$TP_CONFIG"
relayctl config reload > "$E2E_TMP/reload" 2>&1
e2e_check "a second user" grep -q users "$E2E_TMP/reload"
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
# A public address, which no rule closes.
ip -n "$TP_NS_RELAY" address add 8.8.4.4/32 dev lo
ip -n "$TP_NS_RELAY" route add local 8.8.5.0/24 dev lo
client refusals
client active
port=5349 client active --tls "$TP_LAB_DIR/ca.pem"
client passive
port=5349 client passive --tls "$TP_LAB_DIR/ca.pem"
client unjoined
e2e_check "$clients clients × $messages messages of coturn's client" uclient -T

mkfifo "$E2E_TMP/go"
client killed < "$E2E_TMP/go" &
job=$!
exec 6> "$E2E_TMP/go"
e2e_check "data connections are ready" e2e_wait 60 grep -qs ready "$E2E_TMP/client.killed"
e2e_lab kill control > /dev/null 6>&-
e2e_lab start control > /dev/null 6>&-
e2e_check "the edge has found control again" e2e_wait 60 edge_runs
echo go >&6
exec 6>&-
wait $job
e2e_check "all checks of the client whose control process was killed" client_passed 0 "$E2E_TMP/client.killed"
e2e_check "none of them failed" e2e_not grep '^not ok' "$E2E_TMP/client.killed"
e2e_check "the last was made" grep -q 'all end with the allocation' "$E2E_TMP/client.killed"
e2e_check "every joined connection ended" e2e_wait 60 no_connections
e2e_check "their ends are logged" grep -q data_connection_ended "$TP_LAB_DIR/control.log"
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log
