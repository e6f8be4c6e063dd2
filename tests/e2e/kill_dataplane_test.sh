#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The data plane is killed under a stream: the new one forwards again (goal: 0.5 s after its start),
# nobody gets an ICMP error meanwhile, the clients do nothing. Then a file of the segment is
# truncated under traffic: the data plane says so and lives.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

runs=${E2E_LONG:+3}
report=$E2E_TMP/stream.json

for ((run = 1; run <= ${runs:-1}; run++)); do
	e2e_stream_open "$report" --peer "$TP_B4" --rate 1000 ||
		{ e2e_not_ok "run $run: the stream runs"; continue; }
	e2e_stream_works "run $run: calls work before"
	e2e_check "run $run: killed" e2e_lab kill dataplane
	# A thousand packets each way, which the kernel could answer in our place.
	sleep 1
	started=$EPOCHREALTIME
	e2e_check "run $run: starts again" e2e_lab start dataplane
	e2e_stream_works "run $run: calls work, and packets pass both ways again"
	e2e_check "run $run: the stream ran" e2e_stream_close || continue

	for d in up down; do
		e2e_holds "$report" "run $run: $d was silent meanwhile" "r['$d']['gap_ms'] > 900"
		e2e_holds "$report" "run $run: $d lost only what was sent in the gap" \
			"r['$d']['lost'] <= 1.05 * r['$d']['longest_loss'] + 50"
		e2e_json "$report" "'run $run: $d forwards %.0f ms after the start (goal 500)' % (1e3 * (
			r['started_at'] + (r['$d']['gap_at_ms'] + r['$d']['gap_ms']) / 1e3 - $started))"
	done
	e2e_holds "$report" "run $run: no ICMP error" \
		"r['icmp_errors']['client']['count'] == 0 and r['icmp_errors']['peer']['count'] == 0"
done

# The tables' file is truncated under traffic, as a hijacked writer could do it.
pid=$(e2e_pid_of dataplane)
tables=$(find "$TP_SEGMENT/" -type f -name "*tables" -size +0)
e2e_check "one file holds the tables" [ -f "$tables" ]
e2e_stream_open "$report" --peer "$TP_B4" --rate 1000
truncate -s 0 "$tables"
e2e_check "$(basename "$tables") truncated is reported" \
	e2e_wait 120 grep -q segment_lost "$TP_LAB_DIR/dataplane.log"
e2e_stream_ask mark
e2e_check "and the data plane lives" [ -n "$pid" -a "$(e2e_pid_of dataplane)" = "$pid" ]
e2e_stream_close
