// SPDX-License-Identifier: BSD-3-Clause
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <plane/attach.h>
#include <io/cycles.h>
#include <io/eal.h>
#include <io/pool.h>
#include <log/log.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <worker/worker.h>

#include <bench/clock.h>

#define PORTS	       2u
#define RX_PORT	       0u
#define TX_PORT	       1u
#define MTU	       1500u
#define WARM_UP_NS     30000000
#define ATTACH_TRIES   100u
#define CPUCLOCK_SCHED 2 // Linux's clock ids of threads: precise CPU time

struct bench_replay {
	struct io_port ports[PORTS];
	struct shm_place place;
	struct shm_inject inject; // the control process's file
	struct attach attach;
	bool attached;
	unsigned n_workers;
	unsigned n_launched;
	struct worker *workers[BENCH_WORKERS_MAX];
	atomic_bool stop;
};

static struct {
	bool started;
	struct eal_settings eal;
	unsigned cores[BENCH_WORKERS_MAX];
	struct rte_mempool *pool;
} env;

uint64_t bench_replay_octets(void)
{
	return io_pool_octets(BENCH_BUFFERS, MTU);
}

int bench_replay_start(
	bool huge_pages, const int *cores, unsigned n_cores, char *wrong, size_t wrong_size)
{
	struct steer_fault fault = {.problem = ""};
	int rc;

	log_level_set(LOG_LEVEL_WARNING);
	for (unsigned i = 0; i < n_cores; i++)
		env.cores[i] = (unsigned)cores[i];
	env.eal = (struct eal_settings){.instance = "relaybench",
		.cores = env.cores,
		.n_cores = n_cores,
		.memory_octets = bench_replay_octets(),
		.no_huge = !huge_pages};
	rc = io_eal_start(&env.eal, &fault);
	if (rc != 0) {
		snprintf(wrong, wrong_size, "%.100s", fault.problem);
		return rc;
	}
	env.started = true;
	env.pool = io_pool_create(0, BENCH_BUFFERS, MTU);
	if (env.pool != NULL)
		return 0;
	snprintf(wrong, wrong_size, "no memory for packet buffers");
	return -ENOMEM;
}

void bench_replay_stop(void)
{
	if (!env.started)
		return;
	if (env.pool != NULL)
		io_pool_destroy(env.pool);
	io_eal_stop(&env.eal);
	env.pool = NULL;
	env.started = false;
}

static int port_open(
	struct bench_replay *r, unsigned i, const char *device, struct steer_fault *fault)
{
	struct io_port *p = &r->ports[i];
	bool leftover;
	int rc = io_device_parse(&p->device, device, NULL, i, fault);

	if (rc == 0)
		rc = io_port_prepare(p, r->n_workers, &leftover, fault);
	if (rc == 0)
		rc = io_port_probe(p, r->n_workers, "", fault);
	return rc == 0 ? io_port_start(p, r->n_workers, env.pool, fault) : rc;
}

// The device goes too: its name is used again.
static void port_close(struct io_port *p)
{
	struct rte_eth_dev_info info = {.device = NULL};

	if (p->probed)
		rte_eth_dev_info_get(p->id, &info);
	io_port_close(p);
	if (info.device != NULL)
		rte_dev_remove(info.device);
}

static int ports_open(struct bench_replay *r, const char *capture, char *wrong, size_t wrong_size)
{
	struct steer_fault fault = {.problem = ""};
	char device[512];
	int rc, len;

	len = snprintf(device, sizeof(device), "net_pcap0,infinite_rx=1");
	// The same capture for each queue.
	for (unsigned i = 0; i < r->n_workers; i++)
		len += snprintf(device + len, sizeof(device) - (size_t)len, ",rx_pcap=%s", capture);
	rc = port_open(r, RX_PORT, device, &fault);
	if (rc == 0)
		rc = port_open(r, TX_PORT, "net_null0,no-rx=1", &fault);
	if (rc != 0)
		snprintf(wrong, wrong_size, "%.150s", fault.problem);
	return rc;
}

