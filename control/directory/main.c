// SPDX-License-Identifier: BSD-3-Clause
#include <directory/directory.h>

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <log/log.h>
#include <source/source.h>

#include <proc/clock.h>
#include <proc/notify.h>
#include <proc/sandbox.h>
#include <proc/signals.h>
#include <proc/start.h>

// Epoll data; those of the socket lie between.
#define TAG_SIGNAL  0u
#define TAG_SERVICE 100u
#define TAG_OLD	    101u

#define TICK_MS	    1000

// ---- configuration ------------------------------------------------------------------------------

// Every mistake on standard output, one a line.
static int check(const struct directory_options *o)
{
	const struct conf_request request = directory_request(o, CONF_FOR_DIRECTORY);
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	char line[1024];
	int rc = conf_load(&request, &conf, &errs);

	for (size_t i = 0; i < errs.len; i++)
		printf("%s%s\n", errs.items[i].warning ? "warning: " : "",
			conf_error_format(&errs.items[i], line, sizeof(line)));
	printf("%s: %s\n", o->config, rc < 0 ? "not usable" : "ok");
	conf_errors_fini(&errs);
	conf_free(conf);
	return rc < 0 ? PROC_EXIT_CONFIG : PROC_EXIT_STOPPED;
}

static void old_end(struct directory *d)
{
	service_destroy(d->old);
	conf_free(d->old_conf);
	d->old = NULL;
	d->old_conf = NULL;
}

