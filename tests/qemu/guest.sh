#!/bin/busybox sh
# SPDX-License-Identifier: BSD-3-Clause
# The first process of the emulated machine, in two parts. In the initial RAM disk: loads the modules
# on the way to the host's files, puts memory over them, and goes there. There: answers commands, one
# a line in base64, with their output and status, through a port of virtio-serial.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/
if [ "$1" != inside ]; then
	busybox=/bin/busybox
	$busybox mkdir -p /proc /sys /dev /host /mem /all
	$busybox mount -t proc proc /proc
	$busybox mount -t sysfs sys /sys
	$busybox mount -t devtmpfs dev /dev
	for module in /modules/*; do
		$busybox insmod "$module" || echo "module $module failed"
	done
	$busybox mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose host /host
	$busybox mount -t tmpfs mem /mem
	$busybox mkdir /mem/upper /mem/work
	$busybox mount -t overlay -o lowerdir=/host,upperdir=/mem/upper,workdir=/mem/work over /all
	for dir in proc sys dev; do
		$busybox mount --move /$dir /all/$dir
	done
	guest=$($busybox sed -n 's/.* turnpike_guest=\([^ ]*\).*/\1/p' /all/proc/cmdline)
	exec $busybox switch_root /all "$guest" inside
fi

for dir in /run /tmp /dev/shm; do
	busybox mkdir -p $dir
	busybox mount -t tmpfs mem $dir
done
busybox mkdir -p /dev/pts /dev/hugepages
busybox mount -t devpts devpts /dev/pts
busybox mount -t hugetlbfs hugetlbfs /dev/hugepages
busybox mount -t cgroup2 cgroup /sys/fs/cgroup
busybox mount -t bpf bpf /sys/fs/bpf
modules=$(busybox sed -n 's/.* turnpike_modules=\([^ ]*\).*/\1/p' /proc/cmdline)
busybox mkdir -p /lib/modules
busybox mount -o bind "$modules" /lib/modules
# A neighbour that answers after seconds is not lost for that.
for family in ipv4 ipv6; do
	for tries in mcast_solicit ucast_solicit; do
		echo 100 > /proc/sys/net/$family/neigh/default/$tries
	done
done
for module in virtio_console virtio_net e1000e vmxnet3 tun nf_tables nft_counter vfio-pci \
	vfio_iommu_type1; do
	modprobe -q $module
done
busybox ip link set lo up
busybox hostname turnpike-guest
until [ -e /dev/virtio-ports/agent ]; do
	for port in /sys/class/virtio-ports/*; do
		[ "$(busybox cat "$port/name" 2>/dev/null)" = agent ] || continue
		busybox mkdir -p /dev/virtio-ports
		busybox ln -s "/dev/$(busybox basename "$port")" /dev/virtio-ports/agent
	done
	busybox usleep 50000
done
exec /bin/bash -c '
	exec 3<>/dev/virtio-ports/agent
	while :; do
		# Nothing, between two callers.
		read -r line <&3 || { sleep 0.05; continue; }
		bash -c "$(echo "$line" | base64 -d)" > /run/answer 2>&1 < /dev/null 3>&-
		echo "$? $(base64 -w 0 < /run/answer)" >&3
	done'
