// SPDX-License-Identifier: BSD-3-Clause
// The state of the host and its cards as sysfs shows it, looked at before DPDK touches a device:
// DPDK gives every cause the same name, or waits for a device that can't answer. One thread.
#pragma once

#include <steer/claim.h>

#define IO_DEVFS "/dev"

// Whether sysfs shows this machine's CPUs. -ENOENT with *fault filled in: it is hidden.
int io_card_check_sysfs(const char *sysfs, struct steer_fault *fault);

// Whether DPDK can open the PCI device: it is there, its driver leaves it to user space, its vfio
// group is within reach, and a virtio device honours the IOMMU. 0, or a negative errno with *fault
// filled in. `devfs` is IO_DEVFS.
int io_card_check(
	const char *sysfs, const char *devfs, const char *address, struct steer_fault *fault);

// Whether the interface's driver can run XDP programs beside the offloads that its host has settled
// for it. -EOPNOTSUPP with *fault filled in: a virtio card that can't turn them off.
int io_card_check_xdp(const char *sysfs, const char *interface, struct steer_fault *fault);

// Configuration space of a PCI device. 0 or a negative errno.
struct io_card_space {
	int (*read)(void *ctx, unsigned at, void *buf, unsigned len);
	int (*write)(void *ctx, unsigned at, const void *buf, unsigned len);
	void *ctx;
};

// The features that a virtio device offers, by its window in configuration space (virtio 1.2,
// 4.1.4.9). -ENOENT: it has none, as before virtio 1.0; another negative errno: unknown.
int io_card_virtio_features(const struct io_card_space *space, uint64_t *features);