static int watch(const struct directory *d, int fd, uint32_t tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

// Puts a configuration into force; questions that are under way end with the old one.
static int service_take(struct directory *d, struct conf *conf)
{
	struct service *fresh = NULL;
	int rc = service_create(&conf->directory, &fresh);

	if (rc == 0)
		rc = watch(d, service_fd(fresh), TAG_SERVICE);
	if (rc < 0) {
		service_destroy(fresh);
		conf_free(conf);
		return rc;
	}
	if (d->old != NULL)
		old_end(d);
	d->old = d->service;
	d->old_conf = d->conf;
	if (d->old != NULL) {
		struct epoll_event e = {.events = EPOLLIN, .data.u32 = TAG_OLD};

		(void)epoll_ctl(d->epoll_fd, EPOLL_CTL_MOD, service_fd(d->old), &e);
	}
	d->service = fresh;
	d->conf = conf;
	return 0;
}

static void reload(struct directory *d)
{
	const struct conf_request request = directory_request(&d->options, CONF_FOR_DIRECTORY);
	struct conf *conf;
	int rc;

	d->reload = false;
	proc_notify("RELOADING=1");
	conf = proc_conf_load(&request);
	rc = conf == NULL ? -EINVAL : service_take(d, conf);
	if (rc < 0) {
		log_event(LOG_EV_CONFIG_ERROR,
			LOG_FIELDS(log_str("problem", "the configuration can't be used"),
				log_errno(rc),
				log_str("state", "the old configuration stays in force")));
	} else {
		log_level_set(d->conf->log.level);
		log_event(LOG_EV_CONFIG_RELOADED,
			LOG_FIELDS(log_str("file", d->conf->path),
				log_u64("sources", d->conf->directory.n_sources)));
	}
	proc_notify("READY=1");
}

// ---- the loop -----------------------------------------------------------------------------------

static int signals_take(struct directory *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	proc_signals_foreign(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -errno;
	d->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return d->signal_fd < 0 ? -errno : watch(d, d->signal_fd, TAG_SIGNAL);
}

static void signals_read(struct directory *d)
{
	struct signalfd_siginfo info;

	while (read(d->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			d->reload = true;
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			d->stopping = true;
		else
			proc_signal_log((int)info.ssi_signo, info.ssi_pid);
	}
}

static void descriptor_serve(struct directory *d, uint32_t tag)
{
	switch (tag) {
	case TAG_SIGNAL:
		signals_read(d);
		break;
	case TAG_SERVICE:
		service_socket_answer(&d->socket, d->service);
		break;
	case TAG_OLD:
		if (d->old != NULL)
			service_socket_answer(&d->socket, d->old);
		break;
	default:
		service_socket_serve(&d->socket, tag, d->service, proc_now_ns());
		break;
	}
}

static void tick(struct directory *d)
{
	if (d->old != NULL && service_drain(d->old)) {
		service_socket_answer(&d->socket, d->old);
		old_end(d);
	}
	proc_denied_log();
	log_tick();
	proc_notify("WATCHDOG=1");
}

static void run(struct directory *d)
{
	uint64_t tick_ns = 0;

	while (!d->stopping) {
		struct epoll_event events[8];
		int n = epoll_wait(d->epoll_fd, events, TP_ARRAY_LEN(events), TICK_MS);

		for (int i = 0; i < n; i++)
			descriptor_serve(d, events[i].data.u32);
		if (d->reload)
			reload(d);
		if (proc_now_ns() >= tick_ns) {
			tick_ns = proc_now_ns() + TICK_MS * TP_NS_PER_MS;
			tick(d);
		}
	}
}

// ---- start and end ------------------------------------------------------------------------------

static int start(struct directory *d, int listen_fd)
{
	const struct conf_request request = directory_request(&d->options, CONF_FOR_DIRECTORY);
	const struct passwd *control = getpwnam(TP_LOOKUP_USER_CONTROL);
	struct conf *conf;
	int rc;

	d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = d->epoll_fd < 0 ? -errno : signals_take(d);
	if (rc == 0)
		rc = service_socket_init(&d->socket, listen_fd, d->epoll_fd,
			control != NULL ? control->pw_uid : geteuid());
	if (rc < 0)
		return proc_start_failed(
			"no event loop", rc, "is the limit of open files reached?");
	// As the user that reads them again at a reload.
	conf = proc_conf_load(&request);
	if (conf == NULL)
		return PROC_EXIT_CONFIG;
	source_init();
	rc = directory_confine(&d->options);
	if (rc < 0) {
		conf_free(conf);
		return proc_start_failed("privileges can't be dropped", rc,
			"--no-sandbox where the kernel has no seccomp");
	}
	rc = service_take(d, conf);
	if (rc < 0)
		return proc_start_failed("the sources can't be served", rc, "free memory");
	log_event(
		LOG_EV_PROCESS_STARTED, LOG_FIELDS(log_str("version", TURNPIKE_VERSION),
						log_u64("sources", d->conf->directory.n_sources)));
	proc_notify("READY=1");
	return 0;
}

static void stop(struct directory *d)
{
	struct service_counters c = {0};

	proc_notify("STOPPING=1");
	if (d->service != NULL)
		service_count(d->service, &c);
	old_end(d);
	service_destroy(d->service);
	conf_free(d->conf);
	service_socket_fini(&d->socket);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	close(d->epoll_fd);
	log_event(LOG_EV_PROCESS_STOPPED,
		LOG_FIELDS(log_u64("asked", c.asked), log_u64("found", c.found),
			log_u64("unknown", c.unknown), log_u64("failed", c.failed)));
}

static int serve(const struct directory_options *o, struct log_settings *log)
{
	const struct conf_request request = directory_request(o, CONF_FOR_DATAPLANE);
	static char instance[TP_INSTANCE_MAX];
	static struct directory d = {.epoll_fd = -1, .signal_fd = -1};
	struct conf *place = proc_conf_load(&request);
	int status, fd;

	if (place == NULL)
		return PROC_EXIT_CONFIG;
	log_fini();
	log->format = place->log.format;
	log->level = place->log.level;
	snprintf(instance, sizeof(instance), "%s", place->instance);
	log->instance = instance;
	log_init(log);
	d.options = *o;
	fd = directory_listen(o, place);
	conf_free(place);
	if (fd < 0)
		return -fd;
	status = start(&d, fd);
	if (status != 0)
		return status;
	run(&d);
	stop(&d);
	return PROC_EXIT_STOPPED;
}

int main(int argc, char **argv)
{
	struct log_settings log = {.process = "directory", .level = LOG_LEVEL_INFO};
	struct directory_options options;
	int status;

	if (!directory_options_parse(&options, argc, argv, &status))
		return status;
	if (options.check)
		return check(&options);
	log_init(&log);
	status = serve(&options, &log);
	log_fini();
	return status;
}
