#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients of streams that misbehave, beside calls over TLS: 10,000 connections opened and dropped at
# every stage (2,000 in the short form), handshakes that are never ended, clients that never read
# while peers send to them. The calls lose nothing, and afterwards no connection and no memory is left.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

RELAYBENCH=$E2E_BUILD/tools/relaybench/relaybench
[ -x "$RELAYBENCH" ] || e2e_skip "no relaybench built"
e2e_need_turnpike
config=$(mktemp)
# All come from one address here.
e2e_lab --streams config | sed 's/^edge:/edge:\
    connections_per_prefix: 0\
    handshake_rate: 0\
    handshake_rate_per_prefix: 0/' > "$config"
printf 'limits:\n    first_contact_rate: 0\n' >> "$config"
e2e_begin --streams --config "$config"
rm -f "$config"
dropped=${E2E_LONG:+10000}
dropped=${dropped:-2000}
halves=200

# edge FIELD: one of `edge show`, or a counter of it.
edge()
{
	relayctl -j edge show | python3 -c 'import json, sys
r = json.load(sys.stdin)
r = r.get("result", r)
print({**r, **{c["counter"]: c["value"] for c in r["counters"]}}[sys.argv[1]])' "$1"
}

no_connections()
{
	[ "$(edge connections)" = 0 ]
}

memory()
{
	awk '/^RssAnon/ {print $2}' "/proc/$(e2e_pid_of "$1")/status"
}

# bad NAME OPTION...: until its line is there; bad_end ends it.
bad()
{
	rm -f "$E2E_TMP/hold"
	mkfifo "$E2E_TMP/hold"
	e2e_run a timeout 400 python3 "$E2E_TOP/tests/e2e/bad_clients.py" "$TP_RELAY4" 5349 "$TP_B4" \
		--peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" --tls "$TP_LAB_DIR/ca.pem" "$@" \
		< "$E2E_TMP/hold" > "$E2E_TMP/bad" 2>&1 9>&- &
	bad_pid=$!
	exec 8> "$E2E_TMP/hold"
}

bad_is_done()
{
	[ -s "$E2E_TMP/bad" ] || ! kill -0 $bad_pid 2> /dev/null
}

bad_end()
{
	exec 8>&-
	wait $bad_pid || { cat "$E2E_TMP/bad"; return 1; }
}

# Packets that the machine lost before the relay saw them, or behind it.
machine_losses()
{
	python3 - "$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET" "$TP_NS_A" "$TP_NS_B" "$TP_NS_NET" \
		"$TP_NS_RELAY" <<-END
		import argparse, sys
		sys.path.insert(0, "$E2E_TOP/tests/e2e")
		import hostile
		print(hostile.machine_losses(argparse.Namespace(relayctl=sys.argv[1], netns=sys.argv[2:])))
	END
}

call()
{
	"$RELAYBENCH" streams --transport tls --server "$TP_RELAY4:443" --peer "$TP_B4" \
		--client-netns "$TP_NS_A" --peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" \
		--no-boost --clients 5 --rate 250 --seconds 2 --direction both -o "$E2E_TMP/call.json" \
		> "$E2E_TMP/call.log" 2>&1 8>&- || { cat "$E2E_TMP/call.log"; return 1; }
	e2e_json "$E2E_TMP/call.json" 'sum(r["measured"][d]["lost"] for d in ("up", "down"))' \
		>> "$E2E_TMP/lost"
}

# Calls, one after another, until the bad clients are done.
calls_go_on()
{
	: > "$E2E_TMP/lost"
	call || return 1
	until bad_is_done; do
		call || return 1
	done
	lost=$(awk '{n += $1} END {print n}' "$E2E_TMP/lost")
	echo "$(wc -l < "$E2E_TMP/lost") calls beside them, $lost packets lost"
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
# Once for the memory that every process keeps for the next time.
bad --dropped 1000 --half-open $halves --unread 2 --packets 2000
e2e_check "a first round of bad clients" e2e_wait 120 bad_is_done
bad_end
call
e2e_check "it leaves no connection" e2e_wait 120 no_connections
# Long enough for memory to be given back.
sleep 12
before_edge=$(memory edge) before_control=$(memory control)

missed=$(machine_losses)
late=$(edge closed_handshake_timeout)
bad --dropped "$dropped" --half-open $halves --unread 2 --packets 2000
e2e_check "calls go on beside bad clients" calls_go_on
e2e_check "all bad clients had their turn" grep -q "^$dropped dropped, $halves half open, 2 unread" "$E2E_TMP/bad"
# Housekeeping reads the counters of the ports once a second.
sleep 1.2
missed=$(($(machine_losses) - missed))
echo "$(cat "$E2E_TMP/bad"); $missed packets lost by the machine"
e2e_check "no packet of the calls is lost by the relay" [ "$lost" -le $missed ]
e2e_check "the unread clients lost their own" [ $(($(edge lost_late) + $(edge lost_full))) -gt 0 ]
e2e_check "half-open handshakes are closed in time" \
	e2e_wait 120 eval '[ $(($(edge closed_handshake_timeout) - late)) -ge $halves ]'
e2e_check "the log names the time-out" \
	grep -q 'connection_limited .*reason=handshake_timeout' "$TP_LAB_DIR/edge.log"
e2e_check "and the clients that lost media" \
	grep -q 'connection_slow .*when=first .*lost_' "$TP_LAB_DIR/edge.log"
bad_end
e2e_check "no connection is left" e2e_wait 120 no_connections
# memory_is_back PROCESS BEFORE: the edge gives memory back at most once in ten seconds.
memory_is_back()
{
	[ "$(memory "$1")" -le $(($2 + 4096)) ]
}
e2e_check "the edge's memory is back" e2e_wait 60 memory_is_back edge "$before_edge"
e2e_check "the control process's memory is back" e2e_wait 60 memory_is_back control "$before_control"
echo "edge $before_edge kB before, $(memory edge) kB after;" \
	"control $before_control kB before, $(memory control) kB after"
