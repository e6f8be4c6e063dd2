// SPDX-License-Identifier: BSD-3-Clause
// Packets that wait: where that is wanted they wait for others, but not for long and not for
// nothing; none is lost, none overtakes another, all are counted. The port is a ring of this
// test's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <io/eal.h>
#include <io/pool.h>
#include <log/log.h>
#include <worker/txqueue.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#define BUFFERS	   512u
#define MTU	   1500u
#define RING_SLOTS 64u // one less than that fits
#define LEN	   60u
#define PORTS	   2u
#define LONG	   (1ull << 60) // cycles: years
#define SHORT_US   10u

static struct {
	struct eal_settings eal;
	unsigned core;
	struct rte_mempool *pool;
	struct rte_ring *wire[PORTS];
	struct io_port ports[PORTS];
} env;

static struct {
	struct stage_worker stage;
	struct tp_worker_stats stats;
	struct txqueue queues;
	uint32_t n_made, n_seen;
} now;

static int ground_make(void **state)
{
	struct steer_fault fault = {.problem = ""};

	(void)state;
	log_level_set(LOG_LEVEL_WARNING);
	io_eal_cores_choose(&env.core, 1);
	env.eal = (struct eal_settings){.instance = "outbox-test",
		.cores = &env.core,
		.n_cores = 1,
		.memory_octets = io_pool_octets(BUFFERS, MTU),
		.no_huge = true};
	if (io_eal_start(&env.eal, &fault) != 0)
		fail_msg("%s", fault.problem);
	env.pool = io_pool_create(0, BUFFERS, MTU);
	assert_non_null(env.pool);
	for (unsigned i = 0; i < PORTS; i++) {
		char name[16];
		int id;

		snprintf(name, sizeof(name), "wire%u", i);
		env.wire[i] = rte_ring_create(name, RING_SLOTS, 0, 0);
		assert_non_null(env.wire[i]);
		id = rte_eth_from_ring(env.wire[i]);
		assert_true(id >= 0);
		env.ports[i] = (struct io_port){.lock_fd = -1,
			.id = (uint16_t)id,
			.probed = true,
			.mtu = MTU,
			.device.driver = IO_REPLAY};
		if (io_port_start(&env.ports[i], 1, env.pool, &fault) != 0)
			fail_msg("%s", fault.problem);
	}
	return 0;
}

static int ground_clear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PORTS; i++)
		io_port_close(&env.ports[i]);
	io_pool_destroy(env.pool);
	io_eal_stop(&env.eal);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(&now, 0, sizeof(now));
	now.stage.stats = &now.stats;
	txqueue_init(&now.queues, &now.stage, env.ports, PORTS, 0, LONG);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(rte_mempool_in_use_count(env.pool), 0);
	return 0;
}

// With its number and of another length than its neighbours.
static struct rte_mbuf *make(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(env.pool);

	assert_non_null(m);
	assert_non_null(rte_pktmbuf_append(m, (uint16_t)(LEN + now.n_made % 8)));
	m->hash.usr = now.n_made++;
	return m;
}

// Packets of port 0.
static void put(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		txqueue_put(&now.queues, 0, make(), rte_rdtsc());
}

static void put_run(unsigned n)
{
	struct rte_mbuf *packets[TXQUEUE_BATCH];
	uint64_t octets = 0;

	for (unsigned i = 0; i < n; i++) {
		packets[i] = make();
		octets += packets[i]->data_len;
	}
	txqueue_put_run(&now.queues, 0, packets, n, octets, rte_rdtsc());
}

// Takes the packets sent since: in order, none missing.
static unsigned take(void)
{
	struct rte_mbuf *m;
	unsigned n = 0;

	for (; rte_ring_dequeue(env.wire[0], (void **)&m) == 0; n++) {
		assert_int_equal(m->hash.usr, now.n_seen++);
		rte_pktmbuf_free(m);
	}
	return n;
}

