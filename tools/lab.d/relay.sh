# SPDX-License-Identifier: BSD-3-Clause
# The relay's processes in the lab: start, readiness, kill, status.

relay_binary()
{
	case $1 in
	dataplane) echo "$LAB_BUILD/dataplane/turnpike-dataplane" ;;
	control) echo "$LAB_BUILD/control/turnpike-control" ;;
	edge) echo "$LAB_BUILD/control/edge/turnpike-edge" ;;
	wire) echo "$LAB_BUILD/tools/lab.d/wire" ;;
	relayctl) echo "$LAB_BUILD/tools/relayctl/relayctl" ;;
	esac
}

relay_need_binaries()
{
	local name

	for name in dataplane control relayctl ${LAB_TWIN:+wire} ${LAB_STREAMS:+edge}; do
		[ -x "$(relay_binary $name)" ] ||
			lab_die "no $(relay_binary $name); build first (ninja -C build), set TURNPIKE_BUILD," \
				"or use --no-relay"
	done
}

# The recorded name of PROCESS on a node: control, control2.
relay_name()
{
	echo "$1$([ "$2" = 1 ] || echo "$2")"
}

relay_namespace()
{
	[ "$1" = 1 ] && echo "$NS_RELAY" || echo "$NS_RELAY2"
}

# relay_start PROCESS NODE
relay_start()
{
	local name

	name=$(relay_name "$1" "$2")
	if process_pid "$name" >/dev/null; then
		lab_say "$name runs already"
		return 0
	fi
	process_spawn "$name" "$(relay_namespace "$2")" "$LAB_DIR/$name.log" \
		"$(relay_binary "$1")" --config "$(config_file "$2")" --user "turnpike-$1"
}

# The locks of interfaces lie beside the run directory, where the data plane's user removes nothing.
relay_locks_remove()
{
	local ns inode

	for ns in "$NS_RELAY" "$NS_RELAY2"; do
		inode=$(stat -Lc %i "/run/netns/$ns" 2>/dev/null) || continue
		rm -f "/run/turnpike-interface-$inode"-*.lock
	done
}

# relay_ready NODE: true when the control process answers and this very data plane forwards.
relay_ready()
{
	local status pid

	pid=$(process_pid "$(relay_name dataplane "$1")") || return 1
	status=$(relay_ctl "$1" -j status 2>/dev/null | tr -d ' \n\t') || return 1
	status=$(sed -n 's/.*"dataplane":{\([^}]*\)}.*/\1/p' <<< "$status")
	[[ ,$status, == *,\"pid\":$pid,* && ,$status, == *,\"running\":true,* ]]
}

relay_ctl()
{
	local node=$1

	shift
	ip netns exec "$(relay_namespace "$node")" "$(relay_binary relayctl)" \
		-s "$(config_socket "$node")" "$@"
}

# relay_wait NODE: up to a minute, and fails at once when a process ends.
relay_wait()
{
	local end=$((SECONDS + 60)) process name

	while [ $SECONDS -lt $end ]; do
		relay_ready "$1" && return 0
		for process in dataplane control; do
			name=$(relay_name $process "$1")
			process_pid "$name" >/dev/null && continue
			relay_fail "$name ended" "$name"
			return 1
		done
		sleep 0.05
	done
	relay_fail "not forwarding after 60 s" "$(relay_name dataplane "$1")" "$(relay_name control "$1")"
}

# relay_fail WHY NAME...: the reason, then the end of each log.
relay_fail()
{
	local name

	lab_say "$1"
	shift
	for name; do
		echo "--- the end of $LAB_DIR/$name.log" >&2
		tail -n 20 "$LAB_DIR/$name.log" >&2
	done
	return 1
}

# The cable, where the card is no interface; it outlives the data plane as a switch would, and a
# memif client finds its server there or fails.
wire_start()
{
	local i

	process_spawn wire "$NS_NET" "$LAB_DIR/wire.log" "$(relay_binary wire)" \
		"$LAB_DIR/card.sock" r0 02:00:00:4d:00:fe 2
	for ((i = 0; i < 200; i++)); do
		[ ! -S "$LAB_DIR/card.sock" ] || {
			chgrp turnpike-files "$LAB_DIR/card.sock" && chmod 0660 "$LAB_DIR/card.sock"
			return
		}
		process_pid wire > /dev/null || break
		sleep 0.05
	done
	relay_fail "the cable does not come up" wire
}

relay_start_all()
{
	local node

	[ -z "$LAB_TWIN" ] || wire_start
	for ((node = 1; node <= LAB_NODES; node++)); do
		relay_start dataplane $node
		relay_start control $node
		[ -z "$LAB_STREAMS" ] || relay_start edge $node
	done
	for ((node = 1; node <= LAB_NODES; node++)); do
		relay_wait $node
	done
}

relay_process_argument()
{
	case ${1:-} in
	control | dataplane) ;;
	edge) [ "$(state_get streams)" = yes ] || lab_die "this lab has no edge (--streams)" ;;
	*) lab_die "'${1:-}' is no process of the relay: control, dataplane or edge" ;;
	esac
	lab_need_root
	lab_need_up
	[ "$(state_get relay)" = yes ] || lab_die "this lab has no relay (--no-relay)"
}

# Returns when the process is gone; KILL unless --signal says otherwise.
relay_kill()
{
	local name

	relay_process_argument "$@"
	name=$(relay_name "$1" "$LAB_NODE")
	process_pid "$name" >/dev/null || lab_die "$name does not run"
	process_end "$name" "$LAB_SIGNAL" 10 || lab_die "$name lives 10 s after SIG$LAB_SIGNAL"
}

# Another edge takes over; the one before ends by itself, and has the name edge-before meanwhile.
relay_upgrade_command()
{
	local name

	relay_process_argument "$@"
	[ "$1" = edge ] || lab_die "only an edge takes over"
	relay_need_binaries
	name=$(relay_name edge "$LAB_NODE")
	[ ! -e "$LAB_DIR/pids/$name" ] || mv "$LAB_DIR/pids/$name" "$LAB_DIR/pids/$name-before"
	process_spawn "$name" "$(relay_namespace "$LAB_NODE")" "$LAB_DIR/$name.log" \
		"$(relay_binary edge)" --config "$(config_file "$LAB_NODE")" --user turnpike-edge \
		--take-over
}

# Returns when the relay forwards again, or at once where the other process is not there.
relay_start_command()
{
	local other=control

	relay_process_argument "$@"
	[ "$1" = dataplane ] || other=dataplane
	relay_need_binaries
	relay_start "$1" "$LAB_NODE"
	process_pid "$(relay_name $other "$LAB_NODE")" >/dev/null || return 0
	relay_wait "$LAB_NODE"
}

relay_status()
{
	local node process name pid failed=0 streams

	streams=$(state_get streams)
	for ((node = 1; node <= $(state_get nodes); node++)); do
		for process in dataplane control ${streams:+edge}; do
			name=$(relay_name $process $node)
			if pid=$(process_pid "$name"); then
				printf '  %-14s runs, pid %s\n' "$name" "$pid"
			else
				printf '  %-14s not running; its log ends: %s\n' "$name" \
					"$(tail -n 1 "$LAB_DIR/$name.log" 2>/dev/null)"
				failed=1
			fi
		done
	done
	return $failed
}
