// SPDX-License-Identifier: BSD-3-Clause
#include "plane.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <log/log.h>
#include <rte_cycles.h>
#include <shm/numa.h>

#include "clock.h"
#include "options.h"
#include "privilege.h"

uint32_t plane_since_start_ms(const struct plane *p)
{
	return (uint32_t)((clock_boottime_ns() - p->times.start_ns) / TP_NS_PER_MS);
}

int plane_refuse(enum log_event_id event, int err, const struct steer_fault *f)
{
	log_event(event, LOG_FIELDS(log_str("problem", f->problem), log_str("remedy", f->remedy)));
	return err == -EADDRINUSE ? EXIT_BUSY : EXIT_FAILED;
}

static int refuse_shm(const struct shm_error *err)
{
	log_event(LOG_EV_START_FAILED,
		LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
	return err->cause == SHM_BUSY ? EXIT_BUSY : EXIT_FAILED;
}

// The group whose members may run the control process. Without one: root's and our own files only.
static gid_t group_find(const struct conf *conf)
{
	const struct group *g = getgrnam(conf->control.group);

	return g != NULL ? g->gr_gid : (gid_t)-1;
}

static int take_role(struct plane *p)
{
	struct shm_error err = {.cause = SHM_OK};

	if (shm_place_init(&p->place, p->conf->instance, p->conf->runtime_directory,
		    p->conf->segment.directory, group_find(p->conf), &err) != 0)
		return refuse_shm(&err);
	for (size_t i = 0;
		i < p->conf->dataplane.n_ports && p->conf->segment.numa != CONF_NUMA_NONE; i++)
		shm_place_add_node(&p->place, SHM_SYSFS, p->conf->dataplane.ports[i].interface,
			p->conf->dataplane.ports[i].device);
	p->role_fd = shm_role_lock(&p->place, SHM_ROLE_DATAPLANE, &err);
	if (p->role_fd < 0)
		return refuse_shm(&err);
	snprintf(p->record, sizeof(p->record), "%s/reserved-ports", p->place.run_directory);
	return 0;
}

static bool needs_guard(const struct plane *p)
{
	for (unsigned i = 0; i < p->n_ports; i++) {
		const struct io_device *d = &p->devices[i];

		if (d->driver == IO_AF_PACKET || d->twin ||
			(d->driver == IO_PCI && d->interface[0] != '\0'))
			return true;
	}
	return false;
}

// The guard comes before the interfaces: from the moment an old program is taken off them, it alone
// keeps the kernel from answering.
static int prepare(struct plane *p)
{
	struct steer_fault fault = {.problem = ""};
	struct own own;
	bool leftover;
	int err;

	for (unsigned i = 0; i < p->n_ports; i++) {
		const struct conf_port *c = &p->conf->dataplane.ports[i];

		err = io_device_parse(&p->devices[i], c->device, c->interface, i, &fault);
		if (err == 0 && c->kernel != NULL)
			err = io_device_set_twin(&p->devices[i], c->kernel, i, &fault);
		p->devices[i].mtu = c->mtu;
		if (err != 0)
			return plane_refuse(LOG_EV_PORT_FAILED, err, &fault);
		p->ports[i].device = p->devices[i];
	}
	own_from_conf(&own, p->conf);
	plane_own_apply(p, &own);
	if (needs_guard(p) && !p->guarded)
		return EXIT_FAILED;
	for (unsigned i = 0; i < p->n_ports; i++) {
		struct io_port *port = &p->ports[i];

		err = io_port_prepare(port, p->n_workers, &leftover, &fault);
		if (err != 0)
			return plane_refuse(
				err == -EBUSY ? LOG_EV_STEERING_REFUSED : LOG_EV_PORT_FAILED, err,
				&fault);
		if (leftover)
			log_event(LOG_EV_STEERING_LEFTOVER,
				LOG_FIELDS(log_str("interface", port->device.interface)));
		if (strcmp(port->link.kind, "veth") == 0 && port->link.tx_checksum)
			log_event(LOG_EV_CHECKSUM_OFFLOAD,
				LOG_FIELDS(log_str("interface", port->device.interface),
					log_str("remedy", "ethtool -K on both ends: tx off")));
	}
	p->times.prepared_ms = plane_since_start_ms(p);
	return 0;
}

static bool has_pci(const struct plane *p)
{
	for (unsigned i = 0; i < p->n_ports; i++) {
		if (p->devices[i].driver == IO_PCI)
			return true;
	}
	return false;
}

static int start_eal(struct plane *p)
{
	const struct conf_dataplane *c = &p->conf->dataplane;
	struct steer_fault fault;
	uint64_t need = plane_ports_octets(p);
	uint64_t huge = c->hugepages == CONF_HUGEPAGES_NEVER ? 0 : eal_huge_free();
	int err = privilege_keep(&p->keeper, plane_ports_start, p);

	if (err == 0)
		err = privilege_drop(has_pci(p), p->place.group);
	if (err != 0) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", "capabilities can't be dropped"),
				log_errno(err)));
		return EXIT_FAILED;
	}
	if (c->n_cores == p->n_workers) {
		for (unsigned i = 0; i < p->n_workers; i++)
			p->cores[i] = c->cores[i];
	} else {
		unsigned alone = eal_cores_choose(p->cores, p->n_workers);

		if (alone < p->n_workers)
			log_event(LOG_EV_CONFIG_WARNING,
				LOG_FIELDS(log_str("key", "dataplane.workers"),
					log_u64("workers", p->n_workers),
					log_u64("with_a_core_of_their_own", alone),
					log_str("remedy", "fewer workers, or more cores")));
	}
	plane_judge_cores(p);
	p->eal = (struct eal_settings){.instance = p->conf->instance,
		.cores = p->cores,
		.n_cores = p->n_workers,
		.memory_octets = need,
		.no_huge = huge < need,
		.devices = p->devices,
		.n_devices = p->n_ports};
	if (p->eal.no_huge)
		log_event(LOG_EV_HUGEPAGES_MISSING,
			LOG_FIELDS(log_u64("need_mib", need >> 20), log_u64("free_mib", huge >> 20),
				log_str("remedy", "sysctl vm.nr_hugepages")));
	err = eal_start(&p->eal, &fault);
	if (err != 0)
		return plane_refuse(LOG_EV_START_FAILED, err, &fault);
	p->eal_started = true;
	p->times.eal_ms = plane_since_start_ms(p);
	return 0;
}

