# SPDX-License-Identifier: BSD-3-Clause
# Names, messages, the lab's memory of itself, and the processes that belong to it.

# Namespace and directory names follow from --name alone, so `down` needs no memory to find them.
lab_names()
{
	local prefix=

	[ "$LAB_NAME" = lab ] || prefix=$LAB_NAME-
	LAB_DIR=/run/turnpike-$LAB_NAME
	LAB_SHM=/dev/shm/turnpike-$LAB_NAME
	NS_NET=${prefix}tp-net
	NS_A=${prefix}tp-a
	NS_B=${prefix}tp-b
	NS_RELAY=${prefix}tp-relay
	NS_RELAY2=${prefix}tp-relay2
	LAB_BUILD=${TURNPIKE_BUILD:-$(state_get build)}
	LAB_BUILD=${LAB_BUILD:-$LAB_TOP/build}
}

lab_name_option()
{
	[ "$LAB_NAME" = lab ] || echo " --name $LAB_NAME"
}

lab_say()
{
	echo "lab: $*" >&2
}

lab_die()
{
	lab_say "$*"
	exit 1
}

lab_need_root()
{
	[ "$(id -u)" = 0 ] || lab_die "needs root: namespaces, hugepages and AF_XDP are the kernel's"
}

lab_need_commands()
{
	local command

	for command; do
		command -v "$command" >/dev/null ||
			lab_die "no '$command' here; first: tools/packages install lab"
	done
}

lab_need_up()
{
	[ -e "$LAB_DIR" ] || lab_die "lab '$LAB_NAME' is down; first: tools/lab up$(lab_name_option)"
}

# One `up` or `down` of a name at a time.
lab_locked()
{
	mkdir -p /run/lock
	exec 8>"/run/lock/turnpike-$LAB_NAME.lock"
	flock -w 60 8 || lab_die "another tools/lab works on '$LAB_NAME'"
	"$@"
}

# state: words remembered until `down`, as KEY=VALUE lines; the last one holds.
state_set()
{
	echo "$1=$2" >> "$LAB_DIR/state"
}

state_get()
{
	sed -n "s/^$1=//p" "$LAB_DIR/state" 2>/dev/null | tail -n 1
}

# process: a recorded pid counts only with the start time it had, so a reused pid is never signalled.
process_start_time()
{
	# The command name may hold spaces and brackets: fields count from the last bracket.
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

# process_record NAME PID
process_record()
{
	echo "$2 $(process_start_time "$2")" > "$LAB_DIR/pids/$1"
}

# Prints the pid of a recorded process that still lives.
process_pid()
{
	local pid start state

	read -r pid start 2>/dev/null < "$LAB_DIR/pids/$1" || return 1
	[ -n "$start" ] && [ "$(process_start_time "$pid")" = "$start" ] || return 1
	state=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c 1)
	# Empty: gone since the line before.
	[ -n "$state" ] && [ "$state" != Z ] || return 1
	echo "$pid"
}

# process_spawn NAME NAMESPACE LOG COMMAND...: starts a daemon of the lab, in its own session.
process_spawn()
{
	local name=$1 ns=$2 log=$3

	shift 3
	TURNPIKE_LAB=$LAB_DIR setsid ip netns exec "$ns" "$@" < /dev/null >> "$log" 2>&1 8>&- &
	process_record "$name" $!
	disown $!
}

# process_end NAME SIGNAL SECONDS: signals and waits; 1 if it still lives after that.
process_end()
{
	local pid i

	pid=$(process_pid "$1") || return 0
	kill "-$2" "$pid" 2>/dev/null
	for ((i = 0; i < $3 * 50; i++)); do
		process_pid "$1" >/dev/null || return 0
		sleep 0.02
	done
	return 1
}

# Pids that live in one of the lab's namespaces and carry its mark in their environment: processes
# begun by `start` and `run`, and their children. No other process is ever signalled.
process_marked()
{
	local ns pid

	for ns in $(net_list_possible); do
		[ -e "/run/netns/$ns" ] || continue
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			if grep -qzxF "TURNPIKE_LAB=$LAB_DIR" "/proc/$pid/environ" 2>/dev/null; then
				echo "$pid"
			fi
		done
	done
}

process_end_all()
{
	local name signal pids i

	# SIGTERM first, to the control process before the data plane, so that they clean up.
	for name in control dataplane control2 dataplane2 wire; do
		process_end "$name" TERM 6 || lab_say "$name ignored SIGTERM for 6 s"
	done
	for signal in TERM KILL; do
		pids=$(process_marked)
		[ -n "$pids" ] || break
		kill "-$signal" $pids 2>/dev/null
		for ((i = 0; i < 100; i++)); do
			[ -n "$(process_marked)" ] || break
			sleep 0.02
		done
	done
}

lab_env()
{
	cat <<-END
	TP_LAB=$LAB_NAME
	TP_LAB_DIR=$LAB_DIR
	TP_BUILD=$LAB_BUILD
	TP_NS_NET=$NS_NET
	TP_NS_A=$NS_A
	TP_NS_B=$NS_B
	TP_NS_RELAY=$NS_RELAY
	TP_NS_RELAY2=$NS_RELAY2
	TP_A4=10.77.1.2
	TP_A6=fd77:1::2
	TP_B4=10.77.2.2
	TP_B6=fd77:2::2
	TP_RELAY4=10.77.0.1
	TP_RELAY4_2=10.77.0.2
	TP_RELAY6=fd77::1
	TP_RELAY6_2=fd77::2
	TP_NET4=10.77.0.254
	TP_NET6=fd77::fe
	TP_RELAY_NAME=relay.lab.turnpike
	TP_CALL_NAME=call.lab.turnpike
	TP_REALM=lab.turnpike
	TP_USER=demo
	TP_PASSWORD_FILE=$LAB_DIR/demo.password
	TP_SECRET_FILE=$LAB_DIR/lab.secret
	TP_CONFIG=$LAB_DIR/turnpike.yaml
	TP_CA=$LAB_DIR/ca.pem
	TP_SOCKET=$(config_socket 1)
	TP_SEGMENT=$(config_segment)
	END
}
