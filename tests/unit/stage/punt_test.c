// SPDX-License-Identifier: BSD-3-Clause
// Packets that go to the control process, their ring, and those that the worker answers itself.
#include "call.h"

#include <turnpike/nonce.h>

#define ALLOCATE     0x0003u
#define REFRESH	     0x0004u
#define ATTR_REALM   0x0014u
#define ATTR_UNKNOWN 0x7777u

static struct tp_addr stranger_at(unsigned host)
{
	return tp_addr_ipv4(0x0a4d0100u + host, 5000);
}

// A request with a nonce that ends with `tag` (or, for NULL, without a nonce).
static void request(struct message *m, uint16_t type, const char *tag)
{
	char nonce[40] = "0123456789abcdef0123456789abcdef";

	message_begin(m, type, call_txid);
	if (tag == NULL)
		return;
	message_attribute(m, ATTR_REALM, "lab.turnpike", 12);
	memcpy(nonce + 24, tag, TP_NONCE_TAG_LEN);
	message_attribute(m, TP_ATTR_NONCE, nonce, 32);
}

static void assert_punted(struct call *c, const struct stage_pkt *pkt, unsigned ring,
	const struct tp_addr *from, const struct message *m)
{
	const struct tp_ring_slot *slot;

	if (pkt->verdict == STAGE_DROP)
		print_error("dropped: %s\n", tp_drop_text(pkt->reason)->name);
	assert_int_equal(pkt->verdict, STAGE_PUNT);
	for (unsigned i = 0; i < TP_PUNT_CLASSES; i++) {
		if (i != ring)
			assert_null(relay_punted(c->r, i));
	}
	slot = relay_punted(c->r, ring);
	assert_non_null(slot);
	assert_int_equal(slot->len, m->len);
	assert_memory_equal(slot->data, m->data, m->len);
	assert_int_equal(
		slot->local_id, from->family == TP_FAMILY_IPV4 ? RELAY_LISTENER4 : RELAY_LISTENER6);
	assert_int_equal(slot->time_ns, c->r->now_ns);
	call_assert_addr(&slot->remote, from);
	assert_true(c->r->worker->kick);
	c->r->worker->kick = false;
}

static void check_classes(struct call *c)
{
	struct tp_addr stranger = c->client, impostor = c->client;
	char tag[TP_NONCE_TAG_LEN];
	struct stage_pkt pkt;
	struct message m;
	struct frame f;

	stranger.port_be = tp_htons(4000);
	impostor.port_be = tp_htons(4001);
	tp_nonce_tag(c->r->path.punt_key, &stranger, tag);

	request(&m, REFRESH, NULL);
	pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
	assert_punted(c, &pkt, TP_PUNT_LIVE, &c->client, &m);
	request(&m, ALLOCATE, tag);
	pkt = call_send_bytes(c, &f, &stranger, &c->listener, m.data, m.len);
	assert_punted(c, &pkt, TP_PUNT_NONCE, &stranger, &m);
	pkt = call_send_bytes(c, &f, &impostor, &c->listener, m.data, m.len);
	assert_punted(c, &pkt, TP_PUNT_FIRST, &impostor, &m);
	request(&m, ALLOCATE, NULL);
	pkt = call_send_bytes(c, &f, &stranger, &c->listener, m.data, m.len);
	assert_punted(c, &pkt, TP_PUNT_FIRST, &stranger, &m);
	// A nonce shorter than the tag is none of ours.
	message_begin(&m, ALLOCATE, call_txid);
	message_attribute(&m, TP_ATTR_NONCE, tag + 1, TP_NONCE_TAG_LEN - 1);
	pkt = call_send_bytes(c, &f, &stranger, &c->listener, m.data, m.len);
	assert_punted(c, &pkt, TP_PUNT_FIRST, &stranger, &m);
	// A 5-tuple whose allocation is over is nobody's.
	c->r->entries[c->allocation].expires_s = RELAY_NOW_S;
	pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
	assert_punted(c, &pkt, TP_PUNT_FIRST, &c->client, &m);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_punt_live], 1);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_punt_nonce], 1);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_punt_first], 4);
}

static void test_classes(void **state)
{
	(void)state;
	call_each_family(check_classes);
}

