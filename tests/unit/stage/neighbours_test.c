// SPDX-License-Identifier: BSD-3-Clause
// Bursts whose packets are nearly alike: facts remembered of one must not be applied to the next.
#include "alike.h"

enum kind { CHANNEL_DATA, DATAGRAM, SEND, KINDS };

static struct frame_spec spec_of(const struct call *c, enum kind kind, struct message *m)
{
	static const uint8_t payload[40] = {0x80, 0x6f, 3, 4, 5};

	m->len = 0;
	if (kind == CHANNEL_DATA) {
		message_channel(m, CALL_NUMBER, payload, sizeof(payload), 0);
	} else if (kind == SEND) {
		message_begin(m, TP_TURN_SEND_INDICATION, call_txid);
		message_address(m, TP_ATTR_XOR_PEER_ADDRESS, &c->peer);
		message_attribute(m, TP_ATTR_DATA, payload, sizeof(payload));
	} else {
		return (struct frame_spec){.src = c->peer,
			.dst = c->relayed,
			.payload = payload,
			.len = sizeof(payload)};
	}
	return (struct frame_spec){
		.src = c->client, .dst = c->listener, .payload = m->data, .len = m->len};
}

// Flips each bit of the headers and of the start of the message.
static void each_bit_matters(struct call *c)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct message m;
		struct frame_spec spec = spec_of(c, kind, &m);

		assert_bits_alike(c, &spec, 54 * 8);
	}
}

static void test_each_bit_matters(void **state)
{
	(void)state;
	call_each_family(each_bit_matters);
}

static void ports_differ(struct call *c)
{
	for (unsigned any = 0; any < 4; any++) {
		c->r->worker->ports[0].any_mac = (any & 1) != 0;
		c->r->worker->ports[1].any_mac = (any & 2) != 0;
		for (enum kind kind = 0; kind < KINDS; kind++) {
			static struct frame frames[BURST];
			struct message m;
			struct frame_spec spec = spec_of(c, kind, &m);

			frames_make(frames, &spec);
			for (uint8_t port = 0; port < 4; port++) {
				for (unsigned flip = 0; flip < 12; flip++) {
					struct change on = {port, -1, 0, 0};

					frame_data(&frames[1])[flip] ^= 2;
					assert_alike(c, frames, &on);
					frames[2] = frames[1];
					assert_alike(c, frames, &on);
					frames[1] = frames[0];
					assert_alike(c, frames, &on);
					frames[2] = frames[0];
				}
			}
		}
	}
}

static void test_ports_differ(void **state)
{
	(void)state;
	call_each_family(ports_differ);
}

static struct tp_addr somebody(uint8_t family, unsigned host, uint16_t port)
{
	static const char *const hosts4[] = {"10.77.0.1", "10.77.0.2", "10.77.0.9", "198.51.100.2",
		"127.0.0.1", "224.0.0.1", "240.0.0.1", "0.0.0.0", "10.77.1.2", "10.77.2.2",
		"10.77.2.9"};
	// NULL: an address of IPv4, mapped.
	static const char *const hosts6[] = {"fd77::1", "fd77::2", "fd77::9", "fd77:0:0:1::1",
		"::1", "ff02::1", NULL, "::", "fd77:1::2", "fd77:2::2", "fd77:2::9"};

	_Static_assert(TP_ARRAY_LEN(hosts4) == TP_ARRAY_LEN(hosts6), "the same number");
	host %= TP_ARRAY_LEN(hosts4);
	if (family == TP_FAMILY_IPV4)
		return relay_addr4(hosts4[host], port);
	if (hosts6[host] == NULL)
		return (struct tp_addr){.ip = {[10] = 0xff, 0xff, 10, 77, 1, 2},
			.port_be = tp_htons(port),
			.family = family};
	return relay_addr6(hosts6[host], port);
}

// The middle one is for, or from, somebody else.
static void addresses_differ(struct call *c)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct message m;
		struct frame_spec spec = spec_of(c, kind, &m);
		static const uint16_t ports[] = {
			0, 1, 3478, 49151, 49152, 49200, 50000, 50001, 60001, 65535};

		for (unsigned i = 0; i < 11 * TP_ARRAY_LEN(ports); i++) {
			struct tp_addr other = somebody(spec.src.family, i, ports[i / 11]);
			static struct frame frames[BURST];
			struct frame_spec with = spec;

			frames_make(frames, &spec);
			with.dst = other;
			frame_build(&frames[1], &with);
			assert_alike(c, frames, &nothing);
			frames[0] = frames[2] = frames[1];
			frame_build(&frames[1], &spec);
			assert_alike(c, frames, &nothing);
			frames_make(frames, &spec);
			with = spec;
			with.src = other;
			frame_build(&frames[1], &with);
			assert_alike(c, frames, &nothing);
		}
	}
}

static void test_addresses_differ(void **state)
{
	(void)state;
	call_each_family(addresses_differ);
}

