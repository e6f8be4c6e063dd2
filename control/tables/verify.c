// SPDX-License-Identifier: BSD-3-Clause
// Which of the published entries are whole objects: an allocation with its record and its ports, a
// permission of such an allocation, a channel with both its entries.
#include "recover.h"

void tables_entry_drop(struct scan *s, uint32_t i, bool corrupt)
{
	tables_bucket_remove(s->t, i);
	s->t->slot_state[i] = SLOT_IDLE;
	s->result->removed++;
	s->result->corrupt += corrupt;
}

// ---- allocations ------------------------------------------------------------------------------

bool tables_record_claim(struct scan *s, uint32_t i, uint32_t state)
{
	struct tables *t = s->t;
	const struct tp_entry *e = entry_of(t, i);
	uint32_t number = atomic_load_explicit(&e->partner, memory_order_relaxed);
	const struct record *r;

	if (number == 0 || number >= t->priv.n_records || s->records[number])
		return false;
	r = &t->priv.records[number];
	if (atomic_load_explicit(&r->state, memory_order_acquire) != state || r->entry != i ||
		r->generation != e->generation || r->key_len > TURN_KEY_MAX ||
		r->username_len > TURN_USERNAME_MAX ||
		(r->connection != 0 && !tp_connection_valid(r->connection)) ||
		(r->username_len > RECORD_NAME_INLINE) != (r->name_block != 0) ||
		r->name_block >= t->priv.n_names || (r->name_block != 0 && s->names[r->name_block]))
		return false;
	s->records[number] = 1;
	if (r->name_block != 0)
		s->names[r->name_block] = 1;
	return true;
}

static bool record_unclaim(struct scan *s, uint32_t i)
{
	const struct record *r = record_of(s->t, i);

	s->records[r - s->t->priv.records] = 0;
	s->names[r->name_block] = 0;
	return false;
}

static bool slot_ended(const struct tp_entry *e, unsigned k)
{
	return atomic_load_explicit(
		       k == 0 ? &e->expires_s : &e->other_expires_s, memory_order_relaxed) == 0;
}

// The record is the first to name another connection.
static void connection_settle(const struct tables *t, uint32_t i)
{
	uint64_t connection = record_of(t, i)->connection;
	struct tp_entry *e = entry_of(t, i);

	if (e->header[0] == 0 && connection != 0 &&
		atomic_load_explicit(&e->stream.connection, memory_order_relaxed) != connection)
		tables_connection_set(e, connection);
}

// Its addresses are still configured, and its content follows from them.
static bool allocation_valid(struct scan *s, uint32_t i)
{
	struct tables *t = s->t;
	const struct tp_entry *e = entry_of(t, i);
	struct turn_allocation_record rec;
	struct tp_entry content;
	bool same;

	if (!tables_record_claim(s, i, RECORD_LIVE))
		return false;
	connection_settle(t, i);
	for (unsigned k = 0; k < TURN_RELAY_SLOTS; k++)
		// The address of a half that ended may have left.
		if (e->relay[k].relay_id != 0 && !slot_ended(e, k) &&
			(tables_local_of(t, e->relay[k].relay_id, TP_ROLE_RELAY) == NULL ||
				tables_port_word(t, &e->relay[k]) == NULL))
			return record_unclaim(s, i);
	tables_record_read(t, i, &rec);
	// Slots are compared as they are, whether they have ended or not.
	for (unsigned k = 0; k < TURN_RELAY_SLOTS; k++)
		rec.relay[k].expires_s = e->relay[k].relay_id != 0;
	same = tables_content_allocation(t, i, 0, &rec, &content) == 0 &&
	       tables_content_same(e, &content);
	explicit_bzero(&rec, sizeof(rec));
	return same || record_unclaim(s, i);
}

// Whether the allocation's ports are its own; completes missing ones.
static bool ports_claim(struct tables *t, uint32_t i)
{
	const struct tp_entry *e = entry_of(t, i);

	for (unsigned k = 0; k < TURN_RELAY_SLOTS; k++) {
		_Atomic uint32_t *word;
		uint32_t holder;

		if (e->relay[k].relay_id == 0 || slot_ended(e, k))
			continue;
		word = tables_port_word(t, &e->relay[k]);
		holder = atomic_load_explicit(word, memory_order_relaxed);
		if (holder != 0 && holder != i)
			return false;
		atomic_store_explicit(word, i, memory_order_release);
	}
	return true;
}

static bool port_held(const struct tables *t, uint32_t index, uint32_t port, uint32_t holder)
{
	const struct tp_entry *e = entry_of(t, holder);

	if (!ref_is(t, holder, TP_KIND_ALLOCATION))
		return false;
	for (unsigned k = 0; k < TURN_RELAY_SLOTS; k++)
		if (e->relay[k].relay_id != 0 && !slot_ended(e, k) &&
			t->locals[e->relay[k].relay_id].port_index == index &&
			tp_ntohs(e->relay[k].port_be) == port)
			return true;
	return false;
}