static void test_longest_message(void **state)
{
	static uint8_t filler[2000];
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	message_begin(&m, ALLOCATE, call_txid);
	message_attribute(&m, 0x8022, filler, TP_RING_DATA_MAX - 24);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	assert_punted(&c, &pkt, TP_PUNT_LIVE, &c.client, &m);
	message_begin(&m, ALLOCATE, call_txid);
	message_attribute(&m, 0x8022, filler, TP_RING_DATA_MAX - 20);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_punt_long);
	call_end(&c);
}

// A full ring of first contacts delays no live call's requests.
static void test_full_ring(void **state)
{
	struct tp_addr stranger = stranger_at(77);
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	request(&m, ALLOCATE, NULL);
	for (unsigned i = 0; i < TP_RING_SLOTS; i++) {
		pkt = call_send_bytes(&c, &f, &stranger, &c.listener, m.data, m.len);
		assert_int_equal(pkt.verdict, STAGE_PUNT);
	}
	pkt = call_send_bytes(&c, &f, &stranger, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_punt_full);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	assert_non_null(relay_punted(c.r, TP_PUNT_LIVE));
	assert_non_null(relay_punted(c.r, TP_PUNT_FIRST));
	pkt = call_send_bytes(&c, &f, &stranger, &c.listener, m.data, m.len);
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	c.r->worker->punt[TP_PUNT_LIVE].slots = NULL; // no ring yet
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_punt_full);
	call_end(&c);
}

static unsigned passed(struct call *c, const struct tp_addr *from, unsigned n)
{
	struct stage_pkt pkt;
	unsigned count = 0;
	struct message m;
	struct frame f;

	for (unsigned i = 0; i < n; i++) {
		request(&m, ALLOCATE, NULL);
		pkt = call_send_bytes(c, &f, from, &c->listener, m.data, m.len);
		count += pkt.verdict == STAGE_PUNT;
		if (pkt.verdict != STAGE_PUNT)
			call_assert_drop(&pkt, TP_DROP_punt_rate);
		relay_punted(c->r, TP_PUNT_FIRST);
		relay_punted(c->r, TP_PUNT_LIVE);
	}
	return count;
}

static void test_rate_limit(void **state)
{
	struct tp_addr a, b;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 5;
	relay_locals_change(c.r);
	a = stranger_at(10);
	b = stranger_at(11);
	assert_int_equal(passed(&c, &a, 20), 5);
	a.port_be = tp_htons(6000); // ports are cheap
	assert_int_equal(passed(&c, &a, 20), 0);
	assert_int_equal(passed(&c, &b, 20), 5);	 // another /32 is another
	assert_int_equal(passed(&c, &c.client, 20), 20); // live calls are not limited
	c.r->now_ns += 11 * TP_NS_PER_S; // one that was refused before is let in earlier
	assert_int_equal(passed(&c, &a, 20), 5);
	assert_int_equal(c.r->stats->drops[TP_DROP_punt_rate], 15 + 20 + 15 + 15);
	call_end(&c);
}

static void test_rate_limit_by_ipv6_prefix(void **state)
{
	struct tp_addr a = relay_addr6("2001:db8:1:1::1", 5000);
	struct tp_addr same = relay_addr6("2001:db8:1:1:ffff::9", 5001);
	struct tp_addr other = relay_addr6("2001:db8:1:2::1", 5000);
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV6, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 5;
	relay_locals_change(c.r);
	assert_int_equal(passed(&c, &a, 20), 5);
	assert_int_equal(passed(&c, &same, 20), 0);
	assert_int_equal(passed(&c, &other, 20), 5);
	call_end(&c);
}

// A site's 65,536 subnets are one holder's, too, who has more than one of them.
static void test_rate_limit_by_ipv6_site(void **state)
{
	struct tp_addr a = relay_addr6("2001:db8:1:1::1", 5000);
	struct tp_addr other = relay_addr6("2001:db8:2:1::1", 5000);
	unsigned n = 0;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV6, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 5;
	relay_locals_change(c.r);
	for (unsigned i = 0; i < 100; i++) {
		tp_store_be16(a.ip + 6, (uint16_t)i);
		n += passed(&c, &a, 20);
	}
	assert_int_equal(n, 16 * 5);
	assert_int_equal(passed(&c, &other, 20), 5);
	call_end(&c);
}

