// SPDX-License-Identifier: BSD-3-Clause
#include <plane/plane.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <io/card.h>
#include <io/cycles.h>
#include <io/huge.h>
#include <io/pool.h>
#include <log/log.h>
#include <proc/host.h>
#include <proc/privilege.h>
#include <shm/group.h>

#include <plane/advice.h>
#include <plane/again.h>
#include <plane/haste.h>
#include <plane/refuse.h>
#include <worker/clock.h>
#include <worker/fragments.h>

#define STOP_REST_SECONDS 60

uint32_t plane_since_start_ms(const struct plane *p)
{
	return (uint32_t)((clock_boottime_ns() - p->times.start_ns) / TP_NS_PER_MS);
}

// Before the user changes: raising the limit takes a capability.
static void take_priority(struct plane *p)
{
	int err;

	if (p->conf->dataplane.poll == CONF_POLL_BUSY ||
		p->conf->dataplane.priority == CONF_PRIORITY_NORMAL)
		return;
	err = plane_privilege_realtime();
	p->realtime = err == 0;
	if (err != 0)
		log_event(LOG_EV_PRIORITY_NORMAL,
			LOG_FIELDS(log_errno(err),
				log_str("remedy", "LimitRTPRIO=1 in the unit, without "
						  "RestrictRealtime=; or dataplane.priority: "
						  "normal")));
	// Drivers may poll for their devices without a bound: not at a priority above all others.
	p->in_haste = p->realtime && !plane_ports_have_devices(&p->ports);
	if (p->in_haste)
		plane_haste_begin();
}

static int take_role(struct plane *p)
{
	struct shm_error err = {.cause = SHM_OK};
	int status;

	if (proc_place_init(&p->place, p->conf, &err) != 0)
		return proc_shm_failed(&err);
	// The capabilities stay until the ports' thread has its own copy: start_eal.
	status = proc_user_take(&p->place, p->conf, p->options->user, true);
	if (status != 0)
		return status;
	p->role_fd = shm_role_lock(&p->place, SHM_ROLE_DATAPLANE, &err);
	if (p->role_fd < 0)
		return proc_shm_failed(&err);
	snprintf(p->claims.record, sizeof(p->claims.record), "%s/reserved-ports",
		p->place.run_directory);
	return 0;
}

// Before anything is changed, so that a missing capability is named by the first message.
static int check_privileges(struct plane *p)
{
	const gid_t group = p->place.group, tables = shm_tables_group(&p->place);
	struct privilege_need need = {
		.join = group != (gid_t)-1 && geteuid() == 0 &&
			(!plane_privilege_has_group(group) || !plane_privilege_has_group(tables))};
	struct steer_fault fault;
	int err = io_card_check_sysfs(IO_SYSFS, &fault);

	for (unsigned i = 0; i < p->ports.n; i++) {
		enum io_driver driver = p->ports.devices[i].driver;

		need.steers |= driver == IO_AF_XDP;
		need.captures |= driver == IO_AF_XDP || driver == IO_AF_PACKET;
		if (driver == IO_AF_XDP || driver == IO_PCI)
			need.locked_octets = io_pool_octets(TP_BUFFERS_MIN, 0);
	}
	need.captures |= p->conf->peers.n_local > 0;
	if (err == 0)
		err = plane_privilege_check(&need, &fault);
	return err == 0 ? 0 : plane_refuse(LOG_EV_START_FAILED, err, &fault);
}

// Early, so that the other processes, which try again every few milliseconds, have connected when
// the ports are open.
static int listen_early(struct plane *p)
{
	int err =
		plane_socket_init(&p->socket, p->place.run_directory, shm_tables_group(&p->place));

	p->listening = err == 0;
	if (err == 0)
		err = plane_edge_init(
			&p->edge, p->place.run_directory, p->place.group, p->socket.wake_fd);
	p->edge_listening = p->listening && err == 0;
	if (err == 0)
		return 0;
	log_event(LOG_EV_START_FAILED,
		LOG_FIELDS(log_str("problem", "data plane's socket"),
			log_str("directory", p->place.run_directory), log_errno(err)));
	return PROC_EXIT_FAILED;
}

