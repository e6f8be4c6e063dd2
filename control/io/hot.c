// SPDX-License-Identifier: BSD-3-Clause
#include "hot.h"

#include <errno.h>
#include <stdlib.h>

#define PATIENCE_NS (5 * TP_NS_PER_S)	// how long one question keeps the ticks working
#define GAP_NS	    (90 * TP_NS_PER_MS) // between the two looks at a part, at least
#define MEASURE_NS  TP_NS_PER_S

int io_hot_ask(struct io_hot *h, uint64_t now_ns)
{
	if (h->last == NULL) {
		h->last = malloc(IO_HOT_PART * sizeof(*h->last));
		if (h->last == NULL)
			return -ENOMEM;
	}
	h->asked_ns = now_ns;
	return 0;
}

void io_hot_fini(struct io_hot *h)
{
	free(h->last);
	*h = (struct io_hot){0};
}

static void forget(struct io_hot *h)
{
	h->n = 0;
	h->first = 0;
	h->n_ones = 0;
	h->pass_ns = 0;
}

static uint64_t per_s(uint64_t now, uint64_t last, uint64_t span_ns)
{
	return now < last || span_ns == 0
		       ? 0
		       : (uint64_t)((double)(now - last) * TP_NS_PER_S / (double)span_ns);
}

static struct io_hot_one *slowest(struct io_hot *h)
{
	struct io_hot_one *one = &h->ones[0];

	for (unsigned i = 1; i < h->n_ones; i++) {
		if (h->ones[i].packets_per_s < one->packets_per_s)
			one = &h->ones[i];
	}
	return one;
}

// `rate` is that of one of the allocation's entries: enough to be looked at.
static void nominate(struct io_hot *h, uint32_t ref, uint64_t rate, io_hot_total_fn total,
	void *ctx, uint64_t now_ns)
{
	struct io_hot_one one = {.ref = ref, .packets_per_s = rate, .measured_ns = now_ns};

	if (h->n_ones == IO_HOT_MAX && rate <= h->least)
		return;
	for (unsigned i = 0; i < h->n_ones; i++) {
		if (h->ones[i].ref == ref)
			return;
	}
	if (!total(ctx, ref, &one.packets, &one.octets))
		return;
	if (h->n_ones < IO_HOT_MAX)
		h->ones[h->n_ones++] = one;
	else
		*slowest(h) = one;
	h->least = h->n_ones < IO_HOT_MAX ? 0 : slowest(h)->packets_per_s;
}

// Worker by worker: the cells of one lie together.
static void part_add(const struct io_hot *h, const struct shm_state *state, uint64_t *sums)
{
	for (uint32_t w = 0; w < state->n_workers; w++) {
		const struct tp_cell *cells = shm_state_cell(state, w, h->first);

		for (uint32_t i = 0; i < h->n; i++)
			sums[i] += atomic_load_explicit(&cells[i].packets, memory_order_relaxed);
	}
}

static void part_begin(struct io_hot *h, const struct shm_state *state, uint64_t now_ns)
{
	if (h->first == 0 || h->first >= state->n_entries) {
		// Entry 0 is never used.
		if (h->first != 0)
			h->pass_ns = now_ns - h->pass_began_ns;
		h->first = 1;
		h->pass_began_ns = now_ns;
	}
	h->n = state->n_entries - h->first < IO_HOT_PART ? state->n_entries - h->first
							 : IO_HOT_PART;
	for (uint32_t i = 0; i < h->n; i++)
		h->last[i] = 0;
	part_add(h, state, h->last);
	h->read_ns = now_ns;
}

// The sums are taken off what was read before: what moved is left, negated.
static void part_end(struct io_hot *h, const struct shm_state *state,
	const struct shm_tables *tables, io_hot_total_fn total, void *ctx, uint64_t now_ns)
{
	uint64_t span_ns = now_ns - h->read_ns;

	for (uint32_t i = 0; i < h->n; i++)
		h->last[i] = 0 - h->last[i];
	part_add(h, state, h->last);
	for (uint32_t i = 0; i < h->n; i++) {
		uint32_t ref;

		if (h->last[i] == 0 || h->last[i] > UINT32_MAX)
			continue;
		ref = tables->entries[h->first + i].allocation;
		if (ref != 0 && ref < state->n_entries)
			nominate(h, ref, per_s(h->last[i], 0, span_ns), total, ctx, now_ns);
	}
	h->first += h->n;
	h->n = 0;
}

static void measure(struct io_hot *h, io_hot_total_fn total, void *ctx, uint64_t now_ns)
{
	for (unsigned i = 0; i < h->n_ones;) {
		struct io_hot_one *one = &h->ones[i];
		uint64_t packets, octets, span_ns = now_ns - one->measured_ns;

		if (span_ns < MEASURE_NS) {
			i++;
			continue;
		}
		if (!total(ctx, one->ref, &packets, &octets)) {
			*one = h->ones[--h->n_ones];
			continue;
		}
		one->packets_per_s = per_s(packets, one->packets, span_ns);
		one->octets_per_s = per_s(octets, one->octets, span_ns);
		one->packets = packets;
		one->octets = octets;
		one->measured_ns = now_ns;
		one->measured = true;
		i++;
	}
	h->least = h->n_ones < IO_HOT_MAX ? 0 : slowest(h)->packets_per_s;
}

void io_hot_tick(struct io_hot *h, const struct shm_state *state, const struct shm_tables *tables,
	io_hot_total_fn total, void *ctx, uint64_t now_ns)
{
	if (h->asked_ns == 0)
		return;
	if (now_ns - h->asked_ns > PATIENCE_NS) {
		io_hot_fini(h);
		return;
	}
	if (h->state_id != state->header->file.created_ns) {
		forget(h);
		h->state_id = state->header->file.created_ns;
	}
	measure(h, total, ctx, now_ns);
	if (h->n != 0 && now_ns - h->read_ns < GAP_NS)
		return;
	if (h->n != 0)
		part_end(h, state, tables, total, ctx, now_ns);
	part_begin(h, state, now_ns);
}

static int faster(const void *a, const void *b)
{
	const struct io_hot_one *x = a, *y = b;

	return (x->packets_per_s < y->packets_per_s) - (x->packets_per_s > y->packets_per_s);
}

unsigned io_hot_list(const struct io_hot *h, struct io_hot_one *out, unsigned max)
{
	struct io_hot_one sorted[IO_HOT_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < h->n_ones; i++) {
		if (h->ones[i].packets_per_s > 0)
			sorted[n++] = h->ones[i];
	}
	qsort(sorted, n, sizeof(sorted[0]), faster);
	if (n > max)
		n = max;
	for (unsigned i = 0; i < n; i++)
		out[i] = sorted[i];
	return n;
}
