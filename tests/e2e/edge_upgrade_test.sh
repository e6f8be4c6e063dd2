#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The edge is taken over again and again: calls by TCP, TLS and DTLS lose no message and make no
# connection anew, clients that connect meanwhile are not refused, and each process that was taken
# over ends with its last connection, or after edge.drain.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams
upgrades=10

edge_pid()
{
	relayctl -j edge show > "$E2E_TMP/edge" 2>/dev/null && e2e_json "$E2E_TMP/edge" "r['pid']"
}

lab_pid()
{
	local pid rest

	read -r pid rest < "$TP_LAB_DIR/pids/$1" && echo "$pid"
}

is_new()
{
	[ "$(edge_pid)" = "$(lab_pid edge)" ]
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

upgrade()
{
	e2e_lab upgrade edge && e2e_wait 60 is_new
}

# heard DESCRIPTOR ANSWER
heard()
{
	read -r -t 240 answer <&"$1" && [[ $answer = "$2"* ]] || { echo "got $answer"; false; }
}

# says CLIENTS ANSWER: the next line of a coprocess.
says()
{
	local -n client=$1

	heard "${client[0]}" "$2"
}

asks()
{
	local -n client=$1

	echo >&"${client[1]}" && says "$1" ready
}

ends()
{
	local -n client=$1
	local from status=0

	# The coprocess's own descriptors and variables go with it.
	exec {from}<&"${client[0]}" {client[1]}>&-
	heard "$from" all || status=1
	exec {from}<&-
	return $status
}

talk()
{
	e2e_run a python3 "$E2E_TOP/tests/e2e/talk.py" "$TP_RELAY4" --transport "$1" \
		--ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" 2>&1
}

knock()
{
	e2e_run a python3 "$E2E_TOP/tests/e2e/knock.py" "$TP_RELAY4" --ca "$TP_LAB_DIR/ca.pem" 2>&1
}

# data_client NAME PORT [OPTION...]: a data connection of a TCP allocation; its lines in NAME.
data_client()
{
	local name=$1 port=$2

	shift 2
	mkfifo "$E2E_TMP/$name.go"
	e2e_run a timeout 400 python3 "$E2E_TOP/tests/e2e/tcp_client.py" "$TP_RELAY4" "$port" "$TP_B4" \
		--peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" --part moved "$@" \
		< "$E2E_TMP/$name.go" > "$E2E_TMP/$name" 2>&1 &
}

# Both have made each check, and control has counted each byte.
data_counted()
{
	local name octets

	for name in plain tls; do
		octets=$(tail -n 1 "$E2E_TMP/$name")
		[[ $octets = to_peer* ]] && e2e_not grep '^not ok' "$E2E_TMP/$name" &&
			e2e_wait 60 grep -q "data_connection_ended.*$octets" "$TP_LAB_DIR/control.log" ||
			{ cat "$E2E_TMP/$name"; grep data_connection_ended "$TP_LAB_DIR/control.log"; return 1; }
	done
}

# Closes the descriptors of another coprocess: its input ends with the last one.
hide()
{
	local -n other=$1

	exec {other[0]}<&- {other[1]}>&-
}

counter()
{
	relayctl -j edge show > "$E2E_TMP/edge" && e2e_json "$E2E_TMP/edge" \
		"[c['value'] for c in r['counters'] if c['counter'] == '$1'][0]"
}

drain_set()
{
	sed -i '/^    drain:/d; s/^edge:$/edge:\n    drain: '"$1"'/' "$TP_CONFIG"
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
first=$(lab_pid edge)
drain_set 300
e2e_check "an edge without clients is taken over" upgrade
e2e_check "and ends at once" e2e_wait 10 is_gone "$first"

{ coproc TCP { talk tcp; }; } 2>/dev/null
e2e_check "two clients by TCP talk" says TCP ready
{ coproc TLS { hide TCP; talk tls; }; } 2>/dev/null
e2e_check "two clients by TLS talk" says TLS ready
{ coproc DTLS { hide TCP; hide TLS; talk dtls; }; } 2>/dev/null
e2e_check "two clients by DTLS talk" says DTLS ready
{ coproc KNOCK { hide TCP; hide TLS; hide DTLS; knock; }; } 2>/dev/null
e2e_check "others come and go" says KNOCK ready
drains=$(lab_pid edge)
for ((run = 1; run <= upgrades; run++)); do
	e2e_check "upgrade $run" upgrade
	e2e_check "upgrade $run: the allocations by TCP are refreshed" asks TCP
	e2e_check "upgrade $run: those by TLS too" asks TLS
	e2e_check "upgrade $run: those by DTLS too" asks DTLS
done
e2e_check "six connections were taken over each time" [ "$(counter taken)" -ge 6 ]
e2e_check "the process that encrypts serves on" kill -0 "$drains"
e2e_check "nobody was refused" ends KNOCK
echo "connections: ${answer#all }"
e2e_check "by TCP no message is missing" ends TCP
echo "messages each way: ${answer#all }"
e2e_check "by TLS no message is missing" ends TLS
echo "messages each way: ${answer#all }"
e2e_check "by DTLS no message is missing" ends DTLS
echo "messages each way: ${answer#all }"
e2e_check "with its last connection that process ends" e2e_wait 20 is_gone "$drains"

{ coproc TCP { talk tcp; }; } 2>/dev/null
e2e_check "two clients by TCP" says TCP ready
layout=$("$E2E_BUILD/control/edge/turnpike-edge" --version | sed 's/.*layout \([0-9]*\).*/\1/')
for how in garbage version cut die; do
	e2e_check "a stranger: $how" python3 "$E2E_TOP/tests/e2e/takeover.py" \
		"$TP_LAB_DIR/edge-takeover.sock" "$layout" "$how"
	e2e_check "a stranger: $how: the clients are refreshed" asks TCP
done
e2e_check "each has its line" [ "$(grep -c edge_take_over_failed "$TP_LAB_DIR/edge.log")" = 4 ]
{ coproc TLS { hide TCP; talk tls; }; } 2>/dev/null
e2e_check "two clients by TLS" says TLS ready
clients=$TLS_PID
drains=$(lab_pid edge)
e2e_check "it is taken over" upgrade
kill -9 "$drains"
e2e_check "its end by SIGKILL leaves those by TCP alone" asks TCP
e2e_check "they miss no message" ends TCP
wait "$clients" 2>/dev/null

data_client plain 3478
plain=$!
data_client tls 5349 --tls "$TP_LAB_DIR/ca.pem"
tls=$!
exec 6> "$E2E_TMP/plain.go" 7> "$E2E_TMP/tls.go"
for name in plain tls; do
	e2e_check "a data connection is joined: $name" e2e_wait 60 grep -qs ready "$E2E_TMP/$name"
done
for run in 1 2; do
	e2e_check "upgrade $run under data connections" upgrade 6>&- 7>&-
	echo >&6
	echo >&7
	for name in plain tls; do
		e2e_check "upgrade $run: bytes pass, $name" \
			e2e_wait 60 grep -qs "moved $run" "$E2E_TMP/$name"
	done
done
exec 6>&- 7>&-
wait $plain $tls
e2e_check "every byte is counted" data_counted

drain_set 1
e2e_check "another edge.drain comes by a reload" relayctl certificate reload
{ coproc TLS { talk tls; }; } 2>/dev/null
e2e_check "two clients by TLS" says TLS ready
{ coproc DTLS { hide TLS; talk dtls; }; } 2>/dev/null
e2e_check "two clients by DTLS" says DTLS ready
drains=$(lab_pid edge)
e2e_check "it is taken over" upgrade
e2e_check "after edge.drain it ends with clients" e2e_wait 30 is_gone "$drains"
e2e_check "the ends of those by DTLS are counted" e2e_wait 10 [ "$(counter closed_drained)" = 2 ]
e2e_check "the new one serves" edge_runs
e2e_check "both processes told" [ "$(grep -c edge_taken_over "$TP_LAB_DIR/edge.log")" -ge 30 ]
e2e_check "control has not lost the edge" e2e_not grep -h edge_down "$TP_LAB_DIR/control.log"