// The guard comes before the interfaces: from the moment an old program is taken off them, it alone
// keeps the kernel from answering.
static int prepare(struct plane *p)
{
	struct plane_claimed claimed;
	int status;

	plane_claimed_from_conf(&claimed, p->conf);
	plane_claims_apply(&p->claims, &p->ports, &claimed);
	// The guard keeps the kernel from answering local peers in our place.
	if ((plane_ports_need_guard(&p->ports) || p->conf->peers.n_local > 0) && !p->claims.guarded)
		return PROC_EXIT_FAILED;
	status = plane_ports_prepare(&p->ports, p->place.run_directory);
	if (status == 0)
		status = plane_local_open(
			&p->local, p->conf, plane_ports_mtu(&p->ports), p->n_workers);
	p->times.prepared_ms = plane_since_start_ms(p);
	return status;
}

// Pages that are free may be taken by others before DPDK has them, the control process among them.
// On the thread that has kept the privileges.
static void start_again(const struct steer_fault *fault)
{
	int err;

	log_event(LOG_EV_HUGEPAGES_MISSING,
		LOG_FIELDS(log_str("problem", "huge pages were free, but are not to be had"),
			log_str("detail", fault->problem),
			log_str("remedy", "sysctl vm.nr_hugepages; starts again without them")));
	err = plane_again();
	log_event(LOG_EV_START_FAILED,
		LOG_FIELDS(log_str("problem", "can't start again without huge pages"),
			log_errno(err), log_str("remedy", "dataplane.hugepages: never")));
}

// The keeper's part of the start.
static int open_ports(void *plane)
{
	struct plane *p = plane;

	if (p->eal_started)
		return plane_ports_start(&p->ports);
	if (p->ports.no_memory != NULL)
		p->ports.no_memory(&p->eal_fault);
	return PROC_EXIT_FAILED;
}

static void choose_pages(struct plane *p)
{
	uint64_t octets[PROC_NODES_MAX], need = 0;
	enum io_huge huge;
	unsigned node;

	plane_ports_octets(&p->ports, octets);
	for (unsigned n = 0; n < PROC_NODES_MAX; n++)
		need += octets[n];
	huge = p->conf->dataplane.hugepages == CONF_HUGEPAGES_NEVER
		       ? IO_HUGE_NONE
		       : io_huge_judge(IO_SYSFS, octets, PROC_NODES_MAX, &node);
	p->eal.memory_octets = need;
	p->eal.no_huge = huge == IO_HUGE_NONE;
	p->eal.of_no_node = huge != IO_HUGE_NONE && io_huge_lacks_node(IO_SYSFS, PROC_NODES_MAX);
	p->ports.no_memory = huge == IO_HUGE_NONE ? NULL : start_again;
	(void)proc_memory_suffices(
		proc_dataplane_memory(&p->conf->dataplane, p->eal.no_huge ? need : 0, 0),
		PROC_CGROUP_SELF, PROC_CGROUP_ROOT,
		"raise MemoryMax of the unit or memory.max, or lower dataplane.mbufs "
		"or dataplane.fragment_memory");
	if (huge == IO_HUGE_NONE)
		log_event(LOG_EV_HUGEPAGES_MISSING,
			LOG_FIELDS(log_u64("need_mib", need >> 20),
				log_u64("free_mib", io_huge_free(IO_SYSFS, -1) >> 20),
				log_str("remedy", "sysctl vm.nr_hugepages")));
	if (huge == IO_HUGE_ELSEWHERE)
		log_event(LOG_EV_HUGEPAGES_MISSING,
			LOG_FIELDS(log_u64("node", node), log_u64("need_mib", octets[node] >> 20),
				log_u64("free_mib", io_huge_free(IO_SYSFS, (int)node) >> 20),
				log_str("problem", "packet buffers lie on another NUMA node"),
				log_str("remedy", "nr_hugepages of that node, below "
						  "/sys/devices/system/node")));
}