// A flood of spoofed sources fills the limiter; a prefix above its limit stays above it, and one
// seen for the first time passes.
static void test_rate_limit_under_flood(void **state)
{
	struct tp_addr loud = stranger_at(20), quiet = stranger_at(21), spoofed;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	c.r->path.first_contact_rate = 100;
	relay_locals_change(c.r);
	assert_int_equal(passed(&c, &loud, 150), 100);
	for (unsigned i = 0; i < 40000; i++) {
		spoofed = tp_addr_ipv4(0x14000000u + i * 97, 5000);
		passed(&c, &spoofed, 1);
	}
	assert_int_equal(passed(&c, &loud, 10), 0);
	assert_int_equal(passed(&c, &quiet, 10), 10);
	call_end(&c);
}

static void check_binding(struct call *c)
{
	struct tp_addr mapped;
	struct stage_pkt pkt;
	struct frame_view v;
	const char *wrong;
	struct message m;
	struct frame f;

	for (unsigned shape = 0; shape < 4; shape++) {
		message_begin(&m, 0x0001, call_txid);
		if (shape & 1)
			message_attribute(&m, 0x8022, "a client", 8);
		if (shape & 2)
			message_fingerprint(&m);
		pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
		v = call_read(&pkt);
		assert_true(v.udp_csum_right);
		assert_int_not_equal(v.csum, 0);
		assert_memory_equal(v.mac_dst, frame_mac_other, 6);
		assert_memory_equal(v.mac_src, frame_mac_relay, 6);
		call_assert_addr(&v.src, &c->listener);
		call_assert_addr(&v.dst, &c->client);
		wrong = message_read_binding(v.payload, v.len, call_txid, shape & 2, &mapped);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		call_assert_addr(&mapped, &c->client);
	}
	assert_int_equal(c->r->stats->path_packets[TP_PATH_binding], 4);
	for (unsigned i = 0; i < TP_PUNT_CLASSES; i++)
		assert_null(relay_punted(c->r, i));
}

// Clauses: 8489 12-1, 12-4
static void test_binding_answered(void **state)
{
	(void)state;
	call_each_family(check_binding);
}

// A Binding request of RFC 3489, as Debian's stun-client sends it; `change` as on the wire.
static void classic_request(struct message *m, uint32_t change)
{
	uint8_t value[4];

	message_begin(m, 0x0001, call_txid);
	memcpy(m->data + 4, "\x01\x02\x03\x04", 4); // part of the transaction id
	tp_store_be32(value, change);
	message_attribute(m, 0x0003, value, sizeof(value));
}

static void check_classic(struct call *c)
{
	unsigned ip_len = tp_family_ip_len(c->client.family);
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	classic_request(&m, 0);
	pkt = call_send_bytes(c, &f, &c->client, &c->listener, m.data, m.len);
	v = call_read(&pkt);
	assert_true(v.udp_csum_right);
	call_assert_addr(&v.src, &c->listener);
	call_assert_addr(&v.dst, &c->client);
	assert_int_equal(v.len, 28 + ip_len);
	assert_int_equal(tp_load_be16(v.payload), 0x0101);
	assert_int_equal(tp_load_be16(v.payload + 2), 8 + ip_len);
	assert_memory_equal(v.payload + 4, m.data + 4, 16);
	assert_int_equal(tp_load_be16(v.payload + 20), 0x0001);
	assert_int_equal(tp_load_be16(v.payload + 22), 4 + ip_len);
	assert_int_equal(tp_load_be16(v.payload + 24), c->client.family);
	assert_memory_equal(v.payload + 26, &c->client.port_be, 2);
	assert_memory_equal(v.payload + 28, c->client.ip, ip_len);
	assert_int_equal(c->r->stats->path_packets[TP_PATH_binding], 1);
}

// Clauses: 8489 12-6
static void test_classic_answered(void **state)
{
	(void)state;
	call_each_family(check_classic);
}

