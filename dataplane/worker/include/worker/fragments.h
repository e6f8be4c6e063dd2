// SPDX-License-Identifier: BSD-3-Clause
// Fragments at the workers. A card spreads them by their addresses at best, and with several ports
// or a hash over the first one's UDP ports not even so. So each source prefix has one worker, the
// same for all of them by a common key, and another one that gets a fragment hands it on by a ring
// of the pair. A table per worker puts the datagrams together (<frag/table.h>).
#pragma once

#include <frag/table.h>
#include <rte_mbuf.h>
#include <stage/stage.h>

// Fragments between one worker and another; more are dropped (fragment).
#define FRAGMENTS_RING 256u

// Rings and the key, shared by all workers.
struct fragments_exchange;

// NULL without memory. Outlives the workers.
struct fragments_exchange *fragments_exchange_create(unsigned n_workers);
void fragments_exchange_destroy(struct fragments_exchange *x); // NULL is fine

// One worker's; its thread alone uses it.
struct fragments {
	struct fragments_exchange *exchange;
	unsigned worker;
	struct frag_table *table; // NULL: fragments are dropped
	uint8_t *room;		  // the datagram that is whole
};

// `exchange` NULL: the worker is the only one. `mib`: memory for fragments; 0: none is taken, and
// fragments are dropped. -ENOMEM.
int fragments_init(
	struct fragments *f, struct fragments_exchange *exchange, unsigned worker, uint32_t mib);
// Frees the fragments that wait for the worker, too.
void fragments_fini(struct fragments *f);

enum fragments_result {
	FRAGMENTS_KEPT,	  // copied or dropped: the buffer is the caller's to free
	FRAGMENTS_WHOLE,  // likewise; its datagram is whole, in `whole`
	FRAGMENTS_HANDED, // the buffer is another worker's now: wake it if it sleeps
};

// Takes a packet with the verdict STAGE_FRAGMENT; its cookie is the buffer. `whole` is valid until
// the next call and has the room that the packet path wants.
enum fragments_result fragments_take(struct fragments *f, struct stage_worker *w,
	const struct stage_pkt *pkt, uint64_t now_ns, struct stage_pkt *whole);

// Drops what is too old.
void fragments_expire(struct fragments *f, struct stage_worker *w, uint64_t now_ns);

// Whether other workers have handed something over; one load.
bool fragments_waiting(const struct fragments *f);

// Takes the next fragment that others have handed over. False: there is none; else *is_whole as
// above. Its buffer is freed.
bool fragments_next(struct fragments *f, struct stage_worker *w, uint64_t now_ns,
	struct stage_pkt *whole, bool *is_whole);
