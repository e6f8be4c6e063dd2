# SPDX-License-Identifier: BSD-3-Clause
# The beginning of every end-to-end test. A test sources this file, calls e2e_begin with options of
# `tools/lab up`, then checks; the lab goes down when it exits. Exit codes: 0 passed, 1 a check
# failed, 77 skipped (no root, a program missing).
#
# TURNPIKE_TEST_SERVER=coturn puts Debian's coturn in the relay's place: it shows that a test
# judges rightly; TURNPIKE_TEST_COTURN=PATH is another turnserver than Debian's. Tests of features that
# only this relay has are skipped then. TURNPIKE_TEST_LONG=1 runs the long forms.
set -u
# A lock that the caller holds for the test (flock FILE TEST) must not stay with the processes of a
# lab that a killed test left.
exec 3>&-

E2E_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
E2E_TEST=$(basename "$0" .sh)
E2E_BUILD=${TURNPIKE_BUILD:-$E2E_TOP/build}
E2E_SERVER=${TURNPIKE_TEST_SERVER:-turnpike}
E2E_LONG=${TURNPIKE_TEST_LONG:-}
# One lab per source tree, so that trees tested side by side do not end each other's.
E2E_LAB=${TURNPIKE_TEST_LAB:-e2e-$(printf %s "$E2E_TOP" | cksum | cut -d ' ' -f 1)}
E2E_STREAM=$E2E_BUILD/tools/stream/stream
e2e_failed=0
e2e_passed=0

e2e_skip()
{
	echo "skip: $*"
	exit 77
}

# e2e_lab COMMAND...: the lab's command line, for this test's lab.
e2e_lab()
{
	# Processes of the lab must not keep the lock of a test that was killed.
	"$E2E_TOP/tools/lab" --name "$E2E_LAB" "$@" 9>&- 7>&-
}

# e2e_run SIDE COMMAND...
e2e_run()
{
	e2e_lab run "$1" -- "${@:2}"
}

e2e_need()
{
	local command

	for command; do
		command -v "$command" >/dev/null || e2e_skip "no $command (tools/packages install lab)"
	done
}

# Skips a test of a feature that coturn does not have.
e2e_need_turnpike()
{
	[ "$E2E_SERVER" = turnpike ] || e2e_skip "only for turnpike"
}

e2e_begin()
{
	[ "$(id -u)" = 0 ] || e2e_skip "needs root"
	e2e_need ip nft ethtool openssl python3
	if [ "$E2E_SERVER" = turnpike ]; then
		[ -x "$E2E_BUILD/dataplane/turnpike-dataplane" ] || e2e_skip "no data plane built"
		[ -x "$E2E_BUILD/control/turnpike-control" ] || e2e_skip "no control process built"
	fi
	exec 9>"/run/lock/turnpike-test-$E2E_LAB.lock"
	flock -w 300 9 || e2e_skip "another test uses lab $E2E_LAB"
	trap e2e_end EXIT
	trap 'exit 1' INT TERM
	E2E_TMP=$(mktemp -d)
	e2e_lab down
	e2e_up "$@" || { echo "not ok - the lab comes up"; exit 1; }
	echo "$E2E_TEST: server $E2E_SERVER, lab $E2E_LAB"
}

# e2e_up OPTION...: the lab, and coturn in it if that is the server. Sets TP_*.
e2e_up()
{
	if [ "$E2E_SERVER" = coturn ]; then
		e2e_lab up --no-relay "$@" || return 1
		eval "$(e2e_lab env)"
		e2e_coturn_start
	else
		e2e_lab up "$@" || return 1
		eval "$(e2e_lab env)"
	fi
}

# e2e_coturn_start [OPTION...]
e2e_coturn_start()
{
	local turnserver=${TURNPIKE_TEST_COTURN:-turnserver}

	e2e_need "$turnserver" turnutils_stunclient
	e2e_run relay "$turnserver" -n --no-cli --no-tls --no-dtls --simple-log --log-file=stdout \
		--pidfile="$E2E_TMP/coturn.pid" --db="$E2E_TMP/coturn.db" -r lab.turnpike \
		-L 10.77.0.1 -L fd77::1 -E 10.77.0.1 -E fd77::1 --min-port=49152 --max-port=65535 \
		${@:--a -u demo:demo-password} > "$E2E_TMP/coturn.log" 2>&1 9>&- &
	e2e_wait 120 e2e_run a timeout 10 turnutils_stunclient 10.77.0.1 >/dev/null 2>&1
}

e2e_coturn_restart()
{
	kill "$(cat "$E2E_TMP/coturn.pid")"
	sleep 0.5
	e2e_coturn_start "$@"
}

# e2e_background SIDE LOG COMMAND...: ends with the lab at the latest.
e2e_background()
{
	e2e_run "$1" "${@:3}" > "$E2E_TMP/$2" 2>&1 9>&- 7>&- &
	e2e_pid=$!
}