static void counted(uint64_t packets)
{
	uint64_t octets = 0;

	for (uint64_t i = 0; i < packets; i++)
		octets += LEN + i % 8;
	assert_int_equal(now.stats.tx_packets, packets);
	assert_int_equal(now.stats.tx_octets, octets);
}

static void test_nothing_is_held(void **state)
{
	(void)state;
	txqueue_init(&now.queues, &now.stage, env.ports, PORTS, 0, 0);
	put(3);
	assert_int_equal(take(), 0);
	txqueue_end_burst(&now.queues);
	assert_int_equal(take(), 3);
	counted(3);
}

static void test_held_over_bursts_in_order(void **state)
{
	(void)state;
	for (unsigned burst = 0; burst < 3; burst++) {
		put(10);
		txqueue_end_burst(&now.queues);
		assert_int_equal(take(), 0);
	}
	// The second of these makes the batch whole.
	put(5);
	assert_int_equal(take(), TXQUEUE_BATCH);
	txqueue_end_burst(&now.queues);
	assert_int_equal(take(), 0);
	counted(TXQUEUE_BATCH);
	txqueue_flush(&now.queues);
	assert_int_equal(take(), 35 - TXQUEUE_BATCH);
	counted(35);
}

// Runs of every length behind every number of packets: the same as one by one.
static void test_runs(void **state)
{
	(void)state;
	for (unsigned before = 0; before < TXQUEUE_BATCH; before++) {
		for (unsigned n = 0; n <= TXQUEUE_BATCH; n++) {
			uint64_t early = rte_rdtsc();

			put(before);
			put_run(n);
			assert_int_equal(take(), before + n >= TXQUEUE_BATCH ? TXQUEUE_BATCH : 0);
			if (now.queues.queues[0].n > 0)
				assert_true(now.queues.queues[0].since >= early);
			txqueue_flush(&now.queues);
			assert_int_equal(take(), (before + n) % TXQUEUE_BATCH);
		}
	}
	counted(now.n_made);
}

static void test_idle_leaves_at_once(void **state)
{
	(void)state;
	put(1);
	txqueue_end_burst(&now.queues);
	assert_int_equal(take(), 0);
	txqueue_flush(&now.queues);
	assert_int_equal(take(), 1);
	txqueue_flush(&now.queues);
	assert_int_equal(take(), 0);
	counted(1);
}

// On a busy machine too, packets are held for a bounded time only.
static void test_hold_is_bounded(void **state)
{
	uint64_t hold = rte_get_tsc_hz() / 1000000 * SHORT_US, since, before;

	(void)state;
	txqueue_init(&now.queues, &now.stage, env.ports, PORTS, 0, hold);
	for (unsigned i = 0; i < 100; i++) {
		put(1);
		since = now.queues.queues[0].since;
		do {
			before = rte_rdtsc();
			txqueue_end_burst(&now.queues);
			if (take() > 0)
				break;
			assert_true(before - since < hold);
		} while (true);
		assert_true(rte_rdtsc() - since >= hold);
	}
	counted(100);
}

static void test_full_queue_is_counted(void **state)
{
	(void)state;
	put(TXQUEUE_BATCH);
	put(TXQUEUE_BATCH);
	counted(RING_SLOTS - 1);
	assert_int_equal(now.stats.drops[TP_DROP_tx_full], 1);
	assert_int_equal(take(), RING_SLOTS - 1);
}

// A request for frames from 10.0.0.1:7 to 10.0.0.2:9, and the parts of one of them.
static struct tp_capture_request request(void)
{
	return (struct tp_capture_request){
		.ask = {TP_CAPTURE_REQUEST_MAGIC, 1, 1000, 5},
		.client = tp_addr_ipv4(0x0a000002, 9),
		.listener = tp_addr_ipv4(0x0a000001, 7),
	};
}

