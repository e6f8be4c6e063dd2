# SPDX-License-Identifier: BSD-3-Clause
# Hugepages: a machine-wide counter that several labs share, so each lab adds the pages it needs and
# later takes away as many. If no pages can be had, the relay runs without them and logs it.

HUGE_PAGES=${TURNPIKE_LAB_HUGEPAGES:-160}
HUGE_COUNTER=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
HUGE_LOCK=/run/lock/turnpike-hugepages.lock

# huge_change DELTA: prints by how much the counter really changed.
huge_change()
{
	(
		flock 7
		before=$(< "$HUGE_COUNTER")
		after=$((before + $1))
		[ $after -ge 0 ] || after=0
		echo $after > "$HUGE_COUNTER"
		echo $(($(< "$HUGE_COUNTER") - before))
	) 7>"$HUGE_LOCK"
}

huge_up()
{
	local added need=$((HUGE_PAGES * LAB_NODES))

	if [ -n "$LAB_NO_HUGE" ] || [ -n "$LAB_NO_RELAY" ] || [ "$HUGE_PAGES" = 0 ] ||
		[ ! -w "$HUGE_COUNTER" ]; then
		huge_none
		return 0
	fi
	added=$(huge_change "$need")
	state_set hugepages "$added"
	if [ "$added" -lt "$need" ]; then
		lab_say "only $added of $need hugepages to be had; the relay runs without"
		huge_return
		huge_none
		return 0
	fi
	mkdir "$LAB_DIR/huge"
	mount -t hugetlbfs -o pagesize=2M,mode=0770,gid="$(getent group turnpike-files | cut -d : -f 3)" turnpike-lab "$LAB_DIR/huge"
	state_set huge yes
}

# Without $LAB_SHM the lab makes a place of its own for the segment.
huge_none()
{
	[ -n "${LAB_SHM:-}" ] || return 0
	mkdir -p "$LAB_SHM"
	[ -n "$LAB_NO_RELAY" ] || { chgrp turnpike-files "$LAB_SHM" && chmod 0770 "$LAB_SHM"; }
	ln -s "$LAB_SHM" "$LAB_DIR/huge"
}

huge_return()
{
	local added

	added=$(state_get hugepages)
	[ "${added:-0}" -gt 0 ] || return 0
	state_set hugepages 0
	huge_change "-$added" >/dev/null
}

huge_down()
{
	while grep -q " $LAB_DIR/huge hugetlbfs " /proc/mounts; do
		umount "$LAB_DIR/huge" || { lab_say "cannot unmount $LAB_DIR/huge"; return 1; }
	done
	huge_return
}

huge_status()
{
	if [ "$(state_get huge)" = yes ]; then
		echo "  hugepages      $(state_get hugepages) of 2 MB added, mounted at $LAB_DIR/huge"
	else
		echo "  hugepages      none"
	fi
}
