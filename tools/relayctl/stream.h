// SPDX-License-Identifier: BSD-3-Clause
// The reader of <turnpike/observe.h>: records that the data plane sends to the operator.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <turnpike/observe.h>

struct rctl_stream {
	int fd;
	const char *name; // of the observation: "trace", "capture"
	uint64_t wall_ns; // to be added to the records' times
	bool ended;	  // `end` has come; else the data plane went away
	struct tp_observe_end end;
};

// Waits for the BEGIN. RCTL_EXIT_*, after a message on stderr.
int rctl_stream_begin(struct rctl_stream *s, int fd, const char *name);

// One message's records, `len` bytes. False: the reader wants no more.
typedef bool rctl_stream_take(void *ctx, const uint8_t *records, size_t len);

// Reads to the observation's end, or to the reader's; SIGINT and SIGTERM end it.
void rctl_stream_read(struct rctl_stream *s, rctl_stream_take *take, void *ctx);

// Returns the next whole record of `size_min` bytes or more and moves *records and *len behind it.
// NULL at the end, and at records of another version.
const void *rctl_stream_record(const uint8_t **records, size_t *len, size_t size_min);

// Why it ended, in words; records that found no room.
const char *rctl_stream_cause(const struct rctl_stream *s);
uint64_t rctl_stream_missed(const struct rctl_stream *s);
