// SPDX-License-Identifier: BSD-3-Clause
#include "edge.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <seccomp.h>

#include <log/log.h>
#include <proc/clock.h>
#include <proc/limits.h>
#include <proc/notify.h>
#include <proc/privilege.h>
#include <proc/sandbox.h>
#include <proc/signals.h>
#include <proc/start.h>
#include <shm/group.h>
#include <shm/guard.h>

#define DESCRIPTORS_OWN 128u	   // beside connections
#define RELAY_SOCKETS	(1u << 17) // of TCP allocations

static int failed(const struct tls_error *err)
{
	log_event(LOG_EV_START_FAILED,
		LOG_FIELDS(log_str("problem", err->problem), log_str("remedy", err->remedy)));
	return PROC_EXIT_FAILED;
}

// Descriptors for connections, of which a quarter is for TCP allocations. The filter lets nobody
// ask again.
static void room_take(struct edge *e)
{
	struct rlimit limit;

	e->relay_sockets = RELAY_SOCKETS;
	e->room = UINT64_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return;
	e->room = limit.rlim_cur > DESCRIPTORS_OWN + 7 ? limit.rlim_cur - DESCRIPTORS_OWN : 8;
	if (e->room / 4 < e->relay_sockets)
		e->relay_sockets = (uint32_t)(e->room / 4);
	e->room -= e->room / 4;
}

// Each connection is a descriptor, two with backends: fewer files, fewer connections.
void edge_connections_clamp(const struct edge *e, struct conf *conf)
{
	uint64_t room = e->room / (conf_has_backends(conf) ? 2 : 1);

	if (conf->edge.connections <= room)
		return;
	log_event(LOG_EV_CONFIG_WARNING,
		LOG_FIELDS(log_str("key", "edge.connections"),
			log_str("problem", "the limit of open files allows fewer"),
			log_u64("connections", room),
			log_str("remedy", "raise it: LimitNOFILE in the unit, or ulimit -n")));
	conf->edge.connections = (uint32_t)room;
}

// Sockets are opened with the privileges of the start, everything else as the user.
static int place_take(struct edge *e)
{
	struct shm_error err;
	struct tls_error fault;
	int status;

	if (proc_place_init(&e->place, e->conf, &err) < 0)
		return proc_shm_failed(&err);
	if (e->place.group != (gid_t)-1 && shm_tables_group(&e->place) == e->place.group)
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", "segment.group"),
				log_str("problem", "there is no group " SHM_TABLES_GROUP_NAME
						   ": this process may read the tables and "
						   "the keys in them"),
				log_str("remedy", "make it and restart all: tools/install-users")));
	// This process is no member.
	shm_tables_group_set((gid_t)-1);
	status = edge_before_find(e);
	if (status != 0)
		return status;
	e->serve = serve_create_with(
		e->conf, e->tickets, e->before.sockets, e->before.n_sockets, &fault);
	if (e->serve == NULL)
		return failed(&fault);
	status = proc_user_take(&e->place, e->conf, e->options.user, false);
	if (status != 0)
		return status;
	return e->before.fd >= 0 ? 0 : edge_role_lock(e);
}

static int tickets_take(struct edge *e)
{
	const char *path = e->conf->edge.ticket_key_file;
	uint8_t seed[TLS_TICKET_KEY_MAX];
	struct tls_error err = {.problem = "no random numbers for the keys of tickets"};
	size_t len = 0;

	if (path != NULL && tls_seed_read(path, seed, &len, &err) < 0)
		return failed(&err);
	e->tickets = tls_tickets_create(path != NULL ? seed : NULL, len, NULL, NULL);
	explicit_bzero(seed, sizeof(seed));
	return e->tickets == NULL ? failed(&err) : 0;
}

// A worker that polls has its core to itself, where there are enough others. It is one of those
// configured, else the data plane takes the last ones.
static void cores_take(const struct conf *conf)
{
	const struct conf_dataplane *d = &conf->dataplane;
	cpu_set_t others;
	unsigned left = d->n_cores > 0 ? 0 : d->workers;

	if (sched_getaffinity(0, sizeof(others), &others) < 0)
		return;
	for (size_t i = 0; i < d->n_cores; i++)
		CPU_CLR(d->cores[i], &others);
	for (unsigned c = CPU_SETSIZE; c > 0 && left > 0; c--) {
		left -= CPU_ISSET(c - 1, &others) != 0;
		CPU_CLR(c - 1, &others);
	}
	// Failing that, workers give way to threads of their core.
	if ((unsigned)CPU_COUNT(&others) >= conf->edge.threads)
		(void)sched_setaffinity(0, sizeof(others), &others);
}

