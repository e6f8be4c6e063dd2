// SPDX-License-Identifier: BSD-3-Clause
// Both ends of a call on this relay: A's packet turns round inside the worker and leaves for B.
#include "call.h"

#include <stdio.h>

#define A_NUMBER 0x4001u
#define B_NUMBER 0x4fffu
#define A_PORT	 50000u
#define B_PORT	 51001u

enum sending { A_CHANNEL, A_SEND };
enum receiving { B_CHANNEL, B_DATA };

struct pair {
	struct relay *r;
	struct tp_addr a, b;		 // clients
	struct tp_addr a_shown, b_shown; // advertised relayed transport addresses
	uint32_t a_allocation, b_allocation;
	uint32_t a_entry, b_entry; // A's CHANNEL or PERMISSION, B's PEER or PERMISSION
	uint16_t a_listener, b_listener;
};

static struct tp_addr advertised(const struct relay *r, uint16_t relay_id, uint16_t port)
{
	struct tp_addr a = r->locals[relay_id].external;

	a.port_be = tp_htons(port);
	return a;
}

static struct tp_addr client_at(uint16_t listener, unsigned host)
{
	char text[32];

	if (listener == RELAY_LISTENER4) {
		snprintf(text, sizeof(text), "10.77.%u.2", host);
		return relay_addr4(text, 50001);
	}
	snprintf(text, sizeof(text), "fd77:%u::2", host);
	return relay_addr6(text, 50001);
}

// A's client at `a_listener` with a port of `a_relay`, B's likewise.
static void pair_start(struct pair *p, uint16_t a_listener, uint16_t b_listener, uint16_t a_relay,
	uint16_t b_relay, enum sending sending, enum receiving receiving)
{
	struct tp_entry_relay none = {0}, at_a = {a_relay, tp_htons(A_PORT)},
			      at_b = {b_relay, tp_htons(B_PORT)};

	p->r = relay_create(64, TP_HASH_KIND_SIPHASH);
	p->a_listener = a_listener;
	p->b_listener = b_listener;
	p->a = client_at(a_listener, 1);
	p->b = client_at(b_listener, 2);
	p->a_allocation = relay_allocation(p->r, &p->a, a_listener, at_a, none);
	p->b_allocation = relay_allocation(p->r, &p->b, b_listener, at_b, none);
	p->a_shown = advertised(p->r, a_relay, A_PORT);
	p->b_shown = advertised(p->r, b_relay, B_PORT);
	p->a_entry = sending == A_CHANNEL
			     ? relay_channel(p->r, p->a_allocation, 0, A_NUMBER, &p->b_shown)
			     : relay_permission(p->r, p->a_allocation, 0, &p->b_shown);
	p->b_entry = receiving == B_CHANNEL
			     ? relay_channel(p->r, p->b_allocation, 0, B_NUMBER, &p->a_shown)
			     : relay_permission(p->r, p->b_allocation, 0, &p->a_shown);
	if (receiving == B_CHANNEL)
		p->b_entry = p->r->entries[p->b_entry].partner;
}

static struct stage_pkt pair_run(
	struct pair *p, struct frame *f, enum sending sending, const char *data, uint16_t len)
{
	struct frame_spec spec = {
		.src = p->a, .dst = p->r->locals[p->a_listener].addr, .tos = 0xb9, .ttl = 30};
	struct message m;

	if (sending == A_CHANNEL)
		message_channel(&m, A_NUMBER, data, len, len & 3);
	else
		call_send_indication(&m, &p->b_shown, data, len, true);
	spec.payload = m.data;
	spec.len = m.len;
	frame_build(f, &spec);
	return relay_run(p->r, f);
}

static void assert_arrived(const struct pair *p, const struct stage_pkt *pkt,
	enum receiving receiving, const char *data, uint16_t len)
{
	struct frame_view v = call_read(pkt);
	struct tp_addr from;
	const uint8_t *got = v.payload + 4;
	uint16_t got_len = (uint16_t)(v.len - 4);
	const char *wrong;

