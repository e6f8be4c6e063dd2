// SPDX-License-Identifier: BSD-3-Clause
// Clients that come by TLS: messages in and out at the point where a UDP payload begins. The
// listener exists in this test alone.
#include "call.h"

#include <entry/template.h>

#define LISTENER_TLS 20u
#define NUMBER	     0x4005u
#define PORT	     50100u
#define OUT_MAX	     4u

static const uint64_t connection = 5ull << 32 | TP_EGRESS_STREAM | 3u << 24 | 77;

// A stream client beside the UDP client of `call`, with the same peers.
struct stream {
	struct call call;
	struct tp_addr client;
	struct tp_addr relayed;
	uint32_t allocation, channel, permission;
	struct stage_stream_out out[OUT_MAX];
};

static void stream_start(struct stream *s, uint8_t near, uint8_t far)
{
	struct tp_local *l;
	struct tp_entry *e;
	struct relay *r;
	struct tp_addr at;

	memset(s, 0, sizeof(*s));
	call_start(&s->call, near, far);
	r = s->call.r;
	at = s->call.listener;
	at.port_be = tp_htons(5349);
	l = &r->locals[LISTENER_TLS];
	*l = (struct tp_local){
		.addr = at,
		.external = at,
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_TLS,
	};
	relay_locals_change(r);
	// The same address and port as the UDP client's.
	s->client = s->call.client;
	s->allocation = relay_allocation(
		r, &s->client, LISTENER_TLS, call_relayed(far, PORT), (struct tp_entry_relay){0});
	s->relayed = relay_relayed(r, s->allocation, 0);
	s->channel = relay_channel(r, s->allocation, 0, NUMBER, &s->call.peer);
	s->permission = relay_permission(r, s->allocation, 0, &s->call.visitor);
	e = &r->entries[s->allocation];
	assert_int_equal(entry_template_stream_allocation(e, connection), 0);
	e->egress = tp_connection_egress(connection);
	assert_int_equal(
		entry_template_stream_channel(&r->entries[s->channel], &s->relayed, &s->call.peer),
		0);
	e = &r->entries[r->entries[s->channel].partner];
	assert_int_equal(
		entry_template_stream_peer(e, connection, NUMBER, &s->relayed, &s->call.peer), 0);
	e->egress = tp_connection_egress(connection);
	r->worker->stream_out = s->out;
	r->worker->stream_out_max = OUT_MAX;
}

static struct stage_pkt message_run(
	struct stream *s, struct frame *f, const struct message *m, uint64_t from)
{
	struct stage_message source = {
		.remote = s->client, .connection = from, .listener_id = LISTENER_TLS};
	struct stage_pkt pkt = {
		.data = frame_data(f),
		.len = m->len,
		.headroom = FRAME_FRONT,
		.tailroom = (uint16_t)(FRAME_MAX - m->len),
	};

	s->call.r->worker->n_stream_out = 0;
	memcpy(pkt.data, m->data, m->len);
	stage_run_messages(s->call.r->worker, &pkt, &source, 1, s->call.r->now_ns);
	return pkt;
}

static struct stage_pkt datagram_run(struct stream *s, struct frame *f, const struct tp_addr *from,
	const void *data, uint16_t len)
{
	s->call.r->worker->n_stream_out = 0;
	return call_send_bytes(&s->call, f, from, &s->relayed, data, len);
}

static void assert_message(const struct stream *s, const struct stage_pkt *pkt)
{
	if (pkt->verdict == STAGE_DROP)
		print_error("dropped: %s\n", tp_drop_text(pkt->reason)->name);
	assert_int_equal(pkt->verdict, STAGE_STREAM);
	assert_int_equal(s->call.r->worker->n_stream_out, 1);
	assert_true(s->out[0].connection == connection);
}