// Clauses: 8489 12-6
static void test_classic_refused(void **state)
{
	static const uint16_t types[] = {0x0002, 0x0006, 0x0008, ATTR_UNKNOWN};
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	// An answer from or to another address.
	for (uint32_t change = 2; change <= 6; change += 2) {
		classic_request(&m, change);
		pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
		call_assert_drop(&pkt, TP_DROP_classic_stun);
	}
	for (unsigned i = 0; i < TP_ARRAY_LEN(types); i++) {
		classic_request(&m, 0);
		message_attribute(&m, types[i], "\0\1\2\3\4\5\6\7", 8);
		pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
		call_assert_drop(&pkt, TP_DROP_classic_stun);
	}
	// Not a Binding request; an attribute over the end.
	classic_request(&m, 0);
	m.data[1] = 2;
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_bad_stun);
	classic_request(&m, 0);
	m.data[23] = 8;
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_classic_stun);
	c.r->path.secure_stun = 1;
	relay_locals_change(c.r);
	classic_request(&m, 0);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_classic_stun);
	call_end(&c);
}

static void test_classic_limited(void **state)
{
	struct tp_addr neighbour;
	struct stage_pkt pkt;
	unsigned sent = 0;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	neighbour = c.client;
	neighbour.port_be = tp_htons(4000);
	classic_request(&m, 0);
	for (unsigned i = 0; i < 100; i++) {
		pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
		sent += pkt.verdict == STAGE_SEND;
		if (pkt.verdict != STAGE_SEND)
			call_assert_drop(&pkt, TP_DROP_client_rate);
	}
	assert_int_equal(sent, 32);
	pkt = call_send_bytes(&c, &f, &neighbour, &c.listener, m.data, m.len);
	assert_int_equal(pkt.verdict, STAGE_SEND);
	call_end(&c);
}

// RFC 5780's CHANGE-REQUEST, RESPONSE-PORT and PADDING, credentials, anything required: not for the
// worker. Nor is any Binding when the operator wants credentials for it.
static void test_binding_left_to_control(void **state)
{
	static const uint16_t types[] = {
		0x0003, 0x0027, 0x0026, 0x0006, 0x0008, 0x001c, ATTR_UNKNOWN};
	struct tp_addr stranger = stranger_at(30);
	struct stage_pkt pkt;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < TP_ARRAY_LEN(types); i++) {
		message_begin(&m, 0x0001, call_txid);
		message_attribute(&m, types[i], "\0\0\0\0", 4);
		pkt = call_send_bytes(&c, &f, &stranger, &c.listener, m.data, m.len);
		assert_punted(&c, &pkt, TP_PUNT_FIRST, &stranger, &m);
	}
	c.r->path.secure_stun = 1;
	relay_locals_change(c.r);
	message_begin(&m, 0x0001, call_txid);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	assert_punted(&c, &pkt, TP_PUNT_LIVE, &c.client, &m);
	// Answers that name other addresses are the control process's.
	c.r->path.secure_stun = 0;
	c.r->path.nat_discovery = 1;
	relay_locals_change(c.r);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	assert_punted(&c, &pkt, TP_PUNT_LIVE, &c.client, &m);
	// So are those of clients that count their copies (RFC 7982).
	c.r->path.nat_discovery = 0;
	relay_locals_change(c.r);
	message_attribute(&m, TP_ATTR_TRANSMIT_COUNTER, "\1\0\0", 4);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	assert_punted(&c, &pkt, TP_PUNT_LIVE, &c.client, &m);
	call_end(&c);
}

static void test_channels_above_4fff_by_option(void **state)
{
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	relay_channel(c.r, c.allocation, 0, 0x7fff, &c.visitor);
	message_channel(&m, 0x7fff, "abcd", 4, 0);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_bad_channel_number);
	c.r->path.channel_max = TP_CHANNEL_MAX_COMPAT;
	relay_locals_change(c.r);
	pkt = call_send_bytes(&c, &f, &c.client, &c.listener, m.data, m.len);
	v = call_read(&pkt);
	call_assert_addr(&v.dst, &c.visitor);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_longest_message),
		cmocka_unit_test(test_full_ring),
		cmocka_unit_test(test_rate_limit),
		cmocka_unit_test(test_rate_limit_by_ipv6_prefix),
		cmocka_unit_test(test_rate_limit_by_ipv6_site),
		cmocka_unit_test(test_rate_limit_under_flood),
		cmocka_unit_test(test_binding_answered),
		cmocka_unit_test(test_binding_left_to_control),
		cmocka_unit_test(test_classic_answered),
		cmocka_unit_test(test_classic_refused),
		cmocka_unit_test(test_classic_limited),
		cmocka_unit_test(test_channels_above_4fff_by_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
