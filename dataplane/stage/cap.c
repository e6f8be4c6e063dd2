// SPDX-License-Identifier: BSD-3-Clause
// Caps: token buckets for bits and packets of an allocation, its user, its realm and all together
// (<turnpike/rate.h>). Packets of limited allocations take the slow path and come here last, so
// that only what leaves is charged; no other packet touches the limits array.
//
// A bill is made first: every bucket that the packet needs, of both allocations for a hairpin. One
// that is empty ends it. Only then are the tokens taken.
//
// Fair shares. A bucket of several sessions is shared by giving each of them a rate, the same for
// all, beyond which its packets are dropped before they reach the bucket. The rate is right when
// sessions above it and sessions below it fill the bucket exactly together; it is found by
// looking at the bucket a few times per burst: it falls as long as the bucket is less than half
// full or empties, and rises otherwise, up to the whole rate. So the rate that some leave unused
// is shared among the others. It rises slowly: a bucket that a burst of packets empties looks full
// in between. A session under several such buckets has the least of its shares. Where the bucket is
// full all the same, a packet beyond the share passes, since nobody else wants the tokens; the
// session pays for it later.
#include "forward.h"

#include <core/bucket.h>
#include <core/ecn.h>

// Some packets of usual length pass at once whatever the burst, so that a mark can come before a
// drop.
#define BURST_BITS_MIN	  (4 * 1500 * 8u)
#define BURST_PACKETS_MIN 4u
// Marks begin when so many eighths of the burst are gone: of what one session has alone, and of
// what several share, whose fill rests at a half under overload.
#define MARK_OWN	  4u
#define MARK_SHARED	  6u
#define MARK_WHOLE	  8u

// The shares are changed so many times per burst, by a proportional and an integral part: they
// settle within a few bursts, without swinging (dominant poles at 0.85 and 0.59 per change).
#define CHANGES		  5u
#define GAIN_FILL_CHANGE  2.5
#define GAIN_FILL	  0.3
#define STEP_DOWN_MAX	  0.5
#define STEP_UP_MAX	  0.05
#define FILL_WANTED	  0.5
// A bucket is full as long as no more than this part of its burst is gone.
#define FULL_OF_N	  8u
// After so many changes that no packet has asked for, the past is forgotten.
#define CHANGES_STALE	  20u

#define BILL_LEVELS	  (2 * TP_LIMIT_DEPTH)

// One bucket's rate, and how many tokens the packet costs.
struct price {
	uint64_t rate; // 0: not limited
	uint64_t span; // of the burst
	uint64_t tokens;
};

struct bill_item {
	_Atomic uint64_t *full_at;
	uint64_t span;
};

struct bill {
	uint64_t now;
	uint64_t bits;
	unsigned n_items;
	unsigned n_slots;
	bool marks;
	uint32_t slots[BILL_LEVELS];
	// Each level has a bucket, and the session one more, for each meter.
	struct bill_item items[2 * BILL_LEVELS * STAGE_METERS];
};

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct price price_of(const struct tp_limit *l, unsigned meter, uint64_t bits)
{
	struct price p;
	uint64_t burst;

	if (meter == STAGE_BITS) {
		p.rate = atomic_load_explicit(&l->bits_per_s, memory_order_relaxed);
		p.tokens = bits;
		burst = most(
			atomic_load_explicit(&l->burst_bits, memory_order_relaxed), BURST_BITS_MIN);
	} else {
		p.rate = atomic_load_explicit(&l->packets_per_s, memory_order_relaxed);
		p.tokens = 1;
		burst = most(atomic_load_explicit(&l->burst_packets, memory_order_relaxed),
			BURST_PACKETS_MIN);
	}
	p.span = p.rate == 0 ? 0 : core_bucket_span(burst, p.rate);
	return p;
}

static enum tp_drop reason_of(uint8_t kind)
{
	switch (kind) {
	case TP_LIMIT_ALLOCATION:
		return TP_DROP_cap_allocation;
	case TP_LIMIT_USER:
		return TP_DROP_cap_user;
	case TP_LIMIT_REALM:
		return TP_DROP_cap_realm;
	default:
		return TP_DROP_cap_all;
	}
}

// ---- fair shares ------------------------------------------------------------------------------

