// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors about packets of a call: the control process learns of those that quote what a live
// entry has sent, and of no others.
#include "call.h"

enum leg { LEG_CHANNEL, LEG_PERMISSION, LEG_CLIENT, LEGS };

// An error as a router on the leg would send it, and its changes.
struct error {
	uint8_t type, code;
	uint32_t rest;
	struct tp_addr src; // quoted
	struct tp_addr dst;
	uint16_t len;	 // UDP payload of the quoted packet
	uint16_t quoted; // bytes of it that are there; 0: 64
	uint16_t lie;	 // added to the quoted UDP length
	bool bad_csum;
};

static const uint8_t data[1500];

static struct tp_addr router(uint8_t family)
{
	return family == TP_FAMILY_IPV4 ? relay_addr4("192.0.2.1", 0)
					: relay_addr6("2001:db8::1", 0);
}

static struct error too_big(struct call *c, enum leg leg, uint16_t len, uint32_t mtu)
{
	const struct tp_addr *to = leg == LEG_CLIENT	? &c->client
				   : leg == LEG_CHANNEL ? &c->peer
							: &c->visitor;
	bool v4 = to->family == TP_FAMILY_IPV4;

	return (struct error){.type = v4 ? 3 : 2,
		.code = v4 ? 4 : 0,
		.rest = mtu,
		.src = leg == LEG_CLIENT ? c->listener : c->relayed,
		.dst = *to,
		.len = len};
}

static struct stage_pkt error_run(struct call *c, const struct error *e)
{
	struct frame_spec inner = {.src = e->src, .dst = e->dst, .payload = data, .len = e->len};
	struct frame_icmp_spec outer = {.src = router(e->src.family),
		.dst = e->src,
		.quote_len = e->quoted != 0 ? e->quoted : 64,
		.type = e->type,
		.code = e->code,
		.rest = e->rest};
	static struct frame quote, f;

	frame_build(&quote, &inner);
	if (e->lie != 0) {
		uint8_t *udp =
			frame_data(&quote) + 14 + (e->src.family == TP_FAMILY_IPV4 ? 20 : 40);

		tp_store_be16(udp + 4, (uint16_t)(tp_load_be16(udp + 4) + e->lie));
	}
	outer.quote = frame_data(&quote) + 14;
	frame_icmp(&f, &outer);
	if (e->bad_csum)
		frame_data(&f)[14 + (e->src.family == TP_FAMILY_IPV4 ? 20 : 40) + 2] ^= 1;
	c->r->now_ns += TP_NS_PER_S;
	return relay_run(c->r, &f);
}

static void assert_reported(struct call *c, const struct error *e, uint32_t mtu)
{
	struct stage_pkt pkt = error_run(c, e);
	const struct tp_ring_slot *slot;
	struct tp_ring_report about;

	if (pkt.verdict == STAGE_DROP)
		print_error("dropped: %s\n", tp_drop_text(pkt.reason)->name);
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	assert_true(c->r->worker->kick);
	slot = relay_punted(c->r, TP_PUNT_LIVE);
	assert_non_null(slot);
	assert_int_equal(slot->kind, TP_RING_REPORT);
	assert_int_equal(slot->len, sizeof(about));
	assert_int_equal(slot->connection, 0);
	call_assert_addr(&slot->remote, &e->dst);
	memcpy(&about, slot->data, sizeof(about));
	assert_int_equal(about.allocation, c->allocation);
	assert_int_equal(about.mtu, mtu);
	assert_int_equal(about.type, e->type);
	assert_int_equal(about.code, e->code);
	assert_int_equal(about.port_be, e->src.port_be);
	assert_true(tp_addr_same_ip(&c->r->locals[slot->local_id].addr, &e->src));
	assert_null(relay_punted(c->r, TP_PUNT_LIVE));
}

static void assert_dropped(struct call *c, const struct error *e, enum tp_drop reason)
{
	struct stage_pkt pkt = error_run(c, e);

	call_assert_drop(&pkt, reason);
	for (unsigned ring = 0; ring < TP_PUNT_CLASSES; ring++)
		assert_null(relay_punted(c->r, ring));
}

static void check_legs(struct call *c)
{
	for (enum leg leg = 0; leg < LEGS; leg++) {
		struct error e = too_big(c, leg, 1400, 1300);

		assert_reported(c, &e, 1300);
		e.quoted = (uint16_t)(e.src.family == TP_FAMILY_IPV4 ? 28 : 48);
		assert_reported(c, &e, 1300);
	}
	assert_int_equal(c->r->stats->path_packets[TP_PATH_icmp], 2 * LEGS);
}

// Clauses: 8656 11.5-1
static void test_each_leg(void **state)
{
	(void)state;
	call_each_family(check_legs);
}

// RFC 8656 11.5: these types, and of too-big the router's own number as Error Data.
static void check_types(struct call *c)
{
	static const uint8_t told4[] = {3, 11}, told6[] = {1, 2, 3}, not4[] = {4, 12}, not6[] = {4};
	bool v4 = c->peer.family == TP_FAMILY_IPV4;
	const uint8_t *told = v4 ? told4 : told6, *not_told = v4 ? not4 : not6;
	struct error e = too_big(c, LEG_CHANNEL, 1400, 0);

	for (unsigned i = 0; i < (v4 ? 2 : 3); i++) {
		e.type = told[i];
		e.code = 1;
		e.rest = told[i] == 2 ? 1300 : 0;
		assert_reported(c, &e, told[i] == 2 ? 1300 : 0);
	}
	for (unsigned i = 0; i < (v4 ? 2 : 1); i++) {
		e.type = not_told[i];
		assert_dropped(c, &e, TP_DROP_icmp);
	}
}