static void check_to_peer(struct stream *s)
{
	static const char data[] = "odd number of bytes in it";
	const struct tp_worker_stats *stats = s->call.r->stats;
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	for (uint16_t len = 0; len < sizeof(data); len++) {
		message_channel(&m, NUMBER, data, len, 0);
		pkt = message_run(s, &f, &m, connection);
		v = call_read(&pkt);
		call_assert_addr(&v.src, &s->relayed);
		call_assert_addr(&v.dst, &s->call.peer);
		assert_int_equal(v.len, len);
		assert_memory_equal(v.payload, data, len);
		assert_true(v.udp_csum_right && v.csum != 0);
		assert_int_equal(v.ttl, 64);
		assert_false(v.df);

		call_send_indication(&m, &s->call.visitor, data, len, (len & 1) != 0);
		pkt = message_run(s, &f, &m, connection);
		v = call_read(&pkt);
		call_assert_addr(&v.src, &s->relayed);
		call_assert_addr(&v.dst, &s->call.visitor);
		assert_int_equal(v.len, len);
		assert_memory_equal(v.payload, data, len);
		assert_true(v.udp_csum_right && v.csum != 0);
	}
	assert_int_equal(stats->path_packets[TP_PATH_channel_to_peer], sizeof(data));
	assert_int_equal(stats->path_packets[TP_PATH_send_to_peer], sizeof(data));
	assert_int_equal(s->call.r->cells[s->channel].packets, sizeof(data));
	assert_int_equal(s->call.r->cells[s->permission].packets, sizeof(data));
	assert_int_equal(stats->rx_packets, 2 * sizeof(data));
}

static void check_to_client(struct stream *s)
{
	static const char data[] = "from a peer";
	const struct tp_worker_stats *stats = s->call.r->stats;
	const uint8_t *got;
	struct tp_addr peer;
	struct stage_pkt pkt;
	uint16_t got_len;
	struct frame f;

	for (uint16_t len = 0; len < sizeof(data); len++) {
		pkt = datagram_run(s, &f, &s->call.peer, data, len);
		assert_message(s, &pkt);
		assert_int_equal(pkt.len, 4 + len);
		assert_int_equal(tp_load_be16(pkt.data), NUMBER);
		assert_int_equal(tp_load_be16(pkt.data + 2), len);
		assert_memory_equal(pkt.data + 4, data, len);

		pkt = datagram_run(s, &f, &s->call.visitor, data, len);
		assert_message(s, &pkt);
		assert_null(message_read_data(pkt.data, pkt.len, &peer, &got, &got_len));
		call_assert_addr(&peer, &s->call.visitor);
		assert_int_equal(got_len, len);
		assert_memory_equal(got, data, len);
		assert_int_equal(pkt.headroom, pkt.data - f.memory);
	}
	assert_int_equal(stats->path_packets[TP_PATH_peer_to_channel], sizeof(data));
	assert_int_equal(stats->path_packets[TP_PATH_peer_to_data], sizeof(data));
	assert_int_equal(s->call.r->cells[s->allocation].packets, sizeof(data));
}

// The IP header of a peer's datagram ends here: its DSCP, ECN and TTL say nothing to the stream,
// and one that came in fragments goes on as one message.
static void check_fields_end(struct stream *s)
{
	static const uint8_t data[4000] = "from a peer";
	const struct frame_spec specs[] = {
		{.tos = 0xff, .ttl = 1, .len = 100},
		{.tos = 0xff, .ttl = 1, .df = true, .len = 1400},
		{.ttl = 9, .len = 1900},
	};
	struct stage_worker *w = s->call.r->worker;
	struct stage_pkt pkt;
	struct frame f;

	for (size_t i = 0; i < TP_ARRAY_LEN(specs); i++) {
		struct frame_spec spec = specs[i];

		spec.src = s->call.peer;
		spec.dst = s->relayed;
		spec.payload = data;
		frame_build(&f, &spec);
		w->n_stream_out = 0;
		w->whole = spec.len > 1400;
		pkt = relay_run(s->call.r, &f);
		w->whole = false;
		assert_message(s, &pkt);
		assert_int_equal(pkt.len, 4 + spec.len);
		assert_memory_equal(pkt.data + 4, data, spec.len);
	}
}

static void each_family(void (*check)(struct stream *s))
{
	static const uint8_t families[2] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct stream s;

	for (unsigned i = 0; i < 4; i++) {
		stream_start(&s, families[i / 2], families[i % 2]);
		check(&s);
		call_end(&s.call);
	}
}

