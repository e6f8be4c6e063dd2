// SPDX-License-Identifier: BSD-3-Clause
// The head of each payload: which client's packet it is, its number and the time of sending. In
// host order: both ends are this process.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define STREAMS_STAMP_MAGIC 0x73747270u
#define STREAMS_STAMP_LEN   20u
#define STREAMS_BURST_MAX   64u
#define STREAMS_CHANNEL	    0x4000u

struct streams_stamp {
	uint32_t client, number;
	uint64_t sent_ns;
};

static inline void streams_stamp_write(uint8_t *at, const struct streams_stamp *s)
{
	const uint32_t words[] = {STREAMS_STAMP_MAGIC, s->client, s->number};

	memcpy(at, words, sizeof(words));
	memcpy(at + sizeof(words), &s->sent_ns, sizeof(s->sent_ns));
}

static inline bool streams_stamp_read(const uint8_t *at, size_t len, struct streams_stamp *s)
{
	uint32_t words[3];

	if (len < STREAMS_STAMP_LEN)
		return false;
	memcpy(words, at, sizeof(words));
	memcpy(&s->sent_ns, at + sizeof(words), sizeof(s->sent_ns));
	s->client = words[1];
	s->number = words[2];
	return words[0] == STREAMS_STAMP_MAGIC;
}
