// SPDX-License-Identifier: BSD-3-Clause
// The lanes of indications with IPv4 at both ends: Send indications of the usual form, and
// datagrams that become Data indications.
#pragma once

#include "hash.h"
#include "lane.h"

#include <core/indication4.h>

// The allocation's first relayed transport address is this, and lives: `relay` as in the entry.
CORE_INLINE bool lane_relayed(
	const struct lane *l, const struct tp_entry *allocation, const void *relay)
{
	_Static_assert(sizeof(allocation->relay[0]) == sizeof(uint32_t), "compared at once");
	return core_sum_4(&allocation->relay[0]) == core_sum_4(relay) &&
	       l->now_s < atomic_load_explicit(&allocation->expires_s, memory_order_relaxed);
}

// Asks what the client whose ALLOCATION was found may send to the peer that its message names.
CORE_INLINE void lane_ask_out(struct burst *b, struct item *it, struct hasher h)
{
	uint32_t ip = core_send4_peer_ip(it->pkt->data + CORE_CHANNEL4_HEADERS);

	it->client = it->candidate;
	ask_permission(b, it, STEP_PERMISSION_OUT, h,
		local_ip_of((const uint8_t *)&ip, TP_FAMILY_IPV4), TP_FAMILY_IPV4, it->candidate);
}

// `permission`: the item's live PERMISSION for its peer.
CORE_INLINE bool lane_send(
	struct lane *l, struct burst *b, const struct item *it, const struct tp_entry *permission)
{
	const struct tp_entry *client = &l->entries[it->client];
	struct stage_pkt *pkt = it->pkt;
	uint8_t *frame = pkt->data;
	uint32_t len = pkt->len, left, data_len;

	if (STAGE_UNLIKELY(!it->exact4 || !lane_relayed(l, client, &permission->relay_id) ||
			   !core_channel4_simple(frame) || !lane_leaves(l, b, permission, 0)))
		return false;
	data_len = core_send4_data_len(frame + CORE_CHANNEL4_HEADERS);
	left = CORE_CHANNEL4_HEADERS + data_len;
	if (STAGE_UNLIKELY(left > l->max_len))
		return false;
	frame = core_send4_move(&b->w->context, frame, len, client, permission, l->eth, data_len);
	pkt->headroom += CORE_INDICATION4_FRONT;
	pkt->tailroom += (uint16_t)(len - CORE_INDICATION4_FRONT - left);
	lane_sent(l, pkt, frame, left);
	lane_count(l, it->candidate, data_len);
	return true;
}

// `permission`: the live PERMISSION of the item's allocation for the sender.
CORE_INLINE bool lane_data(
	struct lane *l, struct burst *b, const struct item *it, const struct tp_entry *permission)
{
	const struct tp_entry *allocation = &l->entries[it->allocation];
	struct stage_pkt *pkt = it->pkt;
	uint8_t *frame = pkt->data;
	uint32_t data_len = pkt->len - CORE_CHANNEL4_HEADERS, pad = core_indication4_pad(data_len);
	uint32_t left = CORE_CHANNEL4_HEADERS + CORE_INDICATION4_FRONT + data_len + pad;

	if (STAGE_UNLIKELY(!it->exact4 || !lane_relayed(l, allocation, &it->local_id) ||
			   allocation->key.kind != TP_KIND_ALLOCATION ||
			   !core_channel4_simple(frame) || !lane_leaves(l, b, allocation, 0) ||
			   left > l->max_len || pkt->headroom < CORE_INDICATION4_FRONT ||
			   pkt->tailroom < pad))
		return false;
	frame = core_data4_move(&b->w->context, frame, permission, allocation, l->eth, data_len);
	pkt->headroom -= CORE_INDICATION4_FRONT;
	pkt->tailroom -= (uint16_t)pad;
	lane_sent(l, pkt, frame, left);
	lane_count(l, it->allocation, data_len);
	return true;
}
