// SPDX-License-Identifier: BSD-3-Clause
#include "stream.h"

// UDP datagrams up to this length cannot become a packet above CORE_HOLE_MTU.
#define HOLE_ABOVE 1180u

static enum tp_drop rewrite(struct burst *b, const struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct direction_entries *e, struct core_out *out)
{
	struct core_context context = pkt_context(b, p->pkt), *c = &context;
	const struct core_send *send = &pkt_cold(b, p)->send;
	const struct tp_addr *shown = &pkt_cold(b, p)->shown;

	switch (dir) {
	case DIR_CHANNEL_TO_PEER:
		return core_channel_to_peer(c, in, e->leaving, out);
	case DIR_SEND_TO_PEER:
		return core_send_to_peer(c, in, send, e->client, e->leaving, out);
	case DIR_PEER_TO_CHANNEL:
		return core_peer_to_channel(c, in, e->leaving, out);
	case DIR_PEER_TO_DATA:
		return core_peer_to_data(c, in, e->received_by, e->leaving, out);
	case DIR_CHANNEL_TO_CHANNEL:
		return core_channel_to_channel(c, in, e->sent_by, e->leaving, out);
	case DIR_CHANNEL_TO_DATA:
		return core_channel_to_data(c, in, e->sent_by, e->leaving, shown, out);
	case DIR_SEND_TO_CHANNEL:
		return core_send_to_channel(c, in, send, e->client, e->leaving, out);
	default:
		return core_send_to_data(c, in, send, e->client, e->leaving, shown, out);
	}
}

void count_direction(
	struct burst *b, enum direction dir, const struct direction_entries *e, uint32_t bytes)
{
	bool channel_in = dir == DIR_CHANNEL_TO_PEER || dir == DIR_CHANNEL_TO_CHANNEL ||
			  dir == DIR_CHANNEL_TO_DATA;
	bool channel_out = direction_to_channel(dir);

	if (dir != DIR_PEER_TO_CHANNEL && dir != DIR_PEER_TO_DATA) {
		count_cell(b->w->cells, e->sent_index, bytes);
		burst_count(b, channel_in ? TP_PATH_channel_to_peer : TP_PATH_send_to_peer, bytes);
	}
	if (dir != DIR_CHANNEL_TO_PEER && dir != DIR_SEND_TO_PEER) {
		count_cell(b->w->cells, e->leaving_index, bytes);
		burst_count(b, channel_out ? TP_PATH_peer_to_channel : TP_PATH_peer_to_data, bytes);
	}
	if (dir >= DIR_CHANNEL_TO_CHANNEL)
		burst_count(b, TP_PATH_hairpin, bytes);
}

// The data of a packet, where it is long enough to vanish on a way.
static bool hole_look(struct burst *b, const struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct direction_entries *e, const struct core_out *out)
{
	const struct core_send *send = &pkt_cold(b, p)->send;
	uint8_t *payload = core_packet_payload(in);
	struct core_payload d = {.at = payload, .len = core_packet_payload_len(in)};

	// Routers cut what leaves by IPv4 without DF; by IPv6 the relay must.
	if (in->family == TP_FAMILY_IPV4 && !in->df && out->ip_len == WIRE_IPV4_HEADER_LEN)
		return false;
	if (p->form == FORM_CHANNEL) {
		d.at += TP_CHANNEL_HEADER_LEN;
		d.len = tp_load_be16(payload + 2);
	} else if (p->form == FORM_SEND) {
		d.at += send->data_off;
		d.len = send->data_len;
	}
	return hole_suspected(b, e, dir, &d,
		out->ip_len + WIRE_UDP_HEADER_LEN + pkt_front(b, p, dir, in) + d.len);
}

void forward(
	struct burst *b, struct pkt_ctx *p, enum direction dir, const struct direction_entries *e)
{
	uint32_t egress = atomic_load_explicit(&e->leaving->egress, memory_order_relaxed);
	unsigned ip_len = core_header_ip_len(
		e->leaving, direction_to_channel(dir) ? TP_CHANNEL_HEADER_LEN : 0);
	struct stage_worker *w = b->w;
	const struct stage_port *to;
	struct core_packet in;
	struct core_out out;
	uint64_t hop = 0;
	enum tp_drop why;
	uint8_t port = 0;

	if (STAGE_UNLIKELY(tp_egress_is_stream(egress))) {
		stream_forward(b, p, dir, e, egress);
		return;
	}
	why = next_hop_resolve(w, egress, &hop, &port);
	if (STAGE_UNLIKELY(why != TP_DROP_none)) {
		pkt_drop(b, p, why);
		return;
	}
	if (STAGE_UNLIKELY(ip_len == 0)) {
		pkt_drop(b, p, TP_DROP_table_corrupt);
		return;
	}
	to = &w->ports[port];
	pkt_read(p, &in);
	// burst_put_ttl has the last word: here it only must not expire.
	if (STAGE_UNLIKELY(b->locals->path.ttl != 0))
		in.ttl = b->locals->path.ttl + 1;
	// Of a stream there is no DF to go by, and no size to infer it from.
	if (p->message != NULL)
		in.family = TP_FAMILY_IPV4;
	in.fragmented = w->whole;
	out.ip_len = ip_len;
	out.max_len = leg_mtu(e->leaving, to->mtu);
	if (STAGE_UNLIKELY(in.l4_len > HOLE_ABOVE) && hole_look(b, p, dir, &in, e, &out)) {
		out.max_len = out.max_len < CORE_HOLE_MTU ? out.max_len : CORE_HOLE_MTU;
		hole_report(b, e);
	}
	why = rewrite(b, p, dir, &in, e, &out);
	if (STAGE_UNLIKELY(why == TP_DROP_too_big) && pkt_too_big(b, p, dir, &in, &out))
		return;
	if (STAGE_LIKELY(why == TP_DROP_none))
		why = cap_take(b, dir, e, out.payload_len, out.ip);
	if (STAGE_UNLIKELY(why != TP_DROP_none)) {
		pkt_drop(b, p, why);
		return;
	}
	core_ethernet_write(
		out.ip - WIRE_ETH_LEN, out.ip_len == WIRE_IPV4_HEADER_LEN, hop, to->mac);
	send_out(p, &in, &out, port);
	count_direction(b, dir, e, out.payload_len);
}

void forward_local(
	struct burst *b, struct pkt_ctx *p, enum direction dir, const struct direction_entries *e)
{
	const uint8_t no_mac[8] = {0}; // read at once
	unsigned ip_len = core_header_ip_len(e->leaving, 0);
	struct core_packet in;
	struct core_out out;
	enum tp_drop why = TP_DROP_table_corrupt;

	if (ip_len != 0) {
		pkt_read(p, &in);
		if (STAGE_UNLIKELY(b->locals->path.ttl != 0))
			in.ttl = b->locals->path.ttl + 1;
		if (p->message != NULL)
			in.family = TP_FAMILY_IPV4;
		out.ip_len = ip_len;
		out.max_len = b->w->local_mtu;
		why = rewrite(b, p, dir, &in, e, &out);
	}
	if (why == TP_DROP_none)
		why = cap_take(b, dir, e, out.payload_len, out.ip);
	if (why != TP_DROP_none) {
		pkt_drop(b, p, why);
		return;
	}
	core_ethernet_write(out.ip - WIRE_ETH_LEN, out.ip_len == WIRE_IPV4_HEADER_LEN, 0, no_mac);
	send_out(p, &in, &out, 0);
	p->pkt->verdict = STAGE_LOCAL;
	count_direction(b, dir, e, out.payload_len);
}
