// SPDX-License-Identifier: BSD-3-Clause
// DTLS: records between a listener's port and the edge, and plain messages that must not reach a
// DTLS client's allocation. One listener shares its port with a UDP listener, one has its own.
#include "call.h"

#include <stdlib.h>

#define OWN_PORT   5349u
#define NUMBER	   0x4007u
#define THREADS	   2u
#define RECORD_LEN 14u

enum { SHARED_ID = 21, OWN_ID = 20 };

struct stand {
	struct call call;
	struct tp_addr own; // the listener with a port of its own
	struct tp_addr client;
	uint32_t allocation; // of `client` at OWN_ID
	struct tp_ring_consumer in[THREADS];
	struct tp_ring_producer out[THREADS];
	struct tp_ring_word words[4][THREADS];
	struct tp_ring_slot *slots; // [2][THREADS][TP_RING_SLOTS]
};

// A datagram with one record, of one byte.
static void record_make(uint8_t out[RECORD_LEN], uint8_t type)
{
	static const uint8_t record[RECORD_LEN] = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 9};

	memcpy(out, record, RECORD_LEN);
	out[0] = type;
}

static void rings_start(struct stand *s)
{
	struct stage_worker *w = s->call.r->worker;

	s->slots = calloc(2 * THREADS * TP_RING_SLOTS, sizeof(*s->slots));
	assert_non_null(s->slots);
	for (unsigned t = 0; t < THREADS; t++) {
		s->in[t] = (struct tp_ring_consumer){.slots = s->slots + t * TP_RING_SLOTS,
			.head = &s->words[0][t].value,
			.tail = &s->words[1][t].value,
			.n_slots = TP_RING_SLOTS};
		s->out[t] =
			(struct tp_ring_producer){.slots = s->slots + (THREADS + t) * TP_RING_SLOTS,
				.head = &s->words[2][t].value,
				.tail = &s->words[3][t].value,
				.n_slots = TP_RING_SLOTS};
	}
	w->edge_in = s->in;
	w->edge_out = s->out;
	w->n_edge = THREADS;
}

static struct tp_local dtls_listener(struct tp_addr at)
{
	return (struct tp_local){.addr = at,
		.external = at,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_DTLS};
}

static void stand_start(struct stand *s, uint8_t family)
{
	struct relay *r;

	memset(s, 0, sizeof(*s));
	call_start(&s->call, family, TP_FAMILY_IPV4);
	r = s->call.r;
	s->own = s->call.listener;
	s->own.port_be = tp_htons(OWN_PORT);
	s->client = s->call.client;
	r->locals[SHARED_ID] = dtls_listener(s->call.listener);
	r->locals[OWN_ID] = dtls_listener(s->own);
	relay_locals_change(r);
	s->allocation = relay_allocation(r, &s->client, OWN_ID, call_relayed(TP_FAMILY_IPV4, 50300),
		(struct tp_entry_relay){0});
	(void)relay_channel(r, s->allocation, 0, NUMBER, &s->call.peer);
	rings_start(s);
}

static void stand_end(struct stand *s)
{
	free(s->slots);
	call_end(&s->call);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct stand));
	assert_non_null(*state);
	stand_start(*state, TP_FAMILY_IPV4);
	return 0;
}

static int setup6(void **state)
{
	*state = calloc(1, sizeof(struct stand));
	assert_non_null(*state);
	stand_start(*state, TP_FAMILY_IPV6);
	return 0;
}

static int teardown(void **state)
{
	stand_end(*state);
	free(*state);
	return 0;
}

static uint64_t drops(const struct stand *s, enum tp_drop why)
{
	return atomic_load(&s->call.r->stats->drops[why]);
}

// The oldest datagram for the edge, taken off, and its thread; NULL: none.
static const struct tp_ring_slot *given(struct stand *s, unsigned *thread)
{
	for (unsigned t = 0; t < THREADS; t++) {
		uint32_t tail = atomic_load(&s->words[3][t].value);

		if (atomic_load(&s->words[2][t].value) == tail)
			continue;
		atomic_store(&s->words[3][t].value, tail + 1);
		*thread = t;
		return &s->slots[(THREADS + t) * TP_RING_SLOTS + tail % TP_RING_SLOTS];
	}
	return NULL;
}

