// SPDX-License-Identifier: BSD-3-Clause
#include <process/process.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <log/log.h>
#include <shm/guard.h>

#include <proc/clock.h>
#include <proc/notify.h>
#include <proc/limits.h>
#include <proc/privilege.h>
#include <proc/signals.h>
#include <proc/start.h>

#define OPERATORS_MAX	 64u
#define DESCRIPTORS_MIN	 (OPERATORS_MAX + 64u)
#define PATIENCE_NS	 (10 * TP_NS_PER_S)
#define OPERATOR_IDLE_NS (600 * TP_NS_PER_S)

// ---- place, user and role ---------------------------------------------------------------------

// The directory is made with the privileges of the start; everything in it is made as the user.
static int place_take(struct process *p, const struct conf *conf)
{
	struct shm_error err;
	int rc;

	if (proc_place_init(&p->link.place, conf, &err) < 0)
		return proc_shm_failed(&err);
	rc = proc_user_take(&p->link.place, conf, p->options.user, false);
	if (rc != 0)
		return rc;
	p->role_fd = shm_role_lock(&p->link.place, SHM_ROLE_CONTROL, &err);
	return p->role_fd < 0 ? proc_shm_failed(&err) : 0;
}

// ---- descriptors ------------------------------------------------------------------------------

static int watch(struct process *p, int fd, enum process_tag tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(p->loop.epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int signals_take(struct process *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	proc_signals_foreign(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	p->loop.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return p->loop.signal_fd < 0 ? -errno : watch(p, p->loop.signal_fd, PROCESS_TAG_SIGNAL);
}

static int descriptors_take(struct process *p)
{
	int rc;

	p->loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = p->loop.epoll_fd < 0 ? -errno : signals_take(p);
	if (rc == 0)
		rc = shm_guard_install();
	if (rc < 0)
		return proc_start_failed(
			"no event loop", rc, "is the limit of open files reached?");
	rc = link_hops_init(&p->link.hops);
	if (rc == 0)
		rc = watch(p, link_hops_fd(&p->link.hops), PROCESS_TAG_NETLINK);
	if (rc < 0)
		return proc_start_failed("the kernel's routes and neighbours can't be read", rc,
			"does the kernel have rtnetlink?");
	return 0;
}

// ---- start and end ------------------------------------------------------------------------------

static int core_take(struct process *p, struct conf *conf)
{
	struct shm_error err;

	p->core.settings = settings_create(conf);
	if (p->core.settings == NULL)
		return proc_start_failed("the configuration can't be used", -errno, "");
	if (process_core_open(p, p->core.settings, &err) < 0)
		return proc_shm_failed(&err);
	return 0;
}

static int ctl_take(struct process *p)
{
	const struct conf *conf = p->core.settings->conf;
	const struct ctl_server_conf ctl = {
		.path = conf->control.socket,
		.group = conf->control.group,
		.version = TURNPIKE_VERSION,
		.instance = conf->instance,
		.layout_version = TP_LAYOUT_VERSION,
		.handlers = operator_handlers,
		.n_handlers = operator_n_handlers,
		.ctx = &p->operator,
		.max_clients = OPERATORS_MAX,
		.patience_ns = PATIENCE_NS,
		.idle_ns = OPERATOR_IDLE_NS,
	};
	int rc = ctl_server_create(&ctl, &p->loop.ctl);

	p->operator.socket = p->loop.ctl;
	if (rc == 0)
		rc = watch(p, ctl_server_fd(p->loop.ctl), PROCESS_TAG_CTL);
	if (rc < 0)
		return proc_start_failed(
			conf->control.socket, rc, "set control.socket to a free path");
	return 0;
}

static int confine(const struct process *p)
{
	int rc = process_confine(p);

	return rc < 0 ? proc_start_failed("privileges can't be dropped", rc,
				"--no-sandbox where the kernel has no seccomp")
		      : 0;
}

// On standard output, which is not the log.
static void secret_show(const struct process *p)
{
	const struct turn_secret *s = &p->core.settings->realms[0].secrets[0];

	if (!p->core.settings->conf->secret_generated || !p->link.fresh)
		return;
	printf("There is no configuration: this secret was made up, and is shown this once.\n"
	       "relayctl credential mint makes user names and passwords with it.\n"
	       "secret: %.*s\n",
		(int)s->len, (const char *)s->octets);
	fflush(stdout);
}

static int on_reload(void *ctx, bool dry_run, struct operator_reload *r)
{
	return process_reload(ctx, dry_run, r);
}

void process_init(struct process *p, const struct process_options *o)
{
	*p = (struct process){
		.options = *o,
		.role_fd = -1,
		.bans.fd = -1,
		.budgets.file.fd = -1,
		.started_ns = proc_now_ns(),
		.loop.epoll_fd = -1,
		.loop.signal_fd = -1,
		.streams.edge = {.fd = -1, .listen_fd = -1},
	};
	if (sched_getaffinity(0, sizeof(p->cores), &p->cores) < 0)
		CPU_ZERO(&p->cores);
	p->lookup.fd = -1;
	p->link.socket.fd = p->link.socket.kick_fd = p->link.socket.wake_fd = -1;
	p->operator.config = p->options.config;
	p->operator.instance = p->options.instance;
	p->operator.started_ns = p->started_ns;
	p->operator.reload = on_reload;
	p->operator.ban = process_ban;
	p->operator.budget_reset = process_budget_reset;
	p->operator.reload_ctx = p;
}

static int streams_take(struct process *p)
{
	int rc = process_streams_open(p);

	return rc < 0 ? proc_start_failed("the socket for the edge can't be made", rc,
				"let this user write into runtime_directory")
		      : 0;
}

int process_start(struct process *p, const struct process_options *o, struct conf *conf)
{
	int status;

	process_init(p, o);
	status = proc_user_check("turnpike-control", o->user, o->allow_root);
	if (status == 0)
		status = proc_limits_check(DESCRIPTORS_MIN);
	if (status == 0)
		status = place_take(p, conf);
	if (status == 0)
		status = descriptors_take(p);
	if (status != 0) {
		conf_free(conf);
		return status;
	}
	status = core_take(p, conf);
	if (status != 0)
		return status;
	link_init(&p->link, p->loop.epoll_fd, PROCESS_TAG_LINK, PROCESS_TAG_KICK);
	lookup_client_init(&p->lookup, p->loop.epoll_fd, PROCESS_TAG_LOOKUP);
	process_serve_aim(p);
	status = process_bans_open(p);
	if (status == 0)
		status = process_budgets_open(p);
	if (status == 0)
		status = streams_take(p);
	if (status == 0)
		status = ctl_take(p);
	if (status != 0)
		return status;
	link_tick(&p->link, p->started_ns);
	process_addresses_check(p);
	process_memory_check(p);
	process_room_check(p);
	secret_show(p);
	status = confine(p);
	if (status != 0)
		return status;
	if (p->core.settings->conf->path == NULL)
		log_event(LOG_EV_CONFIG_DEFAULTS,
			LOG_FIELDS(log_str("interface",
				p->core.settings->conf->dataplane.ports[0].interface)));
	log_event(LOG_EV_PROCESS_STARTED,
		LOG_FIELDS(log_str("version", TURNPIKE_VERSION),
			log_u64("layout", TP_LAYOUT_VERSION),
			log_str("segment", p->link.place.directory),
			log_bool("fresh", p->link.fresh),
			log_u64("allocations", turn_allocation_count(p->core.turn)),
			log_u64("took_ms", (proc_now_ns() - p->started_ns) / TP_NS_PER_MS)));
	proc_notify("READY=1");
	return 0;
}

// The files stay while the data plane relays by them; the process that stops last removes them.
void process_stop(struct process *p)
{
	bool orderly = p->loop.stopping && !p->loop.failed;
	size_t live = p->core.turn == NULL ? 0 : turn_allocation_count(p->core.turn);
	bool removed = false;

	if (p->loop.ctl != NULL)
		ctl_server_destroy(p->loop.ctl);
	operator_fini(&p->operator);
	lookup_client_fini(&p->lookup);
	process_keys_fini(p);
	if (orderly)
		lookup_client_tidy(&p->lookup);
	// After a crash of the data plane the calls wait for both to come back.
	if (orderly && shm_role_has_left(&p->link.place, SHM_ROLE_DATAPLANE))
		process_events_end_all(p);
	process_streams_close(p);
	process_budgets_close(p, orderly);
	process_bans_close(p, orderly);
	if (p->core.turn != NULL) {
		link_fini(&p->link);
		process_core_close(p);
	}
	settings_destroy(p->core.settings);
	if (p->link.hops.mirror != NULL)
		link_hops_fini(&p->link.hops);
	if (p->loop.signal_fd >= 0)
		close(p->loop.signal_fd);
	if (p->loop.epoll_fd >= 0)
		close(p->loop.epoll_fd);
	if (p->role_fd >= 0 && orderly)
		removed = shm_role_leave(&p->link.place, SHM_ROLE_CONTROL, p->role_fd);
	else if (p->role_fd >= 0)
		close(p->role_fd);
	if (p->loop.stopping)
		log_event(LOG_EV_PROCESS_STOPPED, LOG_FIELDS(log_bool("segment_removed", removed),
							  log_u64("allocations", live)));
}

int process_segment_remove(struct conf *conf)
{
	struct shm_place place;
	struct shm_error err;
	int rc = proc_place_init(&place, conf, &err);

	conf_free(conf);
	if (rc == 0)
		rc = shm_role_lock(&place, SHM_ROLE_CONTROL, &err);
	if (rc < 0) {
		fprintf(stderr, "turnpike-control: %s; %s\n", err.text, err.remedy);
		return err.cause == SHM_BUSY ? PROC_EXIT_BUSY : PROC_EXIT_FAILED;
	}
	if (shm_role_clear(&place, rc))
		return PROC_EXIT_STOPPED;
	fputs("turnpike-control: turnpike-dataplane relays by these files; stop it first\n",
		stderr);
	return PROC_EXIT_BUSY;
}
