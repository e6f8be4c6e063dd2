# SPDX-License-Identifier: BSD-3-Clause
# The relay on a real interface, run by the program turnpike. It is recorded in $LAB_DIR as the lab does
# it, with the lab's functions for processes and hugepages; the secret lives as long as $quick_state.
. "$quick_top/tools/lab.d/common.sh"
. "$quick_top/tools/lab.d/huge.sh"

lab_say()
{
	quick_say "$*"
}

# host_names INSTANCE
host_names()
{
	LAB_DIR=/run/turnpike-$1 LAB_NODES=1 LAB_NO_RELAY= LAB_NO_HUGE=$quick_no_huge
	host_instance=$1
	host_config=$LAB_DIR/turnpike.yaml
	host_socket=$LAB_DIR/control.sock
	host_shm=/dev/shm/turnpike-$1
	if [ $quick_mode = undo ] && [ -n "$(state_get build)" ]; then
		quick_build=$(state_get build)
	fi
}

quick_host_mode()
{
	host_names "${quick_name:-quickstart}"
	if [ -e "$LAB_DIR" ] && ! quick_recorded relay "$host_instance"; then
		quick_die "$LAB_DIR exists and belongs to another program: choose another --name"
	fi
	[ -e "/sys/class/net/$quick_interface" ] || quick_die "no interface '$quick_interface':" \
		"one of $(ls /sys/class/net | grep -vx lo | xargs)"
	quick_packages build interface
	host_addresses
	quick_compile
	quick_step "the relay on $quick_interface"
	if quick_recorded relay "$host_instance"; then
		host_down
	fi
	quick_record relay "$host_instance"
	if ! host_up; then
		host_down && quick_forget relay "$host_instance"
		quick_die "the relay did not start, see above"
	fi
	host_changes
	host_next
	quick_say "done in $SECONDS s"
}

# The interface's addresses that others can use: none that is about to go or not yet there.
host_addresses()
{
	host_own=$(ip -o address show dev "$quick_interface" scope global up |
		awk '!/ (temporary|deprecated|tentative|dadfailed) / { sub("/.*", "", $4); print $4 }')
	[ -n "$host_own" ] || quick_die "$quick_interface is down or has no address of global scope:" \
		"$(ip -br address show dev "$quick_interface")"
}

# host_first 4|6: the first address of a family; that is where relayed ports are.
host_first()
{
	if [ "$1" = 6 ]; then grep : <<< "$host_own"; else grep -v : <<< "$host_own"; fi | head -n 1
}

host_family()
{
	[[ $1 == *:* ]] && echo 6 || echo 4
}

host_configure()
{
	local address family

	[ -s "$quick_state/rest.secret" ] ||
		(umask 077 && od -An -N 32 -tx1 /dev/urandom | tr -d ' \n' > "$quick_state/rest.secret")
	{
		echo "# Written by tools/quickstart for $quick_interface; --undo removes it."
		echo "instance: $host_instance"
		echo "runtime_directory: $LAB_DIR"
		echo "realm: turnpike"
		echo "dataplane:"
		[ "$(state_get huge)" = yes ] || echo "    hugepages: never"
		echo "    ports:"
		echo "        - interface: \"$quick_interface\""
		echo "listeners:"
		for address in $host_own; do
			echo "    - {transport: udp, address: \"$address\", port: 3478}"
		done
		echo "relay:"
		echo "    addresses: [$(for family in 4 6; do host_first $family; done |
			sed 's/.*/"&"/' | paste -sd , -)]"
		host_configure_external
		echo "secrets:"
		echo "    - {id: quickstart, secret_file: \"$quick_state/rest.secret\"}"
		echo "segment:"
		echo "    directory: $([ "$(state_get huge)" = yes ] && echo "$LAB_DIR/huge" ||
			echo "$host_shm")"
	} > "$host_config"
	mkdir -p "$host_shm" && chgrp turnpike-files "$host_shm" && chmod 0770 "$host_shm" || return
	# Read again at each reload, as the control process's user.
	chown turnpike-control "$quick_state/rest.secret" || return
	TURNPIKE_LAB= "$quick_build/control/turnpike-control" --check "$host_config"
}