// Clauses: 8656 5-8, 15-1
static void test_to_peer(void **state)
{
	(void)state;
	each_family(check_to_peer);
}

// Clauses: 8656 5-8, 16-1
static void test_to_client(void **state)
{
	(void)state;
	each_family(check_to_client);
}

// Clauses: 8656 16-1
static void test_fields_of_peers_end(void **state)
{
	(void)state;
	each_family(check_fields_end);
}

// Messages without the magic cookie by DTLS: their client could not read an answer of this RFC.
// Clauses: 8489 11-1
static void test_classic_over_dtls(void **state)
{
	static const struct {
		uint16_t type;
		enum tp_drop why;
	} rows[] = {
		{0x0001, TP_DROP_classic_stun}, // a request
		{0x0011, TP_DROP_bad_stun},	// an indication
	};
	struct stage_pkt pkt;
	struct message m;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	s.call.r->locals[LISTENER_TLS].transport = TP_TRANSPORT_DTLS;
	relay_locals_change(s.call.r);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		message_begin(&m, rows[i].type, call_txid);
		memcpy(m.data + 4, "\x01\x02\x03\x04", 4); // no cookie
		pkt = message_run(&s, &f, &m, connection);
		call_assert_drop(&pkt, rows[i].why);
	}
	call_end(&s.call);
}

// A datagram with a forged source has the listener id of UDP, and so another allocation or none.
static void test_forged_datagram_meets_no_stream_client(void **state)
{
	struct tp_addr tls;
	struct stage_pkt pkt;
	struct message m;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	message_channel(&m, NUMBER, "forged", 6, 0);
	for (unsigned burst = 0; burst < 2; burst++) {
		s.call.r->worker->slow_only = burst == 1;
		pkt = call_send_bytes(&s.call, &f, &s.client, &s.call.listener, m.data, m.len);
		call_assert_drop(&pkt, TP_DROP_no_channel);
		// To the stream listener's port: the kernel's.
		tls = s.call.r->locals[LISTENER_TLS].addr;
		pkt = call_send_bytes(&s.call, &f, &s.client, &tls, m.data, m.len);
		assert_int_equal(pkt.verdict, STAGE_KERNEL);
	}
	assert_int_equal(s.call.r->cells[s.channel].packets, 0);
	call_end(&s.call);
}

// Clauses: 8489 12-4
static void test_requests_are_punted(void **state)
{
	static const uint16_t types[] = {0x0003, 0x0004}; // Allocate, Refresh
	const struct tp_ring_slot *slot;
	struct stage_pkt pkt;
	struct message m;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < TP_ARRAY_LEN(types); i++) {
		message_begin(&m, types[i], call_txid);
		pkt = message_run(&s, &f, &m, connection);
		assert_int_equal(pkt.verdict, STAGE_PUNT);
		slot = relay_punted(s.call.r, TP_PUNT_LIVE);
		assert_non_null(slot);
		assert_true(slot->connection == connection);
		assert_int_equal(slot->transport, TP_TRANSPORT_TLS);
		assert_int_equal(slot->local_id, LISTENER_TLS);
		assert_memory_equal(&slot->remote, &s.client, sizeof(s.client));
		assert_int_equal(slot->len, m.len);
		assert_memory_equal(slot->data, m.data, m.len);
	}
	// Another connection from the same address is not the allocation's, and no stranger's.
	pkt = message_run(&s, &f, &m, connection + (1ull << 32));
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	assert_null(relay_punted(s.call.r, TP_PUNT_LIVE));
	assert_null(relay_punted(s.call.r, TP_PUNT_FIRST));
	assert_non_null(relay_punted(s.call.r, TP_PUNT_NONCE));
	call_end(&s.call);
}

