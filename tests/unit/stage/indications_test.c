// SPDX-License-Identifier: BSD-3-Clause
// Indications on the fast path: packets it takes must come out as by the slow path, and all others
// must be left to it.
#include "alike.h"

#define LEN_MAX 23u

enum kind { SEND, PRINTED, DATA, KINDS }; // a Send, one with FINGERPRINT, a visitor's datagram

static const uint8_t payload[64] = {0x80, 0x6f, 3, 4, 5, 0xff, 0xfe, 9, 1, 1};

static struct frame_spec spec_of(
	const struct call *c, enum kind kind, struct message *m, uint16_t len)
{
	if (kind == DATA)
		return (struct frame_spec){
			.src = c->visitor, .dst = c->relayed, .payload = payload, .len = len};
	call_send_indication(m, &c->visitor, payload, len, kind == PRINTED);
	return (struct frame_spec){
		.src = c->client, .dst = c->listener, .payload = m->data, .len = m->len};
}

static void each_bit_matters(struct call *c)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		static struct frame whole;
		struct message m;
		struct frame_spec spec = spec_of(c, kind, &m, 5);

		frame_build(&whole, &spec);
		assert_bits_alike(c, &spec, whole.len * 8u);
	}
}

static void test_each_bit_matters(void **state)
{
	(void)state;
	call_each_family(each_bit_matters);
}

// Every length of data, with and without UDP checksum, DF, TTL and bytes behind the datagram.
static void lengths(struct call *c)
{
	for (unsigned i = 0; i < KINDS * LEN_MAX * 8; i++) {
		static struct frame frames[BURST];
		struct message m;
		struct frame_spec spec =
			spec_of(c, (enum kind)(i / 8 / LEN_MAX), &m, i / 8 % LEN_MAX);

		spec.no_csum = (i & 1) != 0;
		spec.df = (i & 2) != 0;
		spec.ttl = i & 4 ? 1 : 0;
		frames_make(frames, &spec);
		for (int16_t longer = -16; longer < 8; longer++) {
			struct change with = {0, -1, longer, 0};

			assert_alike(c, frames, &with);
		}
	}
}

static void test_lengths(void **state)
{
	(void)state;
	call_each_family(lengths);
}

static void room(struct call *c)
{
	for (unsigned i = 0; i < KINDS * 8; i++) {
		static struct frame frames[BURST];
		struct message m;
		struct frame_spec spec = spec_of(c, (enum kind)(i / 8), &m, 8 + i % 8);

		frames_make(frames, &spec);
		for (int16_t headroom = 0; headroom < (int16_t)ROOM; headroom++) {
			struct change with = {0, headroom, 0, 0};

			assert_alike(c, frames, &with);
		}
		for (uint8_t tailroom = 0; tailroom < 6; tailroom++) {
			struct change with = {0, -1, 0, (uint8_t)(ROOM - tailroom)};

			assert_alike(c, frames, &with);
		}
		assert_mtus_alike(c, frames, 30);
	}
}

static void test_room(void **state)
{
	(void)state;
	call_each_family(room);
}

// Damage stays damage, and by the same difference.
static void damaged(struct call *c)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		static struct frame frames[BURST];
		struct frame_random rng = {7};
		struct message m;
		struct frame_spec spec = spec_of(c, kind, &m, 20);

		for (unsigned i = 0; i < 500; i++) {
			frames_make(frames, &spec);
			for (unsigned f = 0; f < BURST; f++)
				frame_random_fill(&rng,
					frame_data(&frames[f]) +
						(spec.src.family == TP_FAMILY_IPV4 ? 40 : 60),
					2); // the UDP checksum
			assert_alike(c, frames, &nothing);
		}
	}
}

static void test_damaged(void **state)
{
	(void)state;
	call_each_family(damaged);
}

