// SPDX-License-Identifier: BSD-3-Clause
// A sender that floods the control process with requests takes its own share and no other's. The
// rings are emptied where a test says so, and nowhere else.
#include "call.h"

#include <turnpike/nonce.h>

#define REFRESH	   0x0004u
#define LIVE_BURST (TP_RING_SLOTS / 2)
#define FLOOD	   5000u

// A request of `from`: with integrity, right or wrong, or without; with a nonce for it or without.
static struct stage_pkt request(
	struct call *c, const struct tp_addr *from, uint16_t type, bool is_signed, bool has_nonce)
{
	static const uint8_t mac[20];
	char nonce[32] = "0123456789abcdef01234567";
	struct message m;
	struct frame f;

	message_begin(&m, type, call_txid);
	if (has_nonce) {
		tp_nonce_tag(c->r->path.punt_key, from, nonce + 24);
		message_attribute(&m, TP_ATTR_NONCE, nonce, sizeof(nonce));
	}
	if (is_signed)
		message_attribute(&m, TP_ATTR_MESSAGE_INTEGRITY, mac, sizeof(mac));
	return call_send_bytes(c, &f, from, &c->listener, m.data, m.len);
}

// How many of `n` requests got through to the ring, the others dropped as `client_rate`.
static unsigned passed(
	struct call *c, const struct tp_addr *from, bool is_signed, bool has_nonce, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		struct stage_pkt pkt = request(c, from, REFRESH, is_signed, has_nonce);

		if (pkt.verdict == STAGE_PUNT)
			count++;
		else
			call_assert_drop(&pkt, TP_DROP_client_rate);
	}
	return count;
}

static void rings_empty(struct call *c)
{
	for (unsigned i = 0; i < TP_PUNT_CLASSES; i++)
		while (relay_punted(c->r, i) != NULL)
			;
}

static struct tp_addr port_of(struct tp_addr a, unsigned port)
{
	a.port_be = tp_htons((uint16_t)port);
	return a;
}

// The flood of one live 5-tuple leaves room for the Refresh of another in the same ring, also
// behind the same address.
static void live_flood_leaves_room(void **state)
{
	struct tp_addr other;
	struct stage_pkt pkt;
	struct call c;

	(void)state;
	for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
		call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
		other = port_of(c.client, 50002);
		relay_allocation(c.r, &other, RELAY_LISTENER4, call_relayed(TP_FAMILY_IPV4, 50001),
			(struct tp_entry_relay){0});
		assert_int_equal(passed(&c, &c.client, is_signed, false, FLOOD),
			is_signed ? LIVE_BURST : LIVE_BURST / 8);
		pkt = request(&c, &other, REFRESH, true, false);
		assert_int_equal(pkt.verdict, STAGE_PUNT);
		assert_int_equal(c.r->stats->drops[TP_DROP_punt_full], 0);
		call_end(&c);
	}
}

// Live 5-tuples of one address, each within its share: from `port` on.
static void live_make(struct call *c, struct tp_addr from[], unsigned n, unsigned port)
{
	for (unsigned i = 0; i < n; i++) {
		from[i] = port_of(c->client, port + i);
		relay_allocation(c->r, &from[i], RELAY_LISTENER4,
			call_relayed(TP_FAMILY_IPV4, 51000 + port + i), (struct tp_entry_relay){0});
	}
}

// Fault: two 5-tuples of one user filled the ring, and every other client's requests were lost,
// which one by TCP sends once only.
static void live_flood_of_ports(void **state)
{
	struct tp_addr loud[8], other, neighbour;
	unsigned n = 0;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 200;
	relay_locals_change(c.r);
	live_make(&c, loud, 8, 1000);
	live_make(&c, &neighbour, 1, 2000);
	other = relay_addr4("10.77.1.99", 1000);
	relay_allocation(c.r, &other, RELAY_LISTENER4, call_relayed(TP_FAMILY_IPV4, 52999),
		(struct tp_entry_relay){0});
	for (unsigned i = 0; i < 8; i++)
		n += passed(&c, &loud[i], true, false, FLOOD);
	assert_in_range(n, TP_RING_SLOTS / 2, TP_RING_SLOTS / 2 + 8 * 4);
	// The neighbour behind the same address, and one behind another.
	assert_int_equal(passed(&c, &neighbour, true, false, 4), 4);
	assert_int_equal(passed(&c, &other, true, false, 100), 100);
	assert_int_equal(c.r->stats->drops[TP_DROP_punt_full], 0);
	// The share comes back, as far as the address has one.
	rings_empty(&c);
	c.r->now_ns += TP_NS_PER_S / 20;
	n = 0;
	for (unsigned i = 0; i < 8; i++)
		n += passed(&c, &loud[i], true, false, FLOOD);
	assert_in_range(n, 150, 170);
	call_end(&c);
}

// Fault: 5-tuples that sent evenly, each just within its share, were as good as one that asks once
// in a while, and together they took all that their address has.
static void live_flood_within_shares(void **state)
{
	struct tp_addr loud[20], neighbour;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 200;
	relay_locals_change(c.r);
	live_make(&c, loud, 20, 1000);
	live_make(&c, &neighbour, 1, 2000);
	for (unsigned ms = 0; ms < 1000; ms += 2) {
		for (unsigned i = 0; i < 20; i++)
			passed(&c, &loud[i], true, false, 1);
		if (ms % 200 == 100)
			assert_int_equal(passed(&c, &neighbour, true, false, 1), 1);
		rings_empty(&c);
		c.r->now_ns += 2 * TP_NS_PER_MS;
	}
	assert_true(c.r->stats->drops[TP_DROP_client_rate] > 0);
	call_end(&c);
}

