// SPDX-License-Identifier: BSD-3-Clause
#include <load/histogram.h>

#include <math.h>
#include <string.h>

#define SPLIT_BITS 5u

void load_histogram_reset(struct load_histogram *h)
{
	memset(h, 0, sizeof(*h));
	h->least_ns = UINT64_MAX;
}

// Values below SPLIT have a slot each; above, the five bits after the leading one choose.
static unsigned slot_of(uint64_t ns)
{
	unsigned top, slot;

	if (ns < LOAD_HISTOGRAM_SPLIT)
		return (unsigned)ns;
	top = 63u - (unsigned)__builtin_clzll(ns);
	slot = (top - SPLIT_BITS + 1) * LOAD_HISTOGRAM_SPLIT +
	       ((unsigned)(ns >> (top - SPLIT_BITS)) & (LOAD_HISTOGRAM_SPLIT - 1));
	return slot < LOAD_HISTOGRAM_SLOTS ? slot : LOAD_HISTOGRAM_SLOTS - 1;
}

uint64_t load_histogram_floor(unsigned slot)
{
	unsigned power = slot / LOAD_HISTOGRAM_SPLIT;

	if (power == 0)
		return slot;
	return (uint64_t)(LOAD_HISTOGRAM_SPLIT + slot % LOAD_HISTOGRAM_SPLIT) << (power - 1);
}

void load_histogram_add(struct load_histogram *h, uint64_t ns)
{
	h->n++;
	h->slots[slot_of(ns)]++;
	if (ns < h->least_ns)
		h->least_ns = ns;
	if (ns > h->most_ns)
		h->most_ns = ns;
}

uint64_t load_histogram_part(const struct load_histogram *h, double part)
{
	uint64_t want = (uint64_t)ceil(part * (double)h->n), seen = 0, middle;

	for (unsigned i = 0; i < LOAD_HISTOGRAM_SLOTS && h->n != 0; i++) {
		seen += h->slots[i];
		if (seen < want || seen == 0)
			continue;
		middle = (load_histogram_floor(i) + load_histogram_floor(i + 1)) / 2;
		return middle > h->most_ns ? h->most_ns : middle;
	}
	return 0;
}
