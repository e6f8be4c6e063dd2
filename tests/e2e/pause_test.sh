#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The data plane stands still for ten seconds under calls, requests and a flood, as where a
# hypervisor takes its machine away, and goes on: the same process forwards, every allocation,
# permission and channel is known, requests that waited are answered, and the lost packets have names.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
. "$(dirname "$0")/_directory.sh"

report=$E2E_TMP/stream.json
dataplane=$(e2e_pid_of dataplane)
control=$(e2e_pid_of control)

# named: packets lost on the way in that a reason counts.
named()
{
	"${relayctl[@]}" -j drop show all > "$E2E_TMP/drops.json"
	python3 - "$E2E_TMP/drops.json" <<-'END'
		import json, sys
		print(sum(d["packets"] for d in json.load(open(sys.argv[1]))
		          if d["reason"] in ("port_missed", "xdp_ring_full", "no_memory", "tx_full")))
	END
}

# status_tells [e2e_not]: of a data plane that gives no sign of life.
status_tells()
{
	"${relayctl[@]}" -j status > "$E2E_TMP/status.json" &&
		"$@" grep -q "no sign of life" "$E2E_TMP/status.json"
}

all_named()
{
	[ "$(($(named) - before))" -ge "$(e2e_json "$report" "r['up']['lost'] + r['down']['lost']")" ]
}

e2e_stream_open "$report" --peer "$TP_B4" --rate 1000 --streams 4
e2e_stream_works "calls work before"
directory_steady_start
e2e_background a flood.log python3 "$E2E_TOP/tests/e2e/hostile.py" attack spoofed \
	--server "$TP_RELAY4" --own "$TP_A4" --secret-file "$TP_LAB_DIR/lab.secret"
flood=$e2e_pid
e2e_check "a flood runs" e2e_wait 60 grep -q begins "$E2E_TMP/flood.log"
# Housekeeping counts once a second.
sleep 1.2
before=$(named)

paused=$SECONDS
kill -STOP "$dataplane"
# Refreshes, permissions and channels of all calls: they wait for the data plane.
echo "check 60" >&7
e2e_check "the status tells of the silence" e2e_wait 60 status_tells
sleep 8
kill -CONT "$dataplane"
paused=$((SECONDS - paused))
e2e_check "requests that waited are answered" e2e_wait 120 e2e_stream_answered
e2e_answers=$((e2e_answers + 1))
sed -n "${e2e_answers}p" "$report.lines" > "$E2E_TMP/waited.json"
e2e_holds "$E2E_TMP/waited.json" "all of them, none refused" \
	"r['succeeded'] > 0 and r['refused'] == r['unanswered'] == 0"
e2e_check "the status tells of none" e2e_wait 60 status_tells e2e_not
e2e_stream_works "calls work afterwards"
kill "$flood"
directory_steady_end
cat "$E2E_TMP/steady"
# Its clients give up after 15 seconds.
e2e_holds "$E2E_TMP/steady" "no new client was refused, or gave up in a pause of $paused s" \
	"r['allocated'] > 10 and set(r) - {'allocated', 'resent', 'most_resent'} <= \
	({'-1'} if $paused > 13 else set())"
e2e_stream_works "calls work without the flood"
e2e_check "the stream ran" e2e_stream_close
e2e_check "it is the same data plane" [ "$(e2e_pid_of dataplane)" = "$dataplane" ]
e2e_check "and the same control process" [ "$(e2e_pid_of control)" = "$control" ]
e2e_json "$report" "'lost %d up, %d down' % (r['up']['lost'], r['down']['lost'])"
e2e_holds "$report" "packets were lost meanwhile" "r['up']['lost'] > 1000"
e2e_check "all of them under a name" e2e_wait 120 all_named
echo "$(($(named) - before)) packets under their names"
