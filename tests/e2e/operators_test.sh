#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The reach of operators and strangers: the first use the operators' socket, and neither replaces nor
# reads anything that both processes share. The processes keep no more than they need, on all threads.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need setpriv
e2e_begin

chmod 755 "$E2E_TMP"
install -m 0755 "$E2E_BUILD/tools/relayctl/relayctl" "$E2E_TMP/relayctl"

# operators_as GROUP COMMAND...: as a user who is in that group alone.
operators_as()
{
	setpriv --reuid 65534 --regid "$(getent group "$1" | cut -d : -f 3)" --clear-groups "${@:2}"
}

operators_connects()
{
	operators_as "$1" python3 - "$2" 2>/dev/null <<-'END'
	import socket, sys
	socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(sys.argv[1])
	END
}

# A shared lock on a role's file would keep the role's next process out.
operators_locks()
{
	operators_as "$1" python3 - "$2" 2>/dev/null <<-'END'
	import fcntl, struct, sys
	fcntl.fcntl(open(sys.argv[1]), 37, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0))
	END
}

run=$TP_LAB_DIR
for group in turnpike nogroup; do
	e2e_check "$group: lists no run directory" e2e_not operators_as $group ls "$run" 2>/dev/null
	e2e_check "$group: makes nothing in it" e2e_not operators_as $group touch "$run/new" 2>/dev/null
	for name in control.sock dataplane.sock control.lock dataplane.lock segment; do
		e2e_check "$group: does not remove $name" \
			e2e_not operators_as $group rm -f "$run/$name" 2>/dev/null
		e2e_check "$group: does not replace $name" \
			e2e_not operators_as $group ln -sf /dev/null "$run/$name" 2>/dev/null
	done
	for name in control.lock dataplane.lock; do
		e2e_check "$group: does not lock $name" e2e_not operators_locks $group "$run/$name"
	done
	e2e_check "$group: does not read the record" \
		e2e_not operators_as $group cat "$run/segment" 2>/dev/null
	for name in tables state punt inject private; do
		e2e_check "$group: does not read $name" e2e_not operators_as $group head -c 1 \
			"$TP_SEGMENT/turnpike-$E2E_LAB.$name" 2>/dev/null
	done
	e2e_check "$group: does not connect to the data plane" \
		e2e_not operators_connects $group "$run/dataplane.sock"
done
# The process that parses bytes of strangers is in the group of the files, not in that of the tables.
edge_as()
{
	setpriv --reuid turnpike-edge --regid turnpike-files --init-groups "$@"
}

edge_connects()
{
	edge_as /usr/bin/python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect(sys.argv[1])' "$1" 2>/dev/null
}

segment=$TP_SEGMENT/turnpike-$E2E_LAB
e2e_check "turnpike-edge: reads the record" edge_as head -c 1 "$run/segment"
for name in tables state punt inject private; do
	e2e_check "root reads $name" head -c 1 "$segment.$name"
	e2e_check "turnpike-edge: does not read $name" \
		e2e_not edge_as head -c 1 "$segment.$name" 2>/dev/null
done
e2e_check "turnpike-edge: connects to the data plane's socket for it" edge_connects "$run/stream.sock"
e2e_check "turnpike-edge: does not connect to the data plane as control does" \
	e2e_not edge_connects "$run/dataplane.sock"
e2e_check "an operator has relayctl" \
	operators_as turnpike "$E2E_TMP/relayctl" -s "$TP_SOCKET" -j status > "$E2E_TMP/status"
e2e_check "and sees it forward" grep -q '"forwarding": true' "$E2E_TMP/status"
e2e_check "a stranger has not" e2e_not operators_connects nogroup "$TP_SOCKET"

# operators_threads PROCESS USER CAPABILITIES: all threads are that user's, under a filter, with at
# most these capabilities.
operators_threads()
{
	python3 - "$(e2e_pid_of "$1")" "$(id -u "$2")" "$3" <<-'END'
	import glob, sys
	pid, uid, most = sys.argv[1], sys.argv[2], int(sys.argv[3], 16)
	threads = glob.glob("/proc/%s/task/*/status" % pid)
	bad = []
	for path in threads:
	    s = dict(line.rstrip("\n").split(":\t", 1) for line in open(path))
	    good = (s["Uid"].split() == [uid] * 4 and s["NoNewPrivs"] == "1" and s["Seccomp"] == "2"
	            and int(s["CapPrm"], 16) & ~most == 0 and int(s["CapBnd"], 16) & ~most == 0
	            and int(s["CapInh"], 16) == 0)
	    if not good:
	        bad.append({k: s[k] for k in ("Name", "Uid", "NoNewPrivs", "Seccomp", "CapPrm", "CapBnd")})
	print(*bad, sep="\n", end="\n" if bad else "")
	sys.exit(bool(bad) or not threads)
	END
}

e2e_check "control: no capability" operators_threads control turnpike-control 0
# CAP_FOWNER, CAP_NET_ADMIN, CAP_BPF; and CAP_SYS_NICE, where root may not raise the limit of
# real-time priorities.
capabilities=8000001008
limit=$(awk "/realtime priority/ {print \$4}" "/proc/$(e2e_pid_of dataplane)/limits")
[ "$limit" != 0 ] || capabilities=8000801008
e2e_check "the data plane: those that it needs, on all threads" \
	operators_threads dataplane turnpike-dataplane $capabilities
e2e_check "the data plane is in no group of operators" e2e_not grep -qE \
	"^Groups:.*\b$(getent group turnpike | cut -d : -f 3)\b" "/proc/$(e2e_pid_of dataplane)/status"
e2e_check "no call was denied" e2e_not grep -h call_denied "$run"/*.log
