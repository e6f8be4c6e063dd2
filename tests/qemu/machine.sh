# SPDX-License-Identifier: BSD-3-Clause
# Sourced by qemu_test.sh: one emulated machine and its network. Its files are this machine's,
# read-only, with memory over them, so the programs under test need no copying; only its kernel is
# Debian's. QEMU_DIR holds the kernel over several runs, E2E_TMP this run's files.
#
#   net: bridge br0, a TAP qN for each card, and the machine
#   a:   client 10.99.0.11, fd99::11        b: peer 10.99.0.13, fd99::13, both on br0
#   the machine: 10.99.0.1, fd99::1, by the card under test

QEMU_DIR=${TURNPIKE_QEMU_DIR:-${XDG_CACHE_HOME:-${HOME:-/var}/.cache}/turnpike-qemu}
qemu_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
qemu_name=tpq$$
qemu_pid=

# The newest kernel that Debian has for this release, unpacked once.
qemu_kernel()
{
	local package

	package=$(apt-cache depends linux-image-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
	qemu_tree=$QEMU_DIR/$package
	if [ -n "$package" ] && ! ls "$qemu_tree"/boot/vmlinuz-* > /dev/null 2>&1; then
		mkdir -p "$QEMU_DIR" &&
			(cd "$QEMU_DIR" && apt-get -qq download "$package" > /dev/null 2>&1 &&
			dpkg -x "$package"_*.deb "$package" && rm "$package"_*.deb) || return 1
	fi
	qemu_release=$(ls "$qemu_tree/lib/modules" 2>/dev/null) && [ -n "$qemu_release" ] || return 1
	[ -e "$qemu_tree/lib/modules/$qemu_release/modules.dep" ] ||
		depmod -b "$qemu_tree" "$qemu_release"
}

# qemu_module NAME...: files of the modules and those that they need, in order.
qemu_module()
{
	local name

	for name; do
		modprobe -d "$qemu_tree" -S "$qemu_release" --show-depends "$name" 2>/dev/null
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

qemu_initrd()
{
	local root=$E2E_TMP/initrd file n=100

	mkdir -p "$root/bin" "$root/modules"
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$qemu_here/guest.sh" "$root/init"
	for file in $(qemu_module virtio_pci 9pnet_virtio 9p overlay); do
		cp "$file" "$root/modules/$n-$(basename "$file")"
		n=$((n + 1))
	done
	chmod 755 "$root/init"
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) > "$E2E_TMP/initrd.gz"
}

qemu_in()
{
	ip netns exec "$qemu_name-$1" "${@:2}"
}

qemu_net_up()
{
	local ns family

	for ns in net a b; do
		ip netns add "$qemu_name-$ns" && ip -n "$qemu_name-$ns" link set lo up || return 1
	done
	ip -n "$qemu_name-net" link add br0 type bridge
	ip -n "$qemu_name-net" link set br0 up
	for ns in a:11 b:13; do
		ip -n "$qemu_name-net" link add "v${ns%:*}" type veth peer name eth0 \
			netns "$qemu_name-${ns%:*}" || return 1
		ip -n "$qemu_name-net" link set "v${ns%:*}" master br0 up
		qemu_in "${ns%:*}" ethtool -K eth0 tx off > /dev/null
		ip -n "$qemu_name-${ns%:*}" addr add "10.99.0.${ns#*:}/24" dev eth0
		ip -n "$qemu_name-${ns%:*}" addr add "fd99::${ns#*:}/64" dev eth0 nodad
		# A neighbour that answers after seconds is not lost for that.
		for family in ipv4 ipv6; do
			qemu_in "${ns%:*}" sysctl -q -w net.$family.neigh.eth0.mcast_solicit=100 \
				net.$family.neigh.eth0.ucast_solicit=100
		done
		ip -n "$qemu_name-${ns%:*}" link set eth0 up
	done
}

# qemu_up [OPTION...] -- CARD...: boots a machine with these cards (devices of QEMU), card N at
# 0000:00:1N.0 and by the name cardN. Options go to QEMU; QEMU_MEMORY in MiB, QEMU_PAGES huge pages of
# 2 MiB at boot, QEMU_INIT=systemd for Debian's systemd as its first process. Emulated CPUs lose
# a timer at boot now and then, and stand still: such a machine is ended and booted again. With
# MSI-X the emulated e1000e tells the kernel's driver nothing of its link; with MSI (IntMode=1) it does.
qemu_up()
{
	local try

	machine_stalls=0
	for try in 1 2 3 4 5; do
		qemu_down
		qemu_net_up && qemu_boot "$@" || return 1
		! python3 "$qemu_here/agent.py" boot "$E2E_TMP/agent" "$qemu_pid" || return 0
		echo "boot $try: the machine stands still"
	done
	return 1
}

# With hardware support for virtual machines if there is any (/dev/kvm alone is no promise of it).
qemu_accel()
{
	if [ -n "${TURNPIKE_QEMU_ACCEL:-}" ]; then
		echo "-accel $TURNPIKE_QEMU_ACCEL -cpu max"
	elif [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
		echo "-accel kvm -cpu host"
	else
		echo "-accel tcg,thread=multi -cpu max"
	fi
}

qemu_boot()
{
	local options=() card i=0 queues

	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	for card; do
		queues=
		[[ $card != *mq=on* ]] || queues=multi_queue
		# shellcheck disable=SC2086
		ip -n "$qemu_name-net" tuntap add dev "q$i" mode tap $queues
		ip -n "$qemu_name-net" link set "q$i" master br0 up
		[[ $card == *bus=* ]] || card=$card,bus=pcie.0,addr=0x1$i
		options+=(-netdev "tap,id=n$i,ifname=q$i,script=no,downscript=no${queues:+,queues=2}"
			-device "$card,netdev=n$i,id=card$i,mac=52:54:00:99:00:0$i")
		i=$((i + 1))
	done
	rm -f "$E2E_TMP/agent" "$E2E_TMP/monitor"
	# shellcheck disable=SC2046
	ip netns exec "$qemu_name-net" qemu-system-x86_64 \
		-machine q35,kernel-irqchip=split $(qemu_accel) -smp "${QEMU_CPUS:-2}" \
		-m "${QEMU_MEMORY:-2560}" -nodefaults -display none -no-reboot \
		-device intel-iommu,intremap=on,caching-mode=on,device-iotlb=on \
		-serial "file:$E2E_TMP/console.log" \
		-monitor "unix:$E2E_TMP/monitor,server=on,wait=off" \
		-kernel "$qemu_tree/boot/vmlinuz-$qemu_release" -initrd "$E2E_TMP/initrd.gz" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off intel_iommu=on \
hugepages=${QEMU_PAGES:-200} no_timer_check nowatchdog e1000e.IntMode=1 turnpike_guest=$qemu_here/guest.sh \
turnpike_modules=$qemu_tree/lib/modules turnpike_init=${QEMU_INIT:-agent} end" \
		-fsdev "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap" \
		-device virtio-9p-pci,fsdev=host,mount_tag=host,bus=pcie.0 \
		-device virtio-serial-pci,bus=pcie.0 \
		-chardev "socket,id=agent,path=$E2E_TMP/agent,server=on,wait=off" \
		-device virtserialport,chardev=agent,name=agent \
		"${options[@]}" > "$E2E_TMP/qemu.log" 2>&1 &
	qemu_pid=$!
}

qemu_down()
{
	local ns

	if [ -n "$qemu_pid" ]; then
		kill "$qemu_pid" 2>/dev/null
		wait "$qemu_pid" 2>/dev/null
		qemu_pid=
	fi
	for ns in net a b; do
		ip netns del "$qemu_name-$ns" 2>/dev/null
	done
	return 0
}

# guest COMMAND...: a line for the machine's shell; its output and status.
guest()
{
	echo "$*" | python3 "$qemu_here/agent.py" run "$E2E_TMP/agent" "$qemu_pid" \
		"$E2E_TMP/console.log" 7200
}

# qemu_monitor COMMAND...: for QEMU itself, as "stop", "cont" or "set_link card0 off".
qemu_monitor()
{
	python3 "$qemu_here/agent.py" monitor "$E2E_TMP/monitor" "$qemu_pid" "$*"
}