// Clauses: 8656 18.13-2
static void test_types(void **state)
{
	(void)state;
	call_each_family(check_types);
}

static void check_mtus(struct call *c)
{
	bool v4 = c->peer.family == TP_FAMILY_IPV4;
	uint32_t headers = v4 ? 28 : 48, least = v4 ? 576 : 1280;
	struct error e = too_big(c, LEG_CHANNEL, 1400, 0);

	e.rest = 1400 + headers; // not too long at all
	assert_dropped(c, &e, TP_DROP_icmp_bad);
	e.rest--;
	assert_reported(c, &e, 1399 + headers);
	// Below the floor: no lower than the floor (RFC 8201 4).
	e.rest = least - 1;
	assert_reported(c, &e, least);
	e.rest = 68;
	assert_reported(c, &e, least);
	// A packet that is no longer than the floor teaches nothing.
	e.len = (uint16_t)(least - headers);
	assert_reported(c, &e, 0);
	if (!v4)
		return;
	// Routers of old name no MTU (RFC 1191 7.1).
	e.len = 1472;
	e.rest = 0;
	assert_reported(c, &e, 1492);
	e.len = 1464;
	assert_reported(c, &e, 1006);
	// The upper half is not theirs (RFC 4884).
	e.rest = 0x00050000 | 1300;
	assert_reported(c, &e, 1300);
}

static void test_mtus(void **state)
{
	(void)state;
	call_each_family(check_mtus);
}

// The quote must be of a packet that a live entry sends.
static void check_forged(struct call *c)
{
	bool v4 = c->peer.family == TP_FAMILY_IPV4;
	struct error e = too_big(c, LEG_CHANNEL, 1400, 1300);
	struct error good = e;

	e.bad_csum = true;
	assert_dropped(c, &e, TP_DROP_icmp_bad);
	e = good;
	e.lie = 1;
	assert_dropped(c, &e, TP_DROP_icmp_bad);
	e = good;
	e.quoted = v4 ? 27 : 47;
	assert_dropped(c, &e, TP_DROP_icmp_bad);
	// Another relayed port; another peer; a client's leg of another client.
	e = good;
	e.src.port_be ^= tp_htons(1);
	assert_dropped(c, &e, TP_DROP_icmp_stale);
	e = good;
	e.dst.ip[v4 ? 3 : 15] ^= 0x40;
	assert_dropped(c, &e, TP_DROP_icmp_stale);
	e = too_big(c, LEG_CLIENT, 1400, 1300);
	e.dst.port_be ^= tp_htons(1);
	assert_dropped(c, &e, TP_DROP_icmp_stale);
	// Another port of the channel's peer: its permission is for the address.
	e = good;
	e.dst.port_be ^= tp_htons(1);
	assert_reported(c, &e, 1300);
	// After the permission's end the channel says nothing.
	c->r->entries[c->r->entries[c->channel].partner].expires_s = 1;
	c->r->entries[c->permission].expires_s = 1;
	assert_dropped(c, &good, TP_DROP_icmp_stale);
}

// Clauses: 8656 11.5-1
static void test_forged(void **state)
{
	(void)state;
	call_each_family(check_forged);
}

static unsigned flood(struct call *c, const struct frame_icmp_spec *s, unsigned n, bool spread)
{
	struct frame_icmp_spec spec = *s;
	unsigned passed = 0;
	static struct frame f;

	for (unsigned i = 0; i < n; i++) {
		struct stage_pkt pkt;

		if (spread)
			tp_store_be16(spec.src.ip + 1, (uint16_t)(i + 1));
		frame_icmp(&f, &spec);
		pkt = relay_run(c->r, &f);
		passed += pkt.verdict == STAGE_PUNT;
		if (pkt.verdict != STAGE_PUNT)
			call_assert_drop(&pkt, TP_DROP_icmp_rate);
	}
	return passed;
}

// One source, and many sources about one flow: both are bounded.
static void test_floods(void **state)
{
	struct frame_spec inner = {.payload = data, .len = 1400};
	struct frame_icmp_spec outer = {.quote_len = 64, .type = 3, .code = 4, .rest = 1300};
	static struct frame quote;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	inner.src = c.relayed;
	inner.dst = c.peer;
	frame_build(&quote, &inner);
	outer.quote = frame_data(&quote) + 14;
	outer.src = router(TP_FAMILY_IPV4);
	outer.dst = c.relayed;
	assert_int_equal(flood(&c, &outer, 300, false), 16);
	assert_int_equal(flood(&c, &outer, 300, true), 0);
	c.r->now_ns += 10 * TP_NS_PER_S;
	assert_int_equal(flood(&c, &outer, 300, true), 16);
	call_end(&c);
}

static void test_ring_full(void **state)
{
	struct error e;
	struct call c;

	(void)state;
	call_start(&c, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	e = too_big(&c, LEG_CHANNEL, 1400, 1300);
	c.r->worker->punt[TP_PUNT_LIVE].slots = NULL;
	assert_dropped(&c, &e, TP_DROP_punt_full);
	call_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_leg),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_mtus),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_ring_full),
	};

	return cmocka_run_group_tests_name("stage: icmp", tests, NULL, NULL);
}
