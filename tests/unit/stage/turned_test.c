// SPDX-License-Identifier: BSD-3-Clause
// Hairpins on the fast path: those it takes must come out as by the slow path, and all others must
// be left to it.
#include "alike.h"

#define NUMBER_TURNED (CALL_NUMBER + 1)
#define LEN_MAX	      5u

// The call's client sends to another client of this relay.
enum sending { CHANNEL_DATA, SEND, SENDINGS };

struct turned {
	struct call call;
	struct tp_addr there; // the other client's relayed transport address, as seen from outside
	uint32_t allocation;  // of the other client
	uint32_t channel;     // to it
	uint32_t permission;  // for it
	uint32_t received_by; // its PEER or PERMISSION
	enum sending sending;
};

// Families: between the client and the relay, of the relayed transport addresses, between the relay
// and the other client. `channel`: whether that has one.
struct families {
	uint8_t near, far, beyond;
	bool channel;
};

static void turned_start(struct turned *t, const struct families *f, enum sending sending)
{
	bool beyond4 = f->beyond == TP_FAMILY_IPV4;
	struct tp_addr other =
		beyond4 ? relay_addr4("10.77.1.9", 50009) : relay_addr6("fd77:1::9", 50009);
	struct tp_entry_relay at = call_relayed(f->far, 50005);
	struct tp_addr back;
	struct relay *r;

	call_start(&t->call, f->near, f->far);
	r = t->call.r;
	t->sending = sending;
	t->allocation = relay_allocation(r, &other, beyond4 ? RELAY_LISTENER4 : RELAY_LISTENER6, at,
		(struct tp_entry_relay){0});
	t->there = r->locals[at.relay_id].external;
	back = t->there;
	t->there.port_be = at.port_be;
	back.port_be = t->call.relayed.port_be;
	t->channel = relay_channel(r, t->call.allocation, 0, NUMBER_TURNED, &t->there);
	t->permission = relay_permission(r, t->call.allocation, 0, &t->there);
	t->received_by = f->channel ? relay_channel(r, t->allocation, 0, CALL_NUMBER, &back)
				    : relay_permission(r, t->allocation, 0, &back);
	if (f->channel)
		t->received_by = r->entries[t->received_by].partner;
}

static void turned_end(struct turned *t)
{
	call_end(&t->call);
}

// A packet to the other client, or to the peer outside.
static struct frame_spec spec_of(
	const struct turned *t, struct message *m, uint16_t len, bool outside)
{
	static const uint8_t payload[64] = {0x80, 0x6f, 3, 4, 5, 0xff, 0xfe, 9, 1, 1};

	if (t->sending == CHANNEL_DATA)
		message_channel(m, outside ? CALL_NUMBER : NUMBER_TURNED, payload, len, 0);
	else
		call_send_indication(
			m, outside ? &t->call.visitor : &t->there, payload, len, len % 2 == 0);
	return (struct frame_spec){
		.src = t->call.client, .dst = t->call.listener, .payload = m->data, .len = m->len};
}

// Runs `f` for all families and both kinds of packets.
static void each_turned(void (*f)(struct turned *t))
{
	struct turned t;

	for (unsigned i = 0; i < 16 * SENDINGS; i++) {
		const struct families families = {alike_families[i & 1], alike_families[i >> 1 & 1],
			alike_families[i >> 2 & 1], (i >> 3 & 1) != 0};

		turned_start(&t, &families, (enum sending)(i >> 4));
		f(&t);
		turned_end(&t);
	}
}

static void bits(struct turned *t)
{
	static struct frame whole;
	struct message m;
	struct frame_spec spec = spec_of(t, &m, 5, false);

	frame_build(&whole, &spec);
	assert_bits_alike(&t->call, &spec, whole.len * 8u);
}

static void test_each_bit_matters(void **state)
{
	(void)state;
	each_turned(bits);
}

// The packet before, the packet itself or the one behind it goes outside.
static void mixture(struct turned *t)
{
	static struct frame frames[BURST];
	struct frame_spec spec;
	struct message m;

	for (unsigned outside = 0; outside < 1u << BURST; outside++) {
		for (unsigned i = 0; i < BURST; i++) {
			spec = spec_of(t, &m, (uint16_t)(7 + i), (outside >> i & 1) != 0);
			frame_build(&frames[i], &spec);
		}
		assert_int_equal(assert_alike(&t->call, frames, &nothing), STAGE_SEND);
	}
}

static void test_beside_packets_that_leave(void **state)
{
	(void)state;
	each_turned(mixture);
}

static void room_and_lengths(struct turned *t)
{
	for (unsigned i = 0; i < LEN_MAX * 8; i++) {
		static struct frame frames[BURST];
		struct message m;
		struct frame_spec spec = spec_of(t, &m, (uint16_t)(i / 8), false);

		spec.no_csum = (i & 1) != 0;
		spec.df = (i & 2) != 0;
		spec.ttl = i & 4 ? 1 : 0;
		frames_make(frames, &spec);
		for (int16_t longer = -6; longer < 6; longer++) {
			struct change with = {0, -1, longer, 0};

			assert_alike(&t->call, frames, &with);
		}
		for (int16_t headroom = 0; headroom < (int16_t)ROOM; headroom += 4) {
			struct change with = {0, headroom, 0, (uint8_t)(ROOM - headroom % 8)};

			assert_alike(&t->call, frames, &with);
		}
		if (i % 8 == 0)
			assert_mtus_alike(&t->call, frames, 60);
	}
}

static void test_room_and_lengths(void **state)
{
	(void)state;
	each_turned(room_and_lengths);
}

// Changes of the entry that a packet is sent by, and of the one that it is received by.
static const struct entry_change entry_changes[] = {
	{.next_hop = RELAY_HOP_SMALL},
	{.next_hop = RELAY_HOP_NONE},
	{.next_hop = RELAY_HOP_ASTRAY},
	{.next_hop = UINT32_MAX},
	{.expires_s = 1},
	{.other_expires_s = 1},
	{.expires_s = 1, .other_expires_s = 1},
	{.flags = TP_ENTRY_HAIRPIN},
	{.flags = 0x80},
	{.header_len = 3},
	{.header_len = 28},
	{.header_len = 48},
	{.header_len = 52},
	{.first = 0x45},
	{.first = 0x60},
	{.first = 0x46},
	{.relay_id = RELAY_RELAY4_NAT},
	{.relay_id = RELAY_RELAY6},
	{.relay_id = RELAY_LISTENER4},
	{.port = 9},
	{.kind = TP_KIND_PERMISSION},
};

static void entries_differ(struct turned *t)
{
	struct tp_entry *entries = t->call.r->entries;
	static struct frame frames[BURST];
	struct message m;
	struct frame_spec spec = spec_of(t, &m, 21, false);

	frames_make(frames, &spec);
	for (unsigned change = 0; change < TP_ARRAY_LEN(entry_changes); change++) {
		const uint32_t indexes[] = {t->sending == SEND ? t->permission : t->channel,
			t->received_by, t->allocation, t->call.allocation};

		for (unsigned i = 0; i < TP_ARRAY_LEN(indexes); i++) {
			struct tp_entry before = entries[indexes[i]];

			entry_change(&entries[indexes[i]], &entry_changes[change]);
			assert_alike(&t->call, frames, &nothing);
			entries[indexes[i]] = before;
		}
	}
}

static void test_entries_differ(void **state)
{
	(void)state;
	each_turned(entries_differ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bit_matters),
		cmocka_unit_test(test_beside_packets_that_leave),
		cmocka_unit_test(test_room_and_lengths),
		cmocka_unit_test(test_entries_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
