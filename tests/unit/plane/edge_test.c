// SPDX-License-Identifier: BSD-3-Clause
// When a worker gives way to threads of the edge, wakes them, and sleeps: on rings whose other side
// is the test.
#include <worker/edge.h>

#include <setjmp.h>
#include <stdarg.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS	  2u
#define CORE	  1u		  // the worker's
#define MANY	  100u		  // turns
#define WAITS	  4u		  // for a thread that takes nothing
#define SLOTS	  TP_STREAM_SLOTS // of the rings to the threads
#define MOST_USED (SLOTS * 7 / 8 + 1)

static struct tp_streams_header headers[2];
static struct tp_streams_pair pairs[2][THREADS];
static struct tp_ring_slot slots[2][THREADS * SLOTS];
static struct edge_rings rings;
static struct worker_edge edge;
static struct stage_worker stage;

static struct shm_streams streams(unsigned side)
{
	return (struct shm_streams){.header = &headers[side],
		.pairs = pairs[side],
		.slots = slots[side],
		.n_workers = 1,
		.n_threads = THREADS,
		.n_slots = side == 1 ? SLOTS : TP_RING_SLOTS};
}

static int start(void **state)
{
	(void)state;
	memset(headers, 0, sizeof(headers));
	memset(pairs, 0, sizeof(pairs));
	memset(&edge, 0, sizeof(edge));
	memset(&stage, 0, sizeof(stage));
	rings = (struct edge_rings){.edge = streams(0),
		.stream = streams(1),
		.timers = {-1, -1},
		.n_threads = THREADS,
		.n_workers = 1};
	worker_edge_apply(&edge, &stage, &rings);
	return 0;
}

static void sleeps(unsigned thread, bool on)
{
	atomic_store(&headers[0].sides[thread].sleeping, on ? 1 : 0);
}

// Of the ring to the thread; the edge's file has the tail.
static void give(unsigned thread, uint32_t n)
{
	atomic_fetch_add(&pairs[1][thread].head.value, n);
}

static void take(unsigned thread, uint32_t n)
{
	atomic_fetch_add(&pairs[0][thread].tail.value, n);
}

static unsigned waits(unsigned turns)
{
	unsigned n = 0;

	for (unsigned i = 0; i < turns; i++)
		n += worker_edge_behind(&edge, &stage, CORE);
	return n;
}

static void a_thread_that_drains_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(waits(MANY), 0);
	give(1, MOST_USED);
	// Other packets wait meanwhile, so the worker polls once in a while.
	for (unsigned i = 1; i < MANY; i++) {
		assert_int_equal(waits(1), i % (WORKER_EDGE_YIELDS_MAX + 1) != 0);
		take(1, 7);
		give(1, 7);
	}
	take(1, MOST_USED);
	assert_int_equal(waits(MANY), 0);
}

static void a_full_ring_is_drained_first(void **state)
{
	(void)state;
	give(1, SLOTS * 7 / 8);
	assert_int_equal(waits(1), 0);
	give(1, 1);
	assert_int_equal(waits(1), 1);
	take(1, SLOTS / 8);
	assert_int_equal(waits(1), 1);
	take(1, 1);
	assert_int_equal(waits(1), 0);
	give(1, SLOTS / 8);
	assert_int_equal(waits(1), 0);
	give(1, 1);
	assert_int_equal(waits(1), 1);
}

// The worker's sleep would give it nothing.
static void a_thread_on_another_core_is_not_waited_for(void **state)
{
	(void)state;
	give(1, MOST_USED);
	atomic_store(&headers[0].sides[0].cpu, CORE + 2);
	atomic_store(&headers[0].sides[1].cpu, CORE + 2);
	assert_int_equal(waits(MANY), 0);
	assert_false(worker_edge_works(&edge, &stage, CORE));
	atomic_store(&headers[0].sides[1].cpu, CORE + 1);
	assert_int_equal(waits(1), 1);
	assert_true(worker_edge_works(&edge, &stage, CORE));
}

// It was woken; that it sleeps no more it can only say when it has the core.
static void a_thread_that_was_woken_gets_the_core(void **state)
{
	(void)state;
	sleeps(1, true);
	give(1, MOST_USED);
	assert_int_equal(waits(1), 1);
	sleeps(1, false);
	take(1, MOST_USED);
	assert_int_equal(waits(MANY), 0);
}