static int signals_take(struct edge *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	proc_signals_foreign(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	e->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return e->signal_fd < 0 ? -errno : shm_guard_install();
}

// Handles of the process before have a slot, too.
static uint32_t connections_max(const struct edge *e)
{
	uint32_t most = e->conf->edge.connections;

	if (e->before.fd >= 0 && most < e->before.welcome.connections_max)
		most = e->before.welcome.connections_max;
	return most < TP_CONNECTION_SLOT_MAX - 1 ? most : TP_CONNECTION_SLOT_MAX - 1;
}

static int link_take(struct edge *e)
{
	const struct edge_link_settings settings = {
		.place = &e->place,
		.n_workers = e->conf->dataplane.workers,
		.n_threads = e->conf->edge.threads,
		.connections_max = connections_max(e),
		.relay = &e->relaying,
	};

	if (edge_relays_open(e) < 0)
		return proc_start_failed("no sockets for TCP allocations", -errno,
			"free memory; is the limit of open files reached?");
	e->link = edge_link_create(&settings);
	return e->link == NULL ? proc_start_failed("no link to the other processes", -errno,
					 "free memory; is the limit of open files reached?")
			       : 0;
}

// It reads certificates and the configuration again, makes its file of the segment again, and
// connects to Unix sockets of the other processes, and by TCP to backends and to peers, for which
// it listens too.
static int confine(const struct edge *e)
{
	static const int calls[] = {
		SCMP_SYS(eventfd2),
		SCMP_SYS(timerfd_create),
		SCMP_SYS(timerfd_gettime),
		SCMP_SYS(dup3), // the link puts new timers in the place of old ones
		SCMP_SYS(bind),
		SCMP_SYS(listen),
		SCMP_SYS(socketpair), // to a process that takes over
		SCMP_SYS(splice),
		SCMP_SYS(pipe2),
	};
	static const struct proc_sandbox sandbox = {
		.allow = PROC_ALLOW_READ | PROC_ALLOW_REMOVE | PROC_ALLOW_UNIX | PROC_ALLOW_MAKE |
			 PROC_ALLOW_THREAD | PROC_ALLOW_TCP,
		.calls = calls,
		.n_calls = TP_ARRAY_LEN(calls),
	};
	char candidates[SHM_CANDIDATES_MAX][SHM_PATH_MAX];
	struct proc_path paths[SHM_CANDIDATES_MAX + 1] = {
		{e->place.run_directory, PROC_PATH_CHANGE}};
	size_t n = shm_place_candidates(&e->place, candidates);
	int rc = proc_capabilities_keep(0);

	// The control process chooses one, perhaps later.
	for (size_t i = 0; i < n; i++)
		paths[i + 1] = (struct proc_path){candidates[i], PROC_PATH_CHANGE};
	if (rc == 0)
		rc = proc_memory_hide();
	if (rc == 0 && !e->options.no_sandbox)
		rc = proc_paths_confine(paths, n + 1);
	if (rc == 0 && !e->options.no_sandbox)
		rc = proc_sandbox_enter(&sandbox);
	return rc < 0 ? proc_start_failed("privileges can't be dropped", rc,
				"--no-sandbox where the kernel has no seccomp")
		      : 0;
}

static int parts_take(struct edge *e)
{
	struct tls_error err;
	int status, rc;

	status = tickets_take(e);
	if (status == 0)
		status = place_take(e);
	if (status != 0)
		return status;
	if (serve_certificates_load(e->serve, &err) < 0)
		return failed(&err);
	rc = signals_take(e);
	if (rc < 0)
		return proc_start_failed("no signals", rc, "is the limit of open files reached?");
	status = link_take(e);
	if (status != 0)
		return status;
	rc = edge_next_open(e);
	if (rc < 0)
		return proc_start_failed(TAKEOVER_SOCKET_NAME, rc,
			"set runtime_directory to a directory of its own");
	rc = edge_operator_open(e);
	if (rc < 0)
		return proc_start_failed(
			TP_EDGE_CTL_NAME, rc, "set runtime_directory to a directory of its own");
	cores_take(e->conf);
	status = confine(e);
	if (status != 0)
		return status;
	if (serve_listen(e->serve, &err) < 0)
		return failed(&err);
	rc = serve_ready(e->serve);
	if (rc == 0) {
		status = edge_before_take(e);
		if (status != 0)
			return status;
		rc = serve_start(e->serve, e->link);
	}
	return rc < 0 ? proc_start_failed("threads can't be started", rc, "free memory") : 0;
}

int edge_start(struct edge *e, const struct edge_options *o, struct conf *conf)
{
	int status;

	*e = (struct edge){.options = *o,
		.conf = conf,
		.role_fd = -1,
		.signal_fd = -1,
		.before.fd = -1,
		.before.word_fd = -1,
		.before.far_fd = -1,
		.next_listen_fd = -1,
		.next_fd = -1,
		.next_word_fd = -1,
		.started_ns = proc_now_ns()};
	if (!conf_has_edge(conf))
		return proc_start_failed("the configuration has no listener of tcp, tls or dtls", 0,
			"none: turnpike-edge is not needed; or add listeners with transport: tls");
	status = proc_user_check("turnpike-edge", o->user, o->allow_root);
	if (status == 0)
		status = proc_limits_check(DESCRIPTORS_OWN);
	if (status != 0)
		return status;
	room_take(e);
	edge_connections_clamp(e, conf);
	status = parts_take(e);
	if (status != 0)
		return status;
	log_event(LOG_EV_PROCESS_STARTED,
		LOG_FIELDS(log_str("version", TURNPIKE_VERSION),
			log_u64("layout", TP_LAYOUT_VERSION),
			log_u64("threads", conf->edge.threads),
			log_u64("connections_max", conf->edge.connections)));
	proc_notify("READY=1");
	return 0;
}
