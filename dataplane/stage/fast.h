// SPDX-License-Identifier: BSD-3-Clause
// Look up and settle on the fast path: the lists of pending look-ups one after another, those that
// enqueue before those that are enqueued by them. A function that settles one packet returns false
// before it has done anything; the slow path takes the packet over then, with its look-up.
#pragma once

#include "fast_tx.h"
#include "hash.h"
#include "match.h"

#if STAGE_HAS_FAST

typedef bool fast_settle_one(struct fast_tx *t, struct burst *b, struct lookup *l,
	const struct tp_entry *e, const struct hasher *h, bool v4);

CORE_INLINE struct lookup *fast_match(struct burst *b, const struct matcher *m, struct lookup *l,
	const struct lookup *end, enum match_fetch fetch)
{
	const struct lookup *stop = end - l > MATCH_CHUNK ? l + MATCH_CHUNK : end;

	for (; l < stop; l++)
		l->found = match_one(b, l, m, fetch);
	return l;
}

// Adds the packets forwarded to a path.
static inline void fast_count(struct burst *b, const struct fast_tx *t, enum tp_path path)
{
	tp_count(&b->w->stats->path_packets[path], t->packets);
	tp_count(&b->w->stats->path_octets[path], t->bytes);
}

// Settles a list by `one`.
STAGE_TARGET CORE_INLINE void fast_settle_list(struct fast_tx *t, struct burst *b,
	enum lookup_step step, const struct hasher *h, fast_settle_one *one, bool v4)
{
	const enum match_fetch fetch = match_fetch_of(step);
	const struct matcher m = matcher_of(b);
	struct fast_list *list = burst_fast(b, step, v4);
	struct lookup *l = list->at, *matched, *ahead;
	const struct lookup *end = list->end;

	fast_tx_begin(t, b, v4);
	for (matched = fast_match(b, &m, l, end, fetch); l < end; matched = ahead) {
		ahead = fast_match(b, &m, matched, end, fetch);
		for (; l < matched; l++)
			if (STAGE_UNLIKELY(!one(t, b, l, &t->entries[l->found], h, v4)))
				slow_take_over(b, l, step, v4);
	}
}

// Whether the entry is the one looked up, and live.
CORE_INLINE bool fast_found(
	const struct fast_tx *t, const struct lookup *l, const struct tp_entry *e)
{
	return tp_key_equal(&e->key, &l->key) && !entry_expired(&e->expires_s, t->now_s);
}

// The sender's ChannelData goes to another client of this relay: enqueues the look-up of that
// client's PEER, if all addresses are of one family.
STAGE_TARGET CORE_INLINE bool fast_hairpin_enter(struct fast_tx *t, struct burst *b,
	const struct lookup *l, const struct tp_entry *e, const struct hasher *h, bool v4)
{
	const uint8_t family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6;
	uint64_t tail;

	if (STAGE_UNLIKELY(e->flags != TP_ENTRY_HAIRPIN || e->header[0] != (v4 ? 0x45 : 0x60) ||
			   entry_expired(&e->other_expires_s, t->now_s)))
		return false;
	if (STAGE_UNLIKELY(e->relay_id != t->from_id || e->hairpin_relay_id != t->to_id) &&
		!fast_tx_set_relays(t, b, e))
		return false;
	tail = key_tail(e->port_be, e->hairpin_relay_id,
		entry_sum_word(e->header + core_plain_ip_len(v4) + WIRE_UDP_DPORT), TP_KIND_PEER,
		family);
	fast_enqueue(burst_fast(b, STEP_HAIRPIN, v4), h, l->pkt, fast_load(t->from->external.ip),
		_mm_cvtsi64_si128((long long)tail))
		->before = l->found;
	return true;
}

STAGE_TARGET CORE_INLINE bool fast_settle_channel(struct fast_tx *t, struct burst *b,
	struct lookup *l, const struct tp_entry *e, const struct hasher *h, bool v4)
{
	if (STAGE_UNLIKELY(!fast_found(t, l, e)))
		return false;
	if (STAGE_UNLIKELY(!fast_fits(e, 0, v4)))
		return fast_hairpin_enter(t, b, l, e, h, v4);
	return fast_channel(t, b, l, e, true, v4);
}

STAGE_TARGET CORE_INLINE bool fast_settle_hairpin(struct fast_tx *t, struct burst *b,
	struct lookup *l, const struct tp_entry *e, const struct hasher *h, bool v4)
{
	(void)h;
	return fast_found(t, l, e) && !entry_expired(&e->other_expires_s, t->now_s) &&
	       fast_fits(e, TP_CHANNEL_HEADER_LEN, v4) && fast_channel_to_channel(t, b, l, e, v4);
}

// No channel: enqueues the look-up of the allocation's permission.
STAGE_TARGET CORE_INLINE bool fast_ask_permission(
	struct burst *b, const struct lookup *l, const struct hasher *h, bool v4)
{
	uint32_t allocation = port_allocation(b, l->key.local_id, l->key.selector);
	struct lookup *asked;

