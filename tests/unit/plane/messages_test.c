// SPDX-License-Identifier: BSD-3-Clause
// Captures and traces of a stream client: its messages, which come from and go to the edge.
#include "captured.h"

#include <stdlib.h>

#include <entry/template.h>

#define LISTENER_TLS 21u
#define NUMBER	     0x4006u
#define PORT	     50200u
#define THREAD	     1u

static const uint64_t connection = 5ull << 32 | TP_EGRESS_STREAM | THREAD << 24 | 77;

struct fixture {
	struct call call;
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed;
	struct tp_ring_producer out[THREAD + 1];
	struct tp_ring_word head, tail;
	struct tp_ring_slot *slots;
	struct stage_stream_out stream_out[STAGE_BURST];
};

static void edge_start(struct fixture *f)
{
	struct stage_worker *w = f->call.r->worker;

	f->slots = calloc(TP_RING_SLOTS, sizeof(*f->slots));
	assert_non_null(f->slots);
	f->out[THREAD] = (struct tp_ring_producer){.slots = f->slots,
		.head = &f->head.value,
		.tail = &f->tail.value,
		.n_slots = TP_RING_SLOTS};
	w->edge_out = f->out;
	w->n_edge = THREAD + 1;
	w->stream_out = f->stream_out;
	w->stream_out_max = STAGE_BURST;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint32_t allocation, channel;
	struct relay *r;

	assert_non_null(f);
	observed_start(&f->call, TP_FAMILY_IPV4);
	r = f->call.r;
	f->client = f->call.client;
	f->listener = f->call.listener;
	f->listener.port_be = tp_htons(5349);
	r->locals[LISTENER_TLS] = (struct tp_local){.addr = f->listener,
		.external = f->listener,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_TLS};
	relay_locals_change(r);
	allocation = relay_allocation(r, &f->client, LISTENER_TLS,
		call_relayed(TP_FAMILY_IPV4, PORT), (struct tp_entry_relay){0});
	f->relayed = relay_relayed(r, allocation, 0);
	channel = relay_channel(r, allocation, 0, NUMBER, &f->call.peer);
	entry_template_stream_allocation(&r->entries[allocation], connection);
	r->entries[allocation].egress = tp_connection_egress(connection);
	entry_template_stream_channel(&r->entries[channel], &f->relayed, &f->call.peer);
	channel = r->entries[channel].partner;
	entry_template_stream_peer(
		&r->entries[channel], connection, NUMBER, &f->relayed, &f->call.peer);
	r->entries[channel].egress = tp_connection_egress(connection);
	edge_start(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->slots);
	observed_end(&f->call);
	free(f);
	return 0;
}

static void client_sends(struct fixture *f, const struct message *m, uint64_t from)
{
	static struct frame frame;
	const struct stage_message source = {
		.remote = f->client, .connection = from, .listener_id = LISTENER_TLS};
	struct stage_pkt pkt = {.data = frame_data(&frame),
		.len = m->len,
		.headroom = FRAME_FRONT,
		.tailroom = (uint16_t)(FRAME_MAX - m->len)};

	memcpy(pkt.data, m->data, m->len);
	observe_run_messages(&observed, f->call.r->worker, &pkt, &source, 1, f->call.r->now_ns);
}

static void peer_sends(struct fixture *f)
{
	static struct frame frame;
	struct stage_worker *w = f->call.r->worker;
	struct stage_pkt pkt = call_packet(&frame, &f->call.peer, &f->relayed, "hello", 5);

	observe_run(&observed, w, &pkt, 1, f->call.r->now_ns);
	assert_int_equal(pkt.verdict, STAGE_STREAM);
	observe_give(&observed, w, f->call.r->now_ns);
}

// ---- capture ------------------------------------------------------------------------------------