// One that is stopped, and one whose words are impossible.
static void a_thread_that_hangs_is_not(void **state)
{
	(void)state;
	give(0, SLOTS);
	assert_int_equal(waits(MANY), WAITS);
	// The other one counts by itself.
	give(1, 2 * SLOTS);
	assert_int_equal(waits(MANY), WAITS);
	take(0, 1);
	assert_int_equal(waits(MANY), WAITS);
	// Another edge.
	worker_edge_apply(&edge, &stage, &rings);
	assert_int_equal(waits(MANY), WAITS);
	worker_edge_apply(&edge, &stage, NULL);
	assert_int_equal(waits(MANY), 0);
	assert_false(worker_edge_works(&edge, &stage, CORE));
}

static bool has_rung(int timer)
{
	uint64_t n;

	return read(timer, &n, sizeof(n)) == sizeof(n);
}

static void sleepers_are_woken_seldom(void **state)
{
	const uint64_t now_ns = TP_NS_PER_S;

	(void)state;
	rings.timers[1] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	assert_true(rings.timers[1] >= 0);
	// One that is awake looks by itself.
	stage.edge_given = 2;
	worker_edge_wake(&edge, &stage, now_ns);
	assert_int_equal(stage.edge_given, 0);
	assert_false(has_rung(rings.timers[1]));
	sleeps(1, true);
	stage.edge_given = 2;
	worker_edge_wake(&edge, &stage, now_ns);
	assert_int_equal(stage.edge_given, 0);
	assert_true(has_rung(rings.timers[1]));
	// The next one stays pending.
	stage.edge_given = 2;
	worker_edge_wake(&edge, &stage, now_ns + 49 * TP_NS_PER_US);
	assert_int_equal(stage.edge_given, 2);
	assert_false(has_rung(rings.timers[1]));
	worker_edge_wake(&edge, &stage, now_ns + 50 * TP_NS_PER_US);
	assert_int_equal(stage.edge_given, 0);
	assert_true(has_rung(rings.timers[1]));
	close(rings.timers[1]);
}

// The configuration changes while a wake is held back; then the edge is gone.
static void a_wake_outlives_a_snapshot(void **state)
{
	const uint64_t now_ns = TP_NS_PER_S;

	(void)state;
	rings.timers[1] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	assert_true(rings.timers[1] >= 0);
	sleeps(1, true);
	stage.edge_given = 2;
	worker_edge_wake(&edge, &stage, now_ns);
	assert_true(has_rung(rings.timers[1]));
	stage.edge_given = 2;
	worker_edge_wake(&edge, &stage, now_ns + 1);
	worker_edge_apply(&edge, &stage, &rings);
	worker_edge_wake(&edge, &stage, now_ns + 50 * TP_NS_PER_US);
	assert_true(has_rung(rings.timers[1]));
	close(rings.timers[1]);
	stage.edge_given = 3;
	rings.n_threads = 1;
	worker_edge_apply(&edge, &stage, &rings);
	assert_int_equal(stage.edge_given, 1);
	worker_edge_apply(&edge, &stage, NULL);
	assert_int_equal(stage.edge_given, 0);
}

static void no_worker_sleeps_on_messages(void **state)
{
	(void)state;
	assert_true(worker_edge_sleep(&edge, &stage));
	assert_int_equal(atomic_load(&headers[1].sides[0].sleeping), 1);
	worker_edge_awake(&edge, &stage);
	assert_int_equal(atomic_load(&headers[1].sides[0].sleeping), 0);
	atomic_fetch_add(&pairs[0][1].head.value, 1);
	assert_false(worker_edge_sleep(&edge, &stage));
	assert_int_equal(atomic_load(&headers[1].sides[0].sleeping), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_thread_that_drains_is_waited_for, start),
		cmocka_unit_test_setup(a_full_ring_is_drained_first, start),
		cmocka_unit_test_setup(a_thread_on_another_core_is_not_waited_for, start),
		cmocka_unit_test_setup(a_thread_that_was_woken_gets_the_core, start),
		cmocka_unit_test_setup(a_thread_that_hangs_is_not, start),
		cmocka_unit_test_setup(sleepers_are_woken_seldom, start),
		cmocka_unit_test_setup(a_wake_outlives_a_snapshot, start),
		cmocka_unit_test_setup(no_worker_sleeps_on_messages, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
