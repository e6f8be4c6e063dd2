// SPDX-License-Identifier: BSD-3-Clause
// Clients that come by TCP, TLS or DTLS. Their messages arrive whole from the edge, at the point
// where a UDP payload begins, and take the slow path from there; a packet for such a client leaves
// as a message for its connection.
//
// A message is described as the UDP datagram that would carry it, with headers that add nothing to
// its checksum, as the entries of stream clients have it. So every rewrite serves for messages,
// too.
#include "stream.h"

#define OWN_TTL	  64u // RFC 8656 15: packets that leave begin anew
// The most that DTLS adds to a message: header of a record, nonce and tag of AES-GCM.
#define DTLS_MORE (13u + 8u + 16u)

static const struct local_record *stream_listener(const struct burst *b, uint16_t id)
{
	const struct local_record *r = locals_listener(b->locals, id);

	return r != NULL && tp_transport_is_stream(r->transport) ? r : NULL;
}

void stream_read(const struct pkt_ctx *p, struct core_packet *in)
{
	const struct stage_message *m = p->message;
	struct stage_pkt *pkt = p->pkt;
	// A channel's number is in no sum of a stream client's entries.
	size_t skipped = p->form == FORM_CHANNEL ? 2 : 0;
	uint64_t sum;

	*in = (struct core_packet){
		.src_ip = m->remote.ip,
		.dst_ip = m->remote.ip,
		.l4 = pkt->data - WIRE_UDP_HEADER_LEN,
		.ports = {.src_be = m->remote.port_be},
		.l4_len = WIRE_UDP_HEADER_LEN + pkt->len,
		.ttl = OWN_TTL + 1,
		.kind = CORE_UDP,
		.fault = TP_DROP_none,
		.family = m->remote.family,
		.has_ports = true,
	};
	in->l4_len_be = entry_sum_be16((uint16_t)in->l4_len);
	sum = 2u * in->l4_len_be;
	if (pkt->len > skipped)
		sum += entry_sum(pkt->data + skipped, pkt->len - skipped);
	in->csum = entry_csum_udp(sum);
}

void stream_classify(struct burst *b, struct stage_pkt *pkt, const struct stage_message *m)
{
	struct pkt_ctx *p = &b->ctx[pkt_number(b, pkt)];

	*p = (struct pkt_ctx){.pkt = pkt, .message = m, .local_id = m->listener_id};
	if (b->locals == NULL)
		pkt_drop(b, p, TP_DROP_not_ready);
	else if (m->is_records)
		records_send(b, p);
	else if (stream_listener(b, m->listener_id) == NULL || m->remote.port_be == 0 ||
		 (m->remote.family != TP_FAMILY_IPV4 && m->remote.family != TP_FAMILY_IPV6))
		pkt_drop(b, p, TP_DROP_edge_bad);
	else if (!tp_connection_valid(m->connection))
		pkt_drop(b, p, TP_DROP_stale_connection);
	else
		pkt_message(b, p);
}

bool stream_owns(const struct burst *b, const struct pkt_ctx *p, uint32_t allocation)
{
	const struct tp_entry *e;

	if (p->message == NULL)
		return true;
	if (allocation >= b->w->table.n_entries)
		return false;
	e = entry_at(b, allocation);
	return e->key.kind == TP_KIND_ALLOCATION && e->header_len == 0 &&
	       e->stream.connection == p->message->connection;
}

bool stream_put(struct stage_worker *w, struct stage_pkt *pkt, uint64_t connection,
	const struct tp_addr *client)
{
	if (w->n_stream_out >= w->stream_out_max)
		return false;
	w->stream_out[w->n_stream_out++] = (struct stage_stream_out){
		.connection = connection, .pkt = pkt, .owner = stage_slots_owner(w, client)};
	pkt->verdict = STAGE_STREAM;
	return true;
}

// The payload, by the form in which it came.
static struct core_payload payload_of(struct burst *b, const struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct direction_entries *e)
{
	if (dir == DIR_PEER_TO_CHANNEL || dir == DIR_PEER_TO_DATA)
		return core_take_datagram(in, e->received_by->sum_in);
	if (dir == DIR_CHANNEL_TO_CHANNEL || dir == DIR_CHANNEL_TO_DATA)
		return core_take_channel(in, e->sent_by);
	return core_take_send(in, &pkt_cold(b, p)->send, e->client);
}

// Puts the channel's header or the front of a Data indication in front of the payload. Returns how
// many bytes the message begins before it, 0 where there is no room.
static unsigned message_write(struct burst *b, const struct pkt_ctx *p, enum direction dir,
	const struct core_packet *in, const struct tp_entry *leaving, const struct core_payload *d)
{
	struct core_context context = pkt_context(b, p->pkt);
	const struct tp_addr *shown = &pkt_cold(b, p)->shown;
	struct core_peer from = {
		.ip = in->src_ip, .port_be = in->ports.src_be, .family = in->family};
	size_t room = (size_t)(d->at - in->low);
	unsigned front;

	if (direction_to_channel(dir)) {
		if (room < TP_CHANNEL_HEADER_LEN)
			return 0;
		memcpy(d->at - TP_CHANNEL_HEADER_LEN, leaving->stream.channel_header, 2);
		tp_store_be16(d->at - 2, (uint16_t)d->len);
		return TP_CHANNEL_HEADER_LEN;
	}
	if (p->hairpin)
		from = (struct core_peer){
			.ip = shown->ip, .port_be = shown->port_be, .family = shown->family};
	front = core_data_front(&from);
	if (room < front || (size_t)(in->high - d->at) < d->len + (-d->len & 3))
		return 0;
	core_put_data_message(&context, d->at - front, &from, d);
	return front;
}