static void capture(const struct fixture *f, uint32_t frames)
{
	const struct tp_capture_request r = {.ask = {TP_CAPTURE_REQUEST_MAGIC, 7, frames, 5},
		.n_relayed = 1,
		.client = f->client,
		.listener = f->listener,
		.relayed = {f->relayed},
		.connection = connection};

	assert_true(observe_capture_request_is_right(&r));
	assert_int_equal(observe_capture_arm(&observed.capture, &r), 0);
}

static void is_message(const struct tp_capture_record *rec, enum tp_capture_direction direction,
	const void *data, uint16_t len)
{
	assert_non_null(rec);
	assert_int_equal(rec->form, TP_CAPTURE_MESSAGE);
	assert_int_equal(rec->port, TP_OBSERVE_EDGE);
	assert_int_equal(rec->direction, direction);
	assert_int_equal(rec->len, len);
	assert_int_equal(rec->taken, len);
	assert_memory_equal(rec + 1, data, len);
}

static void messages_are_captured(void **state)
{
	struct fixture *f = *state;
	struct message m;
	const struct tp_capture_record *rec;

	capture(f, 100);
	message_channel(&m, NUMBER, "media", 5, 0);
	client_sends(f, &m, connection);
	rec = captured_take();
	is_message(rec, TP_CAPTURE_RECEIVED, m.data, m.len);
	assert_int_equal(rec->verdict, STAGE_SEND);
	// Another connection of the same address.
	client_sends(f, &m, connection + (1ull << 32));
	assert_null(captured_take());
	peer_sends(f);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->form, TP_CAPTURE_FRAME);
	assert_int_equal(rec->verdict, STAGE_STREAM);
	rec = captured_take();
	is_message(rec, TP_CAPTURE_SENT, "\x40\x06\x00\x05hello", 9);
	assert_int_equal(rec->verdict, STAGE_SEND);
	assert_null(captured_take());
}

static void full_ring_of_the_edge_is_told(void **state)
{
	struct fixture *f = *state;
	const struct tp_capture_record *rec;

	capture(f, 100);
	atomic_store(&f->head.value, TP_RING_SLOTS);
	peer_sends(f);
	assert_non_null(captured_take());
	rec = captured_take();
	is_message(rec, TP_CAPTURE_SENT, "\x40\x06\x00\x05hello", 9);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_edge_full);
}

// A datagram of fragments has no room in a message for the reader.
static void long_messages_are_cut(void **state)
{
	static uint8_t data[40000] = {0x40, 0x06};
	struct stage_pkt pkt = {.data = data, .len = sizeof(data)};
	struct fixture *f = *state;
	struct stage_worker *w = f->call.r->worker;
	const struct tp_capture_record *rec;

	capture(f, 100);
	w->stream_out[w->n_stream_out++] =
		(struct stage_stream_out){.connection = connection, .pkt = &pkt};
	observe_give(&observed, w, f->call.r->now_ns);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->len, sizeof(data));
	assert_int_equal(rec->taken, TP_CAPTURE_TAKEN_MAX);
	assert_int_equal(rec->reason, TP_DROP_too_big);
	assert_null(captured_take());
}

static void integrity_is_left_out(void **state)
{
	static const uint8_t txid[12] = {1};
	uint8_t digest[20];
	struct fixture *f = *state;
	const struct tp_capture_record *rec;
	struct message m;

	capture(f, 100);
	memset(digest, 0xd1, sizeof(digest));
	message_begin(&m, 0x0004, txid);
	message_attribute(&m, TP_ATTR_MESSAGE_INTEGRITY, digest, sizeof(digest));
	client_sends(f, &m, connection);
	rec = captured_take();
	assert_non_null(rec);
	assert_int_equal(rec->len, m.len);
	assert_memory_equal(rec + 1, m.data, m.len - sizeof(digest));
	for (size_t i = 0; i < sizeof(digest); i++)
		assert_int_equal(((const uint8_t *)(rec + 1))[m.len - sizeof(digest) + i], 0);
}

