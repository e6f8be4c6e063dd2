// SPDX-License-Identifier: BSD-3-Clause
// Readers as workers are: bursts of 32 look-ups, use of the entries found, one quiescent state.
#include "stress.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <urcu-qsbr.h>

#include <shm/futex.h>

#define BURST 32u

// The thread sanitizer does not see the order that liburcu's own barriers make.
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define ORDER_AFTER(p)	__tsan_acquire(p)
#define ORDER_BEFORE(p) __tsan_release(p)
#else
#define ORDER_AFTER(p)	(void)(p)
#define ORDER_BEFORE(p) (void)(p)
#endif

#define READERS_MAX 8u

struct reader {
	struct reader_set *set;
	pthread_t thread;
	uint64_t random;
	uint64_t lookups, hits, torn, wrong, lost;
};

struct reader_set {
	struct world *w;
	struct shm_tables tables;
	struct shm_state state;
	bool borrowed; // both mappings
	struct reader readers[READERS_MAX];
	pthread_t housekeeping;
	char order; // where the sanitizer's order is kept
};

// One look-up of a burst.
struct probe {
	uint32_t n, object;
	struct tp_key key;
	uint32_t entry; // 0: not found
};

static bool allocation_is(const struct reader_set *s, uint32_t index, uint32_t n)
{
	return index < s->tables.table.n_entries &&
	       tp_key_equal(&s->tables.entries[index].key,
		       &world_expected(s->w, n, OBJECT_ALLOCATION)->key);
}

// Key, content and links of a hit. The objects that an entry refers to outlive it, so links are
// checked too.
static void probe_check(struct reader *r, const struct probe *p)
{
	const struct reader_set *s = r->set;
	const struct tp_entry *expected = world_expected(s->w, p->n, p->object);
	struct tp_entry copy;
	uint32_t partner, partner_object;

	entry_copy(&copy, &s->tables.entries[p->entry]);
	partner = atomic_load_explicit(&s->tables.entries[p->entry].partner, memory_order_acquire);
	if (!tp_key_equal(&copy.key, &p->key)) {
		r->wrong++;
		return;
	}
	if (!world_content_right(&copy, expected)) {
		r->torn++;
		return;
	}
	if (!allocation_is(s, copy.allocation, p->n)) {
		r->wrong++;
		return;
	}
	if (p->object < OBJECT_CHANNEL)
		return;
	partner_object = p->object >= OBJECT_PEER ? p->object - PEERS : p->object + PEERS;
	// A PEER is published before its CHANNEL: until then its partner's slot is as it was.
	if (partner >= s->tables.table.n_entries ||
		(p->object < OBJECT_PEER &&
			!tp_key_equal(&s->tables.entries[partner].key,
				&world_expected(s->w, p->n, partner_object)->key)))
		r->wrong++;
}

// The key of a permission holds its allocation's index: that is looked up first, as in a worker.
static bool probe_key(const struct reader_set *s, struct probe *p)
{
	const struct tp_table *t = &s->tables.table;
	const struct tp_entry *a = world_expected(s->w, p->n, OBJECT_ALLOCATION);
	uint32_t allocation;

	p->key = world_expected(s->w, p->n, p->object)->key;
	if (p->key.kind != TP_KIND_PERMISSION)
		return true;
	allocation = tp_table_find(t, &a->key, tp_table_hash(t, &a->key));
	p->key.local_id = (uint16_t)allocation;
	p->key.selector = (uint16_t)(allocation >> 16);
	return allocation != 0;
}