// Sends a record from the client to `to`; it must arrive at the edge.
static struct tp_ring_slot arrive(struct stand *s, const struct tp_addr *to, uint16_t id)
{
	const struct tp_ring_slot *slot;
	uint8_t record[RECORD_LEN];
	struct stage_pkt pkt;
	unsigned thread;
	struct frame f;

	record_make(record, 23);
	pkt = call_send_bytes(&s->call, &f, &s->client, to, record, sizeof(record));
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	slot = given(s, &thread);
	assert_non_null(slot);
	assert_int_equal(slot->kind, TP_RING_DTLS);
	assert_int_equal(slot->local_id, id);
	assert_int_equal(slot->len, sizeof(record));
	assert_memory_equal(slot->data, record, sizeof(record));
	call_assert_addr(&slot->remote, &s->client);
	assert_true(s->call.r->worker->edge_given >> thread & 1);
	return *slot;
}

// The edge's thread 0 gives a slot; the packet that becomes of it.
static struct stage_pkt leave(struct stand *s, const struct tp_ring_slot *slot, struct frame *f)
{
	uint32_t head = atomic_load(&s->words[0][0].value);
	struct stage_pkt pkt = {
		.data = frame_data(f), .headroom = FRAME_FRONT, .tailroom = FRAME_MAX};

	s->slots[head % TP_RING_SLOTS] = *slot;
	atomic_store(&s->words[0][0].value, head + 1);
	(void)stage_edge_run(s->call.r->worker, &pkt, 1, s->call.r->now_ns);
	return pkt;
}

// Clauses: 8656 5-8
static void there_and_back(void **state)
{
	struct stand *s = *state;
	struct tp_ring_slot slot;
	struct stage_pkt pkt;
	struct frame_view v;
	struct frame f;

	slot = arrive(s, &s->own, OWN_ID);
	pkt = leave(s, &slot, &f);
	v = call_read(&pkt);
	call_assert_addr(&v.src, &s->own);
	call_assert_addr(&v.dst, &s->client);
	assert_memory_equal(v.mac_dst, frame_mac_other, 6);
	assert_int_equal(v.len, RECORD_LEN);
	assert_memory_equal(v.payload, slot.data, RECORD_LEN);
	assert_true(v.udp_csum_right);
	slot = arrive(s, &s->call.listener, SHARED_ID);
	pkt = leave(s, &slot, &f);
	v = call_read(&pkt);
	call_assert_addr(&v.src, &s->call.listener);
	assert_int_equal(atomic_load(&s->call.r->stats->path_packets[TP_PATH_dtls_in]), 2);
	assert_int_equal(atomic_load(&s->call.r->stats->path_packets[TP_PATH_dtls_out]), 2);
}

// An edge gone mad is no raw socket.
static void the_way_back_is_signed(void **state)
{
	struct stand *s = *state;
	const struct tp_ring_slot right = arrive(s, &s->own, OWN_ID);
	struct tp_ring_slot slot = right;
	struct frame f;

	slot.remote.port_be ^= tp_htons(1);
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_dtls_astray), 1);
	slot = right;
	slot.remote.ip[3] ^= 1;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_dtls_astray), 2);
	slot = right;
	slot.connection ^= 0x100;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_dtls_astray), 3);
	slot = right;
	slot.local_id = SHARED_ID;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_dtls_astray), 4);
	slot = right;
	slot.tag ^= 1;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_dtls_astray), 5);
	slot = right;
	slot.local_id = s->call.client.family == TP_FAMILY_IPV4 ? RELAY_LISTENER4 : RELAY_LISTENER6;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_edge_bad), 1);
	slot = right;
	slot.data[0] = 0;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_edge_bad), 2);
	assert_int_equal(leave(s, &right, &f).verdict, STAGE_SEND);
}

