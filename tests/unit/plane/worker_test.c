// SPDX-License-Identifier: BSD-3-Clause
// A worker's duties beside forwarding: frames in pieces, its end, the place of its memory.
#include "many_stand.h"

#include <core/cut.h>
#include <numa.h>
#include <numaif.h>
#include <rte_ethdev.h>
#include <rte_memory.h>

// Stops the stand when the queue that is polled last hands out packets: no empty queue is met
// between them and the end.
static uint16_t stop_at_packets(uint16_t port, uint16_t queue, struct rte_mbuf **packets,
	uint16_t n, uint16_t max, void *arg)
{
	struct stand *s = arg;

	(void)port;
	(void)queue;
	(void)packets;
	(void)max;
	if (n > 0)
		atomic_store(&s->stop, true);
	return n;
}

// Packets held when the worker stops leave all the same.
static void test_held_at_stop(void **state)
{
	const struct rte_eth_rxtx_callback *callback;
	struct bench_template t;
	struct stand s;

	(void)state;
	ground.hold_us = 10 * TP_NS_PER_S / TP_NS_PER_US;
	stand_open(&s, false);
	callback = rte_eth_add_rx_callback(ground.ports[PORT_OUT].id, 0, stop_at_packets, &s);
	assert_non_null(callback);
	bench_template_init(&t, &s.fixture->population, BENCH_CLIENT_TO_PEER, PAYLOAD, SEED);
	assert_int_equal(rte_ring_enqueue(ground.rx[PORT_OUT][0], frame_make(&t, 0)), 0);
	stand_join(&s);
	assert_int_equal(rte_eth_remove_rx_callback(ground.ports[PORT_OUT].id, 0, callback), 0);
	assert_int_equal(stand_take(&s, &t, PORT_OUT), 1);
	stand_no_drops(&s);
	stand_sent_by_each(&s);
	stand_close(&s);
	ground.hold_us = 0;
}

// Frames in more than one piece, among others: those go, and all of their buffers come back.
static void test_chains(void **state)
{
	uint64_t end = stand_now_ns() + PATIENCE_NS;
	struct rte_mbuf *frames[10];
	struct bench_template t;
	struct stand s;
	unsigned taken = 0;

	(void)state;
	stand_open(&s, false);
	bench_template_init(&t, &s.fixture->population, BENCH_CLIENT_TO_PEER, PAYLOAD, SEED);
	for (uint32_t i = 0; i < TP_ARRAY_LEN(frames); i++) {
		frames[i] = frame_make(&t, i);
		if (i % 4 == 0)
			assert_int_equal(rte_pktmbuf_chain(frames[i], frame_make(&t, i)), 0);
	}
	assert_int_equal(rte_ring_enqueue_bulk(ground.rx[PORT_IN][0], (void **)frames,
				 TP_ARRAY_LEN(frames), NULL),
		TP_ARRAY_LEN(frames));
	while (stand_stats(&s, 0)->drops[TP_DROP_too_big] < 3 || taken < 7) {
		taken += stand_take(&s, &t, PORT_OUT);
		if (stand_now_ns() > end)
			fail_msg("%u frames came out", taken);
	}
	assert_int_equal(stand_stats(&s, 0)->drops[TP_DROP_too_big], 3);
	assert_int_equal(taken, 7);
	stand_sent_by_each(&s);
	stand_close(&s);
}

// The frame of flow i in fragments, each to another worker's queue, the last ones first.
static unsigned fragments_send(const struct bench_template *t, uint32_t i, unsigned mtu)
{
	struct rte_mbuf *whole = frame_make(t, i), *parts[8];
	uint8_t *frame = rte_pktmbuf_mtod(whole, uint8_t *);
	struct core_cut c;
	unsigned n;

	tp_store_be16(frame + 14 + 4, (uint16_t)i); // id
	n = core_cut_begin(&c, frame, whole->data_len, mtu, i);
	assert_in_range(n, 2, TP_ARRAY_LEN(parts));
	for (unsigned p = 0; p < n; p++) {
		parts[p] = rte_pktmbuf_alloc(ground.pool);
		assert_non_null(parts[p]);
		parts[p]->data_len =
			(uint16_t)core_cut_next(&c, rte_pktmbuf_mtod(parts[p], uint8_t *));
		parts[p]->pkt_len = parts[p]->data_len;
	}
	rte_pktmbuf_free(whole);
	for (unsigned p = n; p-- > 0;)
		assert_int_equal(
			rte_ring_enqueue(ground.rx[PORT_IN][(i + p) % WORKERS], parts[p]), 0);
	return n;
}

