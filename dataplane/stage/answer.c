// SPDX-License-Identifier: BSD-3-Clause
// Requests that the worker answers itself, without state. The answer goes back to where the request
// came from, which is a connection or the next hop of a frame: no route is looked up.
#include "stream.h"

// The packet of a challenge is at most this many times as long as the request's: a reflector that
// is no better than others.
#define CHALLENGE_FACTOR 3u

static struct tp_addr source_of(const struct core_packet *in)
{
	return core_packet_addr(in, in->src_ip, in->ports.src_be);
}

// Whether the memory behind the request has room for an answer in its place.
static bool has_room(const struct core_packet *in, size_t len)
{
	return (size_t)(in->high - core_packet_payload(in)) >= len;
}

// The answer of a stream client stands where its request stood.
static void answer_put(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct tp_addr *client, uint16_t len, enum tp_path path)
{
	struct stage_pkt *pkt = p->pkt;

	if (!stream_put(b->w, pkt, p->message->connection, client)) {
		pkt_drop(b, p, TP_DROP_edge_full);
		return;
	}
	pkt->len = len;
	pkt->tailroom = (uint16_t)(in->high - pkt->data - len);
	burst_count(b, path, len);
}

// The answer stands where the request stood.
static void answer_send(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct tp_addr *client, uint16_t len, enum tp_path path)
{
	struct tp_addr listener = core_packet_addr(in, in->dst_ip, in->ports.dst_be);
	struct core_context context = pkt_context(b, p->pkt);
	struct stage_pkt *pkt = p->pkt;
	struct core_out out = {.max_len = b->w->ports[pkt->rx_port].mtu};
	uint8_t mac[16];
	uint64_t back;

	memcpy(mac, pkt->data, sizeof(mac));
	memcpy(&back, mac + WIRE_ETH_SRC, sizeof(back));
	if (mac[WIRE_ETH_SRC] & 1) { // a group address
		pkt_drop(b, p, TP_DROP_bad_source);
		return;
	}
	core_datagram_write(&context, core_packet_payload(in), len, &listener, client, &out);
	core_ethernet_write(
		out.ip - WIRE_ETH_LEN, out.ip_len == WIRE_IPV4_HEADER_LEN, le64toh(back), mac);
	send_out(p, in, &out, pkt->rx_port);
	burst_count(b, path, len);
}

void pkt_answer(
	struct burst *b, struct pkt_ctx *p, const struct core_packet *in, bool has_fingerprint)
{
	struct tp_addr client = source_of(in);
	uint8_t *payload = core_packet_payload(in);
	uint8_t txid[TP_STUN_TXID_LEN];
	uint16_t len;

	if (!has_room(in, CORE_BINDING_ANSWER_MAX)) {
		pkt_drop(b, p, TP_DROP_no_memory);
		return;
	}
	memcpy(txid, payload + 8, sizeof(txid));
	len = (uint16_t)core_binding_answer(payload, txid, &client, has_fingerprint);
	if (p->message != NULL)
		answer_put(b, p, in, &client, len, TP_PATH_binding);
	else
		answer_send(b, p, in, &client, len, TP_PATH_binding);
}

void pkt_classic(struct burst *b, struct pkt_ctx *p, const struct core_packet *in)
{
	uint8_t *payload = core_packet_payload(in);
	struct tp_addr client = source_of(in);
	uint16_t len;

	if (p->message == NULL && !core_packet_csum_right(in)) {
		pkt_drop(b, p, TP_DROP_bad_udp_checksum);
	} else if (p->message != NULL || b->locals->path.secure_stun != 0 ||
		   !core_classic_is_plain(payload, core_packet_payload_len(in))) {
		pkt_drop(b, p, TP_DROP_classic_stun);
	} else if (!stage_share_classic(b->w, &client, p->local_id, b->now_ns)) {
		pkt_drop(b, p, TP_DROP_client_rate);
	} else if (!has_room(in, CORE_BINDING_ANSWER_MAX)) {
		pkt_drop(b, p, TP_DROP_no_memory);
	} else {
		len = (uint16_t)core_classic_answer(payload, &client);
		answer_send(b, p, in, &client, len, TP_PATH_binding);
	}
}

// Whether the realm of the request is the one that the worker answers for.
static bool realm_is_certain(
	const struct stage_locals *l, const struct pkt_ctx *p, const struct core_request *r)
{
	if (l->path.realm_flags & TP_REALM_ONLY)
		return true;
	return !r->names_realm && l->by_id[p->local_id].realm_id == l->path.realm_id;
}

bool pkt_challenge(struct burst *b, struct pkt_ctx *p, const struct core_packet *in,
	const struct core_request *r)
{
	const struct stage_locals *l = b->locals;
	uint8_t *payload = core_packet_payload(in);
	uint16_t type = tp_load_be16(payload);
	size_t len = core_challenge_len(&l->challenge, r);
	size_t headers =
		(size_t)(payload - in->l4) +
		(in->family == TP_FAMILY_IPV4 ? WIRE_IPV4_HEADER_LEN : WIRE_IPV6_HEADER_LEN);
	uint8_t txid[TP_STUN_TXID_LEN];
	char nonce[TP_NONCE_LEN];
	struct tp_addr client;

	if (r->has_integrity || l->challenge.len == 0 || p->message != NULL ||
		!core_challenge_is_due(type, l->path.secure_stun != 0) ||
		!realm_is_certain(l, p, r) || !has_room(in, len) ||
		headers + len > CHALLENGE_FACTOR * (headers + core_packet_payload_len(in)))
		return false;
	client = source_of(in);
	tp_nonce_make(l->path.nonce_key, l->path.punt_key, &l->realm, b->now_s, &client, nonce);
	memcpy(txid, payload + 8, sizeof(txid));
	core_challenge_write(payload, &l->challenge, type, txid, nonce, r);
	answer_send(b, p, in, &client, (uint16_t)len, TP_PATH_challenge);
	return true;
}
