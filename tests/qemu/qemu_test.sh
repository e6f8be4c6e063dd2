#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The relay on emulated cards: what no machine of ours has, a PCI driver, vfio, an IOMMU, kernel
# drivers under AF_XDP, two NUMA nodes. Slow, without hardware support for virtual machines: verdicts
# are counts and lines of the log, never times. Exit codes as in tests/e2e/_init.sh.
#
#   qemu_test.sh [CASE...]      cases: vfio xdp causes time numa (default: all). QEMU_CARDS="e1000e virtio":
#                               of vfio and xdp these cards alone
. "$(dirname "$0")/../e2e/_init.sh"
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/relay.sh"

finish()
{
	local status=$?

	trap - EXIT INT TERM
	if [ $e2e_failed -gt 0 ]; then
		tail -n 20 "$E2E_TMP/console.log" 2>/dev/null
	fi
	qemu_down
	rm -rf "$E2E_TMP" "$bin"
	[ $status != 77 ] || exit 77
	echo "$E2E_TEST: $e2e_passed checks passed, $e2e_failed failed"
	[ $status = 0 ] && [ $e2e_failed = 0 ] && [ $e2e_passed -gt 0 ] && exit 0
	exit 1
}

[ "$(id -u)" = 0 ] || e2e_skip "needs root"
e2e_need qemu-system-x86_64 busybox modprobe depmod ip ethtool ping python3
[ -x "$E2E_BUILD/dataplane/turnpike-dataplane" ] || e2e_skip "no data plane built"
E2E_TMP=$(mktemp -d)
bin=
trap finish EXIT
trap 'exit 1' INT TERM
qemu_kernel || e2e_skip "Debian's kernel can't be downloaded"
qemu_initrd
# A build meanwhile must not change them under the machine, which has a /tmp of its own.
bin=$(mktemp -d "$QEMU_DIR/bin.XXXXXX")
for process in dataplane control; do
	mkdir -p "$bin/$process"
	cp "$E2E_BUILD/$process/turnpike-$process" "$bin/$process/"
done

case_vfio()
{
	local n name

	qemu_up -- e1000e vmxnet3 virtio-net-pci,disable-legacy=on,iommu_platform=on,ats=on ||
		{ e2e_check "the machine boots" false; return; }
	n=0
	for name in e1000e vmxnet3 virtio; do
		[[ " ${QEMU_CARDS:-$name} " == *" $name "* ]] || { n=$((n + 1)); continue; }
		twin_up
		e2e_check "$name: bound to vfio-pci" bind_vfio "$(card $n)"
		config "{device: \"$(card $n)\", kernel: tp0}" "workers: 1"
		served "vfio $name" && endured "vfio $name" $n && left "vfio $name"
		n=$((n + 1))
	done
}