static void burst_run(struct reader *r)
{
	const struct reader_set *s = r->set;
	const struct tp_table *t = &s->tables.table;
	struct probe probes[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		struct probe *p = &probes[i];
		uint64_t x = stress_random(&r->random);

		// Every fourth look-up is of a stable object.
		p->n = (uint32_t)(x >> 8) % (x % 4 == 0 ? s->w->n_stable : s->w->n_allocations);
		p->object = (uint32_t)(x >> 40) % OBJECTS;
		p->entry =
			probe_key(s, p) ? tp_table_find(t, &p->key, tp_table_hash(t, &p->key)) : 0;
		if (p->entry == 0 && p->n < s->w->n_stable)
			r->lost++;
	}
	// Gives the writer time to reuse the slots found, if nothing holds it back.
	if (stress_random(&r->random) % 32 == 0)
		sched_yield();
	for (unsigned i = 0; i < BURST; i++) {
		if (probes[i].entry == 0)
			continue;
		r->hits++;
		probe_check(r, &probes[i]);
	}
	r->lookups += BURST;
}

static void tally_add(struct reader *r)
{
	struct tally *t = r->set->w->tally;

	stress_count(&t->lookups, r->lookups);
	stress_count(&t->hits, r->hits);
	stress_count(&t->torn, r->torn);
	stress_count(&t->wrong, r->wrong);
	stress_count(&t->lost, r->lost);
	r->lookups = r->hits = r->torn = r->wrong = r->lost = 0;
}

static void *reader_main(void *arg)
{
	struct reader *r = arg;
	struct tally *t = r->set->w->tally;

	urcu_qsbr_register_thread();
	atomic_fetch_add(&t->reader_ready, 1);
	while (!atomic_load(&t->stop)) {
		for (unsigned i = 0; i < 64; i++) {
			burst_run(r);
			ORDER_BEFORE(&r->set->order);
			urcu_qsbr_quiescent_state();
		}
		tally_add(r);
	}
	urcu_qsbr_unregister_thread();
	return NULL;
}

// Grace periods on the writer's behalf, as the data plane's housekeeping thread.
static void *housekeeping_main(void *arg)
{
	struct reader_set *s = arg;
	struct tally *t = s->w->tally;
	uint32_t done = atomic_load(&s->state.header->gp_done);

	while (!atomic_load(&t->stop)) {
		uint32_t asked =
			atomic_load_explicit(&s->tables.header->gp_req, memory_order_acquire);

		if (asked == done) {
			shm_futex_wait(&s->tables.header->gp_req, asked, 10 * TP_NS_PER_MS);
			continue;
		}
		urcu_qsbr_synchronize_rcu();
		ORDER_AFTER(&s->order);
		atomic_store_explicit(&s->state.header->gp_done, asked, memory_order_release);
		done = asked;
		stress_count(&t->grace_periods, 1);
	}
	return NULL;
}

struct reader_set *readers_start(
	struct world *w, const struct shm_tables *tables, const struct shm_state *state)
{
	struct reader_set *s = calloc(1, sizeof(*s));
	struct shm_error err;

	if (s == NULL)
		stress_die("no memory", NULL);
	s->w = w;
	s->borrowed = tables != NULL;
	if (s->borrowed) {
		s->tables = *tables;
		s->state = *state;
	} else if (shm_tables_open(&s->tables, &w->place, false, &err) < 0 ||
		   shm_state_open(&s->state, &w->place, &s->tables, 1, true, &err) < 0) {
		stress_die("reader", &err);
	}
	shm_state_adopt(&s->state, &s->tables);
	for (unsigned i = 0; i < w->options.readers; i++) {
		s->readers[i].set = s;
		s->readers[i].random = w->options.seed + 1000 * (i + 1);
		if (pthread_create(&s->readers[i].thread, NULL, reader_main, &s->readers[i]) != 0)
			stress_die("thread", NULL);
	}
	if (pthread_create(&s->housekeeping, NULL, housekeeping_main, s) != 0)
		stress_die("thread", NULL);
	return s;
}

void readers_join(struct reader_set *s)
{
	for (unsigned i = 0; i < s->w->options.readers; i++)
		pthread_join(s->readers[i].thread, NULL);
	pthread_join(s->housekeeping, NULL);
	if (!s->borrowed) {
		shm_state_close(&s->state);
		shm_tables_close(&s->tables);
	}
	free(s);
}