// Changes to the entries of the packet in the middle.
static const struct {
	bool allocation; // or the permission
	struct entry_change change;
} entry_changes[] = {
	{false, {.next_hop = RELAY_HOP_SMALL}},
	{false, {.next_hop = RELAY_HOP_NONE}},
	{false, {.next_hop = RELAY_HOP_ASTRAY}},
	{false, {.next_hop = RELAY_NEXT_HOPS}},
	{false, {.next_hop = UINT32_MAX}},
	{false, {.expires_s = 1}},
	{false, {.header_len = 3}},
	{false, {.first = 0x45}},
	{false, {.first = 0x60}},
	{false, {.first = 0x46}},
	{false, {.relay_id = RELAY_RELAY4_NAT}},
	{false, {.port = 9}},
	{true, {.next_hop = RELAY_HOP_SMALL}},
	{true, {.next_hop = RELAY_HOP_NONE}},
	{true, {.next_hop = RELAY_HOP_ASTRAY}},
	{true, {.next_hop = UINT32_MAX}},
	{true, {.expires_s = 1}},
	{true, {.other_expires_s = 1}},
	{true, {.expires_s = 1, .other_expires_s = 1}},
	{true, {.header_len = 3}},
	{true, {.first = 0x45}},
	{true, {.first = 0x60}},
	{true, {.relay_id = RELAY_RELAY4_NAT}},
	{true, {.port = 9}},
	{true, {.kind = TP_KIND_PERMISSION}},
	{false, {.flags = TP_ENTRY_HAIRPIN}},
};

static void entries_differ(uint8_t near, uint8_t far)
{
	for (unsigned change = 0; change < TP_ARRAY_LEN(entry_changes); change++) {
		for (enum kind kind = 0; kind < KINDS; kind++) {
			static struct frame frames[BURST];
			struct frame_spec spec;
			struct message m;
			struct call c;
			uint32_t index;

			call_start(&c, near, far);
			spec = spec_of(&c, kind, &m, 21);
			frames_make(frames, &spec);
			index = entry_changes[change].allocation ? c.allocation
								 : c.visitor_permission;
			entry_change(&c.r->entries[index], &entry_changes[change].change);
			assert_alike(&c, frames, &nothing);
			frame_data(&frames[1])[20] ^= 0x40; // IPv4: DF
			if (spec.src.family == TP_FAMILY_IPV4)
				frame_fix_ip_csum(&frames[1]);
			assert_alike(&c, frames, &nothing);
			call_end(&c);
		}
	}
}

static void test_entries_differ(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		entries_differ(alike_families[i / 2], alike_families[i % 2]);
}

// Nobody's client, peer without a permission, relay of the other family, a port that is not
// relayed; the same from a client with a relayed transport address in either slot.
static void strangers(struct call *c)
{
	static struct frame frames[BURST];
	bool far4 = c->visitor.family == TP_FAMILY_IPV4;
	struct frame_spec spec;
	struct message m;

	for (unsigned i = 0; i < 7; i++) {
		struct call other = *c;

		if (i == 0)
			other.visitor = far4 ? relay_addr6("fd77:2::9", 60009)
					     : relay_addr4("10.77.2.9", 60009);
		else if (i < 3)
			other.visitor.port_be = tp_htons(i == 1 ? 0 : 77);
		if (i == 2)
			other.visitor.ip[3] ^= 0x40;
		if (i == 6) // an address of IPv4, mapped
			other.visitor = (struct tp_addr){.ip = {[10] = 0xff, 0xff, 10, 77, 2, 9},
				.port_be = c->visitor.port_be,
				.family = TP_FAMILY_IPV6};
		for (enum kind kind = 0; kind < KINDS; kind++) {
			if ((i == 0 || i == 6) && kind == DATA)
				continue;
			spec = spec_of(c, kind, &m, 9);
			frames_make(frames, &spec);
			spec = spec_of(&other, kind, &m, 9);
			if (i == 3)
				spec.src.port_be ^= 1;
			if (i == 4)
				spec.dst.port_be ^= 1;
			if (i == 5)
				spec.src.ip[3] ^= 1;
			frame_build(&frames[1], &spec);
			assert_int_equal(assert_alike(c, frames, &nothing), STAGE_SEND);
		}
	}
}

static void test_strangers(void **state)
{
	(void)state;
	call_each_family(strangers);
}

static void second_slot(struct call *c)
{
	const uint8_t family = c->visitor.family;
	const bool near4 = c->client.family == TP_FAMILY_IPV4;
	static struct frame frames[BURST];

	for (unsigned slot = 0; slot < 2; slot++) {
		struct tp_entry_relay at[2] = {{0}, {0}};
		uint16_t port = (uint16_t)(50100 + slot);
		struct tp_addr client =
			near4 ? relay_addr4("10.77.1.3", port) : relay_addr6("fd77:1::3", port);
		uint32_t allocation;

		at[slot] = call_relayed(family, port);
		at[1 - slot] = call_relayed(
			family == TP_FAMILY_IPV4 ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4, port);
		allocation = relay_allocation(
			c->r, &client, near4 ? RELAY_LISTENER4 : RELAY_LISTENER6, at[0], at[1]);
		relay_permission(c->r, allocation, slot, &c->visitor);
		for (enum kind kind = 0; kind < KINDS; kind++) {
			struct call other = *c;
			struct frame_spec spec;
			struct message m;

			other.client = client;
			other.relayed = relay_relayed(c->r, allocation, slot);
			spec = spec_of(&other, kind, &m, 9);
			frames_make(frames, &spec);
			c->r->entries[allocation].expires_s = UINT32_MAX;
			assert_int_equal(assert_alike(c, frames, &nothing), STAGE_SEND);
			c->r->entries[allocation].expires_s = 1; // of the first slot alone
			assert_int_equal(assert_alike(c, frames, &nothing),
				slot == 1 ? STAGE_SEND : STAGE_DROP);
		}
	}
}

