// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <log/log.h>
#include <shm/guard.h>
#include <shm/numa.h>

#include "clock.h"
#include "notify.h"
#include "options.h"
#include "privilege.h"

#define OPERATORS_MAX 64u
#define PATIENCE_NS   (10 * TP_NS_PER_S)

static int start_failed(const char *problem, int rc, const char *remedy)
{
	log_event(LOG_EV_START_FAILED,
		LOG_FIELDS(log_str("problem", problem), log_errno(rc), log_str("remedy", remedy)));
	return IO_EXIT_FAILED;
}

static int shm_failed(const struct shm_error *err)
{
	log_event(err->cause == SHM_BUSY ? LOG_EV_START_FAILED : LOG_EV_SEGMENT_REFUSED,
		LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
	return err->cause == SHM_BUSY || err->cause == SHM_LAYOUT_IN_USE ? IO_EXIT_BUSY
									 : IO_EXIT_FAILED;
}

// ---- where we are, and who --------------------------------------------------------------------

static gid_t group_find(const struct conf *conf)
{
	const struct group *g = getgrnam(conf->control.group);

	return g == NULL ? (gid_t)-1 : g->gr_gid;
}

// The directory is made with what privileges there are; everything in it is made as the user.
static int place_take(struct io_relay *r, const struct conf *conf)
{
	struct shm_error err;
	gid_t group = group_find(conf);
	int rc = 0;

	if (shm_place_init(&r->place, conf->instance, conf->runtime_directory,
		    conf->segment.directory, group, &err) < 0)
		return shm_failed(&err);
	for (size_t i = 0; i < conf->dataplane.n_ports && conf->segment.numa != CONF_NUMA_NONE; i++)
		shm_place_add_node(&r->place, SHM_SYSFS, conf->dataplane.ports[i].interface,
			conf->dataplane.ports[i].device);
	if (r->options.user != NULL) {
		if (group == (gid_t)-1)
			return start_failed(
				"--user: there is no group by which the data plane could "
				"read the tables",
				-ENOENT, "groupadd --system turnpike; another name: control.group");
		rc = io_privilege_give(r->place.run_directory, r->options.user, group);
		if (rc == 0)
			rc = io_privilege_become(r->options.user, group);
		if (rc < 0)
			return start_failed("--user: can't become that user", rc,
				"make the user, or start as root");
	}
	r->role_fd = shm_role_lock(&r->place, SHM_ROLE_CONTROL, &err);
	return r->role_fd < 0 ? shm_failed(&err) : 0;
}

// ---- descriptors ------------------------------------------------------------------------------

static int watch(struct io_relay *r, int fd, enum io_tag tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

static int signals_take(struct io_relay *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	r->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return r->signal_fd < 0 ? -errno : watch(r, r->signal_fd, IO_TAG_SIGNAL);
}

static int descriptors_take(struct io_relay *r)
{
	int rc;

	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = r->epoll_fd < 0 ? -errno : signals_take(r);
	if (rc == 0)
		rc = shm_guard_install();
	if (rc < 0)
		return start_failed("no event loop", rc, "is the limit of open files reached?");
	rc = io_hops_init(&r->hops);
	if (rc == 0)
		rc = watch(r, io_hops_fd(&r->hops), IO_TAG_NETLINK);
	if (rc < 0)
		return start_failed("the kernel's routes and neighbours can't be read", rc,
			"does the kernel have rtnetlink?");
	return 0;
}

// ---- start and end ------------------------------------------------------------------------------

static int core_take(struct io_relay *r, struct conf *conf)
{
	struct shm_error err;

	r->settings = io_settings_create(conf);
	if (r->settings == NULL)
		return start_failed("the configuration can't be used", -errno, "");
	if (io_core_open(r, r->settings, &err) < 0)
		return shm_failed(&err);
	return 0;
}

static int ctl_take(struct io_relay *r)
{
	const struct conf *conf = r->settings->conf;
	const struct ctl_server_conf ctl = {.path = conf->control.socket,
		.group = conf->control.group,
		.version = TURNPIKE_VERSION,
		.layout_version = TP_LAYOUT_VERSION,
		.handlers = io_handlers,
		.n_handlers = io_n_handlers,
		.ctx = r,
		.max_clients = OPERATORS_MAX,
		.patience_ns = PATIENCE_NS};
	int rc = ctl_server_create(&ctl, &r->ctl);

	if (rc == 0)
		rc = watch(r, ctl_server_fd(r->ctl), IO_TAG_CTL);
	if (rc < 0)
		return start_failed(conf->control.socket, rc, "set control.socket to a free path");
	return 0;
}

static int confine(struct io_relay *r)
{
	int rc = io_privilege_drop();

	if (rc == 0 && !r->options.no_sandbox)
		rc = io_sandbox_enter();
	return rc < 0 ? start_failed("privileges can't be dropped", rc,
				"--no-sandbox where the kernel has no seccomp")
		      : 0;
}

// On standard output, which is not the log.
static void secret_show(const struct io_relay *r)
{
	const struct turn_secret *s = &r->settings->secrets[0];

	if (!r->settings->conf->secret_generated || !r->fresh)
		return;
	printf("There is no configuration: this secret was made up, and is shown this once.\n"
	       "relayctl credential mint makes user names and passwords with it.\n"
	       "secret: %.*s\n",
		(int)s->len, (const char *)s->octets);
	fflush(stdout);
}

int io_relay_start(struct io_relay *r, const struct io_options *o, struct conf *conf)
{
	int status;

	*r = (struct io_relay){.options = *o, .role_fd = -1, .epoll_fd = -1, .signal_fd = -1};
	r->started_ns = io_now_ns();
	r->plane.link.fd = r->plane.link.kick_fd = -1;
	status = place_take(r, conf);
	if (status == 0)
		status = descriptors_take(r);
	if (status != 0) {
		conf_free(conf);
		return status;
	}
	status = core_take(r, conf);
	if (status != 0)
		return status;
	io_plane_init(r);
	status = ctl_take(r);
	if (status != 0)
		return status;
	io_plane_tick(r, r->started_ns);
	secret_show(r);
	status = confine(r);
	if (status != 0)
		return status;
	log_event(LOG_EV_PROCESS_STARTED,
		LOG_FIELDS(log_str("version", TURNPIKE_VERSION),
			log_u64("layout", TP_LAYOUT_VERSION),
			log_str("segment", r->place.directory), log_bool("fresh", r->fresh),
			log_u64("allocations", turn_allocation_count(r->turn)),
			log_u64("took_ms", (io_now_ns() - r->started_ns) / TP_NS_PER_MS)));
	io_notify("READY=1");
	return 0;
}

// The files stay while the data plane relays by them; whichever process stops last takes them away.
void io_relay_stop(struct io_relay *r)
{
	bool orderly = r->stopping && !r->failed;
	size_t live = r->turn == NULL ? 0 : turn_allocation_count(r->turn);
	bool removed = false;

	if (r->ctl != NULL)
		ctl_server_destroy(r->ctl);
	io_hot_fini(&r->hot);
	if (orderly && !shm_role_held(&r->place, SHM_ROLE_DATAPLANE))
		io_events_end_all(r);
	if (r->turn != NULL) {
		io_plane_fini(r);
		io_core_close(r);
	}
	io_settings_destroy(r->settings);
	if (r->hops.mirror != NULL)
		io_hops_fini(&r->hops);
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	if (r->role_fd >= 0 && orderly)
		removed = shm_role_leave(&r->place, r->role_fd);
	else if (r->role_fd >= 0)
		close(r->role_fd);
	if (r->stopping)
		log_event(LOG_EV_PROCESS_STOPPED, LOG_FIELDS(log_bool("segment_removed", removed),
							  log_u64("allocations", live)));
}
