// SPDX-License-Identifier: BSD-3-Clause
// Moves of allocations (RFC 8016). The second 5-tuple has an ALLOCATION entry of its own, the
// successor, with PERMISSION and CHANNEL entries that are twins of the first one's; the relayed
// ports and the PEER entries stay the first one's until the move is finished. So each message is
// judged by entries of one 5-tuple, and packets for the client have one way.
//
// Records: the successor's is MOVING, the first one's names it. Finishing: successor's ARRIVED;
// ports, then each channel's PEER; the first one's MOVED; successor's LIVE. A recovery scan begins
// a move anew that was MOVING, and ends one that had ARRIVED.
//
// A twin CHANNEL names in `partner` the slot that its PEER will be in, which is taken beforehand:
// finishing cannot fail.
#include "recover.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

uint32_t tables_move_successor(const struct tables *t, uint32_t allocation)
{
	const struct record *r = record_of(t, allocation);

	if (atomic_load_explicit(&r->state, memory_order_relaxed) != RECORD_LIVE)
		return 0;
	return ref_is(t, r->other, TP_KIND_ALLOCATION) ? r->other : 0;
}

static struct tp_addr client_of(const struct tp_entry *allocation)
{
	struct tp_addr a = {.port_be = allocation->key.port_be, .family = allocation->key.family};

	memcpy(a.ip, allocation->key.ip, sizeof(a.ip));
	return a;
}

uint32_t tables_move_twin(const struct tables *t, uint32_t ref)
{
	const struct tp_entry *e = entry_of(t, ref);
	uint32_t successor = tables_move_successor(t, e->allocation), twin;
	struct tp_key key = e->key;
	struct tp_addr client;

	if (successor == 0)
		return 0;
	if (e->key.kind == TP_KIND_CHANNEL) {
		client = client_of(entry_of(t, successor));
		key = tp_key_channel(
			&client, entry_of(t, successor)->key.local_id, e->key.selector);
	} else {
		key.local_id = (uint16_t)successor;
		key.selector = (uint16_t)(successor >> 16);
	}
	twin = tp_table_find(&t->shm.table, &key, tp_table_hash(&t->shm.table, &key));
	return ref_is(t, twin, key.kind) ? twin : 0;
}

static struct content_request request_of(const struct tables *t, uint32_t successor, uint32_t i)
{
	const struct tp_entry *e = entry_of(t, i);
	struct content_request req = {
		.allocation = entry_of(t, successor),
		.allocation_slot = successor,
		.peer = tables_content_destination(e),
		.number = e->key.selector,
		.expires_s = atomic_load_explicit(&e->expires_s, memory_order_relaxed),
		.other_expires_s = atomic_load_explicit(&e->other_expires_s, memory_order_relaxed),
	};

	if (e->key.kind == TP_KIND_PERMISSION)
		req.peer.port_be = 0;
	return req;
}

static int twin_content(
	struct tables *t, const struct content_request *req, uint32_t i, struct tp_entry *content)
{
	const struct tp_entry *e = entry_of(t, i);
	struct tp_entry peer;
	int rc;

	if (e->key.kind == TP_KIND_CHANNEL)
		rc = tables_content_channel(t, req, content, &peer);
	else
		rc = tables_content_permission(t, req, content);
	if (rc < 0)
		return rc;
	if (e->key.kind == TP_KIND_PERMISSION)
		tables_ports_share(t, i, content);
	content->flags |= TP_ENTRY_MOVING;
	tables_limit_init(content, atomic_load_explicit(&e->limit, memory_order_relaxed));
	return 0;
}

int tables_move_twin_add(struct tables *t, uint32_t successor, uint32_t i)
{
	bool is_channel = entry_of(t, i)->key.kind == TP_KIND_CHANNEL;
	struct content_request req = request_of(t, successor, i);
	struct tp_entry content;
	uint32_t slot, spare = 0;
	int rc = twin_content(t, &req, i, &content);

	if (rc < 0)
		return rc;
	tables_room_make(t);
	slot = tables_slot_take(t);
	if (slot != 0 && is_channel)
		spare = tables_slot_take(t);
	if (slot == 0 || (is_channel && spare == 0)) {
		if (slot != 0)
			tables_slot_give(t, slot);
		tables_ports_unshare(t, &content);
		return tables_pool_empty(t);
	}
	if (is_channel) {
		tables_usage_begin(t, spare);
		atomic_init(&content.partner, spare);
	}
	rc = tables_entry_add(t, slot, &content);
	if (rc < 0) {
		if (spare != 0)
			tables_slot_give(t, spare);
		tables_ports_unshare(t, &content);
		return rc;
	}
	tables_ring_add(t, successor, slot);
	return 0;
}

