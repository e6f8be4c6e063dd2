// SPDX-License-Identifier: BSD-3-Clause
// The stress test of the tables: a world of objects whose every entry is known beforehand, readers
// that look them up without locks and compare each hit with the expected entry, a writer that
// changes everything all the time and is killed, and a check of all chains while nobody writes.
#pragma once

#include <pthread.h>

#include <tables/writer.h>

#include "mutant.h"

// Objects of one allocation.
#define PEERS	4u
#define OBJECTS (1u + 3u * PEERS) // ALLOCATION; PERMISSION, CHANNEL, PEER of each peer

enum object {
	OBJECT_ALLOCATION = 0,
	OBJECT_PERMISSION = 1,
	OBJECT_CHANNEL = 1 + PEERS,
	OBJECT_PEER = 1 + 2 * PEERS,
};

struct options {
	unsigned seconds;
	unsigned kills; // 0: the writer lives
	bool threads;	// all in one process, for the thread sanitizer
	unsigned readers;
	uint64_t seed;
	enum mutant mutant;
	bool expect_errors; // success means that at least one was found
};

// Counters in memory that the processes share.
struct tally {
	_Atomic uint64_t lookups, hits, bursts;
	_Atomic uint64_t torn;	// content that is not the key's
	_Atomic uint64_t wrong; // another key than was looked up, or links to another object
	_Atomic uint64_t lost;	// a stable object was not found
	_Atomic uint64_t added, deleted, replaced, refreshed, full;
	_Atomic uint64_t grace_periods;
	_Atomic uint64_t kills, recoveries_begun, recoveries, removed, corrupt;
	_Atomic uint64_t chain_errors;
	_Atomic uint32_t stop;
	_Atomic uint32_t reader_ready;
	_Atomic uint32_t writer_failed;
};

struct world {
	struct options options;
	struct shm_place place;
	struct tally *tally;
	uint32_t n_allocations;
	uint32_t n_stable; // the first ones, with all their objects: only ever replaced
	// The expected content of each published entry, except fields changed in place and those of
	// the slot.
	struct tp_entry *expected; // [n_allocations][OBJECTS]
	struct tables_local locals[4];
};

// A small fast generator (splitmix64): each thread has its own.
static inline uint64_t stress_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline uint64_t stress_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline void stress_count(_Atomic uint64_t *word, uint64_t n)
{
	atomic_fetch_add_explicit(word, n, memory_order_relaxed);
}

// ---- stress_world.c ----

void world_init(struct world *w, const struct options *options);
struct shm_tables_shape world_shape(const struct world *w);
// Sets the ids of w->locals and computes the content of every entry. Exits on failure.
void world_configure(struct world *w, struct tables *t);
struct turn_allocation_record world_record(const struct world *w, uint32_t n);
struct tp_addr world_peer(const struct world *w, uint32_t n, uint32_t k);
const struct tp_entry *world_expected(const struct world *w, uint32_t n, uint32_t object);
// Which object a key is of; false: of none.
bool world_locate(const struct world *w, const struct tp_key *key, uint32_t *n, uint32_t *object);
// Whether an entry, copied by entry_copy, has the object's content.
bool world_content_right(const struct tp_entry *copy, const struct tp_entry *expected);
// A copy by whole words where the writer may be changing them.
void entry_copy(struct tp_entry *to, const struct tp_entry *from);
// Reports a failure that ends the test.
void stress_die(const char *what, const struct shm_error *err);

// ---- stress_reader.c ----

// A data plane's worth of readers and a housekeeping thread, until tally->stop. They map the files
// for themselves, unless mappings are given: the thread sanitizer knows memory by its address.
struct reader_set;
struct reader_set *readers_start(
	struct world *w, const struct shm_tables *tables, const struct shm_state *state);
void readers_join(struct reader_set *set);

// ---- stress_writer.c ----

struct writer;
// New tables and state, with the stable objects in them; w->expected is worked out.
struct writer *writer_create(struct world *w);
// Another process's tables: recovers them.
struct writer *writer_open(struct world *w);
// Changes everything at random until tally->stop.
void writer_run(struct writer *wr, uint64_t seed);
void writer_close(struct writer *wr);
const struct shm_tables *writer_tables(const struct writer *wr);
const struct shm_state *writer_state(const struct writer *wr);

// ---- stress_check.c ----

// Every chain, while nobody writes. Returns the number of errors, told on stderr.
unsigned chains_check(const struct world *w);