case_xdp()
{
	local n name mode device

	qemu_up -- e1000e vmxnet3 virtio-net-pci,mq=on,vectors=10 ||
		{ e2e_check "the machine boots" false; return; }
	n=0
	for name in e1000e:generic vmxnet3:generic virtio:native; do
		[[ " ${QEMU_CARDS:-${name%:*}} " == *" ${name%:*} "* ]] || { n=$((n + 1)); continue; }
		mode=${name#*:} name="AF_XDP ${name%:*}"
		device=$(interface_of $n)
		guest "$(addresses "$device")"
		config "{interface: $device}"
		served "$name" && endured "$name" $n && {
			e2e_check "$name: $mode" logged "port_started.*xdp=.*$mode"
			e2e_check "$name: no complaint of the spread" e2e_not logged port_spread
			left "$name"
		}
		guest "ip addr flush dev $device; ip link set $device down"
		n=$((n + 1))
	done
}

# Each cause for which a card can't be opened is named, and none of them hangs.
case_causes()
{
	local device

	qemu_up -- e1000e virtio-net-pci virtio-net-pci,ctrl_guest_offloads=off ||
		{ e2e_check "the machine boots" false; return; }
	twin_up
	config "{device: \"$(card 0)\", kernel: tp0}"
	e2e_check "the kernel's driver is named" refused "driven by the kernel.s e1000e" vfio-pci
	guest "echo $(card 0) > /sys/bus/pci/devices/$(card 0)/driver/unbind"
	e2e_check "no driver is named" refused "$(card 0) has no driver"
	config "{device: \"0000:7f:00.0\", kernel: tp0}"
	e2e_check "an absent card is named" refused "no PCI device 0000:7f:00.0"
	bind_vfio "$(card 1)" > /dev/null
	config "{device: \"$(card 1)\", kernel: tp0}"
	e2e_check "virtio without iommu_platform is refused" refused "feature 33" "iommu_platform=on"
	bind_vfio "$(card 0)" > /dev/null
	config "{device: \"$(card 0)\", kernel: tp0}"
	prefix="prlimit --memlock=65536 setpriv --bounding-set=-ipc_lock --inh-caps=-all"
	e2e_check "vfio without CAP_IPC_LOCK is refused" refused CAP_IPC_LOCK "error 12"
	prefix="unshare -m sh -c 'mount -t tmpfs none /sys; exec \"\$@\"' -"
	e2e_check "a hidden /sys is named" refused "/sys"
	guest "ip link del tp0"
	prefix=

	device=$(interface_of 2)
	guest "$(addresses "$device")"
	config "{interface: $device}"
	e2e_check "virtio that can't turn offloads off is refused" refused CTRL_GUEST_OFFLOADS
	guest "modprobe veth; ip addr flush dev $device; ip link add v0 type veth peer name v1
		$(addresses v0); ip link set v1 up"
	config "{interface: v0}"
	prefix="setpriv --bounding-set=-net_raw --inh-caps=-all"
	e2e_check "AF_XDP without CAP_NET_RAW is refused" refused CAP_NET_RAW
	prefix=
	e2e_check "a small memory limit is named before it kills" memory_named memory_short
}

# memory_named EVENT: the data plane starts within 64 MiB, without huge pages.
memory_named()
{
	guest "cd /sys/fs/cgroup; echo +memory > cgroup.subtree_control; mkdir small
		echo 64M > small/memory.max; echo 0 > /proc/sys/vm/nr_hugepages"
	launch dataplane "sh -c 'echo \$\$ > /sys/fs/cgroup/small/cgroup.procs; exec \"\$@\"' -"
	until_logged dataplane "$1.*MemoryMax" || { guest "cat $log"; return 1; }
}

# The clock steps, and the whole machine stands still: calls go on.
case_time()
{
	qemu_up -- e1000e || { e2e_check "the machine boots" false; return; }
	twin_up
	bind_vfio "$(card 0)" > /dev/null
	config "{device: \"$(card 0)\", kernel: tp0}" "workers: 1"
	neighbours_forget
	e2e_check "forwards" start
	calls_open
	works "three calls"
	guest "date -s '+61 minutes'" > /dev/null
	works "the clock an hour ahead: they go on"
	guest "date -s '-2 hours'" > /dev/null
	works "an hour behind: they go on"
	qemu_monitor stop
	sleep 20 # stands still
	qemu_monitor cont
	works "the machine stopped and continued: they go on"
	e2e_check "the stream ends" e2e_stream_close
	left "time"
}

# pages PAGES-OF-NODE-0 PAGES-OF-NODE-1
pages()
{
	guest "cd /sys/devices/system/node; for n in 0 1; do
			echo 0 > node\$n/hugepages/hugepages-2048kB/nr_hugepages; done
		echo $1 > node0/hugepages/hugepages-2048kB/nr_hugepages
		echo $2 > node1/hugepages/hugepages-2048kB/nr_hugepages"
}

# Of the segment's huge pages that control has touched all are on node 0.
segment_near()
{
	guest "m=\$(grep /dev/hugepages/ /proc/\$(cat /run/t/control.pid)/numa_maps); echo \"\$m\"
		grep -q ' N0=' <<< \"\$m\" && ! grep -q ' N1=' <<< \"\$m\""
}

# A card on node 0, with free huge pages on both nodes, on node 1 alone, and on none.
case_numa()
{
	local half=$((${QEMU_MEMORY:-2560} / 2)) address

	QEMU_PAGES=0 QEMU_CPUS=2 qemu_up \
		-object "memory-backend-ram,id=m0,size=${half}M" \
		-object "memory-backend-ram,id=m1,size=${half}M" \
		-numa node,nodeid=0,memdev=m0,cpus=0 -numa node,nodeid=1,memdev=m1,cpus=1 \
		-device pxb-pcie,id=x0,bus_nr=64,numa_node=0,bus=pcie.0 \
		-device pcie-root-port,id=rp0,bus=x0,chassis=1 -- e1000e,bus=rp0 ||
		{ e2e_check "the machine boots" false; return; }
	address=$(guest "basename \$(ls -d /sys/bus/pci/drivers/e1000e/0000:*)")
	twin_up
	bind_vfio "$address" > /dev/null
	config "{device: \"$address\", kernel: tp0}" "cores: [1]"
	pages 120 120
	control_prefix="taskset -c 1"
	served "pages on both nodes" && {
		e2e_check "the segment is on the card's node, wherever control runs" segment_near
		left "pages on both nodes"
	}
	control_prefix=
	pages 0 120
	served "pages on the other node" && left "pages on the other node"
	e2e_check "said so" logged "hugepages_missing.*another NUMA node"
	pages 0 0
	served "no pages" && left "no pages"
	e2e_check "said so" logged "hugepages_missing.*free_mib=0"
}

[ $# -gt 0 ] || set -- vfio xdp causes time numa
for name; do
	"case_$name"
done