// The next packet out of the port, by any worker.
static struct rte_mbuf *stand_wait(struct stand *s, unsigned port)
{
	uint64_t end = stand_now_ns() + PATIENCE_NS;
	struct rte_mbuf *m;

	for (;;) {
		for (unsigned q = 0; q < WORKERS; q++) {
			if (rte_ring_dequeue(ground.tx[port][q], (void **)&m) == 0) {
				s->left_by[q]++;
				return m;
			}
		}
		if (stand_now_ns() > end)
			fail_msg("no packet came out");
	}
}

static uint64_t stand_path(const struct stand *s, enum tp_path path)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < WORKERS; w++)
		n += stand_stats(s, w)->path_packets[path];
	return n;
}

// Fragments that meet both workers become one packet, of each flow.
static void test_fragments_in(void **state)
{
	struct bench_template t;
	struct stand s;
	uint64_t n = 0, received = 0;

	(void)state;
	stand_open(&s, false);
	bench_template_init(&t, &s.fixture->population, BENCH_CLIENT_TO_PEER, PAYLOAD, SEED);
	for (uint32_t i = 1; i <= 40; i++) {
		struct rte_mbuf *m;
		const char *wrong;

		n += fragments_send(&t, i, 100);
		m = stand_wait(&s, PORT_OUT);
		wrong = bench_frame_verify(&t, i, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
		if (wrong != NULL)
			fail_msg("flow %u: wrong %s", i, wrong);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(stand_path(&s, TP_PATH_joined), 40);
	// Fragments of each came to both.
	for (unsigned w = 0; w < WORKERS; w++) {
		assert_true(stand_stats(&s, w)->rx_packets >= 40);
		received += stand_stats(&s, w)->rx_packets;
	}
	assert_int_equal(received, n);
	stand_no_drops(&s);
	stand_close(&s);
}

// Packets that are too long for their port leave in fragments, which are the packet again.
static void test_fragments_out(void **state)
{
	struct bench_template t;
	uint8_t joined[256];
	struct stand s;

	(void)state;
	atomic_store(&ground.ports[PORT_OUT].mtu, 100);
	stand_open(&s, false);
	bench_template_init(&t, &s.fixture->population, BENCH_CLIENT_TO_PEER, PAYLOAD, SEED);
	for (uint32_t i = 1; i <= 10; i++) {
		unsigned len = 0, word;

		fragments_send(&t, i, 120);
		do {
			struct rte_mbuf *m = stand_wait(&s, PORT_OUT);
			const uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

			assert_true(m->data_len <= 114);
			word = tp_load_be16(frame + 14 + 6);
			assert_int_equal((word & 0x1fff) * 8u, len);
			memcpy(joined + 34 + len, frame + 34, m->data_len - 34u);
			memcpy(joined, frame, 34);
			len += m->data_len - 34u;
			rte_pktmbuf_free(m);
		} while (word & 0x2000);
		assert_int_equal(len, 8 + PAYLOAD);
	}
	assert_int_equal(stand_path(&s, TP_PATH_cut), 10);
	stand_no_drops(&s);
	stand_close(&s);
	atomic_store(&ground.ports[PORT_OUT].mtu, 1500);
}

// A worker's memory is of the node of the core that it runs on: so says the kernel of its pages,
// and DPDK of the heap that they come from. On a machine with one node only the heap can tell it
// from memory of anywhere.
static void test_memory_is_near(void **state)
{
	struct stand s;

	(void)state;
	stand_open(&s, false);
	for (unsigned w = 0; w < WORKERS; w++) {
		int wanted = numa_node_of_cpu((int)ground.cores[w]), node = -1;
		void *page = s.workers[w];
		const struct rte_memseg_list *heap = rte_mem_virt2memseg_list(page);

		assert_true(wanted >= 0);
		assert_int_equal(move_pages(0, 1, &page, NULL, &node, 0), 0);
		assert_int_equal(node, wanted);
		assert_non_null(heap);
		assert_int_equal(heap->socket_id, wanted);
	}
	stand_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_at_stop),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_fragments_in),
		cmocka_unit_test(test_fragments_out),
		cmocka_unit_test(test_memory_is_near),
	};

	return cmocka_run_group_tests(tests, ground_make, ground_clear);
}
