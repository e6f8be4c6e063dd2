// SPDX-License-Identifier: BSD-3-Clause
// A writer at full speed: adds, deletes, refreshes, replaces, at random; nothing but the calls of
// the TURN server's store, and the library's own replacement of an entry.
#include "stress.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "tables.h"

struct writer {
	struct world *w;
	struct tables *t;
	struct turn_store store;
	struct shm_state state;
	uint64_t random;
	// References by number of allocation and peer; 0: not there.
	uint32_t *allocations;
	uint32_t (*permissions)[PEERS];
	uint32_t (*channels)[PEERS];
};

static int next_hop(
	void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex)
{
	(void)ctx;
	*gateway = tp_addr_ipv4(0x0a0000fe, 0);
	*ifindex = 1 + dst->ip[15] % 2;
	return 0;
}

static struct writer *writer_alloc(struct world *w)
{
	struct writer *wr = calloc(1, sizeof(*wr));

	if (wr == NULL)
		stress_die("no memory", NULL);
	wr->w = w;
	wr->allocations = calloc(w->n_allocations, sizeof(*wr->allocations));
	wr->permissions = calloc(w->n_allocations, sizeof(*wr->permissions));
	wr->channels = calloc(w->n_allocations, sizeof(*wr->channels));
	if (wr->allocations == NULL || wr->permissions == NULL || wr->channels == NULL)
		stress_die("no memory", NULL);
	return wr;
}

// -ENOSPC is part of the game, everything else is an error.
static bool added(struct writer *wr, int rc)
{
	if (rc == -ENOSPC) {
		stress_count(&wr->w->tally->full, 1);
		return false;
	}
	if (rc < 0)
		stress_die(strerror(-rc), NULL);
	stress_count(&wr->w->tally->added, 1);
	return true;
}

static void allocation_add(struct writer *wr, uint32_t n)
{
	struct turn_allocation_record rec = world_record(wr->w, n);
	uint32_t ref;

	if (added(wr, wr->store.allocation_add(wr->store.ctx, &rec, &ref)))
		wr->allocations[n] = ref;
}

static void permission_toggle(struct writer *wr, uint32_t n, uint32_t k)
{
	struct tp_addr peer = world_peer(wr->w, n, k);
	uint32_t ref;

	if (wr->permissions[n][k] != 0) {
		wr->store.permission_del(wr->store.ctx, wr->permissions[n][k]);
		wr->permissions[n][k] = 0;
		stress_count(&wr->w->tally->deleted, 1);
	} else if (added(wr, wr->store.permission_add(
				     wr->store.ctx, wr->allocations[n], &peer, 1000000, &ref))) {
		wr->permissions[n][k] = ref;
	}
}

static void channel_toggle(struct writer *wr, uint32_t n, uint32_t k)
{
	struct tp_addr peer = world_peer(wr->w, n, k);
	uint32_t ref;

	if (wr->channels[n][k] != 0) {
		wr->store.channel_del(wr->store.ctx, wr->channels[n][k]);
		wr->channels[n][k] = 0;
		stress_count(&wr->w->tally->deleted, 1);
	} else if (added(wr, wr->store.channel_add(wr->store.ctx, wr->allocations[n],
				     (uint16_t)(0x4000 + k), &peer, 1000000, 1000000, &ref))) {
		wr->channels[n][k] = ref;
	}
}

// A new slot for one of the entries that stand for this peer.
static void object_replace(struct writer *wr, uint32_t n, uint32_t k, unsigned which)
{
	uint32_t *ref = which == 0 ? &wr->permissions[n][k] : &wr->channels[n][k], i = *ref;
	struct tp_entry content;
	uint32_t fresh;

	if (i == 0)
		return;
	if (which == 2)
		i = atomic_load(&entry_of(wr->t, i)->partner);
	content = *entry_of(wr->t, i);
	fresh = tables_entry_move(wr->t, i, &content);
	if (fresh == 0) {
		stress_count(&wr->w->tally->full, 1);
		return;
	}
	if (which != 2)
		*ref = fresh;
	stress_count(&wr->w->tally->replaced, 1);
}

static void allocation_delete(struct writer *wr, uint32_t n)
{
	wr->store.allocation_del(wr->store.ctx, wr->allocations[n]);
	wr->allocations[n] = 0;
	memset(wr->permissions[n], 0, sizeof(wr->permissions[n]));
	memset(wr->channels[n], 0, sizeof(wr->channels[n]));
	stress_count(&wr->w->tally->deleted, 1);
}

// To the same user, by another record: a recovery finds one of both.
static void owner_change(struct writer *wr, uint32_t n)
{
	struct turn_allocation_record rec;

	tables_record_read(wr->t, wr->allocations[n], &rec);
	if (wr->store.allocation_own(wr->store.ctx, wr->allocations[n], &rec) < 0)
		stress_count(&wr->w->tally->full, 1);
}

static void refresh(struct writer *wr, uint32_t n, uint32_t k, uint32_t expires_s)
{
	if (k == 0)
		owner_change(wr, n);
	wr->store.allocation_refresh(wr->store.ctx, wr->allocations[n], 0, expires_s);
	if (wr->permissions[n][k] != 0)
		wr->store.permission_refresh(wr->store.ctx, wr->permissions[n][k], expires_s);
	if (wr->channels[n][k] != 0)
		wr->store.channel_refresh(wr->store.ctx, wr->channels[n][k], expires_s, expires_s);
	stress_count(&wr->w->tally->refreshed, 1);
}

