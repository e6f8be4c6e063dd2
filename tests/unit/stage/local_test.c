// SPDX-License-Identifier: BSD-3-Clause
// Listed peers on the relay's own addresses: packets become frames for the kernel, and those that
// the kernel has for a relayed address go on to the client.
#include "call.h"

#define PORT   50000u
#define LISTED 20000u

struct world {
	struct relay *r;
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed; // as the host knows it
	struct tp_addr media;	// likewise
	struct tp_addr named;	// as the client names it
	uint32_t allocation;
	uint32_t entry; // CHANNEL or PERMISSION
	bool channel;
	struct stage_local_peer listed[2];
};

static void world_make(struct world *w, uint8_t family, uint16_t relay_id, bool channel)
{
	uint16_t listener_id = family == TP_FAMILY_IPV4 ? RELAY_LISTENER4 : RELAY_LISTENER6;
	const struct tp_entry_relay relay = {.relay_id = relay_id, .port_be = tp_htons(PORT)};

	w->r = relay_create(64, TP_HASH_KIND_SIPHASH);
	w->channel = channel;
	w->client = family == TP_FAMILY_IPV4 ? relay_addr4("10.77.1.2", 50001)
					     : relay_addr6("fd77:1::2", 50001);
	w->listener = w->r->locals[listener_id].addr;
	w->relayed = w->media = w->r->locals[relay_id].addr;
	w->relayed.port_be = tp_htons(PORT);
	w->media.port_be = tp_htons(LISTED);
	w->named = w->r->locals[relay_id].external;
	w->named.port_be = tp_htons(LISTED);
	w->allocation =
		relay_allocation(w->r, &w->client, listener_id, relay, (struct tp_entry_relay){0});
	w->entry = channel ? relay_channel(w->r, w->allocation, 0, CALL_NUMBER, &w->named)
			   : relay_permission(w->r, w->allocation, 0, &w->named);
	for (unsigned i = 0; i < 2; i++) {
		w->listed[i].ip = w->r->locals[relay_id].addr;
		w->listed[i].port_min = (uint16_t)(LISTED - 10 * i);
		w->listed[i].port_max = (uint16_t)(LISTED + 1 - 10 * i);
	}
	w->r->worker->local_peers = w->listed;
	w->r->worker->n_local_peers = 2;
	w->r->worker->local_mtu = 1540;
}

static struct stage_pkt client_sends(struct world *w, struct frame *f, const char *data)
{
	uint16_t len = (uint16_t)strlen(data);
	struct message m;
	struct frame_spec spec = {.src = w->client, .dst = w->listener, .ttl = 30};

	if (w->channel)
		message_channel(&m, CALL_NUMBER, data, len, 0);
	else
		call_send_indication(&m, &w->named, data, len, true);
	spec.payload = m.data;
	spec.len = m.len;
	frame_build(f, &spec);
	return relay_run(w->r, f);
}

static struct stage_pkt media_sends(struct world *w, struct frame *f, const struct tp_addr *src,
	const struct tp_addr *dst, const char *data)
{
	struct stage_pkt pkt = call_packet(f, src, dst, data, (uint16_t)strlen(data));

	stage_run_local(w->r->worker, &pkt, 1, w->r->now_ns);
	return pkt;
}

static void there(struct world *w)
{
	struct frame f;
	struct stage_pkt pkt = client_sends(w, &f, "to the media server");
	struct frame_view v;
	const char *wrong;

	assert_int_equal(pkt.verdict, STAGE_LOCAL);
	wrong = frame_read(pkt.data, pkt.len, &v);
	if (wrong != NULL)
		fail_msg("%s", wrong);
	assert_true(v.udp_csum_right);
	call_assert_addr(&v.src, &w->relayed);
	call_assert_addr(&v.dst, &w->media);
	assert_int_equal(v.len, strlen("to the media server"));
	assert_memory_equal(v.payload, "to the media server", v.len);
	assert_int_equal(w->r->cells[w->entry].packets, 1);
}