// Clauses: 8489 12-1
static void test_binding_answered(void **state)
{
	struct tp_addr mapped;
	struct stage_pkt pkt;
	const char *wrong;
	struct message m;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned with_fingerprint = 0; with_fingerprint < 2; with_fingerprint++) {
		message_begin(&m, 0x0001, call_txid);
		if (with_fingerprint)
			message_fingerprint(&m);
		pkt = message_run(&s, &f, &m, connection);
		assert_int_equal(pkt.verdict, STAGE_STREAM);
		assert_int_equal(s.call.r->worker->n_stream_out, 1);
		assert_true(s.call.r->worker->stream_out[0].connection == connection);
		assert_int_equal(pkt.len + pkt.tailroom, FRAME_MAX);
		wrong = message_read_binding(
			pkt.data, pkt.len, call_txid, with_fingerprint, &mapped);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		call_assert_addr(&mapped, &s.client);
	}
	assert_int_equal(s.call.r->stats->path_packets[TP_PATH_binding], 2);
	// Not without an edge, nor without credentials where these are asked for.
	s.call.r->worker->stream_out_max = 0;
	pkt = message_run(&s, &f, &m, connection);
	call_assert_drop(&pkt, TP_DROP_edge_full);
	s.call.r->path.secure_stun = 1;
	relay_locals_change(s.call.r);
	pkt = message_run(&s, &f, &m, connection);
	assert_int_equal(pkt.verdict, STAGE_PUNT);
	call_end(&s.call);
}

static void test_stale_connections(void **state)
{
	struct stage_pkt pkt;
	struct tp_entry *e;
	struct message m;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	message_channel(&m, NUMBER, "x", 1, 0);
	pkt = message_run(&s, &f, &m, connection + (1ull << 32));
	call_assert_drop(&pkt, TP_DROP_stale_connection);
	pkt = message_run(&s, &f, &m, connection & ~(uint64_t)TP_EGRESS_STREAM);
	call_assert_drop(&pkt, TP_DROP_stale_connection);
	call_send_indication(&m, &s.call.visitor, "x", 1, false);
	pkt = message_run(&s, &f, &m, connection + 1);
	call_assert_drop(&pkt, TP_DROP_stale_connection);
	// The entry's egress has moved on.
	e = &s.call.r->entries[s.call.r->entries[s.channel].partner];
	e->egress = tp_connection_egress(connection + 1);
	pkt = datagram_run(&s, &f, &s.call.peer, "x", 1);
	call_assert_drop(&pkt, TP_DROP_stale_connection);
	call_end(&s.call);
}

// The edge can harm its own clients alone.
static void test_edge_names_no_other_listener(void **state)
{
	static const uint16_t ids[] = {0, RELAY_LISTENER4, RELAY_RELAY4, 999, 65535};
	struct stage_pkt pkt;
	struct message m;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	message_channel(&m, CALL_NUMBER, "x", 1, 0);
	for (unsigned i = 0; i < TP_ARRAY_LEN(ids); i++) {
		struct stage_message source = {
			.remote = s.client, .connection = connection, .listener_id = ids[i]};

		pkt = (struct stage_pkt){.data = frame_data(&f), .len = m.len};
		memcpy(pkt.data, m.data, m.len);
		stage_run_messages(s.call.r->worker, &pkt, &source, 1, s.call.r->now_ns);
		call_assert_drop(&pkt, TP_DROP_edge_bad);
	}
	call_end(&s.call);
}

static void test_drops_on_the_way_out(void **state)
{
	struct stage_pkt pkt;
	struct stream s;
	struct frame f;
	struct frame_spec spec;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	// A wrong checksum, which a stream would hide.
	spec = (struct frame_spec){
		.src = s.call.peer, .dst = s.relayed, .payload = "data", .len = 4};
	frame_build(&f, &spec);
	frame_data(&f)[f.len - 1] ^= 1;
	pkt = relay_run(s.call.r, &f);
	call_assert_drop(&pkt, TP_DROP_bad_udp_checksum);
	s.call.r->worker->stream_out_max = 0;
	pkt = datagram_run(&s, &f, &s.call.peer, "x", 1);
	call_assert_drop(&pkt, TP_DROP_edge_full);
	pkt = datagram_run(&s, &f, &s.call.visitor, "x", 1);
	call_assert_drop(&pkt, TP_DROP_edge_full);
	call_end(&s.call);
}

