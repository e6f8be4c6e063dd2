// SPDX-License-Identifier: BSD-3-Clause
// The body of a way to the kernel: queues between the workers and a thread that does the system
// calls. Twins of ports and the way to local peers share it and differ in the two calls.
#pragma once

#include <io/frames.h>
#include <io/twin.h>

// One worker's way to the kernel. The first two words are the worker's alone.
struct lane {
	uint64_t woken_ns TP_ALIGNED(64);
	bool pending; // the thread has not been told of all that was given
	struct io_frames frames;
};

struct io_twin {
	_Atomic bool sleeping TP_ALIGNED(64);
	_Atomic bool stop;
	int fd TP_ALIGNED(64); // the interface, or the socket that hears local peers
	int event_fd;
	int ready_fd;	      // wakes the worker that takes frames; -1: it naps shortly
	int raw_fds[2];	      // to local peers, IPv4 and IPv6
	uint64_t wake_gap_ns; // between two wakes of the thread
	// Hands a frame over; puts one into `slot`: its length, or 0 when there is none.
	void (*put)(struct io_twin *t, const uint8_t *frame, uint16_t len);
	uint16_t (*get)(struct io_twin *t, uint8_t *slot);
	unsigned n_lanes;
	uint16_t frame_max;
	struct io_frames from;
	struct lane lanes[];
};

// A body without descriptors, with queues for frames of up to `frame_max` bytes. NULL: no memory.
// <twin.c>
struct io_twin *io_twin_body(unsigned n_workers, uint16_t frame_max);
