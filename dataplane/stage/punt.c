// SPDX-License-Identifier: BSD-3-Clause
#include "forward.h"

#include <turnpike/nonce.h>

static struct tp_addr source_of(const struct core_packet *in)
{
	return core_packet_addr(in, in->src_ip, in->ports.src_be);
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

static void punt_to(struct burst *b, struct item *it, const struct core_packet *in, unsigned ring,
	const struct tp_addr *client)
{
	static const enum tp_path paths[TP_PUNT_CLASSES] = {
		TP_PATH_punt_live, TP_PATH_punt_nonce, TP_PATH_punt_first};
	struct tp_ring_producer *r = &b->w->punt[ring];
	uint32_t len = core_packet_payload_len(in);
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
	slot->len = (uint16_t)len;
	slot->local_id = it->local_id;
	slot->next_hop = 0;
	slot->remote = *client;
	slot->worker = b->w->id;
	slot->time_ns = b->now_ns;
	memcpy(slot->data, core_packet_payload(in), len);
	tp_ring_publish(r);
	b->w->kick = true;
	it->pkt->verdict = STAGE_PUNT;
	burst_count(b, paths[ring], len);
}

void item_punt(struct burst *b, struct item *it, bool live)
{
	struct core_packet in;
	struct tp_addr client;

	core_plain_read(&in, it->pkt->data, it->v4);
	client = source_of(&in);
	if (live)
		punt_to(b, it, &in, TP_PUNT_LIVE, &client);
	else if (carries_our_nonce(
			 b, &client, core_packet_payload(&in), core_packet_payload_len(&in)))
		punt_to(b, it, &in, TP_PUNT_NONCE, &client);
	else if (!stage_limiter_pass(b->w, &client, b->locals->path.first_contact_rate, b->now_s))
		item_drop(b, it, TP_DROP_punt_rate);
	else
		punt_to(b, it, &in, TP_PUNT_FIRST, &client);
}

// The answer goes back the way the request came: no route is asked and no state is kept.
void item_answer(
	struct burst *b, struct item *it, const struct core_packet *in, bool has_fingerprint)
{
	struct tp_addr client = source_of(in);
	struct tp_addr listener = core_packet_addr(in, in->dst_ip, in->ports.dst_be);
	uint8_t *payload = core_packet_payload(in);
	uint8_t txid[TP_STUN_TXID_LEN], mac[2][6];
	struct stage_pkt *pkt = it->pkt;
	struct core_out out;
	uint16_t len;

	if ((size_t)(in->high - payload) < CORE_BINDING_ANSWER_MAX) {
		item_drop(b, it, TP_DROP_no_memory);
		return;
	}
	memcpy(mac, pkt->data, sizeof(mac));
	if (mac[1][0] & 1) { // a group address is nobody's
		item_drop(b, it, TP_DROP_bad_source);
		return;
	}
	memcpy(txid, payload + 8, sizeof(txid));
	len = (uint16_t)core_binding_answer(payload, txid, &client, has_fingerprint);
	core_datagram_write(&b->w->context, payload, len, &listener, &client, &out);
	core_ethernet_write(&out, mac[1], mac[0]);
	send_out(it, in, &out, pkt->rx_port);
	burst_count(b, TP_PATH_binding, len);
}