void tables_move_twin_end(struct tables *t, uint32_t twin)
{
	const struct tp_entry *e = entry_of(t, twin);
	uint32_t spare = atomic_load_explicit(&e->partner, memory_order_relaxed);

	tables_ring_remove(t, twin);
	tables_ports_unshare(t, e);
	tables_entry_end(t, twin);
	// No reader looks at more than its counters.
	if (e->key.kind == TP_KIND_CHANNEL)
		tables_slot_give(t, spare);
}

// ---- begin and cancel ---------------------------------------------------------------------------

static void locals_reference(
	struct tables *t, uint32_t allocation, void (*reference)(struct tables *t, uint16_t id))
{
	const struct tp_entry *e = entry_of(t, allocation);

	reference(t, e->key.local_id);
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		reference(t, e->relay[i].relay_id);
}

// The record of `from` goes on as that of `to`.
static void record_leave(struct tables *t, uint32_t from, uint32_t to)
{
	struct record *r = record_of(t, from);

	r->other = to;
	atomic_store_explicit(&r->state, RECORD_MOVED, memory_order_release);
}

static void successor_end(struct tables *t, uint32_t allocation, uint32_t successor)
{
	record_leave(t, successor, allocation);
	record_of(t, allocation)->other = 0;
	while (t->links[successor].next != successor)
		tables_move_twin_end(t, t->links[successor].next);
	locals_reference(t, successor, tables_local_unreference);
	tables_entry_end(t, successor);
}

void tables_move_cancel(void *ctx, uint32_t allocation)
{
	struct tables *t = ctx;
	uint32_t successor = ref_is(t, allocation, TP_KIND_ALLOCATION)
				     ? tables_move_successor(t, allocation)
				     : 0;

	if (successor != 0)
		successor_end(t, allocation, successor);
}

// The record and the entry of a successor, published. 0 or an error, with nothing left.
static int successor_make(
	struct tables *t, uint32_t allocation, struct turn_allocation_record *rec, uint32_t *out)
{
	const struct record *first = record_of(t, allocation);
	struct tp_entry content;
	uint32_t slot, number;
	struct record *r;
	int rc;

	tables_room_make(t);
	slot = tables_slot_take(t);
	number = slot != 0 ? tables_record_take(t, slot, rec) : 0;
	if (number == 0) {
		if (slot != 0)
			tables_slot_give(t, slot);
		return tables_pool_empty(t);
	}
	r = &t->priv.records[number];
	memcpy(r->advertised_tags, first->advertised_tags, sizeof(r->advertised_tags));
	r->other = allocation;
	rc = tables_content_allocation(t, slot, number, rec, &content);
	tables_limit_init(&content,
		atomic_load_explicit(&entry_of(t, allocation)->limit, memory_order_relaxed));
	if (rc < 0)
		tables_slot_give(t, slot);
	else
		rc = tables_entry_add(t, slot, &content);
	if (rc < 0) {
		tables_record_give(t, number);
		return rc;
	}
	t->links[slot] = (struct link){.prev = slot, .next = slot};
	locals_reference(t, slot, tables_local_reference);
	*out = slot;
	return 0;
}

int tables_move_begin(
	void *ctx, uint32_t allocation, const struct turn_tuple *client, uint32_t *successor)
{
	struct tables *t = ctx;
	const struct tp_local *l = tables_local_of(t, client->listener_id, TP_ROLE_LISTENER);
	struct tp_key key = tp_key_allocation(&client->remote, client->listener_id);
	struct turn_allocation_record rec;
	int rc;

	if (!ref_is(t, allocation, TP_KIND_ALLOCATION) || l == NULL ||
		tables_move_successor(t, allocation) != 0)
		return -EINVAL;
	if (tp_table_find(&t->shm.table, &key, tp_table_hash(&t->shm.table, &key)) != 0)
		return -EEXIST;
	tables_record_read(t, allocation, &rec);
	rec.client = *client;
	rec.connection = client->connection;
	rec.client_transport = l->transport;
	rc = successor_make(t, allocation, &rec, successor);
	explicit_bzero(&rec, sizeof(rec));
	if (rc < 0)
		return rc;
	record_of(t, allocation)->other = *successor;
	for (uint32_t i = t->links[allocation].next; i != allocation; i = t->links[i].next) {
		rc = tables_move_twin_add(t, *successor, i);
		if (rc < 0) {
			successor_end(t, allocation, *successor);
			return rc;
		}
	}
	atomic_store_explicit(
		&record_of(t, *successor)->state, RECORD_MOVING, memory_order_release);
	return 0;
}

