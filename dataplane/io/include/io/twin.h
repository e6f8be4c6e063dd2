// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side of a port whose device the kernel does not see (vfio-pci, memif): a TAP
// interface with the device's MAC address and MTU. Frames that are not ours go to it, and frames
// that the kernel sends through it leave by the port.
//
// Workers copy frames into and out of queues; a thread of its own, kept off the workers' cores,
// does the system calls. No DPDK in here: DPDK's own net_tap would do them in the worker, gives
// nothing to sleep on, and knows no carrier.
//
// An interface of that name that is there already, made persistent by the operator, is used and
// stays, with its addresses and routes; else one is made, and goes with the process.
#pragma once

#include <steer/claim.h>

struct io_twin;

struct io_twin_settings {
	const char *name; // of the interface
	uint8_t mac[6];
	uint16_t mtu;
	unsigned n_workers;
};

// Opens the interface, gives it MAC address and MTU, turns it on. Needs CAP_NET_ADMIN.
int io_twin_create(
	struct io_twin **out, const struct io_twin_settings *s, struct steer_fault *fault);
// The thread has ended. NULL is fine.
void io_twin_destroy(struct io_twin *t);

// The thread: runs until io_twin_stop.
void *io_twin_run(void *twin);
void io_twin_stop(struct io_twin *t);

// The device's link, as the interface's carrier. Any thread but a worker.
void io_twin_carrier(struct io_twin *t, bool up);

// ---- workers ----------------------------------------------------------------------------------

// Takes a copy of a frame for the kernel. False: the queue is full.
bool io_twin_give(struct io_twin *t, unsigned worker, const uint8_t *frame, uint16_t len);
// After a burst: wakes the thread if it sleeps and has been given something, at most once per
// millisecond and worker.
void io_twin_wake(struct io_twin *t, unsigned worker, uint64_t now_ns);

// The oldest frame that the kernel has sent, or NULL; of use to one worker only.
const uint8_t *io_twin_peek(const struct io_twin *t, uint16_t *len);
void io_twin_release(struct io_twin *t);