static void address(uint8_t *frame)
{
	static const uint8_t ip[] = {
		0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 7, 0, 9};

	memset(frame, 0, LEN);
	tp_store_be16(frame + 12, 0x0800);
	memcpy(frame + 14, ip, sizeof(ip));
}

// A capture shows each frame where it left, or was refused.
static void test_captured_where_it_leaves(void **state)
{
	static uint8_t room[3 * TXQUEUE_BATCH * 128] TP_ALIGNED(8);
	const struct tp_capture_request r = request();
	struct clock clock;
	struct observe observed;
	size_t len, sent = 0, refused = 0;

	(void)state;
	clock_init(&clock, rte_get_tsc_hz(), rte_rdtsc(), 1000);
	assert_int_equal(observe_init(&observed, 1), 0);
	assert_int_equal(observe_capture_arm(&observed.capture, &r), 0);
	txqueue_observe(&now.queues, &observed, &clock);
	for (unsigned n = 0; n < RING_SLOTS + 2; n++) {
		struct txqueue_port *q = &now.queues.queues[0];

		put(1);
		address(rte_pktmbuf_mtod(q->packets[q->n - 1], uint8_t *));
		if (q->n == TXQUEUE_BATCH / 2)
			txqueue_flush(&now.queues);
	}
	txqueue_flush(&now.queues);
	len = observe_records_take(&observed.capture.records, room, sizeof(room));
	for (size_t at = 0; at < len;) {
		const struct tp_capture_record *rec = (const void *)(room + at);

		assert_int_equal(rec->direction, TP_CAPTURE_SENT);
		assert_true(rec->head.time_ns >= 1000);
		if (rec->verdict == STAGE_SEND) {
			assert_int_equal(refused, 0);
			sent++;
		} else {
			assert_int_equal(rec->reason, TP_DROP_tx_full);
			refused++;
		}
		at += rec->head.size;
	}
	assert_int_equal(sent, now.stats.tx_packets);
	assert_int_equal(refused, now.stats.drops[TP_DROP_tx_full]);
	assert_int_equal(sent, RING_SLOTS - 1);
	assert_int_equal(refused, 3);
	assert_int_equal(take(), sent);
	observe_fini(&observed, 0);
}

// Residence: a held packet counts when it leaves, from its own arrival.
static void test_held_are_told(void **state)
{
	uint64_t since;

	(void)state;
	put(4);
	since = now.queues.queues[0].since;
	txqueue_end_burst(&now.queues);
	assert_int_equal(txqueue_left(&now.queues, 4), 0);
	txqueue_next_loop(&now.queues);
	put(2);
	txqueue_end_burst(&now.queues);
	assert_int_equal(now.queues.flushed_held, 0);
	assert_int_equal(txqueue_left(&now.queues, 5), 3);
	txqueue_next_loop(&now.queues);
	put(1);
	txqueue_flush(&now.queues);
	assert_int_equal(now.queues.flushed_held, 6);
	assert_int_equal(now.queues.held_since, since);
	assert_int_equal(txqueue_left(&now.queues, 1), 1);
	txqueue_next_loop(&now.queues);
	assert_int_equal(now.queues.flushed_held, 0);
	put(1);
	txqueue_flush(&now.queues);
	assert_int_equal(now.queues.flushed_held, 0);
	assert_int_equal(take(), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_held, begin, end),
		cmocka_unit_test_setup_teardown(test_held_over_bursts_in_order, begin, end),
		cmocka_unit_test_setup_teardown(test_runs, begin, end),
		cmocka_unit_test_setup_teardown(test_idle_leaves_at_once, begin, end),
		cmocka_unit_test_setup_teardown(test_hold_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(test_full_queue_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(test_captured_where_it_leaves, begin, end),
		cmocka_unit_test_setup_teardown(test_held_are_told, begin, end),
	};

	return cmocka_run_group_tests(tests, ground_make, ground_clear);
}