static void share_comes_back(void **state)
{
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	// The clock of the buckets wraps in between.
	c.r->now_ns = ((1ull << 32) - 300000) * TP_NS_PER_US;
	c.r->entries[c.allocation].expires_s = UINT32_MAX;
	assert_int_equal(passed(&c, &c.client, true, false, FLOOD), LIVE_BURST);
	for (unsigned i = 0; i < 10; i++) {
		rings_empty(&c);
		c.r->now_ns += TP_NS_PER_S / 10;
		assert_int_equal(passed(&c, &c.client, true, false, FLOOD), 50);
	}
	// Idle for any time: full, and no fuller.
	for (unsigned hours = 1; hours < 200; hours += 7) {
		rings_empty(&c);
		c.r->now_ns += hours * 3600 * TP_NS_PER_S;
		assert_int_equal(passed(&c, &c.client, true, false, FLOOD), LIVE_BURST);
	}
	call_end(&c);
}

// A client with our nonce and no allocation; its neighbour behind the same address.
static void nonce_flood_leaves_the_neighbour(void **state)
{
	struct tp_addr loud, neighbour;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 200;
	relay_locals_change(c.r);
	loud = port_of(c.client, 4001);
	neighbour = port_of(c.client, 4002);
	assert_int_equal(passed(&c, &loud, true, true, FLOOD), 32);
	assert_int_equal(passed(&c, &neighbour, true, true, 4), 4);
	rings_empty(&c);
	c.r->now_ns += TP_NS_PER_S / 2;
	assert_int_equal(passed(&c, &loud, true, true, FLOOD), 25);
	assert_int_equal(passed(&c, &loud, false, true, FLOOD), 0);
	call_end(&c);
}

// All ports of an address have a share of their own, which leaves room for another address.
static void nonce_flood_of_ports(void **state)
{
	struct tp_addr other;
	unsigned n = 0;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 200;
	relay_locals_change(c.r);
	for (unsigned port = 1000; port < 3000; port++) {
		struct tp_addr from = port_of(c.client, port);

		n += passed(&c, &from, true, true, 1);
	}
	assert_int_equal(n, TP_RING_SLOTS / 2);
	other = relay_addr4("10.77.1.99", 1000);
	assert_int_equal(passed(&c, &other, true, true, 1), 1);
	assert_int_equal(c.r->stats->drops[TP_DROP_punt_full], 0);
	call_end(&c);
}

// Ports that send without a pause leave half of their address's share to a new one.
static void nonce_flood_leaves_newcomers(void **state)
{
	struct tp_addr newcomer;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 200;
	relay_locals_change(c.r);
	for (unsigned ms = 0; ms < 1000; ms += 10) {
		for (unsigned port = 1000; port < 1064; port++) {
			struct tp_addr from = port_of(c.client, port);

			passed(&c, &from, true, true, 8);
		}
		// After the first moment, in which all were new.
		if (ms >= 200) {
			newcomer = port_of(c.client, 2000 + ms);
			assert_int_equal(passed(&c, &newcomer, true, true, 4), 4);
		}
		rings_empty(&c);
		c.r->now_ns += 10 * TP_NS_PER_MS;
	}
	call_end(&c);
}

// Of 2,000 addresses that differ in the two octets at `varied` so many pass; `other` still does.
static void flood_of_a_prefix(size_t varied, unsigned pass, struct tp_addr other)
{
	struct tp_addr from = relay_addr6("2001:db8:1:1::1", 5000);
	unsigned n = 0;
	struct call c;

	call_start(&c, TP_FAMILY_IPV6, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 200;
	relay_locals_change(c.r);
	for (unsigned i = 0; i < 2000; i++) {
		tp_store_be16(from.ip + varied, (uint16_t)i);
		n += passed(&c, &from, true, true, 1);
	}
	assert_int_equal(n, pass);
	assert_int_equal(passed(&c, &other, true, true, 1), 1);
	call_end(&c);
}

// So have all addresses of an IPv6 subnet: it is one holder's.
static void nonce_flood_of_a_subnet(void **state)
{
	(void)state;
	flood_of_a_prefix(14, TP_RING_SLOTS / 2, relay_addr6("2001:db8:1:2::1", 5000));
}

// So have all subnets of a site.
static void nonce_flood_of_a_site(void **state)
{
	(void)state;
	flood_of_a_prefix(6, TP_RING_SLOTS / 4 * 3, relay_addr6("2001:db8:2:1::1", 5000));
}

// Many clients within their share do not make one above it forgotten.
static void flood_is_remembered(void **state)
{
	struct tp_addr from;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	assert_int_equal(passed(&c, &c.client, true, false, FLOOD), LIVE_BURST);
	for (unsigned i = 0; i < 60000; i++) {
		from = tp_addr_ipv4(0x14000000u + i * 97, 5000);
		passed(&c, &from, true, true, 1);
		rings_empty(&c);
	}
	assert_int_equal(passed(&c, &c.client, true, false, 10), 0);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_flood_leaves_room),
		cmocka_unit_test(live_flood_of_ports),
		cmocka_unit_test(live_flood_within_shares),
		cmocka_unit_test(share_comes_back),
		cmocka_unit_test(nonce_flood_leaves_the_neighbour),
		cmocka_unit_test(nonce_flood_of_ports),
		cmocka_unit_test(nonce_flood_leaves_newcomers),
		cmocka_unit_test(nonce_flood_of_a_subnet),
		cmocka_unit_test(nonce_flood_of_a_site),
		cmocka_unit_test(flood_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
