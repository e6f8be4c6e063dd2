// SPDX-License-Identifier: BSD-3-Clause
// Sets of ports of permissions. A set is filled before the first permission names it, never
// changes, and rests for a grace period when the last one has ended.
//
// A permission that names a set has its expiry in other_expires_s, and 0 in expires_s. The order,
// so that no reader takes one without ports for one with some: other_expires_s, the word,
// expires_s; back: expires_s, the word. A kill before the last store leaves a permission as it was
// before the reload, with all ports, until recovery gives it the ports of today. Were expires_s 0
// first, a kill would end a permission of a live call.
#include "tables.h"

#include <errno.h>
#include <stdlib.h>

#include <turnpike/siphash.h>

int tables_port_sets_init(struct tables *t)
{
	struct port_sets *s = &t->port_sets;
	uint32_t n = t->shm.n_port_sets;

	s->references = calloc(n + 1, sizeof(*s->references));
	s->hashes = calloc(n + 1, sizeof(*s->hashes));
	return s->references == NULL || s->hashes == NULL ? -ENOMEM
							  : tables_pool_init(&s->pool, n + 1);
}

void tables_port_sets_fini(struct tables *t)
{
	tables_pool_fini(&t->port_sets.pool);
	free(t->port_sets.references);
	free(t->port_sets.hashes);
}

void tables_port_sets_fill(struct tables *t)
{
	for (uint32_t i = t->shm.n_port_sets; i-- > 1;)
		tables_pool_give(&t->port_sets.pool, i);
}

static uint64_t set_hash(const struct tables *t, const struct tp_port_set *set)
{
	return tp_siphash13(t->hop.key, set, sizeof(*set));
}

// Returns the number of a set of these ports, with one more reference; 0: none is free.
static uint32_t set_take(struct tables *t, const struct tp_port_set *want)
{
	struct port_sets *s = &t->port_sets;
	uint64_t hash = set_hash(t, want);
	uint32_t i;

	for (i = 1; i < t->shm.n_port_sets; i++) {
		if (s->references[i] != 0 && s->hashes[i] == hash &&
			memcmp(&t->shm.port_sets[i], want, sizeof(*want)) == 0) {
			s->references[i]++;
			return i;
		}
	}
	if (t->state != NULL)
		tables_port_sets_reap(t, tables_grace_done(t));
	i = tables_pool_take(&s->pool);
	if (i == 0)
		return 0;
	memcpy(&t->shm.port_sets[i], want, sizeof(*want));
	s->references[i] = 1;
	s->hashes[i] = hash;
	return i;
}

static void set_release(struct tables *t, uint32_t i)
{
	if (i != 0 && --t->port_sets.references[i] == 0)
		tables_pool_retire(&t->port_sets.pool, i, tables_grace_tag(t));
}

unsigned tables_port_sets_reap(struct tables *t, uint32_t gp_done)
{
	unsigned n = 0;

	for (uint32_t i; (i = tables_pool_reap(&t->port_sets.pool, gp_done)) != 0; n++)
		tables_pool_give(&t->port_sets.pool, i);
	return n;
}

static void word_release(struct tables *t, uint32_t word)
{
	set_release(t, tp_ports_allowed(word));
	set_release(t, tp_ports_trial(word));
}

void tables_ports_release(struct tables *t, uint32_t permission)
{
	word_release(
		t, atomic_load_explicit(&entry_of(t, permission)->partner, memory_order_relaxed));
}

// Both sets, or none of them.
static int word_take(struct tables *t, const struct tp_port_set *allowed,
	const struct tp_port_set *trial, uint32_t *word)
{
	uint32_t a = allowed != NULL ? set_take(t, allowed) : 0;
	uint32_t b = trial != NULL ? set_take(t, trial) : 0;

	*word = tp_ports_word(a, b);
	if ((allowed == NULL || a != 0) && (trial == NULL || b != 0))
		return 0;
	word_release(t, *word);
	t->full++;
	return -ENOSPC;
}

