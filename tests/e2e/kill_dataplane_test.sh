#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The data plane is killed under a stream: the new one forwards within 2 s of its start (goal
# 0.5 s), nobody gets an ICMP error meanwhile, the clients do nothing. Then a file of the segment is
# truncated under traffic: the data plane says so and lives.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

seconds=${E2E_LONG:+30}
runs=${E2E_LONG:+3}

for ((run = 1; run <= ${runs:-1}; run++)); do
	report=$E2E_TMP/stream.json
	e2e_stream "$report" --peer "$TP_B4" --rate 1000 --seconds "${seconds:-10}" &
	stream=$!
	sleep 3
	e2e_check "run $run: killed" e2e_lab kill dataplane
	# Long enough that the kernel would answer clients in our place.
	sleep 1
	started=$EPOCHREALTIME
	e2e_check "run $run: starts again" e2e_lab start dataplane
	wait $stream || { e2e_not_ok "run $run: the stream ran"; continue; }

	for d in up down; do
		e2e_holds "$report" "run $run: forwarding $d again within 2 s of the start" \
			"r['$d']['gap_ms'] > 900 and
			r['started_at'] + (r['$d']['gap_at_ms'] + r['$d']['gap_ms']) / 1e3 - $started < 2"
		e2e_holds "$report" "run $run: $d lost only what was sent in the gap" \
			"r['$d']['lost'] <= r['$d']['gap_ms'] + 10 and
			r['$d']['lost'] <= r['$d']['longest_loss'] + 10"
		e2e_json "$report" "'run $run: $d forwards %.0f ms after the start (goal 500)' % (1e3 * (
			r['started_at'] + (r['$d']['gap_at_ms'] + r['$d']['gap_ms']) / 1e3 - $started))"
	done
	e2e_holds "$report" "run $run: no ICMP error" \
		"r['icmp_errors']['client']['count'] == 0 and r['icmp_errors']['peer']['count'] == 0"
done

# The tables' file is truncated under traffic, as a hijacked writer could do it.
report=$E2E_TMP/stream.json
pid=$(e2e_pid_of dataplane)
tables=$(find "$TP_SEGMENT/" -type f -name "*tables*" -size +0)
e2e_check "one file holds the tables" [ -f "$tables" ]
e2e_stream "$report" --peer "$TP_B4" --rate 1000 --seconds 4 &
stream=$!
sleep 2
truncate -s 0 "$tables"
sleep 1
e2e_check "the data plane lives with $(basename "$tables") truncated" \
	[ -n "$pid" -a "$(e2e_pid_of dataplane)" = "$pid" ]
e2e_check "and reports it" grep -q segment_lost "$TP_LAB_DIR/dataplane.log"
wait $stream