	if (STAGE_UNLIKELY(l->found != 0 || allocation == 0))
		return false;
	__builtin_prefetch(entry_at(b, allocation), 0, 3);
	__builtin_prefetch(entry_at(b, allocation)->header, 0, 3);
	__builtin_prefetch(&b->w->cells[allocation], 1, 3);
	asked = fast_enqueue_permission(burst_fast(b, STEP_PERMISSION_IN, v4), h, l->pkt,
		fast_load(l->key.ip), allocation, v4);
	memcpy(&asked->arrived, &l->key.port_be, sizeof(asked->arrived));
	asked->before = allocation;
	return true;
}

STAGE_TARGET CORE_INLINE bool fast_settle_peer(struct fast_tx *t, struct burst *b, struct lookup *l,
	const struct tp_entry *e, const struct hasher *h, bool v4)
{
	if (!tp_key_equal(&e->key, &l->key))
		return fast_ask_permission(b, l, h, v4);
	return STAGE_LIKELY(!entry_expired(&e->expires_s, t->now_s) &&
			    !entry_expired(&e->other_expires_s, t->now_s) &&
			    fast_fits(e, TP_CHANNEL_HEADER_LEN, v4)) &&
	       fast_channel(t, b, l, e, false, v4);
}

// Enqueues the look-up of the client's permission for the peer that its message names.
STAGE_TARGET CORE_INLINE bool fast_settle_client(struct fast_tx *t, struct burst *b,
	struct lookup *l, const struct tp_entry *e, const struct hasher *h, bool v4)
{
	const uint8_t *msg = l->pkt->data + core_plain_headers(v4);
	__m128i ip = v4 ? _mm_cvtsi32_si128((int)core_indication_peer_ip4(msg))
			: _mm_xor_si128(fast_load(msg + 28), fast_load(msg + 4));

	if (STAGE_UNLIKELY(!fast_found(t, l, e)))
		return false;
	fast_enqueue_permission(burst_fast(b, STEP_PERMISSION_OUT, v4), h, l->pkt, ip, l->found, v4)
		->before = l->found;
	return true;
}

STAGE_TARGET CORE_INLINE bool fast_settle_permission_out(struct fast_tx *t, struct burst *b,
	struct lookup *l, const struct tp_entry *e, const struct hasher *h, bool v4)
{
	(void)h;
	return STAGE_LIKELY(fast_found(t, l, e) && fast_fits(e, 0, v4)) &&
	       fast_send_to_peer(t, b, l, e, v4);
}

STAGE_TARGET CORE_INLINE bool fast_settle_permission_in(struct fast_tx *t, struct burst *b,
	struct lookup *l, const struct tp_entry *e, const struct hasher *h, bool v4)
{
	(void)h;
	return STAGE_LIKELY(fast_found(t, l, e)) && fast_peer_to_data(t, b, l, e, v4);
}

// Settles one list and counts its packets under the path.
STAGE_TARGET CORE_INLINE void fast_settle_step(struct burst *b, enum lookup_step step,
	const struct hasher *h, fast_settle_one *one, enum tp_path path, bool v4)
{
	struct fast_tx t;

	fast_settle_list(&t, b, step, h, one, v4);
	if (t.packets == 0)
		return;
	if (path == TP_PATH_hairpin) {
		fast_count(b, &t, TP_PATH_channel_to_peer);
		fast_count(b, &t, TP_PATH_peer_to_channel);
	}
	fast_count(b, &t, path);
}

CORE_INLINE bool fast_pending(struct burst *b, enum lookup_step step, bool v4)
{
	const struct fast_list *list = burst_fast(b, step, v4);

	return list->end != list->at;
}

// Settles the lists of first look-ups, each with the list that it enqueues on.
STAGE_TARGET CORE_INLINE void fast_settle(struct burst *b, const struct hasher *h, bool v4)
{
	if (fast_pending(b, STEP_CHANNEL, v4)) {
		fast_list_clear(burst_fast(b, STEP_HAIRPIN, v4));
		fast_settle_step(
			b, STEP_CHANNEL, h, fast_settle_channel, TP_PATH_channel_to_peer, v4);
		if (fast_pending(b, STEP_HAIRPIN, v4))
			fast_settle_step(
				b, STEP_HAIRPIN, h, fast_settle_hairpin, TP_PATH_hairpin, v4);
	}
	if (fast_pending(b, STEP_PEER, v4)) {
		fast_list_clear(burst_fast(b, STEP_PERMISSION_IN, v4));
		fast_settle_step(b, STEP_PEER, h, fast_settle_peer, TP_PATH_peer_to_channel, v4);
		if (fast_pending(b, STEP_PERMISSION_IN, v4))
			fast_settle_step(b, STEP_PERMISSION_IN, h, fast_settle_permission_in,
				TP_PATH_peer_to_data, v4);
	}
	if (fast_pending(b, STEP_CLIENT, v4)) {
		fast_list_clear(burst_fast(b, STEP_PERMISSION_OUT, v4));
		fast_settle_step(b, STEP_CLIENT, h, fast_settle_client, TP_PATH_send_to_peer, v4);
		if (fast_pending(b, STEP_PERMISSION_OUT, v4))
			fast_settle_step(b, STEP_PERMISSION_OUT, h, fast_settle_permission_out,
				TP_PATH_send_to_peer, v4);
	}
}
#endif
