// SPDX-License-Identifier: BSD-3-Clause
#include <operator/hot.h>
#include <operator/rates.h>

#include <errno.h>
#include <stdlib.h>

#define PATIENCE_NS (5 * TP_NS_PER_S)	// how long one question keeps the ticks working
#define GAP_NS	    (90 * TP_NS_PER_MS) // between the two looks at a part, at least
#define MEASURE_NS  TP_NS_PER_S
#define FIRST_NS    (TP_NS_PER_S / 2) // sooner, so that the first screen of `top` has it

int operator_hot_ask(struct operator_hot *h, uint64_t now_ns)
{
	if (h->last == NULL) {
		h->last = malloc(OPERATOR_HOT_PART * sizeof(*h->last));
		if (h->last == NULL)
			return -ENOMEM;
	}
	h->asked_ns = now_ns;
	return 0;
}

void operator_hot_fini(struct operator_hot *h)
{
	free(h->last);
	*h = (struct operator_hot){0};
}

static void forget(struct operator_hot *h)
{
	h->n = 0;
	h->first = 0;
	h->n_ones = 0;
	h->pass_ns = 0;
}

static struct operator_hot_one *slowest(struct operator_hot *h)
{
	struct operator_hot_one *one = &h->ones[0];

	for (unsigned i = 1; i < h->n_ones; i++) {
		if (h->ones[i].packets_per_s < one->packets_per_s)
			one = &h->ones[i];
	}
	return one;
}

// `rate` is that of one of the allocation's entries: enough to be looked at.
static void nominate(struct operator_hot *h, uint32_t ref, uint64_t rate,
	operator_hot_total_fn total, void *ctx, uint64_t now_ns)
{
	struct operator_hot_one one = {.ref = ref, .packets_per_s = rate, .measured_ns = now_ns};

	if (h->n_ones == OPERATOR_HOT_MAX && rate <= h->least)
		return;
	for (unsigned i = 0; i < h->n_ones; i++) {
		if (h->ones[i].ref == ref)
			return;
	}
	if (!total(ctx, ref, &one.packets, &one.octets))
		return;
	if (h->n_ones < OPERATOR_HOT_MAX)
		h->ones[h->n_ones++] = one;
	else
		*slowest(h) = one;
	h->least = h->n_ones < OPERATOR_HOT_MAX ? 0 : slowest(h)->packets_per_s;
}

// Worker by worker: the cells of one lie together.
static void part_add(const struct operator_hot *h, const struct shm_state *state, uint64_t *sums)
{
	for (uint32_t w = 0; w < state->n_workers; w++) {
		const struct tp_cell *cells = shm_state_cell(state, w, h->first);

		for (uint32_t i = 0; i < h->n; i++)
			sums[i] += atomic_load_explicit(&cells[i].packets, memory_order_relaxed);
	}
}

static void part_begin(struct operator_hot *h, const struct shm_state *state, uint64_t now_ns)
{
	uint32_t ready = shm_state_ready(state);

	if (h->first == 0 || h->first >= ready) {
		// Entry 0 is never used.
		if (h->first != 0)
			h->pass_ns = now_ns - h->pass_began_ns;
		h->first = 1;
		h->pass_began_ns = now_ns;
	}
	if (ready <= h->first)
		h->n = 0;
	else
		h->n = ready - h->first < OPERATOR_HOT_PART ? ready - h->first : OPERATOR_HOT_PART;
	for (uint32_t i = 0; i < h->n; i++)
		h->last[i] = 0;
	part_add(h, state, h->last);
	h->read_ns = now_ns;
}

// Subtracts the sums from those read before: the difference is left, negated.
static void part_end(struct operator_hot *h, const struct shm_state *state,
	const struct shm_tables *tables, operator_hot_total_fn total, void *ctx, uint64_t now_ns)
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
			nominate(
				h, ref, operator_per_s(h->last[i], 0, span_ns), total, ctx, now_ns);
	}
	h->first += h->n;
	h->n = 0;
}

static void measure(struct operator_hot *h, operator_hot_total_fn total, void *ctx, uint64_t now_ns)
{
	for (unsigned i = 0; i < h->n_ones;) {
		struct operator_hot_one *one = &h->ones[i];
		uint64_t packets, octets, span_ns = now_ns - one->measured_ns;

		if (span_ns < (one->measured ? MEASURE_NS : FIRST_NS)) {
			i++;
			continue;
		}
		if (!total(ctx, one->ref, &packets, &octets)) {
			*one = h->ones[--h->n_ones];
			continue;
		}
		one->packets_per_s = operator_per_s(packets, one->packets, span_ns);
		one->octets_per_s = operator_per_s(octets, one->octets, span_ns);
		one->packets = packets;
		one->octets = octets;
		one->measured_ns = now_ns;
		one->measured = true;
		i++;
	}
	h->least = h->n_ones < OPERATOR_HOT_MAX ? 0 : slowest(h)->packets_per_s;
}

void operator_hot_tick(struct operator_hot *h, const struct shm_state *state,
	const struct shm_tables *tables, operator_hot_total_fn total, void *ctx, uint64_t now_ns)
{
	if (h->asked_ns == 0)
		return;
	if (now_ns - h->asked_ns > PATIENCE_NS) {
		operator_hot_fini(h);
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
	const struct operator_hot_one *x = a, *y = b;

	return (x->packets_per_s < y->packets_per_s) - (x->packets_per_s > y->packets_per_s);
}

unsigned operator_hot_list(const struct operator_hot *h, struct operator_hot_one *out, unsigned max)
{
	struct operator_hot_one sorted[OPERATOR_HOT_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < h->n_ones; i++) {
		if (h->ones[i].measured && h->ones[i].packets_per_s > 0)
			sorted[n++] = h->ones[i];
	}
	qsort(sorted, n, sizeof(sorted[0]), faster);
	if (n > max)
		n = max;
	for (unsigned i = 0; i < n; i++)
		out[i] = sorted[i];
	return n;
}
