// SPDX-License-Identifier: BSD-3-Clause
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SM_MAGIC 0x54507374u

struct sm_head {
	uint32_t magic;
	uint16_t stream;
	uint8_t direction;
	uint8_t pad;
	uint32_t seq;
	uint32_t sent_hi, sent_lo; // nanoseconds; split so that the struct has no hole
};

int sm_flow_init(struct sm_flow *f, uint16_t stream, uint8_t direction, uint32_t capacity)
{
	memset(f, 0, sizeof(*f));
	f->stream = stream;
	f->direction = direction;
	f->capacity = capacity;
	f->delay_us = calloc(capacity, sizeof(*f->delay_us));
	return f->delay_us != NULL ? 0 : -ENOMEM;
}

void sm_flow_fini(struct sm_flow *f)
{
	free(f->delay_us);
	f->delay_us = NULL;
}

static uint8_t filler(uint32_t seq, size_t at)
{
	return (uint8_t)(seq * 31u + at);
}

void sm_flow_write(const struct sm_flow *f, uint8_t *payload, size_t len, uint64_t now_ns)
{
	struct sm_head h = {
		.magic = SM_MAGIC,
		.stream = f->stream,
		.direction = f->direction,
		.seq = f->sent,
		.sent_hi = (uint32_t)(now_ns >> 32),
		.sent_lo = (uint32_t)now_ns,
	};

	memcpy(payload, &h, sizeof(h));
	for (size_t i = sizeof(h); i < len; i++)
		payload[i] = filler(h.seq, i);
}

void sm_flow_sent(struct sm_flow *f, int result)
{
	f->sent++;
	if (result != 0)
		f->send_errors++;
}

static bool payload_ok(
	const struct sm_flow *f, const struct sm_head *h, const uint8_t *payload, size_t len)
{
	if (h->magic != SM_MAGIC || h->stream != f->stream || h->direction != f->direction ||
		h->seq >= f->sent)
		return false;
	for (size_t i = sizeof(*h); i < len; i++)
		if (payload[i] != filler(h->seq, i))
			return false;
	return true;
}

void sm_flow_take(struct sm_flow *f, const uint8_t *payload, size_t len, uint64_t now_ns)
{
	struct sm_head h;
	uint64_t delay_us;

	if (len < sizeof(h)) {
		f->corrupt++;
		return;
	}
	memcpy(&h, payload, sizeof(h));
	if (!payload_ok(f, &h, payload, len)) {
		f->corrupt++;
		return;
	}
	if (f->delay_us[h.seq] != 0) {
		f->duplicated++;
		return;
	}
	delay_us = (now_ns - ((uint64_t)h.sent_hi << 32 | h.sent_lo)) / 1000;
	f->delay_us[h.seq] = (uint32_t)(delay_us < UINT32_MAX - 1 ? delay_us : UINT32_MAX - 1) + 1;
	f->received++;
	if (h.seq + 1 > f->highest)
		f->highest = h.seq + 1;
	else
		f->reordered++;
	if (f->last_ns != 0 && now_ns - f->last_ns > f->gap_ns) {
		f->gap_ns = now_ns - f->last_ns;
		f->gap_at_ns = f->last_ns;
	}
	if (f->last_ns != 0 && now_ns - f->last_ns > f->silence_ns) {
		f->silence_ns = now_ns - f->last_ns;
		f->silence_end_ns = now_ns;
	}
	f->last_ns = now_ns;
}

uint32_t sm_flow_lost(const struct sm_flow *f)
{
	return f->sent - f->received;
}

uint32_t sm_flow_longest_loss(const struct sm_flow *f)
{
	uint32_t run = 0, longest = 0;

	for (uint32_t i = 0; i < f->sent; i++) {
		run = f->delay_us[i] == 0 ? run + 1 : 0;
		if (run > longest)
			longest = run;
	}
	return longest;
}
