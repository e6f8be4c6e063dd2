// SPDX-License-Identifier: BSD-3-Clause
#include "hash.h"
#include "indication.h"

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

static uint16_t header_dst_port_be(const struct tp_entry *e)
{
	uint16_t port_be;

	memcpy(&port_be, e->header + (e->header[0] == 0x45 ? 20 : 40) + 2, sizeof(port_be));
	return port_be;
}

static void turn_channel_round(struct burst *b, struct item *it, uint32_t index)
{
	const struct tp_entry *e = entry_at(b, index);

	it->sent_by = index;
	if (expired(&e->other_expires_s, b->now_s))
		item_drop(b, it, TP_DROP_permission_expired);
	else
		item_turn_round(
			b, it, e->relay_id, e->port_be, e->hairpin_relay_id, header_dst_port_be(e));
}

// Where the signature was another's: the whole chain.
__attribute__((noinline)) static uint32_t search(const struct tp_table *t, const struct item *it)
{
	return it->candidate == 0 ? 0 : tp_table_find(t, &it->key, it->hash);
}

// The entry that answers the item's question, or 0.
CORE_INLINE uint32_t confirm(const struct tp_table *t, const struct item *it)
{
	if (STAGE_LIKELY(tp_key_equal(&t->entries[it->candidate].key, &it->key)))
		return it->candidate;
	return search(t, it);
}

// The channel's expiry alone is tested, except for a hairpin: the allocation's entry is not touched
// for media, the control process takes channels down with their allocation.
__attribute__((noinline)) static void channel_settle(struct burst *b, struct item *it)
{
	uint32_t index = confirm(&b->w->table, it);
	const struct tp_entry *e = entry_at(b, index);

	if (index == 0)
		item_drop(b, it, TP_DROP_no_channel);
	else if (expired(&e->expires_s, b->now_s))
		item_drop(b, it, TP_DROP_channel_expired);
	else if (e->flags & TP_ENTRY_HAIRPIN)
		turn_channel_round(b, it, index);
	else
		item_channel_forward(b, it, WAY_CHANNEL_TO_PEER, index);
}

