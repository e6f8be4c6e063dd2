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

static void ask_permission(
	struct item *it, const struct tp_addr *peer, uint32_t allocation, enum item_step step)
{
	it->key = tp_key_permission(peer, allocation);
	item_ask(it, step);
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
		it->sent_by = index;
		if (expired(&e->other_expires_s, b->now_s))
			item_drop(b, it, TP_DROP_permission_expired);
		else
			turn_round(b, it, e->relay_id, e->port_be, e->hairpin_relay_id,
				header_dst_port_be(e));
	} else {
		it->sent_by = index;
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
		it->client = index;
		ask_permission(it, &it->send.peer, index, STEP_PERMISSION_OUT);
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
	const struct tp_entry *client = entry_at(b, it->client);
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
	it->sent_by = index;
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
	struct tp_addr from;

	if (index != 0 && !expired(&e->other_expires_s, b->now_s)) {
		if (expired(&e->expires_s, b->now_s)) {
			item_drop(b, it, TP_DROP_permission_expired);
			return;
		}
		it->received_by = index;
		it->put = PUT_CHANNEL;
		it->state = ITEM_READY;
		return;
	}
	it->allocation = allocation_at(b, it->local_id, it->port_be);
	if (it->allocation == 0) {
		item_drop(b, it, it->hairpin ? TP_DROP_own_address : TP_DROP_no_allocation);
		return;
	}
	__builtin_prefetch(entry_at(b, it->allocation));
	__builtin_prefetch(entry_at(b, it->allocation)->header);
	__builtin_prefetch(&b->w->cells[it->allocation]);
	from = it->hairpin ? it->shown
			   : core_packet_addr(&it->in, it->in.src_ip, it->in.src_port_be);
	ask_permission(it, &from, it->allocation, STEP_PERMISSION_IN);
}

static void resolve_permission_in(struct burst *b, struct item *it, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);
	enum tp_drop why =
		relayed_check(entry_at(b, it->allocation), it->local_id, it->port_be, b->now_s);

	if (why != TP_DROP_none) {
		item_drop(b, it, it->hairpin ? TP_DROP_own_address : why);
	} else if (index == 0) {
		item_drop(b, it, TP_DROP_no_permission);
	} else if (expired(&e->expires_s, b->now_s)) {
		item_drop(b, it, TP_DROP_permission_expired);
	} else {
		it->received_by = index;
		it->put = PUT_DATA;
		it->state = ITEM_READY;
	}
}

void item_resolve(struct burst *b, struct item *it, uint32_t index)
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
