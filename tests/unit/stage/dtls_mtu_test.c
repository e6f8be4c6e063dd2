// SPDX-License-Identifier: BSD-3-Clause
// Path MTU of clients that came by DTLS, on the port of a UDP listener and on a port of its own:
// ICMP errors about records are theirs, peers are told the length that fits beside what DTLS adds,
// and records that are too long leave in fragments.
#include "dtls_stand.h"

static const uint8_t data[1500];

// ---- errors about records -----------------------------------------------------------------------

// An error about a datagram to `to` whose payload begins with `first`, of which `payload` bytes are
// quoted.
static struct stage_pkt error_run(
	struct stand *s, const struct tp_addr *to, uint8_t first, uint16_t payload)
{
	bool v4 = to->family == TP_FAMILY_IPV4;
	uint8_t bytes[1300] = {first, 0xfe, 0xfd};
	struct frame_spec inner = {
		.src = s->listener, .dst = *to, .payload = bytes, .len = sizeof(bytes)};
	struct frame_icmp_spec outer = {
		.src = v4 ? relay_addr4("192.0.2.1", 0) : relay_addr6("2001:db8::1", 0),
		.dst = s->listener,
		.quote_len = (uint16_t)(headers(to) + payload),
		.type = v4 ? 3 : 2,
		.code = v4 ? 4 : 0,
		.rest = 1280};
	struct frame quote, f;

	frame_build(&quote, &inner);
	outer.quote = frame_data(&quote) + 14;
	frame_icmp(&f, &outer);
	s->call.r->now_ns += TP_NS_PER_S;
	return relay_run(s->call.r, &f);
}

static void assert_reported(
	struct stand *s, const struct stage_pkt *pkt, uint16_t id, uint32_t allocation)
{
	const struct tp_ring_slot *slot;
	struct tp_ring_report about;

	if (pkt->verdict == STAGE_DROP)
		print_error("dropped: %s\n", tp_drop_text(pkt->reason)->name);
	assert_int_equal(pkt->verdict, STAGE_PUNT);
	slot = relay_punted(s->call.r, TP_PUNT_LIVE);
	assert_non_null(slot);
	assert_int_equal(slot->kind, TP_RING_REPORT);
	assert_int_equal(slot->local_id, id);
	call_assert_addr(&slot->remote, &s->call.client);
	memcpy(&about, slot->data, sizeof(about));
	assert_int_equal(about.allocation, allocation);
	assert_int_equal(about.mtu, 1280);
}

static void check_errors(struct stand *s)
{
	struct tp_addr client = s->call.client, other = client;
	uint16_t udp = client.family == TP_FAMILY_IPV4 ? RELAY_LISTENER4 : RELAY_LISTENER6;
	struct tp_entry *e = s->call.r->entries;
	struct stage_pkt pkt;

	other.port_be ^= tp_htons(1);
	for (uint8_t first = 20; first < 64; first += 43) {
		pkt = error_run(s, &client, first, 16);
		assert_reported(s, &pkt, s->id, s->allocation);
	}
	pkt = error_run(s, &other, 23, 16);
	call_assert_drop(&pkt, TP_DROP_icmp_stale);
	if (s->id == SHARED_ID) {
		pkt = error_run(s, &client, 0x40, 16);
		assert_reported(s, &pkt, udp, s->call.allocation);
		// Routers of old quote no payload.
		pkt = error_run(s, &client, 23, 0);
		assert_reported(s, &pkt, udp, s->call.allocation);
		e[s->call.allocation].expires_s = 1;
	}
	pkt = error_run(s, &client, 23, 0);
	assert_reported(s, &pkt, s->id, s->allocation);
	pkt = error_run(s, &other, 23, 0);
	call_assert_drop(&pkt, TP_DROP_icmp_stale);
	e[s->allocation].expires_s = 1;
	for (uint16_t payload = 0; payload <= 16; payload += 16) {
		pkt = error_run(s, &client, 23, payload);
		call_assert_drop(&pkt, TP_DROP_icmp_stale);
	}
}

static void test_errors_about_records(void **state)
{
	(void)state;
	each(check_errors);
}

// ---- messages to the client ---------------------------------------------------------------------

static struct stage_pkt peer_run(
	struct stand *s, struct frame *f, const struct tp_addr *from, uint32_t ip_len, bool df)
{
	struct frame_spec spec = {.src = *from,
		.dst = s->relayed,
		.payload = data,
		.len = (uint16_t)(ip_len - headers(from)),
		.df = df};

	s->call.r->now_ns += TP_NS_PER_S;
	s->call.r->worker->n_stream_out = 0;
	frame_build(f, &spec);
	return relay_run(s->call.r, f);
}