void tables_ports_share(struct tables *t, uint32_t from, struct tp_entry *content)
{
	const struct tp_entry *e = entry_of(t, from);
	uint32_t word = atomic_load_explicit(&e->partner, memory_order_relaxed);
	uint32_t a = tp_ports_allowed(word), b = tp_ports_trial(word);

	t->port_sets.references[a] += a != 0;
	t->port_sets.references[b] += b != 0;
	atomic_init(&content->partner, word);
	atomic_init(&content->expires_s, atomic_load_explicit(&e->expires_s, memory_order_relaxed));
	atomic_init(&content->other_expires_s,
		atomic_load_explicit(&e->other_expires_s, memory_order_relaxed));
}

void tables_ports_unshare(struct tables *t, const struct tp_entry *content)
{
	if (content->key.kind == TP_KIND_PERMISSION)
		word_release(t, atomic_load_explicit(&content->partner, memory_order_relaxed));
}

static int ports_set(struct tables *t, uint32_t ref, const struct tp_port_set *allowed,
	const struct tp_port_set *trial)
{
	struct tp_entry *e = entry_of(t, ref);
	uint32_t was, word, expires_s;

	// The packet path has nothing to do with permissions of TCP allocations.
	if (record_of(t, e->allocation)->relayed_transport == TP_TRANSPORT_TCP)
		return 0;
	if (word_take(t, allowed, trial, &word) < 0)
		return -ENOSPC;
	was = atomic_load_explicit(&e->partner, memory_order_relaxed);
	expires_s = atomic_load_explicit(tables_permission_expiry(t, e), memory_order_relaxed);
	if (word != 0) {
		atomic_store_explicit(&e->other_expires_s, expires_s, memory_order_relaxed);
		atomic_store_explicit(&e->partner, word, memory_order_release);
		atomic_store_explicit(&e->expires_s, 0, memory_order_release);
	} else if (was != 0) {
		atomic_store_explicit(&e->expires_s, expires_s, memory_order_relaxed);
		atomic_store_explicit(&e->partner, 0, memory_order_release);
	}
	word_release(t, was);
	return 0;
}

int tables_permission_ports(
	void *ctx, uint32_t ref, const struct tp_port_set *allowed, const struct tp_port_set *trial)
{
	struct tables *t = ctx;
	uint32_t twin;
	int rc;

	if (!ref_is(t, ref, TP_KIND_PERMISSION))
		return -EINVAL;
	rc = ports_set(t, ref, allowed, trial);
	twin = rc == 0 ? tables_move_twin(t, ref) : 0;
	// The sets are there now.
	return twin != 0 ? ports_set(t, twin, allowed, trial) : rc;
}

// ---- recovery -----------------------------------------------------------------------------------

static bool word_claim(struct tables *t, uint32_t word)
{
	uint32_t a = tp_ports_allowed(word), b = tp_ports_trial(word);

	if ((a != 0 && a >= t->shm.n_port_sets) || (b != 0 && b >= t->shm.n_port_sets))
		return false;
	t->port_sets.references[a] += a != 0;
	t->port_sets.references[b] += b != 0;
	return true;
}

void tables_port_sets_recover(struct tables *t)
{
	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		struct tp_entry *e = entry_of(t, i);

		if (!ref_is(t, i, TP_KIND_PERMISSION) ||
			word_claim(t, atomic_load_explicit(&e->partner, memory_order_relaxed)))
			continue;
		atomic_store_explicit(&e->expires_s, 0, memory_order_relaxed);
		atomic_store_explicit(&e->partner, 0, memory_order_release);
	}
	for (uint32_t i = t->shm.n_port_sets; i-- > 1;) {
		if (t->port_sets.references[i] != 0)
			t->port_sets.hashes[i] = set_hash(t, &t->shm.port_sets[i]);
		else
			tables_pool_retire(&t->port_sets.pool, i, tables_grace_tag(t));
	}
}
