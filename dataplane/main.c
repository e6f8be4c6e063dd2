// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <log/log.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "clock.h"
#include "options.h"
#include "plane.h"

static volatile sig_atomic_t stop_requested;

#define STOP_SECONDS 4

// A worker that hangs would keep us from ending: then the kernel ends us, and the next start puts
// right what is left.
static void request_stop(int sig)
{
	(void)sig;
	stop_requested = 1;
	alarm(STOP_SECONDS);
}

static void install_signals(void)
{
	struct sigaction stop = {.sa_handler = request_stop};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGHUP, &ignore, NULL);
}

static void tell_systemd(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}

static struct conf *load(const struct options *o)
{
	const struct conf_request req = {.role = CONF_FOR_DATAPLANE,
		.path = o->config,
		.interface = o->interface,
		.instance = o->instance};
	struct conf_errors errs = {.items = NULL};
	struct conf *conf = NULL;
	int err = conf_load(&req, &conf, &errs);

	for (size_t i = 0; i < errs.len; i++) {
		const struct conf_error *e = &errs.items[i];

		log_event(e->warning ? LOG_EV_CONFIG_WARNING : LOG_EV_CONFIG_ERROR,
			LOG_FIELDS(log_str("file", e->file), log_u64("line", e->line),
				log_str("key", e->key), log_str("problem", e->problem),
				log_str("remedy", e->remedy)));
	}
	if (err != 0 && errs.n_errors == 0)
		log_event(LOG_EV_START_FAILED, LOG_FIELDS(log_errno(err)));
	conf_errors_fini(&errs);
	return err == 0 ? conf : NULL;
}

static int serve(const struct conf *conf, uint64_t start_ns)
{
	struct plane *p = aligned_alloc(
		TP_CACHE_LINE, (sizeof(*p) + TP_CACHE_LINE - 1) / TP_CACHE_LINE * TP_CACHE_LINE);
	int status = EXIT_FAILED;

	if (p == NULL)
		return status;
	status = plane_start(p, conf, start_ns);
	if (status == 0) {
		log_event(LOG_EV_PROCESS_STARTED,
			LOG_FIELDS(log_str("version", TURNPIKE_VERSION),
				log_u64("layout", TP_LAYOUT_VERSION),
				log_u64("workers", p->n_workers), log_u64("ports", p->n_ports),
				log_bool("huge_pages", !p->eal.no_huge),
				log_u64("prepared_ms", p->times.prepared_ms),
				log_u64("eal_ms", p->times.eal_ms),
				log_u64("ports_ms", p->times.ports_ms),
				log_u64("ready_ms", p->times.ready_ms)));
		tell_systemd("READY=1");
		plane_run(p, &stop_requested);
		tell_systemd("STOPPING=1");
	}
	plane_stop(p);
	free(p);
	if (status == 0)
		log_event(LOG_EV_PROCESS_STOPPED, NULL);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t start_ns = clock_boottime_ns();
	struct log_settings log = {.process = "dataplane", .level = LOG_LEVEL_INFO};
	struct options options;
	struct conf *conf;
	int status;

	if (!options_parse(&options, argc, argv, &status))
		return status;
	log_init(&log);
	install_signals();
	conf = load(&options);
	if (conf == NULL) {
		log_fini();
		return EXIT_CONFIG;
	}
	log_fini();
	log.format = conf->log.format;
	log.level = conf->log.level;
	log.instance = conf->instance;
	log_init(&log);
	status = serve(conf, start_ns);
	log_fini();
	conf_free(conf);
	return status;
}