static void step(struct writer *wr)
{
	uint64_t x = stress_random(&wr->random);
	uint32_t n = (uint32_t)(x >> 16) % wr->w->n_allocations, k = (uint32_t)(x >> 8) % PEERS;
	unsigned what = (unsigned)(x >> 48) % 100;

	if (wr->allocations[n] == 0)
		allocation_add(wr, n);
	else if (what < 30)
		object_replace(wr, n, k, what % 3);
	else if (what < 40)
		refresh(wr, n, k, 1000000 + what);
	else if (n < wr->w->n_stable)
		object_replace(wr, n, k, what % 3);
	else if (what < 45)
		allocation_delete(wr, n);
	else if (what < 70)
		permission_toggle(wr, n, k);
	else
		channel_toggle(wr, n, k);
}

void writer_run(struct writer *wr, uint64_t seed)
{
	wr->random = seed;
	while (!atomic_load_explicit(&wr->w->tally->stop, memory_order_relaxed)) {
		struct tables_counts c;
		uint64_t now_ns = stress_now_ns();

		for (unsigned i = 0; i < 32; i++)
			step(wr);
		if (stress_random(&wr->random) % 1024 == 0)
			tables_routes_changed(wr->t);
		tables_advance(wr->t, now_ns);
		tables_get_counts(wr->t, now_ns, &c);
		if (c.entries_free == 0)
			sched_yield();
	}
}

struct writer *writer_create(struct world *w)
{
	struct writer *wr = writer_alloc(w);
	struct shm_tables_shape shape = world_shape(w);
	struct tables_env env = {.next_hop = next_hop};
	struct shm_error err;

	if (tables_create(&wr->t, &w->place, &shape, &env, &err) < 0)
		stress_die("create", &err);
	atomic_store(&wr->t->shm.header->gp_req, 0xfffffff0);
	world_configure(w, wr->t);
	if (tables_publish(wr->t, &err) < 0 ||
		shm_state_create(&wr->state, &w->place, &wr->t->shm, 1, &err) < 0 ||
		shm_file_publish(&wr->state.file, &w->place, &err) < 0)
		stress_die("publish", &err);
	shm_state_adopt(&wr->state, &wr->t->shm);
	tables_attach_state(wr->t, &wr->state);
	wr->store = tables_store(wr->t);
	for (uint32_t n = 0; n < w->n_stable; n++) {
		allocation_add(wr, n);
		for (uint32_t k = 0; k < PEERS; k++) {
			permission_toggle(wr, n, k);
			channel_toggle(wr, n, k);
		}
	}
	return wr;
}

static uint32_t number_of(const struct writer *wr, uint32_t ref, uint32_t *k)
{
	uint32_t n, object;

	if (!world_locate(wr->w, &entry_of(wr->t, ref)->key, &n, &object))
		stress_die("recovered what nobody made", NULL);
	*k = object == 0 ? 0 : (object - 1) % PEERS;
	return n;
}

static int seen_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	struct writer *wr = ctx;
	uint32_t k, n = number_of(wr, ref, &k);
	struct turn_allocation_record want = world_record(wr->w, n);

	want.relay[0].expires_s = rec->relay[0].expires_s;
	if (memcmp(&want, rec, sizeof(want)) != 0)
		stress_die("recovered another allocation than was made", NULL);
	wr->allocations[n] = ref;
	return 0;
}

static int seen_permission(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct writer *wr = ctx;
	uint32_t k, n = number_of(wr, ref, &k);

	(void)expires_s;
	if (allocation != wr->allocations[n] || peer->port_be != 0)
		stress_die("recovered a permission of another allocation", NULL);
	wr->permissions[n][k] = ref;
	return 0;
}

static int seen_channel(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct writer *wr = ctx;
	uint32_t k, n = number_of(wr, ref, &k);
	struct tp_addr want = world_peer(wr->w, n, k);

	(void)expires_s;
	if (allocation != wr->allocations[n] || number != 0x4000 + k || !tp_addr_equal(peer, &want))
		stress_die("recovered a channel of another allocation or peer", NULL);
	wr->channels[n][k] = ref;
	return 0;
}

struct writer *writer_open(struct world *w)
{
	struct writer *wr = writer_alloc(w);
	struct tables_env env = {.next_hop = next_hop};
	struct tables_visitor visitor = {.ctx = wr,
		.allocation = seen_allocation,
		.permission = seen_permission,
		.channel = seen_channel};
	struct tables_recovery result;
	struct shm_error err;

	stress_count(&w->tally->recoveries_begun, 1);
	if (tables_open(&wr->t, &w->place, &env, &err) < 0)
		stress_die("open", &err);
	world_configure(w, wr->t);
	if (shm_state_open(&wr->state, &w->place, &wr->t->shm, 0, false, &err) < 0)
		stress_die("state", &err);
	tables_attach_state(wr->t, &wr->state);
	if (tables_recover(wr->t, &visitor, &result) < 0)
		stress_die("recover", NULL);
	wr->store = tables_store(wr->t);
	for (uint32_t n = 0; n < w->n_stable; n++)
		for (uint32_t k = 0; k < PEERS; k++)
			if (wr->permissions[n][k] == 0 || wr->channels[n][k] == 0)
				stress_die("a recovery lost a stable object", NULL);
	stress_count(&w->tally->recoveries, 1);
	stress_count(&w->tally->removed, result.removed);
	stress_count(&w->tally->corrupt, result.corrupt);
	return wr;
}

void writer_close(struct writer *wr)
{
	tables_destroy(wr->t);
	shm_state_close(&wr->state);
	free(wr->allocations);
	free(wr->permissions);
	free(wr->channels);
	free(wr);
}

const struct shm_tables *writer_tables(const struct writer *wr)
{
	return &wr->t->shm;
}

const struct shm_state *writer_state(const struct writer *wr)
{
	return &wr->state;
}
