// SPDX-License-Identifier: BSD-3-Clause
#include "tables_model.h"

const struct shm_tables_shape model_shape = {.n_entries = 320,
	.n_buckets = 8,
	.n_overflow = 40,
	.n_next_hops = 16,
	.n_port_indexes = 2,
	.n_allocations = 20};

uint32_t model_pick(struct model *m, uint32_t n)
{
	uint64_t z = (m->random += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % n);
}

struct tp_addr model_peer(uint32_t p)
{
	return p == 0 ? tp_addr_ipv4(0xcb007101, 50000) : fixture_peer(256 * p);
}

static uint32_t expiry(struct model *m)
{
	return 1000 + model_pick(m, 1000);
}

// An add was refused for want of space: there must be none. Records go with allocations, until the
// last packet of one that ended is counted.
static void refusal_is_right(struct model *m, uint32_t entries_needed, bool record_needed)
{
	struct tables_counts c = fixture_counts(m->f);
	unsigned records = c.allocations + m->deleted - m->f->n_ended;

	m->refused++;
	assert_true(c.entries_free < entries_needed || c.overflow_free == 0 ||
		    (record_needed && records == model_shape.n_allocations));
}

uint32_t model_channel_of_peer(const struct model_allocation *a, uint32_t peer)
{
	for (uint32_t i = 0; i < NUMBERS; i++)
		if (a->channels[i].ref != 0 && a->channels[i].peer == peer)
			return i;
	return NUMBERS;
}

void model_allocation_add(struct model *m, uint32_t n)
{
	struct model_allocation *a = &m->allocations[n];
	struct turn_allocation_record rec = fixture_record(m->f, n);
	uint32_t ref = 0;
	int rc;

	rec.relay[0].expires_s = expiry(m);
	if (n % 5 == 0) {
		rec.username_len = (uint16_t)(1 + model_pick(m, TURN_USERNAME_MAX));
		memset(rec.username, 0, sizeof(rec.username));
		memset(rec.username, 'a' + (int)n % 26, rec.username_len);
	}
	rc = m->f->store.allocation_add(m->f->store.ctx, &rec, &ref);
	if (a->ref != 0) {
		assert_int_equal(rc, -EEXIST);
	} else if (rc == -ENOSPC) {
		refusal_is_right(m, 1, true);
	} else {
		assert_int_equal(rc, 0);
		memset(a, 0, sizeof(*a));
		a->ref = ref;
		a->rec = rec;
		a->expires_s = rec.relay[0].expires_s;
		m->added++;
	}
}

void model_permission_add(struct model *m, struct model_allocation *a, uint32_t p)
{
	struct tp_addr peer = model_peer(p);
	uint32_t ref = 0, expires_s = expiry(m);
	int rc = m->f->store.permission_add(m->f->store.ctx, a->ref, &peer, expires_s, &ref);

	if (a->ref == 0) {
		assert_int_equal(rc, -EINVAL);
	} else if (a->permissions[p].ref != 0) {
		assert_int_equal(rc, -EEXIST);
	} else if (rc == -ENOSPC) {
		refusal_is_right(m, 1, false);
	} else {
		assert_int_equal(rc, 0);
		a->permissions[p] = (struct model_permission){.ref = ref, .expires_s = expires_s};
		m->added++;
	}
}

void model_channel_add(struct model *m, struct model_allocation *a, uint32_t number, uint32_t p)
{
	struct tp_addr peer = model_peer(p);
	uint32_t ref = 0, e1 = expiry(m), e2 = expiry(m);
	int rc = m->f->store.channel_add(
		m->f->store.ctx, a->ref, (uint16_t)(0x4000 + number), &peer, e1, e2, &ref);

	if (a->ref == 0) {
		assert_int_equal(rc, -EINVAL);
	} else if (a->channels[number].ref != 0 || model_channel_of_peer(a, p) != NUMBERS) {
		assert_int_equal(rc, -EEXIST);
	} else if (rc == -ENOSPC) {
		refusal_is_right(m, 2, false);
	} else {
		assert_int_equal(rc, 0);
		a->channels[number] = (struct model_channel){
			.ref = ref, .peer = p, .expires_s = e1, .permission_expires_s = e2};
		m->added++;
	}
}

