// SPDX-License-Identifier: BSD-3-Clause
// Two workers as the data plane runs them, each with a receive queue of its own on both ports
// (net_ring: rings that this test fills and empties). Which worker meets a packet is a throw of the
// dice, so that both directions of a flow, both ends of a hairpin and the messages of one client
// meet both workers all the time. Every packet must leave right, and what the workers counted
// separately must add up to what was sent.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include <attach.h>
#include <relaybench/frame.h>
#include <io/eal.h>
#include <io/pool.h>
#include <log/log.h>
#include <relaybench/pick.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <relaybench/scene.h>
#include <tables/writer.h>
#include <turnpike/stun.h>
#include <worker.h>

#include "scratch_place.h"

#define WORKERS		2u
#define PORTS		2u
#define PORT_IN		0u
#define PORT_OUT	1u
#define FLOWS		1000u
#define PACKETS		20000u // of each direction
#define ROOM		512u   // packets under way
#define RING_SLOTS	1024u
#define BUFFERS		8192u
#define MTU		1500u
#define PAYLOAD		161u // odd, and padded in a Send indication
#define SEED		20260730u
#define PATIENCE_NS	(10 * TP_NS_PER_S)
#define GROUND_TRIES	100u
#define REFRESH_REQUEST 0x0004u

static struct {
	struct eal_settings eal;
	unsigned cores[WORKERS];
	struct rte_mempool *pool;
	struct rte_ring *rx[PORTS][WORKERS];
	struct rte_ring *tx[PORTS][WORKERS];
	struct io_port ports[PORTS];
} env;

struct stand {
	struct shm_place place;
	struct bench_scene *scene;
	struct shm_inject inject; // the control process's
	struct attach attach;
	struct worker *workers[WORKERS];
	unsigned launched;
	atomic_bool stop;
	struct bench_pick dice;
	uint32_t left_by[WORKERS]; // packets that came out, by the worker that sent them
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

static struct rte_ring *ring_make(const char *kind, unsigned port, unsigned queue)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *r;

