// SPDX-License-Identifier: BSD-3-Clause
// turnpike: runs the processes of a relay in the foreground, restarts crashed ones, and passes
// signals on. It holds no secret and relays nothing: when it is killed the relay goes on.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include <conf/conf.h>
#include <log/log.h>
#include <proc/signals.h>
#include <turnpike/base.h>
#include <turnpike/limits.h>

#include "children.h"
#include "options.h"
#include "supervisor.h"

struct program {
	struct supervisor supervisor;
	struct children children;
	int signal_fd;
	bool told_ready;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * TP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void manager_notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	(void)sd_notify(0, state);
#else
	(void)state;
#endif
}

// ---- the configuration --------------------------------------------------------------------------

// Both processes would print the same mistakes: they are printed once, before any is started.
static int config_read(const struct options *o, struct log_settings *log, unsigned *needed)
{
	struct conf_request request = {
		.role = CONF_FOR_CONTROL,
		.path = o->config,
		.interface = o->interface,
		.instance = o->instance,
	};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	static char instance[TP_INSTANCE_MAX];
	char line[1024];
	int rc = conf_load(&request, &conf, &errs);

	for (size_t i = 0; i < errs.len && rc < 0; i++)
		fprintf(stderr, "turnpike: %s\n",
			conf_error_format(&errs.items[i], line, sizeof(line)));
	if (rc == -ENOMEM)
		fprintf(stderr, "turnpike: out of memory\n");
	conf_errors_fini(&errs);
	if (rc == 0) {
		log->format = conf->log.format;
		log->level = conf->log.level;
		*needed = 1u << CHILDREN_CONTROL | 1u << CHILDREN_DATAPLANE;
		if (conf_has_edge(conf))
			*needed |= 1u << CHILDREN_EDGE;
		if (conf->directory.n_sources > 0)
			*needed |= 1u << CHILDREN_DIRECTORY;
		log->instance = strncpy(instance, conf->instance, sizeof(instance) - 1);
	}
	// Its secrets are not kept.
	conf_free(conf);
	return rc < 0 ? SUPERVISOR_EXIT_CONFIG : 0;
}

// ---- events -------------------------------------------------------------------------------------