// The leg of a client that came by DTLS; what DTLS adds counts as IP header. False: it came by a
// stream.
static bool dtls_leg(struct burst *b, const struct tp_entry *leaving, struct core_out *out)
{
	const struct local_record *listener;
	const struct tp_entry *a;

	if (leaving->allocation >= b->w->table.n_entries)
		return false;
	a = entry_at(b, leaving->allocation);
	listener = locals_listener(b->locals, a->key.local_id);
	if (listener == NULL || listener->transport != TP_TRANSPORT_DTLS)
		return false;
	out->ip_len = core_plain_ip_len(a->key.family == TP_FAMILY_IPV4) + DTLS_MORE;
	// The edge alone knows the port: by one that takes less, records leave in fragments.
	out->max_len = 0;
	for (uint32_t i = 0; i < b->w->n_ports; i++)
		if (b->w->ports[i].mtu > out->max_len)
			out->max_len = b->w->ports[i].mtu;
	out->max_len = leg_mtu(leaving, out->max_len);
	return true;
}

// Whether a client that came by DTLS can have the message in one packet, or in fragments, if the
// sender lets the network make such.
static bool leg_takes(struct burst *b, const struct pkt_ctx *p, enum direction dir,
	const struct direction_entries *e, struct core_packet *in, const struct core_payload *d,
	struct core_out *out)
{
	unsigned front = pkt_front(b, p, dir, in);
	uint32_t len = WIRE_UDP_HEADER_LEN + front + d->len;
	bool v4, may_fragment;

	if (front > TP_CHANNEL_HEADER_LEN)
		len += -d->len & 3;
	if (len + WIRE_IPV6_HEADER_LEN + DTLS_MORE <= CORE_LEG_MIN_IPV4 ||
		!dtls_leg(b, e->leaving, out))
		return true;
	len += out->ip_len;
	v4 = out->ip_len == WIRE_IPV4_HEADER_LEN + DTLS_MORE;
	// As in forward().
	if (p->message != NULL)
		in->family = TP_FAMILY_IPV4;
	in->fragmented = b->w->whole;
	may_fragment = core_may_fragment(in, v4, d->dont_fragment);
	// Routers cut records over IPv4, which have no DF: the relay's own cuts are no better.
	if (!(v4 && may_fragment) && hole_suspected(b, e, dir, d, len)) {
		if (out->max_len > CORE_HOLE_MTU)
			out->max_len = CORE_HOLE_MTU;
		hole_report(b, e);
	}
	return core_fit(len, out->max_len, may_fragment) != CORE_FIT_TOO_BIG;
}

// The address that the slot of a message counts for; none for entries that make no sense.
static struct tp_addr client_of(const struct burst *b, const struct tp_entry *leaving)
{
	const struct tp_entry *a = leaving->allocation < b->w->table.n_entries
					   ? entry_at(b, leaving->allocation)
					   : leaving;
	struct tp_addr client = {.family = a->key.family};

	memcpy(client.ip, a->key.ip, sizeof(client.ip));
	return client;
}

void stream_forward(struct burst *b, struct pkt_ctx *p, enum direction dir,
	const struct direction_entries *e, uint32_t egress)
{
	uint64_t connection = e->leaving->stream.connection;
	struct stage_pkt *pkt = p->pkt;
	struct core_payload d;
	struct core_packet in;
	unsigned front, behind;
	struct core_out out;
	struct tp_addr client;
	enum tp_drop why;

	if (dir == DIR_CHANNEL_TO_PEER || dir == DIR_SEND_TO_PEER ||
		e->leaving->header_len != (direction_to_channel(dir) ? TP_CHANNEL_HEADER_LEN : 0)) {
		pkt_drop(b, p, TP_DROP_table_corrupt);
		return;
	}
	client = client_of(b, e->leaving);
	if (!tp_connection_valid(connection) || tp_connection_egress(connection) != egress) {
		pkt_drop(b, p, TP_DROP_stale_connection);
		return;
	}
	pkt_read(p, &in);
	// A stream cannot carry on a checksum that is wrong.
	if (p->message == NULL && !core_packet_csum_right(&in)) {
		pkt_drop(b, p, TP_DROP_bad_udp_checksum);
		return;
	}
	d = payload_of(b, p, dir, &in, e);
	if (b->w->n_stream_out >= b->w->stream_out_max) {
		pkt_drop(b, p, TP_DROP_edge_full);
		return;
	}
	if (!leg_takes(b, p, dir, e, &in, &d, &out)) {
		if (!pkt_too_big(b, p, dir, &in, &out))
			pkt_drop(b, p, TP_DROP_too_big);
		return;
	}
	why = cap_take(b, dir, e, d.len, NULL);
	front = why == TP_DROP_none ? message_write(b, p, dir, &in, e->leaving, &d) : 0;
	if (front == 0) {
		pkt_drop(b, p, why != TP_DROP_none ? why : TP_DROP_no_memory);
		return;
	}
	behind = direction_to_channel(dir) ? 0 : -d.len & 3;
	pkt->data = d.at - front;
	pkt->len = (uint16_t)(front + d.len + behind);
	pkt->headroom = (uint16_t)(pkt->data - in.low);
	pkt->tailroom = (uint16_t)(in.high - pkt->data - pkt->len);
	stream_put(b->w, pkt, connection, &client);
	count_direction(b, dir, e, d.len);
}
