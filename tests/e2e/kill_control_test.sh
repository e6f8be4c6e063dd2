#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The control process is killed under a stream: nothing is lost, and requests sent while it is away
# are answered rightly after its restart.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

runs=${E2E_LONG:+3}
report=$E2E_TMP/stream.json

for ((run = 1; run <= ${runs:-1}; run++)); do
	e2e_stream_open "$report" --peer "$TP_B4" --rate 1000 ||
		{ e2e_not_ok "run $run: the stream runs"; continue; }
	e2e_stream_ask "request refresh"
	e2e_stream_works "run $run: calls work before"
	e2e_check "run $run: killed" e2e_lab kill control
	killed=$EPOCHREALTIME
	for request in refresh permission channel allocate-again; do
		e2e_stream_ask "request $request"
	done
	pause=1
	[ -z "$E2E_LONG" ] || pause=8
	sleep $pause # packets go on meanwhile
	started=$EPOCHREALTIME
	e2e_check "run $run: starts again" e2e_lab start control
	e2e_stream_works "run $run: and afterwards"
	e2e_stream_ask "request refresh"
	e2e_stream_ask "request allocate-again"
	e2e_stream_works "run $run: and again"
	e2e_check "run $run: the stream ran" e2e_stream_close || continue

	e2e_holds "$report" "run $run: many went up" "r['up']['sent'] > 500"
	e2e_holds "$report" "run $run: nothing lost on the way up" "r['up']['lost'] == 0"
	e2e_holds "$report" "run $run: nothing lost on the way down" "r['down']['lost'] == 0"
	e2e_holds "$report" "run $run: nothing doubled or changed" \
		"all(r[d][k] == 0 for d in ('up', 'down') for k in ('duplicated', 'corrupt'))"
	e2e_holds "$report" "run $run: all seven requests answered with success" \
		"[q['answer'] for q in r['requests']] == ['success'] * 7"
	# Two clocks are compared, which the stream reads one after the other: a busy machine may take
	# some milliseconds between them.
	e2e_holds "$report" "run $run: those of the pause were answered after the restart" \
		"all(r['started_at'] + q['at_ms'] / 1e3 > $killed - 0.1 and
		r['started_at'] + (q['at_ms'] + q['after_ms']) / 1e3 > $started
		for q in r['requests'][1:5])"
	e2e_holds "$report" "run $run: a repeated Allocate names the same relayed address" \
		"all(q['same_relayed'] for q in r['requests'] if q['request'] == 'allocate-again')"
	e2e_holds "$report" "run $run: no ICMP error" \
		"r['icmp_errors']['client']['count'] == 0 and r['icmp_errors']['peer']['count'] == 0"
	e2e_json "$report" "'run $run: longest silence %s ms up, %s ms down' % (
		r['up']['gap_ms'], r['down']['gap_ms'])"
done