# e2e_pid_of PROCESS: of the relay in the lab; empty when it does not run.
e2e_pid_of()
{
	e2e_lab status | sed -n "s/^ *$1 .*runs, pid //p"
}

# e2e_wait SECONDS COMMAND...: until the command succeeds.
e2e_wait()
{
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

e2e_end()
{
	local status=$?

	trap - EXIT INT TERM
	if [ $status != 0 ] && [ $status != 77 ]; then
		e2e_failed=$((e2e_failed + 1))
	fi
	if [ $e2e_failed -gt 0 ]; then
		for log in "/run/turnpike-$E2E_LAB"/*.log "/run/turnpike-$E2E_LAB.failed"/*.log; do
			[ ! -s "$log" ] || { echo "--- the end of $log"; tail -n 25 "$log"; }
		done
		[ ! -S "${TP_SOCKET:-}" ] || {
			echo "--- dropped"
			timeout 5 "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" drop show
		}
	fi
	e2e_lab down
	rm -rf "${E2E_TMP:-}"
	[ $status = 77 ] && exit 77
	echo "$E2E_TEST: $e2e_passed checks passed, $e2e_failed failed"
	# A bare exit in a trap would end with the status from before the trap.
	[ $e2e_failed = 0 ] && [ $e2e_passed -gt 0 ] && exit 0
	exit 1
}

e2e_ok()
{
	echo "ok - $*"
	e2e_passed=$((e2e_passed + 1))
}

e2e_not_ok()
{
	echo "not ok - $*"
	e2e_failed=$((e2e_failed + 1))
}

# e2e_check NAME COMMAND...: the command's success is the verdict.
e2e_check()
{
	if "${@:2}"; then e2e_ok "$1"; else e2e_not_ok "$1"; fi
}

e2e_not()
{
	local status=0

	"$@" || status=$?
	# grep: without the file there is no answer.
	[ $status != 0 ] && { [ "$1" != grep ] || [ $status = 1 ]; }
}

# e2e_stream FILE OPTION...: a stream from a to b as user demo; its report goes to FILE.
e2e_stream()
{
	"$E2E_STREAM" run --server "${E2E_STREAM_SERVER:-$TP_RELAY4}" --user demo \
		--password-file "$TP_PASSWORD_FILE" --netns "$TP_NS_A" --peer-netns "$TP_NS_B" \
		"${@:2}" > "$1" 9>&-
}

# e2e_stream_open FILE OPTION...: as e2e_stream, until e2e_stream_close; returns when it runs. A test
# of events asks when it wants to know instead of counting on times.
e2e_stream_open()
{
	e2e_report=$1
	: > "$e2e_report.lines"
	mkfifo "$E2E_TMP/ask"
	e2e_stream "$e2e_report.lines" --interactive --seconds 3600 "${@:2}" < "$E2E_TMP/ask" &
	e2e_stream_pid=$!
	exec 7> "$E2E_TMP/ask"
	rm "$E2E_TMP/ask"
	e2e_answers=0
	e2e_stream_ask mark
}

# e2e_stream_ask LINE: its answer in e2e_answer. False: the stream gives none.
e2e_stream_ask()
{
	e2e_answer=
	# In a shell of its own, which a stream that has ended may kill by SIGPIPE.
	(echo "$1" >&7) || return 1
	e2e_wait 600 e2e_stream_answered || return 1
	e2e_answers=$((e2e_answers + 1))
	e2e_answer=$(sed -n "${e2e_answers}p" "$e2e_report.lines")
}

e2e_stream_answered()
{
	[ "$(wc -l < "$e2e_report.lines")" -gt $e2e_answers ]
}

# e2e_stream_works NAME: every allocation, permission and channel is known, packets pass both ways.
e2e_stream_works()
{
	e2e_stream_ask "check 60"
	echo "$e2e_answer" > "$e2e_report.check"
	e2e_holds "$e2e_report.check" "$1" \
		"r['succeeded'] > 0 and r['refused'] == r['unanswered'] == sum(r['silent']) == 0"
}

# e2e_stream_close: the report is where e2e_stream_open was told.
e2e_stream_close()
{
	exec 7>&-
	wait $e2e_stream_pid || return 1
	tail -n +$((e2e_answers + 1)) "$e2e_report.lines" > "$e2e_report"
}

# e2e_json FILE EXPRESSION: the value of a Python expression over the report r.
e2e_json()
{
	python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
v = eval("(" + sys.argv[2] + ")")
print(json.dumps(v) if not isinstance(v, str) else v)' "$1" "$2"
}

# e2e_holds FILE NAME EXPRESSION: the expression must be true; the figures are shown if not.
e2e_holds()
{
	local answer

	answer=$(e2e_json "$1" "$3" 2>&1)
	if [ "$answer" = true ]; then
		e2e_ok "$2"
	else
		e2e_not_ok "$2: $3: $answer"
		cat "$1"
	fi
}
