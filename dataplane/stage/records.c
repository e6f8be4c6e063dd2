// SPDX-License-Identifier: BSD-3-Clause
// Datagrams of DTLS records: from clients to the thread of the edge that has their association, and
// back. The edge keeps nothing of networks: with each datagram it gets the way it came by, which it
// hands back with those that are to leave. The way is signed, together with listener and remote
// address, so the edge reaches nobody who has not sent a datagram.
#include "stream.h"

#include <core/records.h>
#include <turnpike/siphash.h>
#include <turnpike/stun.h>

// Headers of the longest kind: Ethernet, IPv6, UDP.
#define FRONT		(WIRE_ETH_LEN + UDP_IP_MAX)
#define UDP_IP_MAX	(WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN)
// The part of a ring's slots that strangers leave to clients with an allocation.
#define STRANGERS_LEAVE 2u
// Where the random of a ClientHello begins: behind the headers of record and handshake, and a
// version.
#define HELLO_RANDOM	27u

// No padding. Of another length than anything else that the key signs.
struct way {
	struct tp_addr remote;
	uint16_t listener_id;
	uint16_t reserved;
	uint64_t next_hop;
};
TP_ASSERT_SIZE(struct way, 32);

static uint64_t way_sign(const struct burst *b, const struct tp_addr *remote, uint16_t listener_id,
	uint64_t next_hop)
{
	const struct way way = {*remote, listener_id, 0, next_hop};

	return tp_siphash24(b->locals->path.punt_key, &way, sizeof(way));
}

// ---- to the edge --------------------------------------------------------------------------------

static void arrived(struct burst *b, struct pkt_ctx *p, const struct core_packet *in)
{
	struct tp_addr client = core_packet_addr(in, in->src_ip, in->ports.src_be);
	size_t len = core_packet_payload_len(in);
	enum core_records kind = core_records_read(core_packet_payload(in), len);

	if (!core_packet_csum_right(in)) {
		pkt_drop(b, p, TP_DROP_bad_udp_checksum);
	} else if (kind == CORE_RECORDS_BAD || len > TP_RING_DATA_MAX) {
		pkt_drop(b, p, TP_DROP_dtls_bad);
	} else if (b->w->n_edge == 0) {
		pkt_drop(b, p, TP_DROP_dtls_no_edge);
	} else {
		p->form = FORM_RECORDS;
		p->is_hello = kind == CORE_RECORDS_HELLO;
		p->lookup.key = tp_key_allocation(&client, p->local_id);
		lookup_enqueue(b, p, STEP_CLIENT);
	}
}

bool records_classify(struct burst *b, struct pkt_ctx *p, const struct core_packet *in)
{
	const struct local_record *at = &b->locals->by_id[p->local_id];

	if (at->dtls_id == 0)
		return false;
	if (core_packet_payload_len(in) > 0 && tp_is_dtls(*core_packet_payload(in))) {
		p->local_id = at->dtls_id;
		arrived(b, p, in);
		return true;
	}
	// Behind a UDP listener: the others are its own.
	if (at->transport != TP_TRANSPORT_DTLS)
		return false;
	pkt_drop(b, p, TP_DROP_dtls_bad);
	return true;
}

// Anybody can send a ClientHello with a client's address. Its random is the same when it is sent
// again, with a cookie or without (RFC 6347 4.2.1).
static bool may_pass(struct burst *b, const struct pkt_ctx *p, const struct core_packet *in,
	bool stranger, const struct tp_addr *client, unsigned t)
{
	const struct tp_ring_producer *ring;
	const uint8_t *datagram = core_packet_payload(in);
	size_t len = core_packet_payload_len(in);
	size_t at = len < HELLO_RANDOM ? len : HELLO_RANDOM;

	if (p->is_hello && !stage_first_pass(b->w, client, p->local_id, datagram + at, len - at,
				   b->locals->path.first_contact_rate, b->now_ns))
		return false;
	ring = &b->w->edge_out[t];
	return !stranger || tp_ring_free(ring) > ring->n_slots / STRANGERS_LEAVE;
}

static void slot_fill(struct burst *b, const struct pkt_ctx *p, const struct core_packet *in,
	const struct tp_addr *client, struct tp_ring_slot *slot)
{
	const uint8_t *mac = p->pkt->data + WIRE_ETH_SRC;

	slot->len = (uint16_t)core_packet_payload_len(in);
	slot->local_id = p->local_id;
	slot->egress = 0;
	slot->remote = *client;
	slot->worker = b->w->id;
	slot->time_ns = b->now_ns;
	slot->connection = tp_next_hop_pack(mac, p->pkt->rx_port);
	slot->transport = TP_TRANSPORT_DTLS;
	slot->kind = TP_RING_DTLS;
	slot->tag = way_sign(b, client, p->local_id, slot->connection);
	memcpy(slot->data, core_packet_payload(in), slot->len);
}

