// SPDX-License-Identifier: BSD-3-Clause
// The busiest allocations, found at a bounded cost for any number: while `top` runs, the counters
// of a part of the table are read twice, a tick apart, and the entries that moved most become
// candidates; the parts follow each other. Candidates are then measured each second. One thread.
#pragma once

#include <shm/segment.h>

#define OPERATOR_HOT_MAX  64u	 // candidates
#define OPERATOR_HOT_PART 65536u // entries looked at in one tick

// Packets and octets of an allocation so far; false: it has ended.
typedef bool (*operator_hot_total_fn)(void *ctx, uint32_t ref, uint64_t *packets, uint64_t *octets);

struct operator_hot_one {
	uint32_t ref; // index of the ALLOCATION entry
	uint64_t packets_per_s;
	uint64_t octets_per_s;
	uint64_t packets; // when measured last
	uint64_t octets;
	uint64_t measured_ns;
	bool measured; // false: packets_per_s is that of one of its entries; not listed yet
};

struct operator_hot {
	uint64_t asked_ns; // 0: never
	uint64_t state_id; // whose counters
	uint64_t *last;	   // [OPERATOR_HOT_PART] packets, NULL until asked
	uint32_t first;	   // entry of the part that was read
	uint32_t n;	   // 0: none was
	uint64_t read_ns;
	uint64_t pass_began_ns;
	uint64_t pass_ns; // how long the last look at all entries took; 0: none has ended
	uint64_t least;	  // rate of the slowest candidate, while there is no room
	unsigned n_ones;
	struct operator_hot_one ones[OPERATOR_HOT_MAX];
};

// Somebody looks: the ticks of the next seconds work. -ENOMEM.
int operator_hot_ask(struct operator_hot *h, uint64_t now_ns);
// About every 100 ms. `tables` tells whose entries are.
void operator_hot_tick(struct operator_hot *h, const struct shm_state *state,
	const struct shm_tables *tables, operator_hot_total_fn total, void *ctx, uint64_t now_ns);
// The busiest first; at most `max`. Returns how many.
unsigned operator_hot_list(
	const struct operator_hot *h, struct operator_hot_one *out, unsigned max);
void operator_hot_fini(struct operator_hot *h);
