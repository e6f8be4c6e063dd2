#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A process that is refused something ends with status 1 and a line that names it, and leaves nothing
# on the interface. One that runs survives signals that mean nothing to it, and its memory is locked
# or the log says why not.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need setpriv
e2e_begin --streams
dataplane=$E2E_BUILD/dataplane/turnpike-dataplane

running()
{
	[ "$(e2e_pid_of control)" = "$control_pid" ] && [ "$(e2e_pid_of dataplane)" = "$dataplane_pid" ] &&
		[ "$(e2e_pid_of edge)" = "$edge_pid" ]
}

locked()
{
	[ "$(sed -n 's/^VmLck:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$control_pid/status")" -gt 0 ] ||
		grep -q " memory_not_locked .*remedy" "$TP_LAB_DIR/control.log"
}

control_pid=$(e2e_pid_of control) dataplane_pid=$(e2e_pid_of dataplane) edge_pid=$(e2e_pid_of edge)
# elsewhere: control keeps off the cores of the workers, where there are others.
elsewhere()
{
	python3 - "$control_pid" "$("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" -j worker show)" \
		<<'PYTHON'
import json, os, sys
allowed = os.sched_getaffinity(int(sys.argv[1]))
workers = {row["lcore"] for row in json.loads(sys.argv[2])}
sys.exit(0 if not allowed & workers or not os.sched_getaffinity(0) - workers else 1)
PYTHON
}

e2e_check "control keeps off the cores of the workers" e2e_wait 120 elsewhere
e2e_check "the memory of control is locked, or the log says why not" locked
# named SIGNAL WORDS: control has a line for it. The log's rate leaves some of many lines out: then the
# signal is sent again.
named()
{
	grep -q " signal_ignored .*$2" "$TP_LAB_DIR/control.log" && return
	kill -"$1" "$control_pid"
	return 1
}

for signal in USR1 USR2 ALRM VTALRM PROF IO STKFLT XCPU XFSZ RTMIN RTMAX PWR; do
	kill -$signal "$control_pid" "$dataplane_pid" "$edge_pid"
done
e2e_check "control has a line for such a signal" e2e_wait 120 named USR1 "User defined signal 1"
e2e_check "and one for another" e2e_wait 120 named PWR "Power failure"
e2e_check "all processes go on" running

# realtime: a worker has a real-time priority and no other thread has, or the log says why not.
realtime()
{
	local thread n=0

	grep -q " priority_normal .*remedy" "$TP_LAB_DIR/dataplane.log" && return 0
	for thread in /proc/"$dataplane_pid"/task/*; do
		chrt -p "${thread##*/}" | grep -q SCHED_RR && n=$((n + 1))
	done
	[ $n = 1 ]
}

e2e_check "a worker is not kept waiting by other programs, or the log says why" e2e_wait 60 realtime

# refused NAME PATTERN COMMAND...: the data plane under the command ends, and says why.
refused()
{
	local status=0

	timeout 60 ip netns exec "$TP_NS_RELAY" "${@:3}" "$dataplane" --allow-root --config "$TP_CONFIG" \
		> "$E2E_TMP/refused" 2>&1 9>&- || status=$?
	e2e_check "$1: status 1" [ $status = 1 ]
	if grep -E " (error|warning) " "$E2E_TMP/refused" | grep -qE "$2"; then
		e2e_ok "$1: the reason is named"
	else
		e2e_not_ok "$1: the reason is named"
		cat "$E2E_TMP/refused"
	fi
	e2e_check "$1: no program is left" \
		e2e_not grep -q "prog/xdp" <(ip -n "$TP_NS_RELAY" -d link show nic0)
}

e2e_lab kill control --signal TERM
e2e_lab kill dataplane --signal TERM
refused "root without capabilities" "CAP_|capab|privilege|not permitted" \
	setpriv --bounding-set=-all --inh-caps=-all
refused "without groups, CAP_SETGID and CAP_CHOWN" "CAP_SETGID" \
	setpriv --clear-groups --bounding-set=-setgid,-chown --inh-caps=-all
refused "without CAP_NET_ADMIN" "NET_ADMIN|capab|not permitted" \
	setpriv --bounding-set=-net_admin --inh-caps=-all
refused "without CAP_BPF and its like" "CAP_|capab|not permitted" \
	setpriv --bounding-set=-bpf,-sys_admin,-perfmon --inh-caps=-all
refused "16 descriptors" "files|descriptor" sh -c 'ulimit -n 16; exec "$@"' sh