host_configure_external()
{
	local address own

	[ ${#quick_external[@]} -gt 0 ] || return 0
	echo "    external:"
	for address in "${quick_external[@]}"; do
		own=$(host_first "$(host_family "$address")")
		echo "        - {private: \"${own:-none of this family}\", public: \"$address\"}"
	done
}

# AF_XDP takes a whole queue, so one worker wants an interface with one.
host_queues()
{
	local had want

	read -r had want < <(ethtool -l "$quick_interface" 2>/dev/null | awk '
		/^Current/ { now = 1 }
		now { sub(":", "", $1); n[$1] = $2 }
		END {
			if (n["Combined"] + 0 > 1) print "combined:" n["Combined"], "combined:1"
			else if (n["Combined"] + 0 == 0 && n["RX"] + 0 > 1)
				print "rx:" n["RX"] ":tx:" n["TX"], "rx:1:tx:1"
		}')
	[ -n "$had" ] || return 0
	state_set queues "$quick_interface ${had//:/ }"
	ethtool -L "$quick_interface" ${want//:/ } ||
		quick_say "$quick_interface keeps its queues; the relay will report the consequences"
}

# As they were before; `state` has "NAME combined 4" or "NAME rx 4 tx 4".
host_queues_restore()
{
	local queues

	queues=$(state_get queues)
	[ -z "$queues" ] || ethtool -L $queues || quick_say "'ethtool -L $queues' was refused"
}

host_up()
{
	mkdir -p "$LAB_DIR/pids" || return
	state_set build "$(realpath "$quick_build")"
	state_set interface "$quick_interface"
	"$quick_top/tools/install-users" --for "quickstart-$host_instance" > /dev/null || return
	chgrp turnpike-files "$LAB_DIR" && chmod 0771 "$LAB_DIR" || return
	huge_up
	host_configure || return
	host_queues
	host_spawn turnpike tools/turnpike/turnpike
	host_wait
}

# host_spawn NAME PROGRAM OPTION...
host_spawn()
{
	setsid "$quick_build/$2" --config "$host_config" "${@:3}" \
		< /dev/null >> "$LAB_DIR/turnpike.log" 2>&1 9>&- &
	process_record "$1" $!
	disown $!
}

host_ctl()
{
	"$quick_build/tools/relayctl/relayctl" -s "$host_socket" "$@" 9>&-
}

# Up to 15 s for both to say that they forward; at once when turnpike gives up.
host_wait()
{
	local i

	for ((i = 0; i < 300; i++)); do
		host_ctl -j status 2>/dev/null | grep -q '"forwarding": true' && return 0
		process_pid turnpike > /dev/null || {
			host_show_log "the relay ended:"
			return 1
		}
		sleep 0.05
	done
	host_show_log "not forwarding after 15 s:"
	return 1
}

# host_show_log WHY
host_show_log()
{
	quick_say "$1"
	tail -n 12 "$LAB_DIR/turnpike.log" | sed 's/^/    /'
}

# host_pid PROCESS: of the relay that runs.
host_pid()
{
	host_ctl -j status 2>/dev/null | python3 -c 'import json, sys
print(json.load(sys.stdin)[sys.argv[1]]["pid"])' "$1"
}

host_changes()
{
	echo
	echo "changed on this machine:"
	quick_packages_changes
	quick_change build "$quick_build"
	quick_change processes "turnpike (pid $(process_pid turnpike)), which runs turnpike-dataplane" \
		"(pid $(host_pid dataplane)) and"
	quick_change "" "turnpike-control (pid $(host_pid control)) as users of these names"
	quick_change users "turnpike-control, turnpike-dataplane; groups turnpike-files, turnpike-tables," \
		"turnpike"
	quick_change interface "$quick_interface: an XDP program takes UDP 3478 and 49152-65535 of the"
	quick_change "" "addresses below; all else (SSH, ARP, ping, TCP) stays with the kernel"
	[ -z "$(state_get queues)" ] ||
		quick_change queues "one now; they were: $(state_get queues)"
	quick_change nft "table inet turnpike*: the kernel does not answer on those ports"
	quick_change sysctl "net.ipv4.ip_local_reserved_ports = $(
		cat /proc/sys/net/ipv4/ip_local_reserved_ports)"
	quick_change hugepages "$([ "$(state_get huge)" = yes ] &&
		echo "$(state_get hugepages) of 2 MB added, mounted at $LAB_DIR/huge" || echo none)"
	quick_change files "$LAB_DIR, $host_shm, $quick_state"
}

host_next()
{
	local credential

	credential=$(host_ctl -j credential mint quickstart) ||
		quick_die "no credential could be minted"
	echo
	python3 -c 'import json, sys, time
c = json.loads(sys.argv[1])
for uri in c["uris"]:
	print("TURN URL     " + uri)
print("user name    " + c["username"])
print("password     " + c["password"])
print("valid until  " + time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time.time() + c["ttl"])))' \
		"$credential"
	host_warn_private
	echo
	echo "A firewall or security group in front must let in UDP 3478 and 49152-65535."
	echo "For programs, the REST secret is in $quick_state/rest.secret."
	echo
	echo "more credentials:    $quick_build/tools/relayctl/relayctl -s $host_socket credential mint NAME"
	echo "inspect the relay:   $quick_build/tools/relayctl/relayctl -s $host_socket"
	echo "stop and undo:       tools/quickstart --undo$(quick_name_option)"
	echo "open the call page:  TURNPIKE_BUILD=$quick_build tools/voicecall/voicecall serve \\"
	echo "                         --relay-socket $host_socket"
	echo "                     and open its link on another machine (this one's own packets do not"
	echo "                     cross $quick_interface), after: ssh -L 8080:localhost:8080 $(host_first 4 |
		grep . || host_first 6)"
}