static void slow_readers_miss_them(void **state)
{
	struct fixture *f = *state;
	unsigned sent = 0, seen = 0;
	struct message m;

	capture(f, TP_CAPTURE_FRAMES_MAX);
	message_channel(&m, NUMBER, "media", 5, 0);
	for (; observe_records_missed(&observed.capture.records, TP_OBSERVE_EDGE) < 3; sent++)
		client_sends(f, &m, connection);
	while (captured_take() != NULL)
		seen++;
	assert_int_equal(seen + 3, sent);
	assert_int_equal(observe_records_missed(&observed.capture.records, 0), 0);
}

// ---- trace --------------------------------------------------------------------------------------

static const struct tp_trace_record *traced(void)
{
	static struct tp_trace_record rec;

	return observe_records_take(&observed.trace.records, (uint8_t *)&rec, sizeof(rec)) > 0
		       ? &rec
		       : NULL;
}

static void messages_are_traced(void **state)
{
	struct fixture *f = *state;
	const struct tp_trace_request r = {
		.ask = {TP_TRACE_REQUEST_MAGIC, 7, 100, 5}, .client = f->client};
	const struct tp_trace_record *rec;
	struct message m;

	assert_int_equal(observe_trace_arm(&observed.trace, &r), 0);
	// Before a message of it has come its connection is not known.
	peer_sends(f);
	assert_null(traced());
	message_channel(&m, NUMBER, "media", 5, 0);
	client_sends(f, &m, connection);
	rec = traced();
	assert_non_null(rec);
	assert_int_equal(rec->in_transport, TP_TRANSPORT_TLS);
	call_assert_addr(&rec->from, &f->client);
	call_assert_addr(&rec->to, &f->listener);
	assert_int_equal(rec->first, NUMBER);
	assert_int_equal(rec->verdict, STAGE_SEND);
	assert_int_equal(rec->out_transport, 0);
	call_assert_addr(&rec->sent_to, &f->call.peer);
	peer_sends(f);
	rec = traced();
	assert_non_null(rec);
	assert_int_equal(rec->in_transport, 0);
	call_assert_addr(&rec->from, &f->call.peer);
	assert_int_equal(rec->verdict, STAGE_STREAM);
	assert_int_equal(rec->out_transport, TP_TRANSPORT_TLS);
	call_assert_addr(&rec->sent_from, &f->listener);
	call_assert_addr(&rec->sent_to, &f->client);
	assert_int_equal(rec->sent_len, 9);
	assert_null(traced());
}

// The next trace knows nothing of the one before, not even of the same client.
static void connections_are_forgotten(void **state)
{
	struct fixture *f = *state;
	struct tp_trace_request r = {
		.ask = {TP_TRACE_REQUEST_MAGIC, 7, 100, 5}, .client = f->client};
	struct message m;

	assert_int_equal(observe_trace_arm(&observed.trace, &r), 0);
	message_channel(&m, NUMBER, "media", 5, 0);
	client_sends(f, &m, connection);
	assert_non_null(traced());
	observe_records_disarm(&observed.trace.records);
	r.ask.number = 8;
	r.client = f->call.visitor;
	assert_int_equal(observe_trace_arm(&observed.trace, &r), 0);
	peer_sends(f);
	client_sends(f, &m, connection);
	assert_null(traced());
	observe_records_disarm(&observed.trace.records);
	r.ask.number = 9;
	r.client = f->client;
	assert_int_equal(observe_trace_arm(&observed.trace, &r), 0);
	peer_sends(f);
	assert_null(traced());
	client_sends(f, &m, connection);
	assert_non_null(traced());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(messages_are_captured),
		TEST(full_ring_of_the_edge_is_told),
		TEST(long_messages_are_cut),
		TEST(integrity_is_left_out),
		TEST(slow_readers_miss_them),
		TEST(messages_are_traced),
		TEST(connections_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