static int start_eal(struct plane *p)
{
	const struct conf_dataplane *c = &p->conf->dataplane;
	int err = plane_privilege_keep(&p->keeper, open_ports, p);

	if (err == 0)
		err = plane_privilege_drop(plane_ports_have_pci(&p->ports), p->realtime, &p->place);
	io_eal_directory_make(p->conf->instance, p->place.run_directory);
	if (err == 0 && !p->options->no_sandbox)
		err = plane_privilege_confine(
			&p->place, p->ports.lock_directory, plane_ports_have_pci(&p->ports));
	if (err != 0)
		return proc_start_failed("privileges can't be dropped", err,
			"allow capset and Landlock in the container, or --no-sandbox");
	if (c->n_cores == p->n_workers) {
		for (unsigned i = 0; i < p->n_workers; i++)
			p->cores[i] = c->cores[i];
	} else {
		unsigned alone = io_eal_cores_choose(p->cores, p->n_workers);

		if (alone < p->n_workers)
			log_event(LOG_EV_CONFIG_WARNING,
				LOG_FIELDS(log_str("key", "dataplane.workers"),
					log_u64("workers", p->n_workers),
					log_u64("with_a_core_of_their_own", alone),
					log_str("remedy", "fewer workers, or more cores")));
	}
	p->cores_shared = plane_advise_cores(p->cores, p->n_workers);
	p->eal = (struct eal_settings){.instance = p->conf->instance,
		.cores = p->cores,
		.n_cores = p->n_workers,
		.devices = p->ports.devices,
		.n_devices = p->ports.n};
	choose_pages(p);
	err = io_eal_start(&p->eal, &p->eal_fault);
	if (err != 0) {
		plane_privilege_spend(&p->keeper);
		return plane_refuse(LOG_EV_START_FAILED, err, &p->eal_fault);
	}
	p->eal_started = true;
	p->times.eal_ms = plane_since_start_ms(p);
	return 0;
}

static int start_services(struct plane *p)
{
	const struct attach_settings attach = {.place = &p->place,
		.n_workers = p->n_workers,
		.ports = p->ports.items,
		.n_ports = p->ports.n,
		.tsc_hz = io_cycles_hz(),
		.meanwhile = plane_meanwhile,
		.ctx = p,
		.flags = (p->eal.no_huge ? TP_STATE_NO_HUGE : 0) |
			 (p->cores_shared ? TP_STATE_CORES_SHARED : 0)};
	uint32_t ifindexes[TP_PORTS_MAX];
	int err = plane_attach_init(&p->attach, &attach);

	p->attached = err == 0;
	for (unsigned i = 0; i < p->ports.n; i++)
		ifindexes[i] = p->ports.items[i].link.ifindex;
	if (err == 0) {
		p->neighbour = plane_neighbour_create(ifindexes, p->ports.n);
		err = p->neighbour == NULL ? -errno : 0;
	}
	if (err != 0) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", "segment and neighbours"), log_errno(err)));
		return PROC_EXIT_FAILED;
	}
	return 0;
}

static int start_workers(struct plane *p)
{
	int status = plane_local_start(&p->local);

	if (status != 0)
		return status;
	if (p->in_haste)
		plane_haste_end_others();
	// One worker meets nobody; without the memory each keeps its own fragments.
	if (p->n_workers > 1 && p->conf->dataplane.fragment_mib > 0)
		p->exchange = fragments_exchange_create(p->n_workers);
	for (unsigned i = 0; i < p->n_workers; i++) {
		const struct worker_settings s = {.id = i,
			.n_workers = p->n_workers,
			.core = p->cores[i],
			.busy = p->conf->dataplane.poll == CONF_POLL_BUSY,
			.realtime = p->realtime,
			.hold_us = p->conf->dataplane.hold_us,
			.ports = p->ports.items,
			.n_ports = p->ports.n,
			.pool = plane_ports_pool(&p->ports, 0),
			.exchange = p->exchange,
			.fragment_mib = p->conf->dataplane.fragment_mib,
			.snapshot = &p->attach.slot,
			.kick_fd = p->socket.kick_fd,
			.wake_fd = p->socket.wake_fd,
			.stop = &p->stop,
			.observe = &p->observe,
			.local = p->local.way,
			.local_peers = p->local.peers,
			.n_local_peers = p->local.n_peers,
			.local_mtu = p->local.mtu};
		int err = -ENOMEM;

		p->workers[i].core = p->cores[i];
		p->workers[i].worker = worker_create(&s);
		if (p->workers[i].worker != NULL)
			err = io_eal_launch(i, worker_run, p->workers[i].worker);
		if (err != 0) {
			log_event(LOG_EV_START_FAILED,
				LOG_FIELDS(log_str("problem", "no worker"), log_errno(err)));
			return PROC_EXIT_FAILED;
		}
		p->n_launched++;
		log_event(LOG_EV_WORKER_STARTED,
			LOG_FIELDS(log_u64("worker", i), log_u64("core", p->cores[i]),
				log_str("priority", p->realtime ? "realtime" : "normal")));
	}
	p->times.ready_ms = plane_since_start_ms(p);
	return 0;
}

