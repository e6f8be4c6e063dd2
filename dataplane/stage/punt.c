// SPDX-License-Identifier: BSD-3-Clause
#include "item.h"

#include <turnpike/nonce.h>

static struct tp_addr source_of(const struct item *it)
{
	return core_packet_addr(&it->in, it->in.src_ip, it->in.ports.src_be);
}

static bool carries_our_nonce(
	const struct burst *b, const struct tp_addr *client, const uint8_t *msg, size_t len)
{
	char tag[TP_NONCE_TAG_LEN];
	const uint8_t *nonce;
	size_t nonce_len;

	nonce = core_nonce_find(msg, len, &nonce_len);
	if (nonce == NULL || nonce_len < TP_NONCE_TAG_LEN)
		return false;
	tp_nonce_tag(b->locals->path.punt_key, client, tag);
	return memcmp(nonce + nonce_len - TP_NONCE_TAG_LEN, tag, TP_NONCE_TAG_LEN) == 0;
}

static void punt_to(struct burst *b, struct item *it, unsigned ring, const struct tp_addr *client)
{
	static const enum tp_path paths[TP_PUNT_CLASSES] = {
		TP_PATH_punt_live, TP_PATH_punt_nonce, TP_PATH_punt_first};
	struct tp_ring_producer *r = &b->w->punt[ring];
	uint16_t len = core_packet_payload_len(&it->in);
	struct tp_ring_slot *slot;

	if (len > TP_RING_DATA_MAX) {
		item_drop(b, it, TP_DROP_punt_long);
		return;
	}
	slot = r->slots == NULL ? NULL : tp_ring_reserve(r);
	if (slot == NULL) {
		item_drop(b, it, TP_DROP_punt_full);
		return;
	}
	slot->len = len;
	slot->local_id = it->local_id;
	slot->next_hop = 0;
	slot->remote = *client;
	slot->worker = b->w->id;
	slot->time_ns = b->now_ns;
	memcpy(slot->data, core_packet_payload(&it->in), len);
	tp_ring_publish(r);
	b->w->kick = true;
	it->state = ITEM_DONE;
	it->pkt->verdict = STAGE_PUNT;
	burst_count(b, paths[ring], len);
}

void item_punt(struct burst *b, struct item *it, bool live)
{
	struct tp_addr client = source_of(it);

	if (live)
		punt_to(b, it, TP_PUNT_LIVE, &client);
	else if (carries_our_nonce(b, &client, core_packet_payload(&it->in),
			 core_packet_payload_len(&it->in)))
		punt_to(b, it, TP_PUNT_NONCE, &client);
	else if (!stage_limiter_pass(b->w, &client, b->locals->path.first_contact_rate, b->now_s))
		item_drop(b, it, TP_DROP_punt_rate);
	else
		punt_to(b, it, TP_PUNT_FIRST, &client);
}

// The answer goes back the way the request came: no route is asked and no state is kept.
void item_answer(struct burst *b, struct item *it)
{
	struct tp_addr client = source_of(it);
	struct tp_addr listener = core_packet_addr(&it->in, it->in.dst_ip, it->in.ports.dst_be);
	uint8_t *payload = core_packet_payload(&it->in);
	uint8_t txid[TP_STUN_TXID_LEN], mac[2][6];
	struct stage_pkt *pkt = it->pkt;
	struct core_out out;
	uint16_t len;

	if ((size_t)(it->in.high - payload) < CORE_BINDING_ANSWER_MAX) {
		item_drop(b, it, TP_DROP_no_memory);
		return;
	}
	memcpy(mac, pkt->data, sizeof(mac));
	if (mac[1][0] & 1) { // a group address is nobody's
		item_drop(b, it, TP_DROP_bad_source);
		return;
	}
	memcpy(txid, payload + 8, sizeof(txid));
	len = (uint16_t)core_binding_answer(payload, txid, &client, it->has_fingerprint);
	core_datagram_write(&b->w->context, payload, len, &listener, &client, &out);
	core_ethernet_write(&out, mac[1], mac[0]);
	item_send(it, &out, pkt->rx_port);
	burst_count(b, TP_PATH_binding, len);
}