static void check_leg(struct stand *s, bool channel, uint16_t mtu)
{
	const struct tp_addr *from = channel ? &s->call.peer : &s->call.visitor;
	bool v6 = from->family == TP_FAMILY_IPV6;
	uint32_t number = number_of(s, channel, mtu);
	struct stage_pkt pkt;
	struct frame f;

	// IPv6 knows no smaller number: longer packets than that are refused all the same.
	if (v6 && number < 1280)
		number = 1280;
	pkt = peer_run(s, &f, from, number + 1, true);
	assert_int_equal(told(&pkt), number);
	pkt = peer_run(s, &f, from, number, true);
	assert_int_equal(pkt.verdict, STAGE_STREAM);
	if (v6)
		return;
	// The network may fragment it: the relay will.
	pkt = peer_run(s, &f, from, number + 1, false);
	assert_int_equal(pkt.verdict, STAGE_STREAM);
}

static void check_told(struct stand *s)
{
	for (unsigned channel = 0; channel < 2; channel++) {
		leg_set(s, 0);
		check_leg(s, channel, 1500);
		leg_set(s, 1400);
		check_leg(s, channel, 1400);
		leg_set(s, 1280);
		check_leg(s, channel, 1280);
		s->call.r->worker->ports[0].mtu = 1270;
		check_leg(s, channel, 1280); // port 1 takes that much
		s->call.r->worker->ports[1].mtu = 1260;
		check_leg(s, channel, 1270);
		s->call.r->worker->ports[0].mtu = 1500;
		s->call.r->worker->ports[1].mtu = 1280;
	}
}

static void test_peers_are_told(void **state)
{
	(void)state;
	each(check_told);
}

// A client by TLS takes any length.
static void test_streams_have_no_mtu(void **state)
{
	struct stage_pkt pkt;
	struct frame f;
	struct stand s;

	(void)state;
	stand_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4, OWN_ID);
	s.call.r->locals[OWN_ID].transport = TP_TRANSPORT_TLS;
	relay_locals_change(s.call.r);
	leg_set(&s, 1280);
	pkt = peer_run(&s, &f, &s.call.peer, 1500, true);
	assert_int_equal(pkt.verdict, STAGE_STREAM);
	stand_end(&s);
}

// ---- records ------------------------------------------------------------------------------------

// The edge hands back a datagram for the client, of `len` bytes.
static struct stage_pkt record_leave(struct stand *s, struct frame *f, uint16_t len)
{
	uint8_t record[14] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 9};
	uint32_t head = atomic_load(&s->words[0].value);
	struct stage_pkt pkt = {
		.data = frame_data(f), .headroom = FRAME_FRONT, .tailroom = FRAME_MAX};
	struct stage_pkt came =
		call_send_bytes(&s->call, f, &s->call.client, &s->listener, record, sizeof(record));
	struct tp_ring_slot *slot = &s->slots[head % TP_RING_SLOTS];
	uint32_t tail = atomic_load(&s->words[3].value);

	assert_int_equal(came.verdict, STAGE_PUNT);
	*slot = s->slots[TP_RING_SLOTS + tail % TP_RING_SLOTS];
	atomic_store(&s->words[3].value, tail + 1);
	slot->len = len;
	atomic_store(&s->words[0].value, head + 1);
	assert_int_equal(stage_edge_run(s->call.r->worker, &pkt, 1, s->call.r->now_ns), 1);
	return pkt;
}

static void check_records(struct stand *s)
{
	uint16_t around = (uint16_t)headers(&s->call.client), mtus[] = {1280, 1400, 1500};
	struct stage_pkt pkt;
	struct frame f;

	for (unsigned i = 0; i < TP_ARRAY_LEN(mtus); i++) {
		uint16_t mtu = mtus[i];

		leg_set(s, mtu == 1500 ? 0 : mtu);
		pkt = record_leave(s, &f, (uint16_t)(mtu - around));
		assert_int_equal(pkt.verdict, STAGE_SEND);
		assert_int_equal(pkt.len, 14 + mtu);
		pkt = record_leave(s, &f, (uint16_t)(mtu - around + 1));
		assert_int_equal(pkt.verdict, STAGE_CUT);
		assert_int_equal(pkt.mtu, mtu);
	}
	// Another's leg.
	leg_set(s, 1280);
	s->call.client.port_be ^= tp_htons(1);
	pkt = record_leave(s, &f, (uint16_t)(1500 - around));
	assert_int_equal(pkt.verdict, STAGE_SEND);
}

static void test_records_fit_the_leg(void **state)
{
	(void)state;
	each(check_records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_about_records),
		cmocka_unit_test(test_peers_are_told),
		cmocka_unit_test(test_streams_have_no_mtu),
		cmocka_unit_test(test_records_fit_the_leg),
	};

	return cmocka_run_group_tests_name("stage: dtls mtu", tests, NULL, NULL);
}
