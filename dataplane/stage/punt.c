// SPDX-License-Identifier: BSD-3-Clause
#include "forward.h"

#include <turnpike/nonce.h>

#define TXID 8u // where it begins

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

static void punt_to(struct burst *b, struct pkt_ctx *p, const struct core_packet *in, unsigned ring,
	const struct tp_addr *client)
{
	static const enum tp_path paths[TP_PUNT_CLASSES] = {
		TP_PATH_punt_live, TP_PATH_punt_nonce, TP_PATH_punt_first};
	struct tp_ring_producer *r = &b->w->punt[ring];
	uint32_t len = core_packet_payload_len(in);
	struct tp_ring_slot *slot;

	if (len > TP_RING_DATA_MAX) {
		pkt_drop(b, p, TP_DROP_punt_long);
		return;
	}
	slot = r->slots == NULL ? NULL : tp_ring_reserve(r);
	if (slot == NULL) {
		pkt_drop(b, p, TP_DROP_punt_full);
		return;
	}
	slot->len = (uint16_t)len;
	slot->local_id = p->local_id;
	slot->connection = p->message == NULL ? 0 : p->message->connection;
	slot->egress = tp_connection_egress(slot->connection);
	slot->transport = b->locals->by_id[p->local_id].transport;
	slot->kind = TP_RING_MESSAGE;
	slot->remote = *client;
	slot->worker = b->w->id;
	slot->time_ns = b->now_ns;
	memcpy(slot->data, core_packet_payload(in), len);
	tp_ring_publish(r);
	b->w->kick = true;
	p->pkt->verdict = STAGE_PUNT;
	burst_count(b, paths[ring], len);
}

static enum tp_drop rate_check(const struct burst *b, const struct pkt_ctx *p,
	const struct core_packet *in, unsigned ring, const struct tp_addr *client)
{
	uint32_t rate = b->locals->path.first_contact_rate;

	switch (ring) {
	case TP_PUNT_LIVE:
		return stage_share_live(b->w, client, p->local_id, p->is_signed, rate, b->now_ns)
			       ? TP_DROP_none
			       : TP_DROP_client_rate;
	case TP_PUNT_NONCE:
		return stage_share_nonce(b->w, client, p->local_id, p->is_signed, rate, b->now_ns)
			       ? TP_DROP_none
			       : TP_DROP_client_rate;
	default:
		// Retransmissions have the transaction id in common.
		return stage_first_pass(b->w, client, p->local_id, core_packet_payload(in) + TXID,
			       TP_STUN_TXID_LEN, rate, b->now_ns)
			       ? TP_DROP_none
			       : TP_DROP_punt_rate;
	}
}

void pkt_punt(struct burst *b, struct pkt_ctx *p, bool live)
{
	unsigned ring = TP_PUNT_FIRST;
	struct core_packet in;
	struct tp_addr client;
	enum tp_drop why;

	pkt_read(p, &in);
	client = core_packet_addr(&in, in.src_ip, in.ports.src_be);
	// The handshake of a stream client shows, as our nonce does, that its address is its own.
	if (live)
		ring = TP_PUNT_LIVE;
	else if (p->message != NULL || carries_our_nonce(b, &client, core_packet_payload(&in),
					       core_packet_payload_len(&in)))
		ring = TP_PUNT_NONCE;
	why = rate_check(b, p, &in, ring, &client);
	if (why != TP_DROP_none)
		pkt_drop(b, p, why);
	else
		punt_to(b, p, &in, ring, &client);
}