static void back(struct world *w)
{
	const char *text = "from the media server", *wrong;
	struct frame f;
	struct stage_pkt pkt = media_sends(w, &f, &w->media, &w->relayed, text);
	struct frame_view v = call_read(&pkt);
	struct tp_addr from;
	const uint8_t *got = v.payload + 4;
	uint16_t len = (uint16_t)(v.len - 4);

	assert_true(v.udp_csum_right);
	call_assert_addr(&v.src, &w->listener);
	call_assert_addr(&v.dst, &w->client);
	if (w->channel) {
		assert_int_equal(tp_load_be16(v.payload), CALL_NUMBER);
	} else {
		wrong = message_read_data(v.payload, v.len, &from, &got, &len);
		if (wrong != NULL)
			fail_msg("%s", wrong);
		call_assert_addr(&from, &w->named);
	}
	assert_int_equal(len, strlen(text));
	assert_memory_equal(got, text, len);
}

static void test_both_ways(void **state)
{
	static const struct {
		uint8_t family;
		uint16_t relay_id;
	} ways[] = {
		{TP_FAMILY_IPV4, RELAY_RELAY4},
		{TP_FAMILY_IPV6, RELAY_RELAY6},
		// Known outside by another address, in both directions.
		{TP_FAMILY_IPV4, RELAY_RELAY4_NAT},
		{TP_FAMILY_IPV6, RELAY_RELAY4},
		{TP_FAMILY_IPV4, RELAY_RELAY6},
	};
	struct world w;

	(void)state;
	for (unsigned i = 0; i < 2 * TP_ARRAY_LEN(ways); i++) {
		world_make(&w, ways[i / 2].family, ways[i / 2].relay_id, i % 2 == 0);
		there(&w);
		back(&w);
		relay_destroy(w.r);
	}
}

static void test_the_rest_is_closed(void **state)
{
	static const uint16_t ports[] = {LISTED + 2, LISTED - 1, 3478, PORT + 1, 49200, 22};
	struct stage_pkt pkt;
	struct frame f;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(ports); i++) {
		world_make(&w, TP_FAMILY_IPV4, RELAY_RELAY4, false);
		w.named.port_be = w.media.port_be = tp_htons(ports[i]);
		pkt = client_sends(&w, &f, "knock");
		call_assert_drop(&pkt, TP_DROP_own_address);
		pkt = media_sends(&w, &f, &w.media, &w.relayed, "knock");
		call_assert_drop(&pkt, TP_DROP_own_source);
		relay_destroy(w.r);
	}
}

// Nothing is listed by default.
static void test_nothing_is_open_by_itself(void **state)
{
	struct stage_pkt pkt;
	struct frame f;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		world_make(&w, TP_FAMILY_IPV4, RELAY_RELAY4, i == 0);
		w.r->worker->n_local_peers = 0;
		pkt = client_sends(&w, &f, "knock");
		call_assert_drop(&pkt, TP_DROP_own_address);
		pkt = media_sends(&w, &f, &w.media, &w.relayed, "knock");
		call_assert_drop(&pkt, TP_DROP_own_source);
		// From the wire, even a listed source is a forgery.
		w.r->worker->n_local_peers = 2;
		pkt = call_send_bytes(&(struct call){.r = w.r}, &f, &w.media, &w.relayed, "x", 1);
		call_assert_drop(&pkt, TP_DROP_own_source);
		relay_destroy(w.r);
	}
}

// A listed peer reaches relayed addresses, and nothing else that we have.
static void test_a_peer_reaches_no_listener(void **state)
{
	struct stage_pkt pkt;
	struct frame f;
	struct world w;

	(void)state;
	world_make(&w, TP_FAMILY_IPV4, RELAY_RELAY4, true);
	pkt = media_sends(&w, &f, &w.media, &w.listener, "x");
	call_assert_drop(&pkt, TP_DROP_own_source);
	w.relayed.port_be = tp_htons(PORT + 1);
	pkt = media_sends(&w, &f, &w.media, &w.relayed, "x");
	call_assert_drop(&pkt, TP_DROP_no_allocation);
	relay_destroy(w.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_the_rest_is_closed),
		cmocka_unit_test(test_nothing_is_open_by_itself),
		cmocka_unit_test(test_a_peer_reaches_no_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
