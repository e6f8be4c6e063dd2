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
#include <outbox.h>
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
	struct outboxes boxes;
	uint32_t n_made, n_seen;
} now;

static int ground_make(void **state)
{
	struct steer_fault fault = {.problem = ""};

	(void)state;
	log_level_set(LOG_LEVEL_WARNING);
	eal_cores_choose(&env.core, 1);
	env.eal = (struct eal_settings){.instance = "outbox-test",
		.cores = &env.core,
		.n_cores = 1,
		.memory_octets = pool_octets(BUFFERS, MTU),
		.no_huge = true};
	if (eal_start(&env.eal, &fault) != 0)
		fail_msg("%s", fault.problem);
	env.pool = pool_create(0, BUFFERS, MTU);
	assert_non_null(env.pool);
	for (unsigned i = 0; i < PORTS; i++) {
		char name[16];
		int id;

		snprintf(name, sizeof(name), "wire%u", i);
		env.wire[i] = rte_ring_create(name, RING_SLOTS, 0, 0);
		assert_non_null(env.wire[i]);
		id = rte_eth_from_ring(env.wire[i]);
		assert_true(id >= 0);
		env.ports[i] = (struct io_port){.claim_fd = -1,
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
	pool_destroy(env.pool);
	eal_stop(&env.eal);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	memset(&now, 0, sizeof(now));
	now.stage.stats = &now.stats;
	outboxes_init(&now.boxes, &now.stage, env.ports, PORTS, 0, LONG);
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
		outboxes_put(&now.boxes, 0, make(), rte_rdtsc());
}

static void put_run(unsigned n)
{
	struct rte_mbuf *packets[OUTBOX_BATCH];
	uint64_t octets = 0;

	for (unsigned i = 0; i < n; i++) {
		packets[i] = make();
		octets += packets[i]->data_len;
	}
	outboxes_put_run(&now.boxes, 0, packets, n, octets, rte_rdtsc());
}

// What has come out since: in order, none missing.
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
	outboxes_init(&now.boxes, &now.stage, env.ports, PORTS, 0, 0);
	put(3);
	assert_int_equal(take(), 0);
	outboxes_end_burst(&now.boxes);
	assert_int_equal(take(), 3);
	counted(3);
}

static void test_held_over_bursts_in_order(void **state)
{
	(void)state;
	for (unsigned burst = 0; burst < 3; burst++) {
		put(10);
		outboxes_end_burst(&now.boxes);
		assert_int_equal(take(), 0);
	}
	// The second of these makes the batch whole.
	put(5);
	assert_int_equal(take(), OUTBOX_BATCH);
	outboxes_end_burst(&now.boxes);
	assert_int_equal(take(), 0);
	counted(OUTBOX_BATCH);
	outboxes_flush(&now.boxes);
	assert_int_equal(take(), 35 - OUTBOX_BATCH);
	counted(35);
}

// Runs of every length behind every number of packets: the same as one by one.
static void test_runs(void **state)
{
	(void)state;
	for (unsigned before = 0; before < OUTBOX_BATCH; before++) {
		for (unsigned n = 0; n <= OUTBOX_BATCH; n++) {
			uint64_t early = rte_rdtsc();

			put(before);
			put_run(n);
			assert_int_equal(take(), before + n >= OUTBOX_BATCH ? OUTBOX_BATCH : 0);
			if (now.boxes.boxes[0].n > 0)
				assert_true(now.boxes.boxes[0].since >= early);
			outboxes_flush(&now.boxes);
			assert_int_equal(take(), (before + n) % OUTBOX_BATCH);
		}
	}
	counted(now.n_made);
}

static void test_idle_leaves_at_once(void **state)
{
	(void)state;
	put(1);
	outboxes_end_burst(&now.boxes);
	assert_int_equal(take(), 0);
	outboxes_flush(&now.boxes);
	assert_int_equal(take(), 1);
	outboxes_flush(&now.boxes);
	assert_int_equal(take(), 0);
	counted(1);
}

// Whatever else the machine does meanwhile: held only while it was not too long.
static void test_hold_is_bounded(void **state)
{
	uint64_t hold = rte_get_tsc_hz() / 1000000 * SHORT_US, since, before;

	(void)state;
	outboxes_init(&now.boxes, &now.stage, env.ports, PORTS, 0, hold);
	for (unsigned i = 0; i < 100; i++) {
		put(1);
		since = now.boxes.boxes[0].since;
		do {
			before = rte_rdtsc();
			outboxes_end_burst(&now.boxes);
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
	put(OUTBOX_BATCH);
	put(OUTBOX_BATCH);
	counted(RING_SLOTS - 1);
	assert_int_equal(now.stats.drops[TP_DROP_tx_full], 1);
	assert_int_equal(take(), RING_SLOTS - 1);
}

// A request for frames from 10.0.0.1:7 to 10.0.0.2:9, and what makes one of them.
static struct tp_capture_request request(void)
{
	return (struct tp_capture_request){.magic = TP_CAPTURE_REQUEST_MAGIC,
		.number = 1,
		.frames = 1000,
		.seconds = 5,
		.client = tp_addr_ipv4(0x0a000002, 9),
		.listener = tp_addr_ipv4(0x0a000001, 7)};
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
	static uint8_t room[3 * OUTBOX_BATCH * 128] TP_ALIGNED(8);
	const struct tp_capture_request r = request();
	struct clock clock;
	struct watch watch;
	size_t len, sent = 0, refused = 0;

	(void)state;
	clock_init(&clock, rte_get_tsc_hz(), rte_rdtsc(), 1000);
	assert_int_equal(watch_init(&watch, 1), 0);
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	outboxes_watch(&now.boxes, &watch, &clock);
	for (unsigned n = 0; n < RING_SLOTS + 2; n++) {
		struct outbox *box = &now.boxes.boxes[0];

		put(1);
		address(rte_pktmbuf_mtod(box->packets[box->n - 1], uint8_t *));
		if (box->n == OUTBOX_BATCH / 2)
			outboxes_flush(&now.boxes);
	}
	outboxes_flush(&now.boxes);
	len = capture_take(&watch.capture, room, sizeof(room));
	for (size_t at = 0; at < len;) {
		const struct tp_capture_record *rec = (const void *)(room + at);

		assert_int_equal(rec->way, TP_CAPTURE_SENT);
		assert_true(rec->time_ns >= 1000);
		if (rec->verdict == STAGE_SEND) {
			assert_int_equal(refused, 0);
			sent++;
		} else {
			assert_int_equal(rec->reason, TP_DROP_tx_full);
			refused++;
		}
		at += rec->size;
	}
	assert_int_equal(sent, now.stats.tx_packets);
	assert_int_equal(refused, now.stats.drops[TP_DROP_tx_full]);
	assert_int_equal(sent, RING_SLOTS - 1);
	assert_int_equal(refused, 3);
	assert_int_equal(take(), sent);
	watch_fini(&watch);
}

// Residence: what is held is not counted as gone, and is when it goes, with its own beginning.
static void test_held_are_told(void **state)
{
	uint64_t since;

	(void)state;
	put(4);
	since = now.boxes.boxes[0].since;
	outboxes_end_burst(&now.boxes);
	assert_int_equal(outboxes_left(&now.boxes, 4), 0);
	outboxes_turn(&now.boxes);
	put(2);
	outboxes_end_burst(&now.boxes);
	assert_int_equal(now.boxes.left_late, 0);
	assert_int_equal(outboxes_left(&now.boxes, 5), 3);
	outboxes_turn(&now.boxes);
	put(1);
	outboxes_flush(&now.boxes);
	assert_int_equal(now.boxes.left_late, 6);
	assert_int_equal(now.boxes.late_since, since);
	assert_int_equal(outboxes_left(&now.boxes, 1), 1);
	outboxes_turn(&now.boxes);
	assert_int_equal(now.boxes.left_late, 0);
	put(1);
	outboxes_flush(&now.boxes);
	assert_int_equal(now.boxes.left_late, 0);
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