static int enter_filter(const struct plane *p)
{
	// Packets in its buffers have integrity values, tokens and tickets. Not before the ports
	// are open: drivers read files of this process that are root's from now on.
	int err = proc_memory_hide();

	if (err == 0 && !p->options->no_sandbox)
		err = plane_privilege_filter();
	return err != 0 ? proc_start_failed("the system call filter is refused", err,
				  "--no-sandbox where the kernel has no seccomp")
			: 0;
}

static int open_by_keeper(struct plane *p)
{
	int status = plane_privilege_spend(&p->keeper);

	p->times.ports_ms = plane_since_start_ms(p);
	return status;
}

// A step that waits for a device can't be interrupted. The next start finds the host as after a
// crash.
static void give_up(void *plane, const char *step)
{
	struct plane *p = plane;

	log_event(LOG_EV_START_FAILED, LOG_FIELDS(log_str("problem", "ended while it was starting"),
					       log_str("starting", step)));
	if (p->eal.instance != NULL)
		plane_claims_release(&p->claims);
	_exit(PROC_EXIT_FAILED);
}

int plane_start(struct plane *p, const struct conf *conf, const struct options *options,
	uint64_t start_ns, const volatile int *stop)
{
	static const struct {
		const char *name;
		int (*run)(struct plane *p);
	} steps[] = {
		{"privileges", check_privileges},
		{"sockets", listen_early},
		{"guard and interfaces", prepare},
		{"DPDK: memory and devices", start_eal},
		{"ports", open_by_keeper},
		{"tables and neighbours", start_services},
		{"workers", start_workers},
	};
	int status;

	memset(p, 0, sizeof(*p));
	if (observe_init(&p->observe, conf->dataplane.workers) != 0)
		return PROC_EXIT_FAILED;
	p->conf = conf;
	p->options = options;
	p->times.start_ns = start_ns;
	p->role_fd = -1;
	p->n_workers = conf->dataplane.workers;
	p->claims.conf = conf;
	plane_ports_init(&p->ports, conf);
	if (p->ports.n > TP_PORTS_MAX || p->n_workers > TP_WORKERS_MAX) {
		log_event(LOG_EV_START_FAILED,
			LOG_FIELDS(log_str("problem", "too many ports or workers")));
		return PROC_EXIT_CONFIG;
	}
	status = plane_ports_parse(&p->ports);
	if (status != 0)
		return status;
	take_priority(p);
	status = take_role(p);
	plane_steps_begin(&p->steps, stop, give_up, p);
	for (size_t i = 0; i < TP_ARRAY_LEN(steps) && status == 0; i++) {
		plane_steps_next(&p->steps, steps[i].name, clock_boottime_ns());
		status = steps[i].run(p);
	}
	plane_steps_end(&p->steps);
	return status == 0 ? enter_filter(p) : status;
}

void plane_stop(struct plane *p)
{
	atomic_store(&p->stop, true);
	plane_privilege_forgo(&p->keeper);
	io_eal_join(p->n_launched);
	// The workers have ended. The rest takes its time on a busy machine, and ended in the
	// middle it would leave the nft table and the segment's files.
	if (alarm(0) != 0)
		alarm(STOP_REST_SECONDS);
	plane_neighbour_destroy(p->neighbour);
	plane_local_close(&p->local);
	if (p->attached)
		plane_attach_fini(&p->attach);
	if (p->edge_listening)
		plane_edge_fini(&p->edge);
	if (p->listening)
		plane_socket_fini(&p->socket);
	for (unsigned i = 0; i < p->n_workers; i++)
		worker_destroy(p->workers[i].worker);
	fragments_exchange_destroy(p->exchange);
	observe_fini(&p->observe, clock_boottime_ns());
	plane_ports_stop(&p->ports);
	if (p->eal_started)
		io_eal_stop(&p->eal);
	plane_claims_release(&p->claims);
	// A start that failed takes nothing away: the next one may find calls to go on with.
	if (p->role_fd >= 0 && p->attached)
		shm_role_leave(&p->place, SHM_ROLE_DATAPLANE, p->role_fd);
	else if (p->role_fd >= 0)
		close(p->role_fd);
}
