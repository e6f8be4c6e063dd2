#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The units under a real systemd: it runs in a container of the lab's relay, over this machine's files
# with memory above them, so nothing is installed here. Start, reload, restart, kills and the watchdog
# of each unit under a stream; a stop leaves nothing.
. "$(dirname "$0")/_init.sh"

systemd=/lib/systemd/systemd
e2e_need_turnpike
e2e_need unshare nsenter systemctl systemd-analyze systemd-sysusers meson mountpoint
[ -x $systemd ] || e2e_skip "no systemd"
cgroups=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
[ -n "$cgroups" ] || e2e_skip "no cgroup2"
e2e_begin --no-relay
cgroup=$cgroups/turnpike-units-$$
unit_pid=

units_end()
{
	local status=$?

	exec 7>&-
	if [ $e2e_failed -gt 0 ] && [ -n "$unit_pid" ]; then
		in_container journalctl --no-pager -n 60 2>/dev/null
	fi
	# With it goes every process in the container.
	[ -z "$unit_pid" ] || kill -KILL "$unit_pid"
	wait "${unshare_pid:-}" 2>/dev/null
	e2e_wait 120 units_gone
	rmdir "$cgroup"
	(exit $status)
	e2e_end
} 2>/dev/null

units_gone()
{
	[ ! -d "$cgroup" ] || [ -z "$(find "$cgroup" -name cgroup.procs -exec cat {} +)" ] || return 1
	find "$cgroup" -mindepth 1 -depth -type d -exec rmdir {} +
}

in_container()
{
	nsenter -t "$unit_pid" -m -p -n -u -i -C -- "$@"
}

# The container's first process, before systemd.
cat > "$E2E_TMP/container" <<'END'
set -e
cd "$1"
mkdir over
mount -t tmpfs mem over
mkdir over/upper over/work over/root
mount -t overlay -o lowerdir=/,upperdir="$1/over/upper",workdir="$1/over/work" over over/root
cd over/root
mount -t proc proc proc
mount -t sysfs sys sys
mount -t cgroup2 cgroup sys/fs/cgroup
for dir in run tmp dev; do mount -t tmpfs mem $dir; done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 mem dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for node in null zero full random urandom tty; do
	touch dev/$node
	mount --bind /dev/$node dev/$node
done
cp -a "$1/install/." .
mkdir -p etc/turnpike
cp "$1/turnpike.yaml" "$1/password" etc/turnpike
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' > etc/systemd/system/units-test.target
pivot_root . mnt
umount -l /mnt
exec env -i container=turnpike PATH="$PATH" /lib/systemd/systemd --unit=units-test.target
END

container_start()
{
	mkdir "$cgroup" || return 1
	sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' - "$cgroup" \
		ip netns exec "$TP_NS_RELAY" unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --propagation private \
		sh "$E2E_TMP/container" "$E2E_TMP" > "$E2E_TMP/container.log" 2>&1 9>&- 7>&- &
	unshare_pid=$!
	e2e_wait 60 eval 'unit_pid=$(pgrep -P $unshare_pid -x systemd)' &&
		e2e_wait 300 in_container systemctl -q is-active units-test.target 2> /dev/null
}

trap units_end EXIT
(umask 077 && echo demo-password > "$E2E_TMP/password")
cat > "$E2E_TMP/turnpike.yaml" <<END
realm: units.example
dataplane: {ports: [{interface: nic0}]}
listeners: [{address: $TP_RELAY4}]
relay: {addresses: [$TP_RELAY4]}
users: [{name: demo, password_file: password}]
peers: {allow: [10.77.0.0/16]}
END
e2e_check "installed for the container" \
	meson install -C "$E2E_BUILD" --no-rebuild --quiet --destdir "$E2E_TMP/install"
container_start || { cat "$E2E_TMP/container.log"; e2e_not_ok "systemd runs"; exit 1; }
e2e_ok "systemd runs"
e2e_check "users are made" in_container systemd-sysusers
e2e_check "and the run directory" in_container systemd-tmpfiles --create turnpike.conf
in_container chgrp turnpike-control /etc/turnpike/password
in_container chmod 0640 /etc/turnpike/password
e2e_check "systemd finds no fault in the installed units" in_container systemd-analyze verify --man=no \
	turnpike-control.service turnpike-dataplane.service turnpike.service

# unit_is UNIT PROPERTY VALUE
unit_is()
{
	[ "$(in_container systemctl show -P "$2" "$1")" = "$3" ]
}

logged()
{
	in_container journalctl -q -o cat -u "$1" | grep -q "$2"
}

# restarted UNIT SIGNAL: to its main process; systemd starts it again.
restarted()
{
	local n pid

	n=$(in_container systemctl show -P NRestarts "$1")
	pid=$(in_container systemctl show -P MainPID "$1")
	in_container kill "-$2" "$pid" && e2e_wait 300 unit_is "$1" NRestarts $((n + 1)) &&
		e2e_wait 300 unit_is "$1" ActiveState active
}

# left UNIT...: stopped, without a trace but users and logs.
left()
{
	local unit

	in_container systemctl stop "$@" || return 1
	for unit; do
		unit_is "$unit" Result success || return 1
	done
	[ -z "$(in_container sh -c 'ls -A /dev/shm; nft list tables; ip -d link show nic0 | grep xdp')" ]
}

stream()
{
	TP_PASSWORD_FILE=$E2E_TMP/password
	e2e_stream_open "$E2E_TMP/$1.json" --peer "$TP_B4" --rate 100 --streams 3
	e2e_stream_works "$1: three calls"
}

# ---- a unit for each process ------------------------------------------------------------------
e2e_check "both units start" in_container systemctl start turnpike-dataplane turnpike-control
for unit in control dataplane; do
	e2e_check "$unit runs as its user" [ "$(in_container ps -o user:32= -p \
		"$(in_container systemctl show -P MainPID turnpike-$unit)")" = turnpike-$unit ]
done
e2e_check "packets are forwarded" e2e_wait 300 logged turnpike-dataplane segment_attached
stream "two units"
e2e_check "control reloads" in_container systemctl reload turnpike-control
e2e_check "and says so" e2e_wait 300 logged turnpike-control config_reloaded
e2e_stream_works "reloaded"
for unit in control dataplane; do
	e2e_check "$unit restarts" in_container systemctl restart turnpike-$unit
	e2e_stream_works "$unit restarted: the calls go on"
	e2e_check "$unit is killed and started again" restarted turnpike-$unit KILL
	e2e_stream_works "$unit killed: the calls go on"
done
for unit in control dataplane; do
	e2e_check "the watchdog ends a $unit that stands still" restarted turnpike-$unit STOP
	e2e_check "by name" logged turnpike-$unit "Watchdog timeout"
	e2e_stream_works "after the watchdog: the calls go on"
done
e2e_stream_close
e2e_check "both stop and leave nothing" left turnpike-control turnpike-dataplane

# ---- one unit for both ------------------------------------------------------------------------
e2e_check "the unit of both starts" in_container systemctl start turnpike
stream "one unit"
e2e_check "it reloads" in_container systemctl reload turnpike
e2e_stream_works "reloaded"
e2e_check "its program is killed and started again" restarted turnpike KILL
e2e_stream_works "killed: the calls go on"
e2e_check "the watchdog ends it" restarted turnpike STOP
e2e_stream_works "after the watchdog: the calls go on"
e2e_stream_close
e2e_check "it stops and leaves nothing" left turnpike
