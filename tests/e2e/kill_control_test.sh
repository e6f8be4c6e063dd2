#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The control process is killed under a stream: nothing is lost, and requests sent while it is away
# are answered rightly after its restart.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

seconds=${E2E_LONG:+30}
runs=${E2E_LONG:+3}

for ((run = 1; run <= ${runs:-1}; run++)); do
	report=$E2E_TMP/stream.json
	# Before the kill, while nobody is there (from 3 s to 5 s, about), and after the start.
	e2e_stream "$report" --peer "$TP_B4" --rate 1000 --seconds "${seconds:-10}" --at 1000:refresh \
		--at 3700:refresh --at 3800:permission --at 3900:channel --at 4000:allocate-again \
		--at 8000:refresh --at 8100:allocate-again &
	stream=$!
	sleep 3
	e2e_check "run $run: killed" e2e_lab kill control
	killed=$EPOCHREALTIME
	sleep 1.5
	started=$EPOCHREALTIME
	e2e_check "run $run: starts again" e2e_lab start control
	wait $stream || { e2e_not_ok "run $run: the stream ran"; continue; }

	e2e_holds "$report" "run $run: thousands went up" "r['up']['sent'] > 9000"
	e2e_holds "$report" "run $run: nothing lost on the way up" "r['up']['lost'] == 0"
	e2e_holds "$report" "run $run: nothing lost on the way down" "r['down']['lost'] == 0"
	e2e_holds "$report" "run $run: nothing doubled or changed" \
		"all(r[d][k] == 0 for d in ('up', 'down') for k in ('duplicated', 'corrupt'))"
	e2e_holds "$report" "run $run: all seven requests answered with success" \
		"[q['answer'] for q in r['requests']] == ['success'] * 7"
	e2e_holds "$report" "run $run: those of the pause were answered after the restart" \
		"all(r['started_at'] + q['at_ms'] / 1e3 > $killed and
		r['started_at'] + (q['at_ms'] + q['after_ms']) / 1e3 > $started
		for q in r['requests'][1:5])"
	e2e_holds "$report" "run $run: a repeated Allocate names the same relayed address" \
		"all(q['same_relayed'] for q in r['requests'] if q['request'] == 'allocate-again')"
	e2e_holds "$report" "run $run: no ICMP error" \
		"r['icmp_errors']['client']['count'] == 0 and r['icmp_errors']['peer']['count'] == 0"
	e2e_json "$report" "'run $run: longest silence %s ms up, %s ms down' % (
		r['up']['gap_ms'], r['down']['gap_ms'])"
done