// ---- finish -------------------------------------------------------------------------------------

static void moving_clear(struct tp_entry *e)
{
	uint8_t flags = atomic_load_explicit(&e->flags, memory_order_relaxed);

	atomic_store_explicit(&e->flags, flags & (uint8_t)~TP_ENTRY_MOVING, memory_order_relaxed);
}

// Puts the twin's PEER into the place of the first one's.
static void peer_replace(struct tables *t, uint32_t successor, uint32_t i, uint32_t twin)
{
	uint32_t old = atomic_load_explicit(&entry_of(t, i)->partner, memory_order_relaxed);
	uint32_t fresh = atomic_load_explicit(&entry_of(t, twin)->partner, memory_order_relaxed);
	struct content_request req = request_of(t, successor, i);
	struct tp_entry channel, peer;
	int rc;

	// It could be made when the twin was, and nothing that it is made of has gone since.
	req.removed = true;
	rc = tables_content_channel(t, &req, &channel, &peer);
	assert(rc == 0);
	(void)rc;
	atomic_init(&peer.partner, twin);
	tables_limit_init(
		&peer, atomic_load_explicit(&entry_of(t, old)->limit, memory_order_relaxed));
	// Without a slot it has no way out until it is looked for again.
	if (tables_entry_needs_hop(&peer) && tables_hop_acquire(t, fresh, &peer) < 0)
		atomic_init(&peer.egress, 0);
	tables_usage_begin(t, fresh);
	tables_bucket_replace(t, old, fresh, &peer);
	t->slot_state[fresh] = SLOT_LIVE;
	if (tables_entry_needs_hop(&peer))
		tables_destination_add(t, fresh);
	tables_entry_end(t, old);
}

static void object_finish(struct tables *t, uint32_t successor, uint32_t i)
{
	uint32_t twin = tables_move_twin(t, i);

	if (twin != 0 && entry_of(t, i)->key.kind == TP_KIND_CHANNEL)
		peer_replace(t, successor, i, twin);
	if (twin != 0)
		moving_clear(entry_of(t, twin));
	tables_ring_remove(t, i);
	tables_ports_unshare(t, entry_of(t, i));
	tables_entry_end(t, i);
}

void tables_usage_merge(struct record *to, struct record *from)
{
	to->used.to_peer_packets += from->used.to_peer_packets;
	to->used.to_peer_octets += from->used.to_peer_octets;
	to->used.to_client_packets += from->used.to_client_packets;
	to->used.to_client_octets += from->used.to_client_octets;
	to->charged_kib += from->charged_kib;
	memset(&from->used, 0, sizeof(from->used));
	from->charged_kib = 0;
}

void tables_move_finish(void *ctx, uint32_t allocation)
{
	struct tables *t = ctx;
	uint32_t successor = ref_is(t, allocation, TP_KIND_ALLOCATION)
				     ? tables_move_successor(t, allocation)
				     : 0;
	struct record *r;

	if (successor == 0)
		return;
	r = record_of(t, successor);
	atomic_store_explicit(&r->state, RECORD_ARRIVED, memory_order_release);
	tables_ports_set(t, entry_of(t, allocation), allocation, successor);
	while (t->links[allocation].next != allocation)
		object_finish(t, successor, t->links[allocation].next);
	locals_reference(t, allocation, tables_local_unreference);
	tables_entry_end(t, allocation);
	tables_usage_merge(r, record_of(t, allocation));
	record_leave(t, allocation, successor);
	r->other = 0;
	atomic_store_explicit(&r->state, RECORD_LIVE, memory_order_release);
}