// ChannelData with the address of a DTLS client, and a Send indication.
static void plain_messages_reach_no_dtls_allocation(void **state)
{
	struct stand *s = *state;
	struct tp_ring_slot slot;
	struct stage_pkt pkt;
	struct message m;
	unsigned thread;
	struct frame f;

	message_channel(&m, NUMBER, "media", 5, 0);
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_dtls_bad);
	// There is a UDP listener, at which the client has another allocation.
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->call.listener, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_no_channel);
	call_send_indication(&m, &s->call.peer, "x", 1, false);
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, m.data, m.len);
	call_assert_drop(&pkt, TP_DROP_dtls_bad);
	assert_null(given(s, &thread));
	// By the edge, without the association's handle.
	slot = arrive(s, &s->own, OWN_ID);
	message_channel(&m, NUMBER, "media", 5, 0);
	slot.kind = TP_RING_MESSAGE;
	slot.connection = 5ull << 32 | TP_EGRESS_STREAM | 7;
	memcpy(slot.data, m.data, m.len);
	slot.len = m.len;
	leave(s, &slot, &f);
	assert_int_equal(drops(s, TP_DROP_stale_connection), 1);
}

static void garbage_ends_in_the_worker(void **state)
{
	struct stand *s = *state;
	uint8_t record[RECORD_LEN];
	struct stage_pkt pkt;
	unsigned thread;
	struct frame f;

	for (unsigned first = 0; first < 256; first++) {
		if (first >= 20 && first <= 23)
			continue;
		record_make(record, (uint8_t)first);
		pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, record, sizeof(record));
		call_assert_drop(&pkt, TP_DROP_dtls_bad);
	}
	record_make(record, 23);
	record[12] = 2; // longer than the datagram
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, record, sizeof(record));
	call_assert_drop(&pkt, TP_DROP_dtls_bad);
	record_make(record, 23);
	pkt = call_packet(&f, &s->client, &s->own, record, sizeof(record));
	frame_data(&f)[f.len - 1] ^= 1;
	pkt = relay_run(s->call.r, &f);
	call_assert_drop(&pkt, TP_DROP_bad_udp_checksum);
	assert_null(given(s, &thread));
}

static void without_an_edge(void **state)
{
	struct stand *s = *state;
	uint8_t record[RECORD_LEN];
	struct stage_pkt pkt;
	struct frame f;

	s->call.r->worker->n_edge = 0;
	record_make(record, 23);
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, record, sizeof(record));
	call_assert_drop(&pkt, TP_DROP_dtls_no_edge);
}

// One client's datagrams have one thread, and clients are spread.
static void a_client_stays_with_its_thread(void **state)
{
	struct stand *s = *state;
	unsigned thread, before = 0, seen = 0;
	uint8_t record[RECORD_LEN];
	struct frame f;

	record_make(record, 23);
	for (unsigned i = 0; i < 64; i++) {
		s->client.port_be = tp_htons((uint16_t)(40000 + i / 2));
		call_send_bytes(&s->call, &f, &s->client, &s->own, record, sizeof(record));
		assert_non_null(given(s, &thread));
		if (i % 2 == 1)
			assert_int_equal(thread, before);
		before = thread;
		seen |= 1u << thread;
	}
	assert_int_equal(seen, 3);
}

// A flood of strangers leaves half of each ring to clients with an allocation.
static void strangers_leave_room(void **state)
{
	struct stand *s = *state;
	const struct tp_addr client = s->client;
	uint8_t record[RECORD_LEN];
	struct stage_pkt pkt;
	unsigned passed = 0;
	struct frame f;

	record_make(record, 23);
	for (unsigned i = 0; i < 4 * TP_RING_SLOTS; i++) {
		s->client.port_be = tp_htons((uint16_t)(10000 + i));
		pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, record, sizeof(record));
		passed += pkt.verdict == STAGE_PUNT;
	}
	assert_int_equal(passed, THREADS * TP_RING_SLOTS / 2);
	assert_int_equal(drops(s, TP_DROP_dtls_rate), 4 * TP_RING_SLOTS - passed);
	for (unsigned i = 0; i < TP_RING_SLOTS / 2; i++) {
		pkt = call_send_bytes(&s->call, &f, &client, &s->own, record, sizeof(record));
		assert_int_equal(pkt.verdict, STAGE_PUNT);
	}
	pkt = call_send_bytes(&s->call, &f, &client, &s->own, record, sizeof(record));
	call_assert_drop(&pkt, TP_DROP_edge_full);
}