static int start_services(struct plane *p)
{
	const struct attach_settings attach = {.place = &p->place,
		.n_workers = p->n_workers,
		.ports = p->ports,
		.n_ports = p->n_ports,
		.tsc_hz = rte_get_tsc_hz(),
		.flags = (p->eal.no_huge ? TP_STATE_NO_HUGE : 0) |
			 (p->cores_shared ? TP_STATE_CORES_SHARED : 0)};
	uint32_t ifindexes[TP_PORTS_MAX];
	int err = watch_init(&p->watch, p->n_workers);

	if (err == 0)
		err = kick_init(&p->kick, p->place.run_directory, p->place.group);
	p->kicking = err == 0;
	if (err == 0)
		err = attach_init(&p->attach, &attach);
	p->attached = p->kicking && err == 0;
	for (unsigned i = 0; i < p->n_ports; i++)
		ifindexes[i] = p->ports[i].link.ifindex;
	if (err == 0) {
		p->neighbour = neighbour_create(ifindexes, p->n_ports);
		err = p->neighbour == NULL ? -errno : 0;
	}
	if (err != 0) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", p->kicking ? "segment and neighbours"
								 : "data plane's socket"),
				log_str("directory", p->place.run_directory), log_errno(err)));
		return EXIT_FAILED;
	}
	return 0;
}

static int start_workers(struct plane *p)
{
	for (unsigned i = 0; i < p->n_workers; i++) {
		const struct worker_settings s = {.id = i,
			.n_workers = p->n_workers,
			.core = p->cores[i],
			.busy = p->conf->dataplane.poll == CONF_POLL_BUSY,
			.hold_us = p->conf->dataplane.hold_us,
			.ports = p->ports,
			.n_ports = p->n_ports,
			.pool = plane_ports_pool(p, &p->ports[0]),
			.view = &p->attach.slot,
			.kick_fd = p->kick.event_fd,
			.stop = &p->stop,
			.watch = &p->watch};
		int err = -ENOMEM;

		p->workers[i].core = p->cores[i];
		p->workers[i].worker = worker_create(&s);
		if (p->workers[i].worker != NULL)
			err = eal_launch(i, worker_run, p->workers[i].worker);
		if (err != 0) {
			log_event(LOG_EV_START_FAILED,
				LOG_FIELDS(log_str("problem", "no worker"), log_errno(err)));
			return EXIT_FAILED;
		}
		p->n_launched++;
		log_event(LOG_EV_WORKER_STARTED,
			LOG_FIELDS(log_u64("worker", i), log_u64("core", p->cores[i])));
	}
	p->times.ready_ms = plane_since_start_ms(p);
	return 0;
}

int plane_start(struct plane *p, const struct conf *conf, uint64_t start_ns)
{
	int status;

	memset(p, 0, sizeof(*p));
	feed_init(&p->feed);
	p->conf = conf;
	p->times.start_ns = start_ns;
	p->role_fd = -1;
	p->object_fd = -1;
	p->n_workers = conf->dataplane.workers;
	p->n_ports = (unsigned)conf->dataplane.n_ports;
	for (unsigned i = 0; i < TP_PORTS_MAX; i++)
		p->ports[i].claim_fd = -1;
	if (p->n_ports > TP_PORTS_MAX || p->n_workers > TP_WORKERS_MAX) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", "too many ports or workers")));
		return EXIT_CONFIG;
	}
	status = take_role(p);
	if (status == 0)
		status = prepare(p);
	if (status == 0)
		status = start_eal(p);
	if (status == 0)
		status = privilege_spend(&p->keeper);
	if (status == 0)
		status = start_services(p);
	if (status == 0)
		status = start_workers(p);
	return status;
}

void plane_stop(struct plane *p)
{
	atomic_store(&p->stop, true);
	privilege_forgo(&p->keeper);
	eal_join(p->n_launched);
	neighbour_destroy(p->neighbour);
	if (p->attached)
		attach_fini(&p->attach);
	if (p->kicking)
		kick_fini(&p->kick);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_destroy(p->workers[i].worker);
	feed_fini(&p->feed, &p->watch.capture);
	watch_fini(&p->watch);
	plane_ports_stop(p);
	plane_own_release(p);
	// A start that failed takes nothing away: the next one may find calls to go on with.
	if (p->role_fd >= 0 && p->attached)
		shm_role_leave(&p->place, p->role_fd);
	else if (p->role_fd >= 0)
		close(p->role_fd);
}