	assert_true(v.udp_csum_right);
	assert_int_not_equal(v.csum, 0);
	assert_int_equal(v.tos, 0xb9);
	assert_int_equal(v.ttl, 29); // one relay, one hop
	call_assert_addr(&v.src, &p->r->locals[p->b_listener].addr);
	call_assert_addr(&v.dst, &p->b);
	if (receiving == B_CHANNEL) {
		assert_int_equal(tp_load_be16(v.payload), B_NUMBER);
		assert_int_equal(tp_load_be16(v.payload + 2), got_len);
	} else {
		wrong = message_read_data(v.payload, v.len, &from, &got, &got_len);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		call_assert_addr(&from, &p->a_shown);
	}
	assert_int_equal(got_len, len);
	assert_memory_equal(got, data, len);
}

static void assert_counted(
	const struct pair *p, enum sending sending, enum receiving receiving, uint16_t len)
{
	const struct tp_worker_stats *s = p->r->stats;
	uint32_t b_cell = receiving == B_CHANNEL ? p->b_entry : p->b_allocation;

	assert_int_equal(p->r->cells[p->a_entry].packets, 1);
	assert_int_equal(p->r->cells[p->a_entry].octets, len);
	assert_int_equal(p->r->cells[b_cell].packets, 1);
	assert_int_equal(p->r->cells[b_cell].octets, len);
	assert_int_equal(s->path_packets[TP_PATH_hairpin], 1);
	assert_int_equal(s->path_packets[sending == A_CHANNEL ? TP_PATH_channel_to_peer
							      : TP_PATH_send_to_peer],
		1);
	assert_int_equal(s->path_packets[receiving == B_CHANNEL ? TP_PATH_peer_to_channel
								: TP_PATH_peer_to_data],
		1);
}

static void test_every_way_and_family(void **state)
{
	static const struct {
		uint16_t a_listener, b_listener, a_relay, b_relay;
	} rows[] = {
		{RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4, RELAY_RELAY4},
		{RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY6, RELAY_RELAY6},
		{RELAY_LISTENER6, RELAY_LISTENER4, RELAY_RELAY4, RELAY_RELAY4},
		{RELAY_LISTENER4, RELAY_LISTENER6, RELAY_RELAY6, RELAY_RELAY6},
		{RELAY_LISTENER6, RELAY_LISTENER6, RELAY_RELAY6, RELAY_RELAY6},
		{RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4_NAT, RELAY_RELAY4},
		{RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4, RELAY_RELAY4_NAT},
		{RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4_NAT, RELAY_RELAY4_NAT},
	};
	struct stage_pkt pkt;
	struct frame f;
	struct pair p;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(rows); i++) {
		for (unsigned way = 0; way < 4; way++) {
			enum sending s = way & 1 ? A_SEND : A_CHANNEL;
			enum receiving r = way & 2 ? B_DATA : B_CHANNEL;

			pair_start(&p, rows[i].a_listener, rows[i].b_listener, rows[i].a_relay,
				rows[i].b_relay, s, r);
			pkt = pair_run(&p, &f, s, "round and round", 15);
			assert_arrived(&p, &pkt, r, "round and round", 15);
			assert_counted(&p, s, r, 15);
			relay_destroy(p.r);
		}
	}
}

static void expire_a(struct pair *p)
{
	p->r->entries[p->a_entry].other_expires_s = RELAY_NOW_S;
}

static void expire_a_permission(struct pair *p)
{
	p->r->entries[p->a_entry].expires_s = RELAY_NOW_S;
}

static void expire_b(struct pair *p)
{
	p->r->entries[p->b_entry].expires_s = RELAY_NOW_S;
}

static void expire_b_allocation(struct pair *p)
{
	p->r->entries[p->b_allocation].expires_s = RELAY_NOW_S;
}

static void forget_b(struct pair *p)
{
	p->r->entries[p->b_entry].key.kind = TP_KIND_FREE;
}

static void forget_b_allocation(struct pair *p)
{
	forget_b(p);
	p->r->port_indexes[B_PORT] = 0;
}

static void move_b_port(struct pair *p)
{
	p->r->entries[p->b_allocation].relay[0].port_be = tp_htons(B_PORT + 1);
}

static void retire_relay(struct pair *p)
{
	p->r->entries[p->a_entry].hairpin_relay_id = 0;
}

static void point_at_listener(struct pair *p)
{
	p->r->entries[p->a_entry].hairpin_relay_id = RELAY_LISTENER4;
}

