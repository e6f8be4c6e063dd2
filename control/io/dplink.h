// SPDX-License-Identifier: BSD-3-Clause
// The connection to the data plane's socket: it brings the eventfd that wakes us, and its end tells
// that the data plane is gone. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <turnpike/capture.h>
#include <turnpike/trace.h>

// What the data plane told of the packets of one client.
#define IO_TRACE_KEPT 256u

#define IO_CAPTURES   64u

struct io_trace {
	uint32_t number;    // of the trace that was asked for last; 0: none
	uint64_t n_records; // of it so far; the last IO_TRACE_KEPT are kept, by number
	struct tp_trace_record records[IO_TRACE_KEPT];
	size_t len; // octets of `part`
	uint8_t part[sizeof(struct tp_trace_record)];
};

struct io_dplink {
	const char *path; // the data plane's socket; borrowed
	int epoll_fd;	  // where its descriptors are watched; borrowed
	uint32_t tag;	  // epoll data of the socket
	uint32_t kick_tag;
	int fd;	     // -1: not connected
	int kick_fd; // -1: not (yet) received
	struct io_trace trace;
	// Those asked for last: the data plane may have refused the newest for the sake of one
	// before.
	struct {
		uint32_t number; // 0: none
		uint32_t ref;	 // its allocation
	} captures[IO_CAPTURES];
	unsigned n_captures;
};

void io_dplink_init(
	struct io_dplink *l, const char *path, int epoll_fd, uint32_t tag, uint32_t kick_tag);
void io_dplink_fini(struct io_dplink *l);

static inline bool io_dplink_is_up(const struct io_dplink *l)
{
	return l->kick_fd >= 0;
}

// Tries to connect, once, without waiting. 0, or a negative errno (-ENOENT, -ECONNREFUSED: the data
// plane is not there).
int io_dplink_connect(struct io_dplink *l);
// The socket is readable. 1: the eventfd has come; 0: nothing new; -ECONNRESET: the data plane is
// gone and the link is closed; another negative errno, closed too.
int io_dplink_read(struct io_dplink *l);
// Asks for another trace, or for none. 0; -ENOTCONN, another negative errno: not taken.
int io_dplink_trace(struct io_dplink *l, const struct tp_trace_request *request);
// Asks for a capture of allocation `ref`; `fd` goes along and stays the caller's. Likewise.
int io_dplink_capture(
	struct io_dplink *l, const struct tp_capture_request *request, int fd, uint32_t ref);
// The allocation is gone: its addresses may become another's.
void io_dplink_capture_end(struct io_dplink *l, uint32_t ref);
// The eventfd is readable: takes its count.
void io_dplink_kicked(struct io_dplink *l);
