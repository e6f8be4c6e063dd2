// SPDX-License-Identifier: BSD-3-Clause
// The AF_XDP sockets that DPDK's driver opened: it does not tell of them. Opened by one thread at a
// time.
#pragma once

#include <turnpike/base.h>

#include <steer/claim.h>

#define IO_XSK_FDS 4096u

// Whether this process may open AF_XDP sockets. 0, or a negative errno with *fault filled in.
int io_xsk_try(struct steer_fault *fault);

// Descriptors of this process that are AF_XDP sockets; those from IO_XSK_FDS on are left out.
struct io_xsk_set {
	uint64_t bits[IO_XSK_FDS / 64];
};

void io_xsk_read(struct io_xsk_set *set);

// The one that is open now and was not in `before`. -1: there is none.
int io_xsk_opened(const struct io_xsk_set *before);

// Closes a socket that DPDK's driver has left open with its rings mapped, which keeps its queue
// bound. Nothing for a descriptor that is no AF_XDP socket any more.
void io_xsk_release(int fd);

// XDP_STATISTICS of a socket: frames and descriptors, since it was opened.
struct io_xsk_counters {
	uint64_t rx_dropped;	// no buffer in the fill ring, too long, or no memory
	uint64_t rx_invalid;	// descriptors of the fill ring that name no buffer
	uint64_t tx_invalid;	// descriptors that name no frame: not sent
	uint64_t rx_ring_full;	// the worker did not take the frames in time
	uint64_t rx_fill_empty; // times the fill ring was empty
	uint64_t tx_empty;	// times there was nothing to send
};

// False: the socket is none, or does not tell.
bool io_xsk_count(int fd, struct io_xsk_counters *c);
// A socket's calls: the kernel's, or a test's.
struct io_xsk_calls {
	int (*wake)(int fd); // sends what is in the transmit ring; 0 or a negative errno
	bool (*count)(int fd, struct io_xsk_counters *c);
};
extern const struct io_xsk_calls io_xsk_kernel;

// Whether the frame that was put into the transmit ring leaves: 0, -ENETDOWN where the link is down
// and nothing can be said, or another negative errno. `before` is from before the frame was put.
int io_xsk_probe(int fd, const struct io_xsk_calls *calls, const struct io_xsk_counters *before);

// Whether the driver's own buffers are the socket's (zero copy).
bool io_xsk_is_zero_copy(int fd);
