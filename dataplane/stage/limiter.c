// SPDX-License-Identifier: BSD-3-Clause
// Rate limit of first contacts per source prefix: a small set-associative cache of counters per
// second.
#include "burst.h"
#include "prefix.h"

#include <turnpike/siphash.h>

// The rate of a site, to that of a subnet.
#define SITE_FACTOR 16u

// Eviction priority of a slot: unused ones first, then those of a second long past, then those that
// counted least.
static uint32_t staleness(const struct stage_limiter_way *way, uint16_t second)
{
	if (way->tag == 0)
		return UINT32_MAX;
	return (uint32_t)(uint16_t)(second - way->second) << 15 | (UINT16_MAX - way->count) >> 1;
}

static bool prefix_pass(struct stage_worker *w, const struct tp_addr *source, unsigned len,
	enum limiter_kind kind, uint64_t rate, uint32_t now_s)
{
	uint64_t h = tp_siphash13(w->limiter_key, source->ip, len) ^ source->family ^
		     (uint64_t)kind << 40;
	struct stage_limiter_way *set = w->limiter.ways[(uint32_t)h & (STAGE_LIMITER_SETS - 1)];
	struct stage_limiter_way *way = &set[0];
	uint32_t tag = (uint32_t)(h >> 32) | 1; // never that of an unused way
	uint16_t second = (uint16_t)now_s;
	unsigned i;

	for (i = 0; i < STAGE_LIMITER_WAYS && set[i].tag != tag; i++)
		if (staleness(&set[i], second) > staleness(way, second))
			way = &set[i];
	if (i < STAGE_LIMITER_WAYS)
		way = &set[i];
	if (way->tag != tag || way->second != second)
		*way = (struct stage_limiter_way){.tag = tag, .second = second};
	if (way->count >= rate || way->count == UINT16_MAX)
		return false;
	way->count++;
	return true;
}

bool stage_limiter_pass(struct stage_worker *w, const struct tp_addr *source,
	enum limiter_kind kind, uint32_t rate, uint32_t now_s)
{
	if (rate == 0)
		return true;
	return prefix_pass(w, source, prefix_len(source), kind, rate, now_s) &&
	       (source->family == TP_FAMILY_IPV4 || prefix_pass(w, source, PREFIX_SITE_LEN, kind,
							    (uint64_t)rate * SITE_FACTOR, now_s));
}
