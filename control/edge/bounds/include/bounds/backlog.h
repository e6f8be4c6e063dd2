// SPDX-License-Identifier: BSD-3-Clause
// Messages that wait for a stream client to read: the oldest media are lost by age and by bytes,
// so a slow client delays and costs nobody but itself. Answers to requests are kept.
//
// No input, output or clock: times are CLOCK_BOOTTIME in ns from the caller. One thread at a time.
#pragma once

#include <turnpike/base.h>

struct backlog_limits {
	uint64_t age_ns; // media older than this are dropped
	size_t bytes;	 // of memory for the messages that wait, as backlog_cost has it
};

struct backlog_item;

// The memory of many backlogs. Where they come near BACKLOG_POOL_MAX times limits.bytes each may
// have an eighth of those left only, so that clients which read nothing leave memory to others.
// Zeroed: none.
#define BACKLOG_POOL_MAX 128u

struct backlog_pool {
	uint64_t held; // bytes of memory
};

struct backlog_queue {
	struct backlog_item *first;
	struct backlog_item *last;
};

// Zero-initialise.
struct backlog {
	struct backlog_pool *pool; // outlives it; NULL: it counts for itself alone
	struct backlog_queue answers;
	struct backlog_queue media;
	uint64_t number; // of the last message: they leave in the order in which they came
	size_t bytes;	 // of the messages alone
	size_t held;	 // of memory
	uint32_t n;
	// Since the start of the connection.
	uint64_t lost_late; // messages dropped by age
	uint64_t lost_full; // messages dropped by bytes
};

// Returns the bytes of memory that a waiting message of `len` bytes takes, with its entry.
size_t backlog_cost(size_t len);

// Copies a message. Old media give way where it does not fit; a message of media that still does
// not fit is lost itself. Returns 0, lost messages too; -ENOBUFS: an answer does not fit beside
// other answers, so the client asks without reading; -ENOMEM.
int backlog_push(struct backlog *b, const struct backlog_limits *l, uint64_t now_ns,
	const uint8_t *data, size_t len);

// Drops the media that are too old.
void backlog_expire(struct backlog *b, const struct backlog_limits *l, uint64_t now_ns);

// Moves whole messages, oldest first and each with its padding to 4 bytes (RFC 8656 12.5), to
// `out`. Returns the bytes written; 0: nothing waits, or the first one needs more than `room`.
size_t backlog_take(struct backlog *b, uint8_t *out, size_t room);

// All messages with their times, for another backlog of this host.
size_t backlog_save_size(const struct backlog *b);
void backlog_save(const struct backlog *b, uint8_t *out);
// Fills an empty one. False: without memory, or no backlog wrote these; then it is empty.
bool backlog_load(struct backlog *b, const uint8_t *bytes, size_t len);

void backlog_fini(struct backlog *b);