static void ports_scan(struct tables *t)
{
	for (uint32_t index = 0; index < t->shm.n_port_indexes; index++) {
		for (uint32_t port = 0; port < 65536; port++) {
			_Atomic uint32_t *word = shm_tables_port(&t->shm, index, (uint16_t)port);
			uint32_t holder = atomic_load_explicit(word, memory_order_relaxed);

			if (holder != 0 && (holder >= t->shm.table.n_entries ||
						   !port_held(t, index, port, holder)))
				atomic_store_explicit(word, 0, memory_order_release);
		}
	}
}

void tables_verify_allocations(struct scan *s)
{
	struct tables *t = s->t;

	for (uint32_t i = 1; i < t->shm.table.n_entries; i++)
		if (ref_is(t, i, TP_KIND_ALLOCATION) && !allocation_valid(s, i))
			tables_entry_drop(s, i, false);
	ports_scan(t);
	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		if (!ref_is(t, i, TP_KIND_ALLOCATION) || ports_claim(t, i))
			continue;
		record_unclaim(s, i);
		tables_entry_drop(s, i, true);
		ports_scan(t);
	}
}

// ---- permissions and channels -----------------------------------------------------------------

static bool request_make(const struct tables *t, const struct tp_entry *e, struct tp_addr peer,
	struct content_request *req)
{
	memset(req, 0, sizeof(*req));
	if (!ref_is(t, e->allocation, TP_KIND_ALLOCATION))
		return false;
	req->allocation = entry_of(t, e->allocation);
	req->allocation_slot = e->allocation;
	req->peer = peer;
	return true;
}

// The published PEER of the key. The partner word may be half-way changed, but the live entry that
// it names, with that key, is the one: a key is there once.
static uint32_t peer_find(
	const struct tables *t, const struct tp_entry *c, const struct tp_key *key)
{
	uint32_t p = atomic_load_explicit(&c->partner, memory_order_relaxed);

	if (ref_is(t, p, TP_KIND_PEER) && tp_key_equal(&entry_of(t, p)->key, key))
		return p;
	return tp_table_find(&t->shm.table, key, tp_table_hash(&t->shm.table, key));
}

uint32_t tables_channel_pair(const struct tables *t, uint32_t i, struct tp_entry *channel_content,
	struct tp_entry *peer_content)
{
	const struct tp_entry *c = entry_of(t, i);
	struct content_request req;
	uint32_t p;

	if (!request_make(t, c, tables_content_destination(c), &req))
		return 0;
	req.number = c->key.selector;
	if (tables_content_channel(t, &req, channel_content, peer_content) < 0 ||
		!tp_key_equal(&c->key, &channel_content->key))
		return 0;
	p = peer_find(t, c, &peer_content->key);
	if (!ref_is(t, p, TP_KIND_PEER))
		return 0;
	// Or that of the 5-tuple that it moved from, which is gone.
	return entry_of(t, p)->allocation == c->allocation ||
			       !ref_is(t, entry_of(t, p)->allocation, TP_KIND_ALLOCATION)
		       ? p
		       : 0;
}

bool tables_permission_content(const struct tables *t, uint32_t i, struct tp_entry *content)
{
	const struct tp_entry *e = entry_of(t, i);
	struct content_request req;
	struct tp_addr peer = {.family = e->key.family};

	memcpy(peer.ip, e->key.ip, sizeof(peer.ip));
	return request_make(t, e, peer, &req) && tables_content_permission(t, &req, content) == 0 &&
	       tp_key_equal(&e->key, &content->key);
}

// A limit that the array has no slot for is none. The flag may be half-way changed.
static void limit_settle(const struct tables *t, struct tp_entry *e)
{
	uint32_t number = atomic_load_explicit(&e->limit, memory_order_relaxed);

	tables_entry_limit(e, number <= t->shm.n_limits ? number : 0);
}

// Each PEER has one CHANNEL, kept in links[peer].prev meanwhile.
void tables_verify_objects(struct scan *s)
{
	struct tables *t = s->t;
	struct tp_entry content, peer_content;

	for (uint32_t i = 1; i < t->shm.table.n_entries; i++)
		if (t->slot_state[i] == SLOT_LIVE)
			limit_settle(t, entry_of(t, i));
	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		uint32_t p;

		if (ref_is(t, i, TP_KIND_PERMISSION) && !tables_permission_content(t, i, &content))
			tables_entry_drop(s, i, false);
		if (!ref_is(t, i, TP_KIND_CHANNEL))
			continue;
		p = tables_channel_pair(t, i, &content, &peer_content);
		if (p == 0 || t->links[p].prev != 0)
			tables_entry_drop(s, i, false);
		else
			t->links[p].prev = i;
	}
	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		uint32_t c = t->links[i].prev;

		if (!ref_is(t, i, TP_KIND_PEER))
			continue;
		t->links[i].prev = 0;
		if (c == 0) {
			tables_entry_drop(s, i, false);
			continue;
		}
		atomic_store_explicit(&entry_of(t, i)->partner, c, memory_order_release);
		atomic_store_explicit(&entry_of(t, c)->partner, i, memory_order_release);
	}
}