// A relay address of its own, without a listener among its ports: packets there are never asked for
// one.
static void test_relay_alone(void **state)
{
	static struct frame frames[BURST];
	struct tp_entry_relay at = {.relay_id = RELAY_RELAY4_NAT, .port_be = tp_htons(50000)};
	struct frame_spec spec = {.payload = "media", .len = 5};
	struct call c;
	struct tp_addr client;
	uint32_t allocation;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	client = relay_addr4("10.77.1.3", 50001);
	allocation =
		relay_allocation(c.r, &client, RELAY_LISTENER4, at, (struct tp_entry_relay){0});
	relay_channel(c.r, allocation, 0, CALL_NUMBER, &c.peer);
	spec.src = c.peer;
	spec.dst = relay_addr4("10.77.0.2", 50000);
	frames_make(frames, &spec);
	assert_int_equal(assert_alike(&c, frames, &nothing), STAGE_SEND);
	for (uint32_t port = 0; port < 65536; port += port == 49199 || port == 50000 ? 1 : 199) {
		spec.dst.port_be = tp_htons((uint16_t)port);
		frame_build(&frames[1], &spec);
		assert_alike(&c, frames, &nothing);
	}
	call_end(&c);
}

// Changes to the entry of the packet in the middle: next hop, expiry, flags, header.
static const struct entry_change entry_changes[] = {
	{.next_hop = RELAY_HOP_SMALL},
	{.next_hop = RELAY_HOP_NONE},
	{.next_hop = RELAY_HOP_ASTRAY},
	{.next_hop = RELAY_NEXT_HOPS},
	{.next_hop = UINT32_MAX},
	{.expires_s = 1},
	{.other_expires_s = 1},
	{.expires_s = 1, .other_expires_s = 1},
	{.flags = TP_ENTRY_HAIRPIN},
	{.header_len = 3},
	{.first = 0x45},
	{.first = 0x60},
	{.first = 0x46},
};

static void entry_differs(struct call *c, const struct entry_change *change, enum kind kind)
{
	static struct frame frames[BURST];
	struct frame_spec spec;
	struct message m;
	uint32_t channel;

	spec = spec_of(c, kind, &m);
	frames_make(frames, &spec);
	c->peer = c->visitor;
	channel = relay_channel(c->r, c->allocation, 0, CALL_NUMBER + 1, &c->peer);
	entry_change(&c->r->entries[channel], change);
	entry_change(&c->r->entries[c->r->entries[channel].partner], change);
	spec = spec_of(c, kind, &m);
	if (kind == CHANNEL_DATA)
		tp_store_be16(m.data, CALL_NUMBER + 1);
	frame_build(&frames[1], &spec);
	assert_int_equal(assert_alike(c, frames, &nothing), STAGE_SEND);
	frames[0] = frames[2] = frames[1];
	assert_alike(c, frames, &nothing);
}

static void test_entries_differ(void **state)
{
	(void)state;
	for (unsigned change = 0; change < TP_ARRAY_LEN(entry_changes); change++) {
		for (unsigned i = 0; i < 4 * SEND; i++) {
			struct call c;

			call_start(&c, alike_families[i & 1], alike_families[i >> 1 & 1]);
			entry_differs(&c, &entry_changes[change], (enum kind)(i >> 2));
			call_end(&c);
		}
	}
}

// Gives the datagram in the middle this length in both headers.
static void frame_set_udp_len(struct frame *f, bool v4, uint16_t len)
{
	uint8_t *frame = frame_data(f);

	tp_store_be16(frame + (v4 ? 16 : 18), (uint16_t)((v4 ? 20 : 0) + len));
	tp_store_be16(frame + (v4 ? 38 : 58), len);
	if (v4)
		frame_fix_ip_csum(f);
}

static void room_and_lengths(struct call *c)
{
	for (unsigned i = 0; i < KINDS * 8; i++) {
		static struct frame frames[BURST];
		struct message m;
		struct frame_spec spec = spec_of(c, (enum kind)(i / 8), &m);

		spec.no_csum = (i & 1) != 0;
		spec.df = (i & 2) != 0;
		spec.ttl = i & 4 ? 1 : 0;
		frames_make(frames, &spec);
		for (int16_t headroom = 0; headroom < 26; headroom++) {
			struct change with = {0, headroom, (int16_t)(headroom % 6 * 3), 0};

			assert_alike(c, frames, &with);
		}
		for (int16_t shorter = 1; shorter < frames[1].len; shorter += 5) {
			struct change with = {0, -1, (int16_t)-shorter, 0};

			assert_alike(c, frames, &with);
		}
		for (uint16_t udp_len = 0; udp_len < 16; udp_len++) {
			frame_set_udp_len(&frames[1], spec.src.family == TP_FAMILY_IPV4, udp_len);
			assert_alike(c, frames, &nothing);
		}
		frames[1] = frames[0];
		assert_mtus_alike(c, frames, 60);
	}
}

static void test_room_and_lengths(void **state)
{
	(void)state;
	call_each_family(room_and_lengths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_bit_matters),
		cmocka_unit_test(test_ports_differ),
		cmocka_unit_test(test_addresses_differ),
		cmocka_unit_test(test_relay_alone),
		cmocka_unit_test(test_entries_differ),
		cmocka_unit_test(test_room_and_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
