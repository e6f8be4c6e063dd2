// SPDX-License-Identifier: BSD-3-Clause
// A client that came by DTLS, on the port of a UDP listener or on a port of its own, and the rings
// to and from the edge.
#pragma once

#include "call.h"

#include <entry/template.h>

#define OWN_PORT  5349u
#define NUMBER	  0x4007u
#define PORT	  50300u
#define OUT_MAX	  4u
// Header of a record, nonce and tag.
#define DTLS_MORE 37u

enum { SHARED_ID = 21, OWN_ID = 20 };

// A client of DTLS beside the UDP client of `call`, with its address and port.
struct stand {
	struct call call;
	struct tp_addr listener;
	struct tp_addr relayed;
	uint32_t allocation, channel;
	uint16_t id;
	struct stage_stream_out out[OUT_MAX];
	struct tp_ring_consumer in;
	struct tp_ring_producer to_edge;
	struct tp_ring_word words[4];
	struct tp_ring_slot *slots; // [2][TP_RING_SLOTS]
};

static const uint64_t connection = 5ull << 32 | TP_EGRESS_STREAM | 77;

static inline void rings_start(struct stand *s)
{
	struct stage_worker *w = s->call.r->worker;

	s->slots = calloc(2 * TP_RING_SLOTS, sizeof(*s->slots));
	assert_non_null(s->slots);
	s->in = (struct tp_ring_consumer){.slots = s->slots,
		.head = &s->words[0].value,
		.tail = &s->words[1].value,
		.n_slots = TP_RING_SLOTS};
	s->to_edge = (struct tp_ring_producer){.slots = s->slots + TP_RING_SLOTS,
		.head = &s->words[2].value,
		.tail = &s->words[3].value,
		.n_slots = TP_RING_SLOTS};
	w->edge_in = &s->in;
	w->edge_out = &s->to_edge;
	w->n_edge = 1;
	w->stream_out = s->out;
	w->stream_out_max = OUT_MAX;
}

static inline void client_make(struct stand *s, uint8_t far)
{
	struct relay *r = s->call.r;
	struct tp_entry *e;

	s->allocation = relay_allocation(
		r, &s->call.client, s->id, call_relayed(far, PORT), (struct tp_entry_relay){0});
	s->relayed = relay_relayed(r, s->allocation, 0);
	s->channel = relay_channel(r, s->allocation, 0, NUMBER, &s->call.peer);
	(void)relay_permission(r, s->allocation, 0, &s->call.visitor);
	assert_int_equal(
		entry_template_stream_channel(&r->entries[s->channel], &s->relayed, &s->call.peer),
		0);
	e = &r->entries[s->allocation];
	assert_int_equal(entry_template_stream_allocation(e, connection), 0);
	e->egress = tp_connection_egress(connection);
	e = &r->entries[r->entries[s->channel].partner];
	assert_int_equal(
		entry_template_stream_peer(e, connection, NUMBER, &s->relayed, &s->call.peer), 0);
	e->egress = tp_connection_egress(connection);
}

static inline void stand_start(struct stand *s, uint8_t near, uint8_t far, uint16_t id)
{
	struct relay *r;

	memset(s, 0, sizeof(*s));
	call_start(&s->call, near, far);
	r = s->call.r;
	s->id = id;
	s->listener = s->call.listener;
	if (id == OWN_ID)
		s->listener.port_be = tp_htons(OWN_PORT);
	r->locals[id] = (struct tp_local){.addr = s->listener,
		.external = s->listener,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_DTLS};
	relay_locals_change(r);
	client_make(s, far);
	rings_start(s);
}

static inline void stand_end(struct stand *s)
{
	free(s->slots);
	call_end(&s->call);
}

static inline void each(void (*f)(struct stand *s))
{
	static const uint8_t families[2] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	static const uint16_t ids[2] = {SHARED_ID, OWN_ID};
	struct stand s;

	for (unsigned i = 0; i < 8; i++) {
		stand_start(&s, families[i / 4], families[i / 2 % 2], ids[i % 2]);
		f(&s);
		stand_end(&s);
	}
}

static inline unsigned headers(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 ? 28 : 48;
}

// The path MTU of the client's leg, as the control process writes it.
static inline void leg_set(struct stand *s, uint16_t mtu)
{
	struct tp_entry *e = s->call.r->entries;

	e[s->allocation].path_mtu = mtu;
	e[e[s->channel].partner].path_mtu = mtu;
}

// The MTU of the ICMP error that the packet has become.
static inline uint32_t told(const struct stage_pkt *pkt)
{
	const uint8_t *ip = pkt->data + 14;
	bool v4 = ip[0] >> 4 == 4;

	if (pkt->verdict == STAGE_DROP)
		print_error("dropped: %s\n", tp_drop_text(pkt->reason)->name);
	assert_int_equal(pkt->verdict, STAGE_SEND);
	assert_int_equal(ip[v4 ? 20 : 40], v4 ? 3 : 2);
	return v4 ? tp_load_be16(ip + 26) : tp_load_be32(ip + 44);
}

// The longest packet of the peer that becomes a datagram of `mtu` bytes to the client.
static inline uint32_t number_of(const struct stand *s, bool channel, uint32_t mtu)
{
	uint32_t front = channel ? 4 : s->call.peer.family == TP_FAMILY_IPV4 ? 36 : 48;
	uint32_t room = mtu - headers(&s->call.client) - DTLS_MORE - front;

	return headers(&s->call.peer) + (channel ? room : room & ~3u);
}
