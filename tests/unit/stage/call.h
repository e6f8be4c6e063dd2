// SPDX-License-Identifier: BSD-3-Clause
// One client, its allocation and its peers, in every pair of address families: the starting point
// of most tests of the packet path.
#pragma once

#include "frame.h"
#include "message.h"
#include "relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define CALL_NUMBER 0x4001u

struct call {
	struct relay *r;
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed;
	struct tp_addr peer;	// has channel CALL_NUMBER and a permission
	struct tp_addr visitor; // has a permission only
	uint32_t allocation;
	uint32_t channel;
	uint32_t permission;	     // of the peer
	uint32_t visitor_permission; // of the visitor
};

static const uint8_t call_txid[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static inline struct tp_entry_relay call_relayed(uint8_t family, uint16_t port)
{
	return (struct tp_entry_relay){
		.relay_id = family == TP_FAMILY_IPV4 ? RELAY_RELAY4 : RELAY_RELAY6,
		.port_be = tp_htons(port)};
}

// `near`: family between client and relay; `far`: between relay and peer.
static inline void call_start(struct call *c, uint8_t near, uint8_t far)
{
	bool near4 = near == TP_FAMILY_IPV4, far4 = far == TP_FAMILY_IPV4;
	uint16_t listener_id = near4 ? RELAY_LISTENER4 : RELAY_LISTENER6;

	c->r = relay_create(64, TP_HASH_KIND_SIPHASH);
	c->client = near4 ? relay_addr4("10.77.1.2", 50001) : relay_addr6("fd77:1::2", 50001);
	c->peer = far4 ? relay_addr4("10.77.2.2", 60001) : relay_addr6("fd77:2::2", 60001);
	c->visitor = far4 ? relay_addr4("10.77.2.9", 60009) : relay_addr6("fd77:2::9", 60009);
	c->listener = c->r->locals[listener_id].addr;
	c->allocation = relay_allocation(c->r, &c->client, listener_id, call_relayed(far, 50000),
		(struct tp_entry_relay){0});
	c->relayed = relay_relayed(c->r, c->allocation, 0);
	c->permission = relay_permission(c->r, c->allocation, 0, &c->peer);
	c->channel = relay_channel(c->r, c->allocation, 0, CALL_NUMBER, &c->peer);
	c->visitor_permission = relay_permission(c->r, c->allocation, 0, &c->visitor);
}

static inline void call_end(struct call *c)
{
	relay_destroy(c->r);
}

// Runs `f` for every pair of families.
static inline void call_each_family(void (*f)(struct call *c))
{
	static const uint8_t families[2] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	for (unsigned i = 0; i < 4; i++) {
		call_start(&c, families[i / 2], families[i % 2]);
		f(&c);
		call_end(&c);
	}
}

// A datagram from a stranger's or client's address, for tests that run it by itself.
static inline struct stage_pkt call_packet(struct frame *f, const struct tp_addr *src,
	const struct tp_addr *dst, const void *payload, uint16_t len)
{
	struct frame_spec spec = {.src = *src, .dst = *dst, .payload = payload, .len = len};

	frame_build(f, &spec);
	return (struct stage_pkt){.data = frame_data(f),
		.len = f->len,
		.headroom = FRAME_FRONT,
		.tailroom = (uint16_t)(FRAME_MAX - f->len),
		.cookie = f};
}

static inline struct stage_pkt call_send_bytes(struct call *c, struct frame *f,
	const struct tp_addr *src, const struct tp_addr *dst, const void *payload, uint16_t len)
{
	struct frame_spec spec = {.src = *src, .dst = *dst, .payload = payload, .len = len};

	frame_build(f, &spec);
	return relay_run(c->r, f);
}

// The frame must have been sent, intact by every length and checksum.
static inline struct frame_view call_read(const struct stage_pkt *pkt)
{
	struct frame_view v;
	const char *wrong;

	if (pkt->verdict == STAGE_DROP)
		print_error("dropped: %s\n", tp_drop_text(pkt->reason)->name);
	assert_int_equal(pkt->verdict, STAGE_SEND);
	wrong = frame_read(pkt->data, pkt->len, &v);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	return v;
}

static inline void call_assert_addr(const struct tp_addr *a, const struct tp_addr *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

static inline void call_assert_drop(const struct stage_pkt *pkt, enum tp_drop reason)
{
	if (pkt->verdict != STAGE_DROP || pkt->reason != reason)
		fail_msg("verdict %u reason %s, not a drop with %s", pkt->verdict,
			pkt->verdict == STAGE_DROP ? tp_drop_text(pkt->reason)->name : "-",
			tp_drop_text(reason)->name);
}

// A Send indication as Firefox forms it when `fingerprint`.
static inline void call_send_indication(struct message *m, const struct tp_addr *peer,
	const void *data, uint16_t len, bool fingerprint)
{
	message_begin(m, TP_TURN_SEND_INDICATION, call_txid);
	message_address(m, TP_ATTR_XOR_PEER_ADDRESS, peer);
	message_attribute(m, TP_ATTR_DATA, data, len);
	if (fingerprint)
		message_fingerprint(m);
}