static void ended_log(
	const struct supervisor_service *v, int status, enum supervisor_verdict verdict)
{
	static const char *const next[] = {
		[SUPERVISOR_STOPPED] = "stopped",
		[SUPERVISOR_RESTARTS] = "starts again",
		[SUPERVISOR_GIVES_UP] = "everything stops: another attempt would fail too",
	};

	log_event(verdict == SUPERVISOR_STOPPED ? LOG_EV_SERVICE_STOPPED : LOG_EV_SERVICE_FAILED,
		LOG_FIELDS(log_str("service", v->name),
			log_i64("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
			log_str("signal", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : NULL),
			log_str("next", next[verdict]), log_u64("restarts", v->restarts)));
}

static void children_ended(struct program *p)
{
	struct children_end end;

	while (children_reap(&p->children, &end)) {
		enum supervisor_verdict verdict;

		if (end.failed >= 0)
			log_event(LOG_EV_SERVICE_FAILED,
				LOG_FIELDS(log_str("service", p->children.names[end.failed]),
					log_i64("status", WIFEXITED(end.status)
								  ? WEXITSTATUS(end.status)
								  : -1),
					log_str("next", "the one that it was to take over "
							"goes on")));
		if (end.service < 0)
			continue;
		verdict = supervisor_ended(&p->supervisor, (unsigned)end.service,
			WIFEXITED(end.status) ? WEXITSTATUS(end.status) : 0,
			WIFSIGNALED(end.status) ? WTERMSIG(end.status) : 0, now_ns());
		ended_log(&p->supervisor.services[end.service], end.status, verdict);
	}
}

// Those that can are taken over by new ones.
static void upgrade(struct program *p)
{
	for (unsigned i = 0; i < p->children.n && !p->supervisor.stopping; i++) {
		if (p->supervisor.services[i].state == SUPERVISOR_READY)
			(void)children_upgrade(&p->children, i);
	}
}

static void signals_take(struct program *p)
{
	struct signalfd_siginfo info;

	while (read(p->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			children_ended(p);
			break;
		case SIGHUP:
			for (unsigned i = 0; i < p->children.n; i++)
				children_signal(&p->children, i, SIGHUP);
			break;
		case SIGUSR2:
			upgrade(p);
			break;
		case SIGTERM:
		case SIGINT:
			manager_notify("STOPPING=1");
			supervisor_stop(&p->supervisor, now_ns());
			break;
		default:
			proc_signal_log((int)info.ssi_signo, info.ssi_pid);
			break;
		}
	}
}

static void notices_take(struct program *p)
{
	struct children_notice n;

	while (children_hear(&p->children, &n)) {
		if (n.service < 0)
			continue;
		if (n.took_over)
			log_event(LOG_EV_SERVICE_STARTED,
				LOG_FIELDS(log_str("service", p->children.names[n.service]),
					log_i64("pid", p->children.pids[n.service]),
					log_str("state", "has taken over")));
		if (n.ready)
			supervisor_is_ready(&p->supervisor, (unsigned)n.service);
		if (n.alive)
			supervisor_is_alive(&p->supervisor, (unsigned)n.service, now_ns());
	}
	if (supervisor_all_ready(&p->supervisor) && !p->told_ready) {
		p->told_ready = true;
		manager_notify("READY=1");
	}
}

// ---- the loop -----------------------------------------------------------------------------------

static void action_run(struct program *p, const struct supervisor_action *a)
{
	int rc;

	switch (a->kind) {
	case SUPERVISOR_START:
		rc = children_start(&p->children, a->service);
		if (rc == 0)
			log_event(LOG_EV_SERVICE_STARTED,
				LOG_FIELDS(log_str("service", p->children.names[a->service]),
					log_i64("pid", p->children.pids[a->service])));
		else
			supervisor_ended(&p->supervisor, a->service, 0, SIGKILL, now_ns());
		break;
	case SUPERVISOR_TERM:
		children_signal(&p->children, a->service, SIGTERM);
		break;
	case SUPERVISOR_KILL:
		children_signal(&p->children, a->service, SIGKILL);
		break;
	case SUPERVISOR_WAIT:
	case SUPERVISOR_EXIT:
		break;
	}
}

static int wait_ms(uint64_t due_ns)
{
	uint64_t now = now_ns();

	// A watchdog of the service manager is told each second that this loop runs.
	if (due_ns == UINT64_MAX || due_ns > now + TP_NS_PER_S)
		return 1000;
	return due_ns <= now ? 0 : (int)((due_ns - now) / TP_NS_PER_MS) + 1;
}

static int program_run(struct program *p)
{
	for (;;) {
		struct supervisor_action a = supervisor_next(&p->supervisor, now_ns());
		struct pollfd fds[] = {
			{.fd = p->signal_fd, .events = POLLIN},
			{.fd = p->children.notify_fd, .events = POLLIN},
		};

		if (a.kind == SUPERVISOR_EXIT)
			return a.status;
		if (a.kind != SUPERVISOR_WAIT) {
			action_run(p, &a);
			continue;
		}
		(void)poll(fds, TP_ARRAY_LEN(fds), wait_ms(a.due_ns));
		notices_take(p);
		signals_take(p);
		manager_notify("WATCHDOG=1");
		log_tick();
	}
}

static int signals_block(struct program *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	proc_signals_foreign(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return p->signal_fd < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	static struct program p;
	struct log_settings log = {.process = "turnpike"};
	struct options o;
	unsigned needed = 0;
	int status;

	if (!options_read(&o, argc, argv, &status))
		return status;
	status = config_read(&o, &log, &needed);
	if (status != 0)
		return status;
	log_init(&log);
	status = 1;
	if (children_init(&p.children, &o, needed) == 0) {
		supervisor_init(&p.supervisor, p.children.names, p.children.n, now_ns());
		if (signals_block(&p) == 0)
			status = program_run(&p);
		else
			perror("turnpike: signals");
	}
	log_fini();
	return status;
}