uint32_t tables_move_ref(void *ctx, uint32_t ref)
{
	struct tables *t = ctx;

	if (!ref_is(t, ref, TP_KIND_PERMISSION) && !ref_is(t, ref, TP_KIND_CHANNEL))
		return 0;
	return tables_move_twin(t, ref);
}

// ---- tickets and connections --------------------------------------------------------------------

void tables_connection_set(struct tp_entry *e, uint64_t connection)
{
	atomic_store_explicit(&e->stream.connection, connection, memory_order_relaxed);
	// A reader that sees one of both finds that they do not go together.
	atomic_store_explicit(&e->egress, tp_connection_egress(connection), memory_order_release);
}

void tables_reconnect(void *ctx, uint32_t allocation, uint64_t connection)
{
	struct tables *t = ctx;

	if (!ref_is(t, allocation, TP_KIND_ALLOCATION) || entry_of(t, allocation)->header[0] != 0)
		return;
	record_of(t, allocation)->connection = connection;
	tables_connection_set(entry_of(t, allocation), connection);
	for (uint32_t i = t->links[allocation].next; i != allocation; i = t->links[i].next) {
		const struct tp_entry *e = entry_of(t, i);

		if (e->key.kind == TP_KIND_CHANNEL)
			tables_connection_set(entry_of(t, atomic_load_explicit(&e->partner,
								  memory_order_relaxed)),
				connection);
	}
}

static void record_ticket(struct record *r, uint64_t ticket_id, const uint8_t txid[12])
{
	r->ticket_id = ticket_id;
	memcpy(r->txid, txid, sizeof(r->txid));
}

void tables_ticket_set(void *ctx, uint32_t allocation, uint64_t ticket_id, const uint8_t txid[12])
{
	struct tables *t = ctx;
	uint32_t successor;

	if (!ref_is(t, allocation, TP_KIND_ALLOCATION))
		return;
	record_ticket(record_of(t, allocation), ticket_id, txid);
	successor = tables_move_successor(t, allocation);
	if (successor != 0)
		record_ticket(record_of(t, successor), ticket_id, txid);
}

// ---- recovery -----------------------------------------------------------------------------------

// The record of an ALLOCATION entry that it belongs to, in any state; NULL.
static struct record *record_find(const struct tables *t, uint32_t i)
{
	const struct tp_entry *e = entry_of(t, i);
	uint32_t number = atomic_load_explicit(&e->partner, memory_order_relaxed);
	struct record *r = number < t->priv.n_records ? &t->priv.records[number] : NULL;

	if (number == 0 || r == NULL || r->entry != i || r->generation != e->generation)
		return NULL;
	return r;
}

// The first one's entries are of no use any more.
static void arrival_settle(const struct tables *t, struct record *r)
{
	struct record *first =
		ref_is(t, r->other, TP_KIND_ALLOCATION) ? record_find(t, r->other) : NULL;

	if (first != NULL && first->created_ns == r->created_ns) {
		tables_usage_merge(r, first);
		atomic_store_explicit(&first->state, RECORD_MOVED, memory_order_release);
	}
	r->other = 0;
	atomic_store_explicit(&r->state, RECORD_LIVE, memory_order_release);
}

static int move_remember(struct scan *s, uint32_t i, const struct record *r)
{
	const struct tp_entry *e = entry_of(s->t, i);
	struct scan_move *moves = realloc(s->moves, (s->n_moves + 1) * sizeof(*moves));

	if (moves == NULL)
		return -ENOMEM;
	s->moves = moves;
	moves[s->n_moves++] = (struct scan_move){
		.allocation = r->other,
		.client = {.remote = client_of(e),
			.connection = r->connection,
			.listener_id = e->key.local_id},
	};
	return 0;
}

int tables_moves_settle(struct scan *s)
{
	struct tables *t = s->t;

	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		struct record *r = ref_is(t, i, TP_KIND_ALLOCATION) ? record_find(t, i) : NULL;

		if (r == NULL)
			continue;
		switch (atomic_load_explicit(&r->state, memory_order_relaxed)) {
		case RECORD_LIVE:
			r->other = 0;
			break;
		case RECORD_ARRIVED:
			arrival_settle(t, r);
			break;
		case RECORD_MOVING:
			// Its record is claimed by nobody.
			if (move_remember(s, i, r) < 0)
				return -ENOMEM;
			break;
		default:
			break;
		}
	}
	return 0;
}