	snprintf(name, sizeof(name), "%s_%u_%u", kind, port, queue);
	r = rte_ring_create(name, RING_SLOTS, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(r);
	return r;
}

static void port_make(unsigned i)
{
	struct io_port *p = &env.ports[i];
	struct steer_fault fault = {.problem = ""};
	char name[16];
	int id;

	for (unsigned q = 0; q < WORKERS; q++) {
		env.rx[i][q] = ring_make("rx", i, q);
		env.tx[i][q] = ring_make("tx", i, q);
	}
	snprintf(name, sizeof(name), "wire%u", i);
	id = rte_eth_from_rings(name, env.rx[i], WORKERS, env.tx[i], WORKERS, 0);
	assert_true(id >= 0);
	*p = (struct io_port){.claim_fd = -1,
		.id = (uint16_t)id,
		.probed = true,
		.any_mac = true,
		.mtu = MTU,
		.device.driver = IO_REPLAY};
	if (io_port_start(p, WORKERS, env.pool, &fault) != 0)
		fail_msg("%s", fault.problem);
	assert_int_equal(p->n_rx_queues, WORKERS);
}

static int ground_make(void **state)
{
	struct steer_fault fault = {.problem = ""};

	(void)state;
	log_level_set(LOG_LEVEL_WARNING);
	eal_cores_choose(env.cores, WORKERS);
	env.eal = (struct eal_settings){.instance = "many-test",
		.cores = env.cores,
		.n_cores = WORKERS,
		.memory_octets = pool_octets(BUFFERS, MTU),
		.no_huge = true};
	if (eal_start(&env.eal, &fault) != 0)
		fail_msg("%s", fault.problem);
	env.pool = pool_create(0, BUFFERS, MTU);
	assert_non_null(env.pool);
	for (unsigned i = 0; i < PORTS; i++)
		port_make(i);
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

static void stand_attach(struct stand *s)
{
	const struct attach_settings settings = {.place = &s->place,
		.n_workers = WORKERS,
		.ports = env.ports,
		.n_ports = PORTS,
		.tsc_hz = rte_get_tsc_hz()};
	enum attach_event event = ATTACH_NOTHING;
	struct shm_error err = {.text = ""};

	if (shm_inject_create(&s->inject, &s->place, bench_scene_shm(s->scene), WORKERS, &err) !=
			0 ||
		shm_file_publish(&s->inject.file, &s->place, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(attach_init(&s->attach, &settings), 0);
	for (unsigned i = 0; i < GROUND_TRIES && event == ATTACH_NOTHING; i++)
		event = attach_tick(&s->attach, &err);
	assert_int_equal(event, ATTACH_DONE);
	tables_attach_state(s->scene->tables, &s->attach.segment.state);
}

static void stand_launch(struct stand *s)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct worker_settings settings = {.id = i,
			.n_workers = WORKERS,
			.core = env.cores[i],
			.ports = env.ports,
			.n_ports = PORTS,
			.pool = env.pool,
			.view = &s->attach.slot,
			.kick_fd = -1,
			.stop = &s->stop};

		s->workers[i] = worker_create(&settings);
		assert_non_null(s->workers[i]);
		assert_int_equal(eal_launch(i, worker_run, s->workers[i]), 0);
		s->launched++;
	}
}

static void stand_open(struct stand *s, bool hairpin)
{
	const struct bench_population population = {
		.n_flows = FLOWS, .family = BENCH_IPV4, .hairpin = hairpin};
	struct shm_error err = {.text = ""};

	memset(s, 0, sizeof(*s));
	bench_pick_init(&s->dice, WORKERS, 0, SEED);
	scratch_place_make(&s->place);
	if (bench_scene_create(&s->scene, &population, PORT_OUT, &s->place, &err) != 0)
		fail_msg("%s", err.text);
	stand_attach(s);
	stand_launch(s);
}

static void stand_close(struct stand *s)
{
	atomic_store(&s->stop, true);
	eal_join(s->launched);
	tables_attach_state(s->scene->tables, NULL);
	attach_fini(&s->attach);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_destroy(s->workers[i]);
	shm_inject_close(&s->inject);
	bench_scene_destroy(s->scene);
	scratch_place_remove(&s->place);
	assert_int_equal(rte_mempool_in_use_count(env.pool), 0);
}

static unsigned throw(struct stand * s)
{
	return bench_pick_next(&s->dice);
}

// A frame for flow i, marked with its number where no worker looks.
static struct rte_mbuf *frame_make(const struct bench_template *t, uint32_t i)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(env.pool);
	char *data;

	assert_non_null(m);
	data = rte_pktmbuf_append(m, t->len);
	assert_non_null(data);
	bench_frame_write(t, (uint8_t *)data, i);
	m->hash.usr = i;
	return m;
}

// Judges and frees everything that has come out; returns how much.
static unsigned take_all(struct stand *s, const struct bench_template *t, unsigned port)
{
	unsigned n = 0;
	struct rte_mbuf *m;

	for (unsigned q = 0; q < WORKERS; q++) {
		while (rte_ring_dequeue(env.tx[port][q], (void **)&m) == 0) {
			const char *wrong = bench_frame_judge(
				t, m->hash.usr, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);

			if (wrong != NULL)
				fail_msg("flow %u through worker %u: wrong %s", m->hash.usr, q,
					wrong);
			s->left_by[q]++;
			rte_pktmbuf_free(m);
			n++;
		}
	}
	return n;
}

// PACKETS frames of one direction, flow after flow, each to a worker by chance.
static void direction_run(struct stand *s, enum bench_direction direction)
{
	unsigned port = direction == BENCH_BINDING ? PORT_IN : PORT_OUT;
	uint64_t end = now_ns() + PATIENCE_NS;
	unsigned given = 0, taken = 0;
	struct bench_template t;

	bench_template_init(&t, &s->scene->population, direction, PAYLOAD, SEED);
	while (taken < PACKETS) {
		unsigned n = take_all(s, &t, port);

		taken += n;
		for (; given < PACKETS && given - taken < ROOM; given++) {
			struct rte_mbuf *m = frame_make(&t, given % FLOWS);

			assert_int_equal(rte_ring_enqueue(env.rx[PORT_IN][throw(s)], m), 0);
		}
		if (now_ns() > end)
			fail_msg("%s: %u of %u packets came out", bench_direction_name(direction),
				taken, given);
		if (n == 0)
			nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
	}
	assert_int_equal(take_all(s, &t, port), 0);
}

static const struct tp_worker_stats *stats_of(const struct stand *s, unsigned worker)
{
	return &s->attach.segment.state.workers[worker];
}

static uint64_t path_sum(const struct stand *s, enum tp_path path)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < WORKERS; w++) {
		// Each had its share: else nothing met two workers.
		assert_true(stats_of(s, w)->path_packets[path] > PACKETS / 4);
		n += stats_of(s, w)->path_packets[path];
	}
	return n;
}

