// SPDX-License-Identifier: BSD-3-Clause
// Which of two workers meets a packet is a throw of the dice, so that both directions of a flow,
// both ends of a hairpin and the messages of one client meet both workers all the time. Every
// packet must leave right, and the workers' separate counts must add up to the number sent.
#include "many_stand.h"

#include <time.h>

#include <rte_mbuf.h>
#include <tables/writer.h>
#include <turnpike/stun.h>

#define PACKETS		20000u // of each direction
#define ROOM		512u   // packets under way
#define REFRESH_REQUEST 0x0004u

// PACKETS frames of one direction, flow after flow, each to a worker by chance.
static void direction_run(struct stand *s, enum bench_direction direction)
{
	unsigned port = direction == BENCH_BINDING ? PORT_IN : PORT_OUT;
	uint64_t end = stand_now_ns() + PATIENCE_NS;
	unsigned given = 0, taken = 0;
	struct bench_template t;

	bench_template_init(&t, &s->fixture->population, direction, PAYLOAD, SEED);
	while (taken < PACKETS) {
		unsigned n = stand_take(s, &t, port);

		taken += n;
		for (; given < PACKETS && given - taken < ROOM; given++) {
			struct rte_mbuf *m = frame_make(&t, given % FLOWS);

			assert_int_equal(
				rte_ring_enqueue(ground.rx[PORT_IN][stand_throw(s)], m), 0);
		}
		if (stand_now_ns() > end)
			fail_msg("%s: %u of %u packets came out", bench_direction_name(direction),
				taken, given);
		if (n == 0)
			nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	}
	assert_int_equal(stand_take(s, &t, port), 0);
}

static uint64_t path_sum(const struct stand *s, enum tp_path path)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < WORKERS; w++) {
		// Each had its share: else nothing met two workers.
		assert_true(stand_stats(s, w)->path_packets[path] > PACKETS / 4);
		n += stand_stats(s, w)->path_packets[path];
	}
	return n;
}

// Each worker's cells count the packets that it relayed, and no others.
static void cells_of_each(const struct stand *s)
{
	const struct shm_state *state = &s->attach.segment.state;

	for (unsigned w = 0; w < WORKERS; w++) {
		const struct tp_worker_stats *stats = stand_stats(s, w);
		uint64_t relayed = stats->path_packets[TP_PATH_channel_to_peer] +
				   stats->path_packets[TP_PATH_peer_to_channel] +
				   stats->path_packets[TP_PATH_send_to_peer] +
				   stats->path_packets[TP_PATH_peer_to_data];
		uint64_t counted = 0;

		for (uint32_t i = 0; i < state->n_entries; i++)
			counted += shm_state_cell(state, w, i)->packets;
		assert_int_equal(counted, relayed);
	}
}

// The usage of each allocation, as the control process adds it up.
static void usage_is(const struct stand *s, uint64_t to_peer, uint64_t to_client)
{
	const struct tp_table *table = &bench_fixture_shm(s->fixture)->table;
	struct tables_usage u;
	unsigned n = 0;

	for (uint32_t i = 1; i < table->n_entries; i++) {
		if (tables_allocation_usage(s->fixture->tables, i, &u) != 0)
			continue;
		n++;
		assert_int_equal(u.to_peer_packets, to_peer);
		assert_int_equal(u.to_peer_octets, to_peer * PAYLOAD);
		assert_int_equal(u.to_client_packets, to_client);
		assert_int_equal(u.to_client_octets, to_client * PAYLOAD);
	}
	assert_int_equal(n, FLOWS);
}

static void test_both_directions(void **state)
{
	const uint64_t each = PACKETS / FLOWS;
	struct stand s;

	(void)state;
	stand_open(&s, false);
	direction_run(&s, BENCH_CLIENT_TO_PEER);
	direction_run(&s, BENCH_PEER_TO_CLIENT);
	direction_run(&s, BENCH_SEND);
	direction_run(&s, BENCH_DATA);
	direction_run(&s, BENCH_BINDING);
	stand_no_drops(&s);
	stand_sent_by_each(&s);
	cells_of_each(&s);
	assert_int_equal(path_sum(&s, TP_PATH_channel_to_peer), PACKETS);
	assert_int_equal(path_sum(&s, TP_PATH_peer_to_channel), PACKETS);
	assert_int_equal(path_sum(&s, TP_PATH_send_to_peer), PACKETS);
	assert_int_equal(path_sum(&s, TP_PATH_peer_to_data), PACKETS);
	assert_int_equal(path_sum(&s, TP_PATH_binding), PACKETS);
	usage_is(&s, 2 * each, 2 * each);
	stand_close(&s);
}