# An address that nobody outside reaches is worth a word.
host_warn_private()
{
	local family own external

	for family in 4 6; do
		own=$(host_first $family)
		external=$(for address in ${quick_external[@]+"${quick_external[@]}"}; do
			[ "$(host_family "$address")" != $family ] || echo "$address"
		done)
		if [ -z "$external" ] && host_private "$own"; then
			echo
			echo "$own is private: only its own network reaches it. Behind 1:1 NAT (most clouds)"
			echo "add --external-address with the public one."
		fi
	done
}

host_private()
{
	local shared='100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.'

	[[ $1 =~ ^(10\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|$shared|f[cd]) ]]
}

# Also after a crash half-way, and when something was never there. 1 when something is left.
host_down()
{
	local left

	host_end
	if [ -x "$quick_build/control/turnpike-control" ] && [ -e "$host_config" ]; then
		"$quick_build/control/turnpike-control" --config "$host_config" --remove-segment \
			> /dev/null 2>&1
	fi
	host_queues_restore
	huge_down
	left=$(host_left)
	if [ -n "$left" ]; then
		host_show_log "the data plane that was to take everything back:"
		quick_say "left behind; these commands remove it:"
		echo "$left"
		return 1
	fi
	rm -f "/run/turnpike-interface-$(stat -Lc %i /proc/self/ns/net)-$(state_get interface).lock"
	rm -rf "$LAB_DIR" "$host_shm"
	[ ! -e "/var/lib/turnpike-users/for-quickstart-$host_instance" ] ||
		"$quick_top/tools/install-users" --remove --for "quickstart-$host_instance" || return
}

# SIGTERM makes the data plane take back program, table and sysctl. One that was killed left them: then
# a new one starts, which takes them over, and ends.
host_end()
{
	local i

	host_stop
	if [ -n "$(host_left)" ] && [ -x "$quick_build/dataplane/turnpike-dataplane" ]; then
		: > "$LAB_DIR/turnpike.log"
		host_spawn dataplane dataplane/turnpike-dataplane --user turnpike-dataplane
		for ((i = 0; i < 600; i++)); do
			grep -q process_started "$LAB_DIR/turnpike.log" && break
			process_pid dataplane > /dev/null || break
			sleep 0.05
		done
		process_end dataplane TERM 10 || process_end dataplane KILL 5
	fi
}

host_stop()
{
	process_end turnpike TERM 20 || {
		process_end turnpike KILL 5
		quick_say "the relay ignored SIGTERM for 20 s"
	}
	host_end_orphan control
	host_end_orphan dataplane
}

# host_end_orphan ROLE: a process that turnpike left when it was killed, by the pid in its lock.
host_end_orphan()
{
	local pid i

	pid=$(grep -xsE '[0-9]+' "$LAB_DIR/$1.lock") || return 0
	[ "$(cut -c 1-15 "/proc/$pid/comm" 2>/dev/null)" = "$(cut -c 1-15 <<< "turnpike-$1")" ] || return 0
	kill "$pid" 2>/dev/null
	for ((i = 0; i < 500; i++)); do
		[ -e "/proc/$pid" ] || return 0
		sleep 0.02
	done
	kill -9 "$pid"
}

# Prints the commands that remove the data plane's remains from the kernel.
host_left()
{
	local interface

	interface=$(state_get interface)
	if ip -d link show dev "${interface:-lo}" 2>/dev/null | grep -q turnpike_steer; then
		echo "  ip link set dev $interface xdp off; ip link set dev $interface xdpgeneric off"
	fi
	if nft list table inet "turnpike-$host_instance" >/dev/null 2>&1; then
		echo "  nft delete table inet turnpike-$host_instance"
	fi
	if [ -s "$LAB_DIR/reserved-ports" ]; then
		echo "  sysctl -w net.ipv4.ip_local_reserved_ports=   # less the ports reserved before:" \
			"$(cat "$LAB_DIR/reserved-ports")"
	fi
}
