// SPDX-License-Identifier: BSD-3-Clause
// What a worker does beside forwarding: frames in pieces, its end, where its memory is.
#include "many_stand.h"

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

// What is held when the worker stops leaves all the same.
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
	bench_template_init(&t, &s.scene->population, BENCH_CLIENT_TO_PEER, PAYLOAD, SEED);
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
	bench_template_init(&t, &s.scene->population, BENCH_CLIENT_TO_PEER, PAYLOAD, SEED);
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
		cmocka_unit_test(test_memory_is_near),
	};

	return cmocka_run_group_tests(tests, ground_make, ground_clear);
}