// The look-up's hash chooses the thread: it is the same for all datagrams of a client.
void records_give(struct burst *b, struct pkt_ctx *p, bool live)
{
	unsigned thread = (unsigned)((p->lookup.hash >> 16 & UINT32_MAX) * b->w->n_edge >> 32);
	struct tp_ring_producer *ring = &b->w->edge_out[thread];
	bool stranger = !live || p->is_hello;
	struct tp_ring_slot *slot;
	struct core_packet in;
	struct tp_addr client;

	pkt_read(p, &in);
	client = core_packet_addr(&in, in.src_ip, in.ports.src_be);
	if (p->pkt->data[WIRE_ETH_SRC] & 1) { // a group address
		pkt_drop(b, p, TP_DROP_bad_source);
		return;
	}
	if (!may_pass(b, p, &in, stranger, &client, thread)) {
		pkt_drop(b, p, TP_DROP_dtls_rate);
		return;
	}
	slot = stage_slots_reserve(
		b->w, thread, stranger ? STAGE_NOBODY : stage_slots_owner(b->w, &client));
	b->w->edge_given |= 1ull << thread;
	if (slot == NULL) {
		pkt_drop(b, p, TP_DROP_edge_full);
		return;
	}
	slot_fill(b, p, &in, &client, slot);
	tp_ring_publish(ring);
	p->pkt->verdict = STAGE_PUNT;
	burst_count(b, TP_PATH_dtls_in, slot->len);
}

// ---- from the edge ------------------------------------------------------------------------------

static const struct local_record *listener_of(const struct burst *b, const struct stage_message *m)
{
	const struct local_record *r = locals_listener(b->locals, m->listener_id);

	return r != NULL && r->transport == TP_TRANSPORT_DTLS &&
			       r->addr.family == m->remote.family && m->remote.port_be != 0
		       ? r
		       : NULL;
}

static enum tp_drop send_check(const struct burst *b, const struct pkt_ctx *p)
{
	const struct stage_message *m = p->message;

	if (listener_of(b, m) == NULL || !tp_is_dtls(p->pkt->data[0]))
		return TP_DROP_edge_bad;
	if (way_sign(b, &m->remote, m->listener_id, m->connection) != m->tag ||
		(uint8_t)(m->connection >> 48) >= b->w->n_ports)
		return TP_DROP_dtls_astray;
	return p->pkt->headroom < FRONT ? TP_DROP_no_memory : TP_DROP_none;
}

void records_leave(struct burst *b, struct pkt_ctx *p, uint32_t index)
{
	const struct stage_message *m = p->message;
	struct stage_pkt *pkt = p->pkt;
	const struct core_packet in = {
		.low = pkt->data - pkt->headroom, .high = pkt->data + pkt->len + pkt->tailroom};
	struct core_context context = pkt_context(b, pkt);
	uint8_t port = (uint8_t)(m->connection >> 48);
	uint16_t len = pkt->len;
	struct core_out out;

	core_datagram_write(&context, pkt->data, len, &listener_of(b, m)->addr, &m->remote, &out);
	out.max_len = b->w->ports[port].mtu;
	if (index != 0)
		out.max_len = leg_mtu(entry_at(b, index), out.max_len);
	core_ethernet_write(out.ip - WIRE_ETH_LEN, out.ip_len == WIRE_IPV4_HEADER_LEN,
		m->connection, b->w->ports[port].mac);
	send_out(p, &in, &out, port);
	burst_count(b, TP_PATH_dtls_out, len);
}

void records_send(struct burst *b, struct pkt_ctx *p)
{
	const struct stage_message *m = p->message;
	enum tp_drop why = send_check(b, p);

	if (why != TP_DROP_none) {
		pkt_drop(b, p, why);
	} else if (p->pkt->len + UDP_IP_MAX <= any_leg_len(b->w->table.entries)) {
		records_leave(b, p, 0);
	} else {
		p->form = FORM_RECORDS;
		p->lookup.key = tp_key_allocation(&m->remote, m->listener_id);
		lookup_enqueue(b, p, STEP_CLIENT);
	}
}