void model_refresh(struct model *m, struct model_allocation *a, uint32_t p, uint32_t number)
{
	const struct turn_store *s = &m->f->store;
	uint32_t e1 = expiry(m), e2 = expiry(m);

	s->allocation_refresh(s->ctx, a->ref, 0, e1);
	a->expires_s = e1;
	s->permission_refresh(s->ctx, a->permissions[p].ref, e2);
	a->permissions[p].expires_s = e2;
	s->channel_refresh(s->ctx, a->channels[number].ref, e1, e2);
	a->channels[number].expires_s = e1;
	a->channels[number].permission_expires_s = e2;
}

void model_permission_del(struct model *m, struct model_allocation *a, uint32_t p)
{
	m->f->store.permission_del(m->f->store.ctx, a->permissions[p].ref);
	a->used.to_peer_packets += a->permissions[p].to_peer;
	memset(&a->permissions[p], 0, sizeof(a->permissions[p]));
}

void model_channel_del(struct model *m, struct model_allocation *a, uint32_t number)
{
	struct model_channel *c = &a->channels[number];

	m->f->store.channel_del(m->f->store.ctx, c->ref);
	a->used.to_peer_packets += c->to_peer;
	a->used.to_client_packets += c->to_client;
	memset(c, 0, sizeof(*c));
}

void model_allocation_del(struct model *m, struct model_allocation *a)
{
	m->f->store.allocation_del(m->f->store.ctx, a->ref);
	m->deleted += a->ref != 0;
	memset(a, 0, sizeof(*a));
}

static void refs_move(struct model *m, struct model_allocation *a)
{
	const struct turn_store *s = &m->f->store;

	for (uint32_t p = 0; p < PEERS; p++)
		a->permissions[p].ref = s->move_ref(s->ctx, a->permissions[p].ref);
	for (uint32_t i = 0; i < NUMBERS; i++)
		a->channels[i].ref = s->move_ref(s->ctx, a->channels[i].ref);
}

bool model_move(struct model *m, struct model_allocation *a, bool finish)
{
	const struct turn_store *s = &m->f->store;
	struct turn_tuple next = a->rec.client;
	uint32_t successor;
	int rc;

	if (a->ref == 0) {
		assert_int_equal(s->move_begin(s->ctx, 0, &next, &successor), -EINVAL);
		return false;
	}
	assert_int_equal(s->move_begin(s->ctx, a->ref, &next, &successor), -EEXIST);
	next.remote.port_be ^= tp_htons(0x8000);
	rc = s->move_begin(s->ctx, a->ref, &next, &successor);
	if (rc == -ENOSPC)
		return false;
	assert_int_equal(rc, 0);
	if (!finish)
		return true;
	refs_move(m, a);
	s->move_finish(s->ctx, a->ref);
	a->ref = successor;
	a->rec.client = next;
	a->rec.client_transport = TP_TRANSPORT_UDP;
	m->moved++;
	return true;
}

static void cell_count(struct model *m, uint32_t entry, uint64_t *model)
{
	struct tp_cell *cell =
		shm_state_cell(&m->f->state, model_pick(m, m->f->state.n_workers), entry);
	uint64_t n = 1 + model_pick(m, 9);

	if (entry == 0)
		return;
	tp_count(&cell->packets, n);
	tp_count(&cell->octets, 100 * n);
	*model += n;
}

void model_count(struct model *m, struct model_allocation *a, uint32_t p, uint32_t number)
{
	struct model_channel *c = &a->channels[number];

	cell_count(m, a->ref, &a->used.to_client_packets);
	cell_count(m, a->permissions[p].ref, &a->permissions[p].to_peer);
	cell_count(m, c->ref, &c->to_peer);
	if (c->ref != 0)
		cell_count(m, fixture_entry(m->f, c->ref)->partner, &c->to_client);
}