// Between the UDP client and the stream client of one relay, each with a channel to the other.
static void check_hairpin(struct stream *s)
{
	struct relay *r = s->call.r;
	uint32_t udp = relay_channel(r, s->call.allocation, 0, 0x4100, &s->relayed);
	uint32_t own = relay_channel(r, s->allocation, 0, 0x4200, &s->call.relayed);
	struct tp_entry *e = &r->entries[r->entries[own].partner];
	struct stage_pkt pkt;
	struct frame_view v;
	struct message m;
	struct frame f;

	assert_int_equal(
		entry_template_stream_channel(&r->entries[own], &s->relayed, &s->call.relayed), 0);
	assert_int_equal(
		entry_template_stream_peer(e, connection, 0x4200, &s->relayed, &s->call.relayed),
		0);
	e->egress = tp_connection_egress(connection);
	assert_int_equal(r->entries[udp].flags & TP_ENTRY_HAIRPIN, TP_ENTRY_HAIRPIN);

	r->worker->n_stream_out = 0;
	message_channel(&m, 0x4100, "to the stream", 13, 3);
	pkt = call_send_bytes(&s->call, &f, &s->client, &s->call.listener, m.data, m.len);
	assert_message(s, &pkt);
	assert_int_equal(pkt.len, 17);
	assert_int_equal(tp_load_be16(pkt.data), 0x4200);
	assert_int_equal(tp_load_be16(pkt.data + 2), 13);
	assert_memory_equal(pkt.data + 4, "to the stream", 13);

	message_channel(&m, 0x4200, "to the datagrams", 16, 0);
	pkt = message_run(s, &f, &m, connection);
	v = call_read(&pkt);
	call_assert_addr(&v.src, &s->call.listener);
	call_assert_addr(&v.dst, &s->call.client);
	assert_true(v.udp_csum_right);
	assert_int_equal(v.len, 20);
	assert_int_equal(tp_load_be16(v.payload), 0x4100);
	assert_memory_equal(v.payload + 4, "to the datagrams", 16);
	assert_int_equal(r->stats->path_packets[TP_PATH_hairpin], 2);
}

static void test_hairpin(void **state)
{
	(void)state;
	each_family(check_hairpin);
}

static void test_inject(void **state)
{
	struct tp_ring_slot *slot;
	struct stage_pkt pkt;
	struct stream s;
	struct frame f;

	(void)state;
	stream_start(&s, TP_FAMILY_IPV4, TP_FAMILY_IPV4);
	for (unsigned i = 0; i < 2; i++) {
		slot = &s.call.r->slots[TP_PUNT_CLASSES * TP_RING_SLOTS + i];
		memset(slot, 0, sizeof(*slot));
		slot->local_id = LISTENER_TLS;
		slot->remote = s.client;
		slot->connection = i == 0 ? connection : 0;
		slot->egress = tp_connection_egress(slot->connection);
		slot->len = 20;
		memset(slot->data, 7, 20);
		s.call.r->heads[TP_PUNT_CLASSES].value++;
	}
	pkt = (struct stage_pkt){
		.data = frame_data(&f), .headroom = FRAME_FRONT, .tailroom = FRAME_MAX};
	assert_int_equal(stage_inject(s.call.r->worker, &pkt, 1), 1);
	assert_message(&s, &pkt);
	assert_int_equal(pkt.len, 20);
	assert_memory_equal(pkt.data, s.call.r->slots[TP_PUNT_CLASSES * TP_RING_SLOTS].data, 20);
	assert_int_equal(stage_inject(s.call.r->worker, &pkt, 1), 0);
	assert_int_equal(s.call.r->stats->drops[TP_DROP_stale_connection], 1);
	call_end(&s.call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_peer),
		cmocka_unit_test(test_to_client),
		cmocka_unit_test(test_fields_of_peers_end),
		cmocka_unit_test(test_classic_over_dtls),
		cmocka_unit_test(test_forged_datagram_meets_no_stream_client),
		cmocka_unit_test(test_requests_are_punted),
		cmocka_unit_test(test_binding_answered),
		cmocka_unit_test(test_stale_connections),
		cmocka_unit_test(test_edge_names_no_other_listener),
		cmocka_unit_test(test_drops_on_the_way_out),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_inject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