// Fault: a stranger that sent with a client's address took the client's own share of the ring.
static void strangers_take_no_client_s_share(void **state)
{
	struct stand *s = *state;
	struct stage_worker *w = s->call.r->worker;
	const struct tp_addr client = s->client;
	uint8_t record[RECORD_LEN];
	struct stage_pkt pkt;
	unsigned passed = 0;
	struct frame f;

	w->edge_slots = calloc(THREADS, sizeof(*w->edge_slots));
	assert_non_null(w->edge_slots);
	record_make(record, 23);
	for (unsigned i = 0; i < 4 * TP_RING_SLOTS; i++) {
		s->client.port_be = tp_htons((uint16_t)(10000 + i));
		call_send_bytes(&s->call, &f, &s->client, &s->own, record, sizeof(record));
	}
	for (unsigned i = 0; i < TP_RING_SLOTS; i++) {
		pkt = call_send_bytes(&s->call, &f, &client, &s->own, record, sizeof(record));
		passed += pkt.verdict == STAGE_PUNT;
	}
	// Three quarters of the slots that strangers leave.
	assert_int_equal(passed, TP_RING_SLOTS / 2 / 4 * 3);
	free(w->edge_slots);
	w->edge_slots = NULL;
}

// Anybody may use a client's address for it.
static void hellos_have_a_rate(void **state)
{
	static const uint8_t hello[26] = {22, 0xfe, 0xff, [12] = 13, [13] = 1};
	struct stand *s = *state;
	struct stage_pkt pkt;
	unsigned thread;
	struct frame f;

	s->call.r->path.first_contact_rate = 2;
	relay_locals_change(s->call.r);
	for (unsigned i = 0; i < 2; i++) {
		pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, hello, sizeof(hello));
		assert_int_equal(pkt.verdict, STAGE_PUNT);
		assert_non_null(given(s, &thread));
	}
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, hello, sizeof(hello));
	call_assert_drop(&pkt, TP_DROP_dtls_rate);
	arrive(s, &s->own, OWN_ID);
}

// A ClientHello above the limit passes when it is sent again, and so does the one with the cookie.
static void hellos_pass_at_the_second_time(void **state)
{
	uint8_t hello[80] = {
		22, 0xfe, 0xff, [12] = 67, [13] = 1, [25] = 0xfe, [26] = 0xfd, 1, 2, 3};
	struct stand *s = *state;
	struct stage_pkt pkt;
	struct frame f;

	s->call.r->path.first_contact_rate = 2;
	relay_locals_change(s->call.r);
	for (unsigned i = 0; i < 5; i++) {
		hello[27] = (uint8_t)i;
		pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, hello, sizeof(hello));
		assert_int_equal(pkt.verdict, i < 2 ? STAGE_PUNT : STAGE_DROP);
	}
	s->call.r->now_ns += TP_NS_PER_S / 2;
	for (unsigned i = 0; i < 2; i++) {
		hello[10]++;   // the number of the record
		hello[70] = 7; // a cookie
		pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, hello, sizeof(hello));
		assert_int_equal(pkt.verdict, STAGE_PUNT);
	}
	// Another client.
	hello[40] = 7;
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->own, hello, sizeof(hello));
	call_assert_drop(&pkt, TP_DROP_dtls_rate);
}

#define TEST(f)	 cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST6(f) cmocka_unit_test_setup_teardown(f, setup6, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_and_back),
		TEST6(there_and_back),
		TEST(the_way_back_is_signed),
		TEST6(the_way_back_is_signed),
		TEST(plain_messages_reach_no_dtls_allocation),
		TEST6(plain_messages_reach_no_dtls_allocation),
		TEST(garbage_ends_in_the_worker),
		TEST(without_an_edge),
		TEST(a_client_stays_with_its_thread),
		TEST(strangers_leave_room),
		TEST(strangers_take_no_client_s_share),
		TEST(hellos_have_a_rate),
		TEST(hellos_pass_at_the_second_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