static uint64_t share_next(struct stage_meter *m, const struct price *p, uint32_t sessions,
	uint64_t now, bool is_stale)
{
	uint64_t missing = core_bucket_missing(&m->full_at, now);
	uint64_t before = atomic_load_explicit(&m->missing, memory_order_relaxed);
	uint64_t share = atomic_load_explicit(&m->share, memory_order_relaxed);
	double step, next;

	if (missing > p->span)
		missing = p->span;
	atomic_store_explicit(&m->missing, missing, memory_order_relaxed);
	if (is_stale || sessions == 0 || p->span == 0)
		return 0;
	if (before > p->span)
		before = p->span;
	step = GAIN_FILL_CHANGE * ((double)before - (double)missing) / (double)p->span +
	       GAIN_FILL * (1 - FILL_WANTED - (double)missing / (double)p->span);
	if (step > STEP_UP_MAX)
		step = STEP_UP_MAX;
	if (step < -STEP_DOWN_MAX)
		step = -STEP_DOWN_MAX;
	next = (double)(share != 0 ? share : p->rate) * (1 + step);
	if (next >= (double)p->rate)
		return 0;
	return most((uint64_t)next, most(p->rate / sessions, 1));
}

// Changes a slot's shares when it is time, by one of the workers.
static void shares_change(struct stage_cap *c, const struct tp_limit *l,
	const struct price prices[STAGE_METERS], uint64_t now)
{
	uint64_t at = atomic_load_explicit(&c->change_at, memory_order_relaxed), period = 0;
	uint32_t sessions = atomic_load_explicit(&l->sessions, memory_order_relaxed);
	bool is_stale;

	// A time further ahead than any period is a slot's first 0.
	if (at - now - 1 < CORE_BUCKET_SPAN_MAX)
		return;
	for (unsigned i = 0; i < STAGE_METERS; i++)
		if (prices[i].rate != 0)
			period = most(period, prices[i].span / CHANGES);
	is_stale = sessions <= 1 || now - at > period * CHANGES_STALE;
	if (!atomic_compare_exchange_strong_explicit(
		    &c->change_at, &at, now + period, memory_order_relaxed, memory_order_relaxed))
		return;
	for (unsigned i = 0; i < STAGE_METERS; i++) {
		uint64_t share = prices[i].rate == 0 ? 0
						     : share_next(&c->meters[i], &prices[i],
							       sessions, now, is_stale);

		atomic_store_explicit(&c->meters[i].share, share, memory_order_relaxed);
	}
}

// ---- the bill ---------------------------------------------------------------------------------

static void bill_charge(struct bill *bill, _Atomic uint64_t *full_at, uint64_t span)
{
	bill->items[bill->n_items++] = (struct bill_item){full_at, span};
}

// Enters a bucket. False: it is empty.
static bool bill_enter(struct bill *bill, _Atomic uint64_t *full_at, uint64_t burst_span,
	uint64_t span, unsigned mark)
{
	uint64_t missing;

	core_bucket_clip(full_at, bill->now, burst_span + span);
	missing = core_bucket_missing(full_at, bill->now);
	if (missing >= burst_span)
		return false;
	if (missing + span > burst_span / MARK_WHOLE * mark)
		bill->marks = true;
	bill_charge(bill, full_at, span);
	return true;
}

// The least of a session's shares, for each meter.
struct shares {
	uint64_t rate[STAGE_METERS]; // 0: none
	uint64_t span[STAGE_METERS]; // of the bucket's burst that is shared
	bool is_full[STAGE_METERS];  // the bucket
};

static void share_note(struct shares *shares, unsigned meter, const struct stage_meter *m,
	const struct price *p, uint64_t now)
{
	uint64_t share = atomic_load_explicit(&m->share, memory_order_relaxed);

	if (share == 0 || (shares->rate[meter] != 0 && share >= shares->rate[meter]))
		return;
	shares->rate[meter] = share;
	shares->span[meter] = p->span;
	shares->is_full[meter] = core_bucket_missing(&m->full_at, now) <= p->span / FULL_OF_N;
}

static enum tp_drop bill_level(
	struct bill *bill, const struct stage_worker *w, uint32_t slot, struct shares *shares)
{
	const struct tp_limit *l = &w->limits[slot];
	struct stage_cap *c = &w->caps[slot];
	bool is_own = l->kind == TP_LIMIT_ALLOCATION;
	struct price prices[STAGE_METERS];