static void no_drops(const struct stand *s)
{
	for (unsigned w = 0; w < WORKERS; w++)
		for (unsigned i = 0; i < TP_DROP_COUNT; i++)
			if (stats_of(s, w)->drops[i] != 0)
				fail_msg("worker %u dropped %llu packets: %s", w,
					(unsigned long long)stats_of(s, w)->drops[i],
					tp_drop_text(i)->name);
}

// Each worker's own counts, against what came out of its queues.
static void sent_by_each(const struct stand *s)
{
	for (unsigned w = 0; w < WORKERS; w++)
		assert_int_equal(stats_of(s, w)->tx_packets, s->left_by[w]);
}

// Each worker's cells hold what that worker relayed, and nothing else.
static void cells_of_each(const struct stand *s)
{
	const struct shm_state *state = &s->attach.segment.state;

	for (unsigned w = 0; w < WORKERS; w++) {
		const struct tp_worker_stats *stats = stats_of(s, w);
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

// What each allocation used, as the control process adds it up.
static void usage_is(const struct stand *s, uint64_t to_peer, uint64_t to_client)
{
	const struct tp_table *table = &bench_scene_shm(s->scene)->table;
	struct tables_usage u;
	unsigned n = 0;

	for (uint32_t i = 1; i < table->n_entries; i++) {
		if (tables_allocation_usage(s->scene->tables, i, &u) != 0)
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
	no_drops(&s);
	sent_by_each(&s);
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
	no_drops(&s);
	sent_by_each(&s);
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
	uint64_t end = now_ns() + PATIENCE_NS;

	while (look(arg) == NULL) {
		if (now_ns() > end)
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
	uint64_t end = now_ns() + PATIENCE_NS;
	struct rte_mbuf *m = NULL;

	while (rte_ring_dequeue(r, (void **)&m) != 0)
		assert_true(now_ns() < end);
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
		unsigned w = throw(&s);
		const struct tp_ring_slot *slot;
		struct tp_ring_slot *answer;
		struct bench_flow flow;
		struct rte_mbuf *m;

		bench_flow_at(&s.scene->population, flow_i, &flow);
		m = request_make(&s.scene->population, flow_i);
		assert_int_equal(rte_ring_enqueue(env.rx[n % PORTS][w], m), 0);
		assert_true(await(look, &punt[w]));
		slot = tp_ring_peek(&punt[w]);
		assert_int_equal(slot->worker, w);
		assert_true(tp_addr_equal(&slot->remote, &flow.client));
		assert_null(tp_ring_peek(&punt[!w]));
		tp_ring_release(&punt[w]);
		answer = tp_ring_reserve(&inject[w]);
		assert_non_null(answer);
		*answer = (struct tp_ring_slot){.len = 4,
			.local_id = s.scene->listener_id,
			.next_hop = 1,
			.remote = flow.client};
		memcpy(answer->data, &n, 4);
		tp_ring_publish(&inject[w]);
		m = await_frame(env.tx[PORT_OUT][w]);
		assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, m->data_len - 4), &n, 4);
		rte_pktmbuf_free(m);
	}
	no_drops(&s);
	stand_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_hairpin),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, ground_make, ground_clear);
}