static void test_second_slot(void **state)
{
	(void)state;
	call_each_family(second_slot);
}

// Messages that say the same in another way, or too much, or too little.
static void message_vary(struct message *m, const struct call *c, unsigned how)
{
	static const uint8_t value[32] = {1, 2, 3};
	struct tp_addr peer6 = relay_addr6("fd77:2::9", 60009);

	message_begin(m, TP_TURN_SEND_INDICATION, call_txid);
	if (how == 1)
		message_attribute(m, 0x8022, value, 5); // SOFTWARE
	if (how == 2)
		message_attribute(m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	if (how == 3)
		message_attribute(m, TP_ATTR_DATA, payload, 7);
	if (how == 4)
		message_attribute(m, 0x7fff, value, 4);
	if (how == 5)
		message_address(m, TP_ATTR_XOR_PEER_ADDRESS, &c->peer);
	if (how == 6)
		message_address(m, TP_ATTR_XOR_PEER_ADDRESS, &peer6);
	if (how != 7)
		message_address(m, TP_ATTR_XOR_PEER_ADDRESS, &c->visitor);
	if (how == 8)
		message_attribute(m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	if (how == 9)
		message_attribute(m, TP_ATTR_XOR_PEER_ADDRESS, value, 4);
	if (how != 10)
		message_attribute(m, TP_ATTR_DATA, payload, 9);
	if (how == 11)
		message_attribute(m, TP_ATTR_DATA, payload, 4);
	if (how == 12)
		message_attribute(m, TP_ATTR_DATA, payload, 0);
	if (how == 13)
		message_attribute(m, 0x8022, value, 4);
	if (how == 14)
		message_attribute(m, TP_ATTR_DONT_FRAGMENT, NULL, 0);
	if (how == 15)
		message_attribute(m, TP_ATTR_MESSAGE_INTEGRITY, value, 20);
	if (how == 16)
		message_address(m, TP_ATTR_XOR_PEER_ADDRESS, &c->peer);
	if (how == 17)
		message_attribute(m, TP_ATTR_FINGERPRINT, value, 4); // wrong
	if (how == 18)
		message_attribute(m, TP_ATTR_FINGERPRINT, value, 3);
	if (how == 19)
		message_attribute(m, 0x7fff, value, 4);
	if (how == 20) // padding that is not zero
		memset(m->data + m->len - 3, 0xa7, 3);
	if (how == 21) // a length one too many, and those that follow
		m->data[3]++;
	if (how >= 22 && how < 32)
		tp_store_be16(m->data + (c->visitor.family == TP_FAMILY_IPV4 ? 34 : 46),
			(uint16_t)(how - 16));
	if (how == 32)
		message_fingerprint(m);
	if (how == 33)
		m->len = 20 + 12;
}

static void vary(struct call *c)
{
	static struct frame frames[BURST];
	struct frame_spec spec;
	struct message m;

	for (unsigned how = 0; how < 34; how++) {
		for (unsigned again = 0; again < 2; again++) {
			message_vary(&m, c, 0);
			spec = (struct frame_spec){.src = c->client,
				.dst = c->listener,
				.payload = m.data,
				.len = m.len,
				.df = again == 1};
			frames_make(frames, &spec);
			message_vary(&m, c, how);
			if (again == 1 && m.len >= 20)
				tp_store_be16(m.data + 2, (uint16_t)(m.len - 20));
			spec.len = m.len;
			frame_build(&frames[1], &spec);
			assert_int_equal(assert_alike(c, frames, &nothing), STAGE_SEND);
		}
	}
}

static void test_forms(void **state)
{
	(void)state;
	call_each_family(vary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bit_matters),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_entries_differ),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_second_slot),
		cmocka_unit_test(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
