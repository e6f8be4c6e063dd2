// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

static const struct tp_entry *entry_at(const struct burst *b, uint32_t index)
{
	return &b->w->table.entries[index];
}

static bool expired(const _Atomic uint32_t *expires_s, uint32_t now_s)
{
	return now_s >= atomic_load_explicit(expires_s, memory_order_relaxed);
}

static bool allocation_expired(const struct tp_entry *a, uint32_t now_s)
{
	return expired(&a->expires_s, now_s) && expired(&a->other_expires_s, now_s);
}

// none, no_allocation or allocation_expired: whether the allocation has this relayed transport
// address and it is live.
static enum tp_drop relayed_check(
	const struct tp_entry *a, uint16_t relay_id, uint16_t port_be, uint32_t now_s)
{
	if (a->key.kind != TP_KIND_ALLOCATION || relay_id == 0)
		return TP_DROP_no_allocation;
	if (a->relay[0].relay_id == relay_id && a->relay[0].port_be == port_be)
		return expired(&a->expires_s, now_s) ? TP_DROP_allocation_expired : TP_DROP_none;
	if (a->relay[1].relay_id == relay_id && a->relay[1].port_be == port_be)
		return expired(&a->other_expires_s, now_s) ? TP_DROP_allocation_expired
							   : TP_DROP_none;
	return TP_DROP_no_allocation;
}

// Turns a key that holds the peer's address already into the PERMISSION's: tp_key_permission in
// place.
static inline void key_permission(struct tp_key *key, uint32_t allocation)
{
	key->port_be = 0;
	key->local_id = (uint16_t)allocation;
	key->selector = (uint16_t)(allocation >> 16);
	key->kind = TP_KIND_PERMISSION;
}

// The sender's packet turns round inside the worker: what it would ask as a peer's datagram at the
// other end. `relay_id`, `port_be`: the sender's relayed transport address; `to_relay_id`,
// `to_port_be`: the other end's.
static void turn_round(struct burst *b, struct item *it, uint16_t relay_id, uint16_t port_be,
	uint16_t to_relay_id, uint16_t to_port_be)
{
	const struct local_record *from = locals_relay(b->locals, relay_id);

	if (from == NULL) {
		item_drop(b, it, TP_DROP_table_corrupt);
		return;
	}
	if (locals_relay(b->locals, to_relay_id) == NULL) {
		item_drop(b, it, TP_DROP_own_address);
		return;
	}
	it->hairpin = true;
	it->local_id = to_relay_id;
	it->port_be = to_port_be;
	it->shown = from->external;
	it->shown.port_be = port_be;
	it->key = tp_key_peer(&it->shown, to_relay_id, to_port_be);
	item_ask(it, STEP_PEER);
}

static uint16_t header_dst_port_be(const struct tp_entry *e)
{
	uint16_t port_be;

	memcpy(&port_be, e->header + (e->header[0] == 0x45 ? 20 : 40) + 2, sizeof(port_be));
	return port_be;
}

// The channel's expiry alone is tested, except for a hairpin: the allocation's entry is not touched
// for media, the control process takes channels down with their allocation.
static void resolve_channel(struct burst *b, struct item *it, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);

	if (index == 0) {
		item_drop(b, it, TP_DROP_no_channel);
	} else if (expired(&e->expires_s, b->now_s)) {
		item_drop(b, it, TP_DROP_channel_expired);
	} else if (e->flags & TP_ENTRY_HAIRPIN) {
		it->sent_by = e;
		if (expired(&e->other_expires_s, b->now_s))
			item_drop(b, it, TP_DROP_permission_expired);
		else
			turn_round(b, it, e->relay_id, e->port_be, e->hairpin_relay_id,
				header_dst_port_be(e));
	} else {
		it->sent_by = e;
		it->put = PUT_PEER;
		it->state = ITEM_READY;
	}
}

static void resolve_client(struct burst *b, struct item *it, uint32_t index)
{
	bool live = index != 0 && !allocation_expired(entry_at(b, index), b->now_s);

	if (it->take == TAKE_REQUEST) {
		item_punt(b, it, live);
	} else if (index == 0) {
		item_drop(b, it, TP_DROP_no_allocation);
	} else if (!live) {
		item_drop(b, it, TP_DROP_allocation_expired);
	} else {
		it->client = entry_at(b, index);
		memcpy(it->key.ip, it->send.peer.ip, sizeof(it->key.ip));
		it->key.family = it->send.peer.family;
		key_permission(&it->key, index);
		item_ask(it, STEP_PERMISSION_OUT);
	}
}

static bool has_family(const struct burst *b, const struct tp_entry *a, uint8_t family)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct local_record *r = locals_relay(b->locals, a->relay[i].relay_id);

		if (r != NULL && r->addr.family == family)
			return true;
	}
	return false;
}