	for (unsigned i = 0; i < STAGE_METERS; i++)
		prices[i] = price_of(l, i, bill->bits);
	if (!is_own)
		shares_change(c, l, prices, bill->now);
	for (unsigned i = 0; i < STAGE_METERS; i++) {
		const struct price *p = &prices[i];

		if (p->rate == 0)
			continue;
		if (!is_own)
			share_note(shares, i, &c->meters[i], p, bill->now);
		if (!bill_enter(bill, &c->meters[i].full_at, p->span,
			    core_bucket_span(p->tokens, p->rate), is_own ? MARK_OWN : MARK_SHARED))
			return reason_of(l->kind);
	}
	return TP_DROP_none;
}

static enum tp_drop bill_share(
	struct bill *bill, struct stage_cap *session, const struct shares *shares)
{
	static const uint64_t bursts[STAGE_METERS] = {BURST_BITS_MIN, BURST_PACKETS_MIN};
	const uint64_t tokens[STAGE_METERS] = {bill->bits, 1};

	for (unsigned i = 0; i < STAGE_METERS; i++) {
		_Atomic uint64_t *full_at = &session->meters[i].share_at;
		uint64_t rate = shares->rate[i], span, burst_span;

		if (rate == 0)
			continue;
		span = core_bucket_span(tokens[i], rate);
		burst_span = most(shares->span[i], core_bucket_span(bursts[i], rate));
		if (bill_enter(bill, full_at, burst_span, span, MARK_OWN))
			continue;
		if (!shares->is_full[i])
			return TP_DROP_cap_share;
		bill_charge(bill, full_at, span);
		bill->marks = true;
	}
	return TP_DROP_none;
}

static void refusal_count(const struct stage_worker *w, uint32_t first, uint32_t slot)
{
	tp_count(&w->limit_cells[first].dropped, 1);
	if (slot != first)
		tp_count(&w->limit_cells[slot].dropped, 1);
}

// The buckets of one allocation. `limit`: as in its entries.
static enum tp_drop bill_add(struct bill *bill, const struct stage_worker *w, uint32_t limit)
{
	struct shares shares = {.rate = {0}};
	uint32_t first = limit - 1;
	enum tp_drop why;

	for (unsigned depth = 0; depth < TP_LIMIT_DEPTH && limit - 1 < w->n_limits; depth++) {
		uint32_t slot = limit - 1;

		bill->slots[bill->n_slots++] = slot;
		why = bill_level(bill, w, slot, &shares);
		if (why != TP_DROP_none) {
			refusal_count(w, first, slot);
			return why;
		}
		limit = atomic_load_explicit(&w->limits[slot].parent, memory_order_relaxed);
	}
	if (first >= w->n_limits || w->limits[first].kind != TP_LIMIT_ALLOCATION)
		return TP_DROP_none;
	why = bill_share(bill, &w->caps[first], &shares);
	if (why != TP_DROP_none)
		refusal_count(w, first, first);
	return why;
}

static void bill_pay(struct bill *bill, const struct stage_worker *w, bool is_marked)
{
	for (unsigned i = 0; i < bill->n_items; i++)
		core_bucket_take(bill->items[i].full_at, bill->now, bill->items[i].span);
	for (unsigned i = 0; i < bill->n_slots; i++) {
		struct tp_limit_cell *cell = &w->limit_cells[bill->slots[i]];

		tp_count(&cell->bits, bill->bits);
		tp_count(&cell->packets, 1);
		tp_count(&cell->marked, is_marked);
	}
}

enum tp_drop cap_bill(struct burst *b, const uint32_t limits[2], uint32_t bytes, uint8_t *ip)
{
	const struct stage_worker *w = b->w;
	struct bill bill;
	bool is_marked;

	bill.now = core_bucket_ticks(b->now_ns);
	bill.bits = (uint64_t)bytes * 8;
	bill.n_items = bill.n_slots = 0;
	bill.marks = false;
	for (unsigned i = 0; i < 2; i++) {
		enum tp_drop why = limits[i] == 0 ? TP_DROP_none : bill_add(&bill, w, limits[i]);

		if (why != TP_DROP_none)
			return why;
	}
	is_marked = bill.marks && ip != NULL && core_ecn_mark(ip);
	bill_pay(&bill, w, is_marked);
	if (is_marked)
		burst_count(b, TP_PATH_marked, bytes);
	return TP_DROP_none;
}
