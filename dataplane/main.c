// SPDX-License-Identifier: BSD-3-Clause
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/limits.h>
#include <proc/notify.h>
#include <proc/privilege.h>
#include <proc/signals.h>
#include <proc/start.h>

#include <plane/options.h>
#include <plane/plane.h>
#include <worker/clock.h>

static volatile sig_atomic_t stop_requested;

#define STOP_SECONDS	4
#define DESCRIPTORS_MIN 128u

// A worker that hangs would keep us from ending: then the kernel ends us, and the next start cleans
// up.
static void request_stop(int sig)
{
	(void)sig;
	stop_requested = 1;
	(void)signal(SIGALRM, SIG_DFL);
	alarm(STOP_SECONDS);
}

static void install_signals(void)
{
	struct sigaction stop = {.sa_handler = request_stop};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t foreign;

	sigemptyset(&foreign);
	proc_signals_foreign(&foreign);
	for (int s = 1; s <= SIGRTMAX; s++) {
		if (sigismember(&foreign, s) == 1)
			sigaction(s, &ignore, NULL);
	}
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
}

static int serve(const struct conf *conf, const struct options *o, uint64_t start_ns)
{
	int status = proc_user_check("turnpike-dataplane", o->user, o->allow_root);
	struct plane *p;

	if (status == 0)
		status = proc_limits_check(DESCRIPTORS_MIN);
	if (status != 0)
		return status;
	p = aligned_alloc(
		TP_CACHE_LINE, (sizeof(*p) + TP_CACHE_LINE - 1) / TP_CACHE_LINE * TP_CACHE_LINE);
	if (p == NULL)
		return PROC_EXIT_FAILED;
	status = plane_start(p, conf, o, start_ns, &stop_requested);
	if (status == 0) {
		if (conf->path == NULL)
			log_event(LOG_EV_CONFIG_DEFAULTS,
				LOG_FIELDS(
					log_str("interface", conf->dataplane.ports[0].interface)));
		log_event(LOG_EV_PROCESS_STARTED,
			LOG_FIELDS(log_str("version", TURNPIKE_VERSION),
				log_u64("layout", TP_LAYOUT_VERSION),
				log_u64("workers", p->n_workers), log_u64("ports", p->ports.n),
				log_bool("huge_pages", !p->eal.no_huge),
				log_u64("prepared_ms", p->times.prepared_ms),
				log_u64("eal_ms", p->times.eal_ms),
				log_u64("ports_ms", p->times.ports_ms),
				log_u64("ready_ms", p->times.ready_ms)));
		proc_notify("READY=1");
		status = plane_run(p, &stop_requested);
		proc_notify("STOPPING=1");
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
	struct conf_request request = {.role = CONF_FOR_DATAPLANE};
	struct options options;
	struct conf *conf;
	int status;

	if (!plane_options_parse(&options, argc, argv, &status))
		return status;
	// Shared files get their mode as they are made.
	umask(0027);
	log_init(&log);
	install_signals();
	request.path = options.config;
	request.interface = options.interface;
	request.instance = options.instance;
	conf = proc_conf_load(&request);
	if (conf == NULL) {
		log_fini();
		return PROC_EXIT_CONFIG;
	}
	if (options.no_huge_pages)
		conf->dataplane.hugepages = CONF_HUGEPAGES_NEVER;
	log_fini();
	log.format = conf->log.format;
	log.level = conf->log.level;
	log.instance = conf->instance;
	log_init(&log);
	status = serve(conf, &options, start_ns);
	log_fini();
	conf_free(conf);
	return status;
}
