// SPDX-License-Identifier: BSD-3-Clause
#include "many_stand.h"

#include <errno.h>
#include <time.h>

#include <io/pool.h>
#include <log/log.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <tables/writer.h>

#include "scratch_place.h"

#define RING_SLOTS   1024u
#define BUFFERS	     8192u
#define MTU	     1500u
#define GROUND_TRIES 100u

struct ground ground;

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
	struct io_port *p = &ground.ports[i];
	struct steer_fault fault = {.problem = ""};
	char name[16];
	int id;

	for (unsigned q = 0; q < WORKERS; q++) {
		ground.rx[i][q] = ring_make("rx", i, q);
		ground.tx[i][q] = ring_make("tx", i, q);
	}
	snprintf(name, sizeof(name), "wire%u", i);
	id = rte_eth_from_rings(name, ground.rx[i], WORKERS, ground.tx[i], WORKERS, 0);
	assert_true(id >= 0);
	*p = (struct io_port){.lock_fd = -1,
		.id = (uint16_t)id,
		.probed = true,
		.any_mac = true,
		.mtu = MTU,
		.device.driver = IO_REPLAY};
	if (io_port_start(p, WORKERS, ground.pool, &fault) != 0)
		fail_msg("%s", fault.problem);
	assert_int_equal(p->n_rx_queues, WORKERS);
}

int ground_make(void **state)
{
	struct steer_fault fault = {.problem = ""};

	(void)state;
	log_level_set(LOG_LEVEL_WARNING);
	io_eal_cores_choose(ground.cores, WORKERS);
	ground.eal = (struct eal_settings){.instance = program_invocation_short_name,
		.cores = ground.cores,
		.n_cores = WORKERS,
		.memory_octets = io_pool_octets(BUFFERS, MTU),
		.no_huge = true};
	if (io_eal_start(&ground.eal, &fault) != 0)
		fail_msg("%s", fault.problem);
	ground.pool = io_pool_create(0, BUFFERS, MTU);
	assert_non_null(ground.pool);
	for (unsigned i = 0; i < PORTS; i++)
		port_make(i);
	return 0;
}

int ground_clear(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PORTS; i++)
		io_port_close(&ground.ports[i]);
	io_pool_destroy(ground.pool);
	io_eal_stop(&ground.eal);
	return 0;
}

static void stand_attach(struct stand *s)
{
	const struct attach_settings settings = {.place = &s->place,
		.n_workers = WORKERS,
		.ports = ground.ports,
		.n_ports = PORTS,
		.tsc_hz = rte_get_tsc_hz()};
	enum attach_event event = ATTACH_NOTHING;
	struct shm_error err = {.text = ""};

	if (shm_inject_create(
		    &s->inject, &s->place, bench_fixture_shm(s->fixture), WORKERS, &err) != 0 ||
		shm_file_publish(&s->inject.file, &s->place, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(plane_attach_init(&s->attach, &settings), 0);
	for (unsigned i = 0; i < GROUND_TRIES && event == ATTACH_NOTHING; i++)
		event = plane_attach_tick(&s->attach, &err);
	assert_int_equal(event, ATTACH_DONE);
	tables_attach_state(s->fixture->tables, &s->attach.segment.state);
}

static void stand_launch(struct stand *s)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct worker_settings settings = {.id = i,
			.n_workers = WORKERS,
			.core = ground.cores[i],
			.ports = ground.ports,
			.n_ports = PORTS,
			.hold_us = ground.hold_us,
			.pool = ground.pool,
			.exchange = s->exchange,
			.fragment_mib = 1,
			.snapshot = &s->attach.slot,
			.kick_fd = -1,
			.wake_fd = -1,
			.stop = &s->stop};

		s->workers[i] = worker_create(&settings);
		assert_non_null(s->workers[i]);
		assert_int_equal(io_eal_launch(i, worker_run, s->workers[i]), 0);
		s->launched++;
	}
}

void stand_open(struct stand *s, bool hairpin)
{
	const struct bench_population population = {
		.n_flows = FLOWS, .family = BENCH_IPV4, .hairpin = hairpin};
	struct shm_error err = {.text = ""};

	memset(s, 0, sizeof(*s));
	bench_distribution_init(&s->dice, WORKERS, 0, SEED);
	scratch_place_make(&s->place);
	if (bench_fixture_create(&s->fixture, &population, PORT_OUT, &s->place, &err) != 0)
		fail_msg("%s", err.text);
	stand_attach(s);
	s->exchange = fragments_exchange_create(WORKERS);
	assert_non_null(s->exchange);
	stand_launch(s);
}

void stand_join(struct stand *s)
{
	io_eal_join(s->launched);
	s->launched = 0;
}

void stand_close(struct stand *s)
{
	atomic_store(&s->stop, true);
	stand_join(s);
	tables_attach_state(s->fixture->tables, NULL);
	plane_attach_fini(&s->attach);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_destroy(s->workers[i]);
	fragments_exchange_destroy(s->exchange);
	shm_inject_close(&s->inject);
	bench_fixture_destroy(s->fixture);
	scratch_place_remove(&s->place);
	assert_int_equal(rte_mempool_in_use_count(ground.pool), 0);
}

unsigned stand_throw(struct stand *s)
{
	return bench_distribution_next(&s->dice);
}

const struct tp_worker_stats *stand_stats(const struct stand *s, unsigned worker)
{
	return &s->attach.segment.state.workers[worker];
}

struct rte_mbuf *frame_make(const struct bench_template *t, uint32_t i)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(ground.pool);
	char *data;

	assert_non_null(m);
	data = rte_pktmbuf_append(m, t->len);
	assert_non_null(data);
	bench_frame_write(t, (uint8_t *)data, i);
	m->hash.usr = i;
	return m;
}

uint64_t stand_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

unsigned stand_take(struct stand *s, const struct bench_template *t, unsigned port)
{
	unsigned n = 0;
	struct rte_mbuf *m;

	for (unsigned q = 0; q < WORKERS; q++) {
		while (rte_ring_dequeue(ground.tx[port][q], (void **)&m) == 0) {
			const char *wrong = bench_frame_verify(
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

void stand_no_drops(const struct stand *s)
{
	for (unsigned w = 0; w < WORKERS; w++)
		for (unsigned i = 0; i < TP_DROP_COUNT; i++)
			if (stand_stats(s, w)->drops[i] != 0)
				fail_msg("worker %u dropped %llu packets: %s", w,
					(unsigned long long)stand_stats(s, w)->drops[i],
					tp_drop_text(i)->name);
}

void stand_sent_by_each(const struct stand *s)
{
	for (unsigned w = 0; w < WORKERS; w++)
		assert_int_equal(stand_stats(s, w)->tx_packets, s->left_by[w]);
}