static void test_hairpin(void **state)
{
	const uint64_t each = PACKETS / FLOWS;
	struct stand s;

	(void)state;
	stand_open(&s, true);
	direction_run(&s, BENCH_HAIRPIN);
	stand_no_drops(&s);
	stand_sent_by_each(&s);
	cells_of_each(&s);
	assert_int_equal(path_sum(&s, TP_PATH_hairpin), PACKETS);
	// A client's packet to its peer is that peer's packet to its client.
	usage_is(&s, each, each);
	stand_close(&s);
}

// ---- messages ---------------------------------------------------------------------------------

#define MESSAGES 4000u

// A Refresh request of flow i's client: from a live 5-tuple.
static struct rte_mbuf *request_make(const struct bench_population *p, uint32_t i)
{
	static const uint16_t no_checksum;
	struct bench_template t;
	struct rte_mbuf *m;
	uint8_t *udp;

	bench_template_init(&t, p, BENCH_BINDING, 0, SEED);
	m = frame_make(&t, i);
	udp = rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + t.ip_len);
	memcpy(udp + 6, &no_checksum, sizeof(no_checksum));
	tp_store_be16(udp + 8, REFRESH_REQUEST);
	return m;
}

static bool await(const struct tp_ring_slot *(*look)(void *), void *arg)
{
	uint64_t end = stand_now_ns() + PATIENCE_NS;

	while (look(arg) == NULL) {
		if (stand_now_ns() > end)
			return false;
	}
	return true;
}

static const struct tp_ring_slot *look(void *arg)
{
	return tp_ring_peek(arg);
}

static struct rte_mbuf *await_frame(struct rte_ring *r)
{
	uint64_t end = stand_now_ns() + PATIENCE_NS;
	struct rte_mbuf *m = NULL;

	while (rte_ring_dequeue(r, (void **)&m) != 0)
		assert_true(stand_now_ns() < end);
	return m;
}

// A request is on the ring of the worker that met it, and an answer given to a worker is sent by
// that worker.
static void test_messages(void **state)
{
	struct tp_ring_consumer punt[WORKERS];
	struct tp_ring_producer inject[WORKERS];
	const struct segment *g;
	struct stand s;

	(void)state;
	stand_open(&s, false);
	g = &s.attach.segment;
	for (unsigned w = 0; w < WORKERS; w++) {
		punt[w] = shm_punt_consumer(&s.inject, &g->punt, w, TP_PUNT_LIVE);
		inject[w] = shm_inject_producer(&s.inject, &g->punt, w);
	}
	for (unsigned n = 0; n < MESSAGES; n++) {
		uint32_t flow_i = n % FLOWS;
		unsigned w = stand_throw(&s);
		const struct tp_ring_slot *slot;
		struct tp_ring_slot *answer;
		struct bench_flow flow;
		struct rte_mbuf *m;

		bench_flow_at(&s.fixture->population, flow_i, &flow);
		m = request_make(&s.fixture->population, flow_i);
		assert_int_equal(rte_ring_enqueue(ground.rx[n % PORTS][w], m), 0);
		assert_true(await(look, &punt[w]));
		slot = tp_ring_peek(&punt[w]);
		assert_int_equal(slot->worker, w);
		assert_true(tp_addr_equal(&slot->remote, &flow.client));
		assert_null(tp_ring_peek(&punt[!w]));
		tp_ring_release(&punt[w]);
		answer = tp_ring_reserve(&inject[w]);
		assert_non_null(answer);
		*answer = (struct tp_ring_slot){.len = 4,
			.local_id = s.fixture->listener_id,
			.egress = 1,
			.remote = flow.client};
		memcpy(answer->data, &n, 4);
		tp_ring_publish(&inject[w]);
		m = await_frame(ground.tx[PORT_OUT][w]);
		assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len - 4), &n, 4);
		rte_pktmbuf_free(m);
	}
	stand_no_drops(&s);
	stand_close(&s);
}

// Held packets leave when nothing more comes.
static void test_held(void **state)
{
	struct stand s;

	(void)state;
	ground.hold_us = 50;
	stand_open(&s, false);
	direction_run(&s, BENCH_CLIENT_TO_PEER);
	direction_run(&s, BENCH_PEER_TO_CLIENT);
	stand_no_drops(&s);
	stand_sent_by_each(&s);
	stand_close(&s);
	ground.hold_us = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, ground_make, ground_clear);
}