CORE_INLINE void settle_channel(struct burst *b, const struct open_list *list)
{
	struct lane lane;

	lane_begin(&lane, b);
	for (unsigned i = 0; i < list->n; i++) {
		struct item *it = open_item(b, list, i, FETCH_LEAVING);
		const struct tp_entry *e = &lane.entries[it->candidate];

		if (STAGE_UNLIKELY(!tp_key_equal(&e->key, &it->key) ||
				   expired(&e->expires_s, lane.now_s) ||
				   !lane_forward(&lane, b, it, e, true)))
			channel_settle(b, it);
	}
	lane_end(&lane, b, TP_PATH_channel_to_peer);
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

// What classify.c left in the message, because the lane takes it from there again.
static void send_read(struct burst *b, struct item *it)
{
	const uint8_t *udp = it->pkt->data + CORE_ETH_LEN + CORE_IPV4_HEADER_LEN;

	it->exact4 = false;
	core_send_parse(udp + CORE_UDP_HEADER_LEN,
		tp_load_be16(udp + CORE_UDP_LEN) - CORE_UDP_HEADER_LEN, &item_more(b, it)->send);
}

CORE_INLINE void client_settle(struct burst *b, struct item *it, struct hasher h)
{
	const struct tp_addr *peer = &item_more(b, it)->send.peer;
	uint32_t index = confirm(&b->w->table, it);
	bool live = index != 0 && !allocation_expired(entry_at(b, index), b->now_s);
	struct local_ip ip;

	if (it->take == TAKE_REQUEST) {
		item_punt(b, it, live);
	} else if (index == 0) {
		item_drop(b, it, TP_DROP_no_allocation);
	} else if (!live) {
		item_drop(b, it, TP_DROP_allocation_expired);
	} else {
		if (it->exact4)
			send_read(b, it);
		it->client = index;
		memcpy(ip.word, peer->ip, sizeof(ip.word));
		ask_permission(b, it, STEP_PERMISSION_OUT, h, ip, peer->family, index);
	}
}

CORE_INLINE void settle_client(struct burst *b, const struct open_list *list, struct hasher h)
{
	struct lane lane;

	lane_begin(&lane, b);
	for (unsigned i = 0; i < list->n; i++) {
		struct item *it = open_item(b, list, i, FETCH_FOUND);
		const struct tp_entry *e = &lane.entries[it->candidate];

		if (STAGE_UNLIKELY(!it->exact4 || !tp_key_equal(&e->key, &it->key) ||
				   expired(&e->expires_s, lane.now_s)))
			client_settle(b, it, h);
		else
			lane_ask_out(b, it, h);
	}
}

static void drop_unpermitted(struct burst *b, struct item *it)
{
	uint8_t family = item_more(b, it)->send.peer.family;

	item_drop(b, it,
		has_family(b, entry_at(b, it->client), family) ? TP_DROP_no_permission
							       : TP_DROP_wrong_family);
}

// none, or why the permission that was found can't be used.
static enum tp_drop permission_out_check(
	const struct burst *b, const struct item *it, const struct tp_entry *e)
{
	enum tp_drop why;

	if (expired(&e->expires_s, b->now_s))
		return TP_DROP_permission_expired;
	why = relayed_check(entry_at(b, it->client), e->relay_id, e->port_be, b->now_s);
	return why == TP_DROP_no_allocation ? TP_DROP_table_corrupt : why;
}

static void permission_out_settle(struct burst *b, struct item *it)
{
	uint32_t index = confirm(&b->w->table, it);
	const struct tp_entry *e = entry_at(b, index);
	const struct way_entries way = {.leaving = e,
		.sent_by = e,
		.client = entry_at(b, it->client),
		.leaving_index = index,
		.sent_index = index};
	enum tp_drop why;

	if (it->exact4)
		send_read(b, it);
	if (index == 0) {
		drop_unpermitted(b, it);
		return;
	}
	why = permission_out_check(b, it, e);
	if (why != TP_DROP_none) {
		item_drop(b, it, why);
	} else if (e->flags & TP_ENTRY_HAIRPIN) {
		it->sent_by = index;
		item_turn_round(b, it, e->relay_id, e->port_be, e->hairpin_relay_id,
			item_more(b, it)->send.peer.port_be);
	} else {
		forward_plainly(b, it, WAY_SEND_TO_PEER, &way);
	}
}

CORE_INLINE void settle_permission_out(struct burst *b, const struct open_list *list)
{
	struct lane lane;

	lane_begin(&lane, b);
	for (unsigned i = 0; i < list->n; i++) {
		struct item *it = open_item(b, list, i, FETCH_LEAVING);
		const struct tp_entry *e = &lane.entries[it->candidate];

		if (STAGE_UNLIKELY(!tp_key_equal(&e->key, &it->key) ||
				   expired(&e->expires_s, lane.now_s) ||
				   !lane_send(&lane, b, it, e)))
			permission_out_settle(b, it);
	}
	lane_end(&lane, b, TP_PATH_send_to_peer);
}

// The allocation that owns the relayed transport address, by the port's array; 0 none.
static uint32_t allocation_at(struct burst *b, uint16_t relay_id, uint16_t port_be)
{
	const _Atomic uint32_t *slot = port_slot(b, relay_id, port_be);
	uint32_t index;

	if (slot == NULL)
		return 0;
	index = atomic_load_explicit(slot, memory_order_acquire);
	return index < b->w->table.n_entries ? index : 0;
}

// No channel: what the allocation permits.
CORE_INLINE void ask_permission_in(struct burst *b, struct item *it, struct hasher h)
{
	uint32_t allocation = allocation_at(b, it->local_id, it->port_be);
	struct local_ip ip;

	if (allocation == 0) {
		item_drop(b, it, it->hairpin ? TP_DROP_own_address : TP_DROP_no_allocation);
		return;
	}
	it->allocation = allocation;
	__builtin_prefetch(entry_at(b, allocation));
	__builtin_prefetch(entry_at(b, allocation)->header);
	__builtin_prefetch(&b->w->cells[allocation], 1);
	memcpy(ip.word, it->key.ip, sizeof(ip.word));
	ask_permission(b, it, STEP_PERMISSION_IN, h, ip, it->key.family, allocation);
}

CORE_INLINE void peer_settle(struct burst *b, struct item *it, struct hasher h)
{
	uint32_t index = confirm(&b->w->table, it);
	const struct tp_entry *e = entry_at(b, index);

	if (index == 0 || expired(&e->other_expires_s, b->now_s))
		ask_permission_in(b, it, h);
	else if (expired(&e->expires_s, b->now_s))
		item_drop(b, it, TP_DROP_permission_expired);
	else if (it->hairpin)
		item_turned_forward(b, it, index, true);
	else
		item_channel_forward(b, it, WAY_PEER_TO_CHANNEL, index);
}

CORE_INLINE void settle_peer(struct burst *b, const struct open_list *list, struct hasher h)
{
	struct lane lane;

	lane_begin(&lane, b);
	for (unsigned i = 0; i < list->n; i++) {
		struct item *it = open_item(b, list, i, FETCH_PEER);
		const struct tp_entry *e = &lane.entries[it->candidate];

		if (tp_key_equal(&e->key, &it->key) &&
			STAGE_LIKELY(!expired(&e->other_expires_s, lane.now_s) &&
				     !expired(&e->expires_s, lane.now_s) &&
				     lane_forward(&lane, b, it, e, false)))
			continue;
		if (it->candidate == 0)
			ask_permission_in(b, it, h);
		else
			peer_settle(b, it, h);
	}
	lane_end(&lane, b, TP_PATH_peer_to_channel);
}

static void permission_in_settle(struct burst *b, struct item *it)
{
	uint32_t index = confirm(&b->w->table, it);
	const struct tp_entry *e = entry_at(b, index);
	const struct tp_entry *allocation = entry_at(b, it->allocation);
	const struct way_entries way = {
		.leaving = allocation, .received_by = e, .leaving_index = it->allocation};
	enum tp_drop why = relayed_check(allocation, it->local_id, it->port_be, b->now_s);

	if (why != TP_DROP_none)
		item_drop(b, it, it->hairpin ? TP_DROP_own_address : why);
	else if (index == 0)
		item_drop(b, it, TP_DROP_no_permission);
	else if (expired(&e->expires_s, b->now_s))
		item_drop(b, it, TP_DROP_permission_expired);
	else if (it->hairpin)
		item_turned_forward(b, it, index, false);
	else
		forward_plainly(b, it, WAY_PEER_TO_DATA, &way);
}

CORE_INLINE void settle_permission_in(struct burst *b, const struct open_list *list)
{
	struct lane lane;

	lane_begin(&lane, b);
	for (unsigned i = 0; i < list->n; i++) {
		struct item *it = open_item(b, list, i, FETCH_FOUND);
		const struct tp_entry *e = &lane.entries[it->candidate];

		if (STAGE_UNLIKELY(!tp_key_equal(&e->key, &it->key) ||
				   expired(&e->expires_s, lane.now_s) ||
				   !lane_data(&lane, b, it, e)))
			permission_in_settle(b, it);
	}
	lane_end(&lane, b, TP_PATH_peer_to_data);
}

CORE_INLINE void settle_all(struct burst *b, const struct open_list *open, struct hasher h)
{
	settle_channel(b, &open[STEP_CHANNEL]);
	settle_peer(b, &open[STEP_PEER], h);
	settle_client(b, &open[STEP_CLIENT], h);
	settle_permission_out(b, &open[STEP_PERMISSION_OUT]);
	settle_permission_in(b, &open[STEP_PERMISSION_IN]);
}

static void settle_siphash(struct burst *b, const struct open_list *open)
{
	const struct hasher h = {hash_words_siphash, b->w->table.hash_key};

	settle_all(b, open, h);
}

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"))) static void settle_aes(
	struct burst *b, const struct open_list *open)
{
	uint8_t key[TP_HASH_KEY_LEN] TP_ALIGNED(16);
	const struct hasher h = {tp_hash_aes_words, key};

	memcpy(key, b->w->table.hash_key, sizeof(key));
	settle_all(b, open, h);
}
#endif

void burst_settle(struct burst *b, const struct open_list *open)
{
#if TP_HASH_HAS_AES
	if (b->w->table.hash_kind == TP_HASH_KIND_AES) {
		settle_aes(b, open);
		return;
	}
#endif
	settle_siphash(b, open);
}