static int attach_open(
	struct bench_replay *r, const struct bench_fixture *fixture, char *wrong, size_t wrong_size)
{
	const struct attach_settings settings = {.place = &r->place,
		.n_workers = r->n_workers,
		.ports = r->ports,
		.n_ports = PORTS,
		.tsc_hz = io_cycles_hz()};
	struct shm_error err = {.text = ""};
	enum attach_event event = ATTACH_NOTHING;
	int rc = shm_inject_create(
		&r->inject, &r->place, bench_fixture_shm(fixture), r->n_workers, &err);

	if (rc == 0)
		rc = shm_file_publish(&r->inject.file, &r->place, &err);
	if (rc == 0)
		rc = plane_attach_init(&r->attach, &settings);
	r->attached = rc == 0;
	for (unsigned i = 0; i < ATTACH_TRIES && rc == 0 && event == ATTACH_NOTHING; i++)
		event = plane_attach_tick(&r->attach, &err);
	if (rc == 0 && event != ATTACH_DONE)
		rc = -EPROTO;
	if (rc != 0)
		snprintf(wrong, wrong_size, "tables can't be attached: %.100s", err.text);
	return rc;
}

static int workers_open(struct bench_replay *r)
{
	for (unsigned i = 0; i < r->n_workers; i++) {
		const struct worker_settings settings = {.id = i,
			.n_workers = r->n_workers,
			.core = env.cores[i],
			.busy = true,
			.ports = r->ports,
			.n_ports = PORTS,
			.pool = env.pool,
			.snapshot = &r->attach.slot,
			.kick_fd = -1,
			.stop = &r->stop};

		r->workers[i] = worker_create(&settings);
		if (r->workers[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int bench_replay_open(struct bench_replay **out, const struct bench_fixture *fixture,
	const struct shm_place *place, const char *capture, unsigned n_workers, char *wrong,
	size_t wrong_size)
{
	struct bench_replay *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->place = *place;
	r->n_workers = n_workers;
	for (unsigned i = 0; i < PORTS; i++)
		r->ports[i].lock_fd = -1;
	rc = ports_open(r, capture, wrong, wrong_size);
	if (rc == 0)
		rc = attach_open(r, fixture, wrong, wrong_size);
	if (rc == 0)
		rc = workers_open(r);
	if (rc != 0) {
		bench_replay_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

void bench_replay_close(struct bench_replay *r)
{
	static const enum shm_kind ours[] = {SHM_INJECT, SHM_STATE, SHM_PUNT};
	struct shm_error err;

	if (r == NULL)
		return;
	// The tables' files stay: the fixture plays the control process.
	if (r->attached)
		plane_attach_fini(&r->attach);
	for (unsigned i = 0; i < r->n_workers; i++)
		if (r->workers[i] != NULL)
			worker_destroy(r->workers[i]);
	shm_inject_close(&r->inject);
	for (unsigned i = 0; i < TP_ARRAY_LEN(ours); i++)
		shm_file_remove(&r->place, ours[i], &err);
	for (unsigned i = 0; i < PORTS; i++)
		port_close(&r->ports[i]);
	free(r);
}

static uint64_t workers_cpu_ns(const struct bench_replay *r)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < r->n_workers; i++) {
		int tid = worker_tid(r->workers[i]);

		if (tid != 0)
			ns += bench_clock_ns((clockid_t)(~(unsigned)tid << 3 | 4 | CPUCLOCK_SCHED));
	}
	return ns;
}

static const struct tp_worker_stats *stats_of(const struct bench_replay *r, unsigned worker)
{
	return worker_stats(r->workers[worker], r->attach.current);
}

static uint64_t received(const struct bench_replay *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->n_workers; i++)
		n += atomic_load(&stats_of(r, i)->rx_packets);
	return n;
}

static void nap(uint64_t ns)
{
	const struct timespec t = {
		.tv_sec = (time_t)(ns / TP_NS_PER_S), .tv_nsec = (long)(ns % TP_NS_PER_S)};

	nanosleep(&t, NULL);
}

// Every packet must have been of the right kind, and none lost.
static int verify(const struct tp_worker_stats *before, const struct tp_worker_stats *after,
	enum bench_direction direction, struct bench_replay_interval *interval, char *wrong,
	size_t wrong_size)
{
	uint64_t sent = after->tx_packets - before->tx_packets;
	uint64_t by_path[TP_PATH_COUNT], counted;
	const char *off;

	interval->total = after->rx_packets - before->rx_packets;
	for (unsigned i = 0; i < TP_DROP_COUNT; i++) {
		if (after->drops[i] == before->drops[i])
			continue;
		snprintf(wrong, wrong_size, "%llu of %llu packets dropped: %s",
			(unsigned long long)(after->drops[i] - before->drops[i]),
			(unsigned long long)interval->total, tp_drop_text(i)->name);
		return -EPROTO;
	}
	for (unsigned i = 0; i < TP_PATH_COUNT; i++)
		by_path[i] = after->path_packets[i] - before->path_packets[i];
	counted = bench_traffic_counted(direction, by_path);
	off = direction == BENCH_MIX ? bench_traffic_verify_shares(by_path) : NULL;
	if (off != NULL) {
		snprintf(wrong, wrong_size, "%s is not counted in its share", off);
		return -EPROTO;
	}
	if (interval->total != 0 && sent == interval->total && counted == interval->total)
		return 0;
	snprintf(wrong, wrong_size, "%llu packets received, %llu counted as %s, %llu sent",
		(unsigned long long)interval->total, (unsigned long long)counted,
		bench_direction_name(direction), (unsigned long long)sent);
	return -EPROTO;
}

static int workers_launch(struct bench_replay *r)
{
	int rc = 0;

	atomic_store(&r->stop, false);
	for (r->n_launched = 0; r->n_launched < r->n_workers && rc == 0; r->n_launched++)
		rc = io_eal_launch(r->n_launched, worker_run, r->workers[r->n_launched]);
	return rc;
}

static int verify_all(struct bench_replay *r, const struct tp_worker_stats *before,
	enum bench_direction direction, struct bench_replay_interval *interval, char *wrong,
	size_t wrong_size)
{
	uint64_t total = 0;
	int rc = 0;

	for (unsigned i = 0; i < r->n_workers && rc == 0; i++) {
		rc = verify(&before[i], stats_of(r, i), direction, interval, wrong, wrong_size);
		total += interval->total;
	}
	interval->total = total;
	return rc;
}

int bench_replay_run(struct bench_replay *r, struct bench_attribution *attribution,
	enum bench_direction direction, uint64_t ns, struct bench_replay_interval *interval,
	char *wrong, size_t wrong_size)
{
	struct tp_worker_stats before[BENCH_WORKERS_MAX];
	uint64_t packets, cpu_ns;
	int rc;

	for (unsigned i = 0; i < r->n_workers; i++)
		before[i] = *stats_of(r, i);
	if (attribution != NULL)
		bench_attribution_install(attribution, r->ports[RX_PORT].id, r->ports[TX_PORT].id);
	rc = workers_launch(r);
	if (rc == 0) {
		nap(WARM_UP_NS);
		packets = received(r);
		cpu_ns = workers_cpu_ns(r);
		nap(ns);
		interval->packets = received(r) - packets;
		interval->cpu_ns = workers_cpu_ns(r) - cpu_ns;
	} else {
		snprintf(wrong, wrong_size, "the worker's thread can't be started");
	}
	atomic_store(&r->stop, true);
	io_eal_join(r->n_launched);
	if (rc == 0)
		rc = verify_all(r, before, direction, interval, wrong, wrong_size);
	if (attribution != NULL)
		bench_attribution_remove();
	return rc;
}