static void resolve_permission_out(struct burst *b, struct item *it, uint32_t index)
{
	const struct tp_entry *client = it->client;
	const struct tp_entry *e = entry_at(b, index);
	enum tp_drop why;

	if (index == 0) {
		item_drop(b, it,
			has_family(b, client, it->send.peer.family) ? TP_DROP_no_permission
								    : TP_DROP_wrong_family);
		return;
	}
	if (expired(&e->expires_s, b->now_s)) {
		item_drop(b, it, TP_DROP_permission_expired);
		return;
	}
	why = relayed_check(client, e->relay_id, e->port_be, b->now_s);
	if (why != TP_DROP_none) {
		item_drop(b, it, why == TP_DROP_no_allocation ? TP_DROP_table_corrupt : why);
		return;
	}
	it->sent_by = e;
	if (e->flags & TP_ENTRY_HAIRPIN) {
		turn_round(
			b, it, e->relay_id, e->port_be, e->hairpin_relay_id, it->send.peer.port_be);
	} else {
		it->put = PUT_PEER;
		it->state = ITEM_READY;
	}
}

// The allocation that owns the relayed transport address, by the port's array; 0 none.
static uint32_t allocation_at(const struct burst *b, uint16_t relay_id, uint16_t port_be)
{
	const struct local_record *r = locals_relay(b->locals, relay_id);
	uint32_t index;

	if (r == NULL || r->port_index >= b->w->n_port_indexes)
		return 0;
	index = atomic_load_explicit(
		&b->w->port_indexes[(size_t)r->port_index * 65536 + tp_ntohs(port_be)],
		memory_order_acquire);
	return index < b->w->table.n_entries ? index : 0;
}

static void resolve_peer(struct burst *b, struct item *it, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);
	uint32_t allocation;

	if (index != 0 && !expired(&e->other_expires_s, b->now_s)) {
		if (expired(&e->expires_s, b->now_s)) {
			item_drop(b, it, TP_DROP_permission_expired);
			return;
		}
		it->received_by = e;
		it->put = PUT_CHANNEL;
		it->state = ITEM_READY;
		return;
	}
	allocation = allocation_at(b, it->local_id, it->port_be);
	if (allocation == 0) {
		item_drop(b, it, it->hairpin ? TP_DROP_own_address : TP_DROP_no_allocation);
		return;
	}
	it->allocation = entry_at(b, allocation);
	__builtin_prefetch(it->allocation);
	__builtin_prefetch(it->allocation->header);
	__builtin_prefetch(&b->w->cells[allocation]);
	key_permission(&it->key, allocation);
	item_ask(it, STEP_PERMISSION_IN);
}

static void resolve_permission_in(struct burst *b, struct item *it, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);
	enum tp_drop why = relayed_check(it->allocation, it->local_id, it->port_be, b->now_s);

	if (why != TP_DROP_none) {
		item_drop(b, it, it->hairpin ? TP_DROP_own_address : why);
	} else if (index == 0) {
		item_drop(b, it, TP_DROP_no_permission);
	} else if (expired(&e->expires_s, b->now_s)) {
		item_drop(b, it, TP_DROP_permission_expired);
	} else {
		it->received_by = e;
		it->put = PUT_DATA;
		it->state = ITEM_READY;
	}
}

// The first slot whose signature matches is nearly always the one. When it is not, or when the
// chain goes on, the whole of it is searched.
static inline uint32_t confirm(const struct tp_table *t, const struct item *it)
{
	if (it->candidate != 0 && tp_key_equal(&t->entries[it->candidate].key, &it->key))
		return it->candidate;
	if (it->candidate == 0 && tp_bucket_match(it->bucket, tp_table_sig_of(it->hash)) == 0 &&
		atomic_load_explicit(&it->bucket->next, memory_order_acquire) == 0)
		return 0;
	return tp_table_find(t, &it->key, it->hash);
}

static inline void resolve(struct burst *b, struct item *it, uint32_t index)
{
	switch (it->step) {
	case STEP_CHANNEL:
		resolve_channel(b, it, index);
		break;
	case STEP_CLIENT:
		resolve_client(b, it, index);
		break;
	case STEP_PERMISSION_OUT:
		resolve_permission_out(b, it, index);
		break;
	case STEP_PEER:
		resolve_peer(b, it, index);
		break;
	case STEP_PERMISSION_IN:
		resolve_permission_in(b, it, index);
		break;
	}
}

void burst_settle(struct burst *b, struct open_list *open)
{
	unsigned still = 0;

	for (unsigned i = 0; i < open->n; i++) {
		struct item *it = &b->items[open->at[i]];

		resolve(b, it, confirm(&b->w->table, it));
		if (it->state == ITEM_OPEN)
			open->at[still++] = open->at[i];
	}
	open->n = still;
}