// The part that each row takes away, and the drop reason of A's packet then.
static const struct {
	const char *what;
	enum sending sending;
	enum receiving receiving;
	enum tp_drop reason;
	void (*spoil)(struct pair *p);
} refusals[] = {
	{"A's permission, channel", A_CHANNEL, B_CHANNEL, TP_DROP_permission_expired, expire_a},
	{"A's channel", A_CHANNEL, B_CHANNEL, TP_DROP_channel_expired, expire_a_permission},
	{"A's permission, Send", A_SEND, B_CHANNEL, TP_DROP_permission_expired,
		expire_a_permission},
	{"B's permission, channel", A_CHANNEL, B_CHANNEL, TP_DROP_permission_expired, expire_b},
	{"B's permission, Data", A_SEND, B_DATA, TP_DROP_permission_expired, expire_b},
	{"no permission of B's", A_CHANNEL, B_DATA, TP_DROP_no_permission, forget_b},
	{"B's allocation expired", A_CHANNEL, B_DATA, TP_DROP_own_address, expire_b_allocation},
	{"B's port closed", A_SEND, B_DATA, TP_DROP_own_address, forget_b_allocation},
	{"B's port is another's", A_SEND, B_DATA, TP_DROP_own_address, move_b_port},
	{"own, but no relay address", A_CHANNEL, B_CHANNEL, TP_DROP_own_address, retire_relay},
	{"own, but a listener", A_SEND, B_CHANNEL, TP_DROP_own_address, point_at_listener},
};

static void test_refusals(void **state)
{
	struct stage_pkt pkt;
	struct frame f;
	struct pair p;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(refusals); i++) {
		print_message("%s\n", refusals[i].what);
		pair_start(&p, RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4, RELAY_RELAY4,
			refusals[i].sending, refusals[i].receiving);
		refusals[i].spoil(&p);
		pkt = pair_run(&p, &f, refusals[i].sending, "no", 2);
		call_assert_drop(&pkt, refusals[i].reason);
		assert_int_equal(p.r->cells[p.a_entry].packets, 0);
		assert_int_equal(p.r->cells[p.b_entry].packets, 0);
		relay_destroy(p.r);
	}
}

// With a permission for the relay's own address, a client reaches none of its own ports but live
// relayed transport addresses: neither the listeners (one lies within the relay range here) nor
// anything else.
static void test_own_ports_out_of_reach(void **state)
{
	static const uint16_t ports[] = {22, 53, 3478, 49200, A_PORT + 1, 65535};
	struct stage_pkt pkt;
	struct tp_addr own;
	struct message m;
	struct frame f;
	struct pair p;

	(void)state;
	pair_start(
		&p, RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4, RELAY_RELAY4, A_SEND, B_DATA);
	for (unsigned i = 0; i < TP_ARRAY_LEN(ports); i++) {
		own = relay_addr4("10.77.0.1", ports[i]);
		call_send_indication(&m, &own, "knock", 5, false);
		struct frame_spec spec = {.src = p.a,
			.dst = p.r->locals[RELAY_LISTENER4].addr,
			.payload = m.data,
			.len = m.len};
		frame_build(&f, &spec);
		pkt = relay_run(p.r, &f);
		call_assert_drop(&pkt, TP_DROP_own_address);
	}
	relay_destroy(p.r);
}

// B's channel has run out, its permission has not: a Data indication.
static void test_expired_channel_falls_back(void **state)
{
	struct stage_pkt pkt;
	struct frame f;
	struct pair p;

	(void)state;
	pair_start(&p, RELAY_LISTENER4, RELAY_LISTENER4, RELAY_RELAY4, RELAY_RELAY4, A_CHANNEL,
		B_CHANNEL);
	relay_permission(p.r, p.b_allocation, 0, &p.a_shown);
	p.r->entries[p.b_entry].other_expires_s = RELAY_NOW_S;
	pkt = pair_run(&p, &f, A_CHANNEL, "fall", 4);
	assert_arrived(&p, &pkt, B_DATA, "fall", 4);
	relay_destroy(p.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_and_family),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_own_ports_out_of_reach),
		cmocka_unit_test(test_expired_channel_falls_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
