// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <log/log.h>
#include <process/options.h>
#include <plan/plan.h>

// Every mistake on standard output, one a line.
static int check(const struct process_options *o)
{
	struct conf_request request = {
		.role = CONF_FOR_CONTROL, .path = o->config, .instance = o->instance};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	char line[1024];
	int rc = conf_load(&request, &conf, &errs);

	if (rc == 0)
		conf_host_judge(conf, conf_host_has, NULL, &errs);
	for (size_t i = 0; i < errs.len; i++)
		printf("%s%s\n", errs.items[i].warning ? "warning: " : "",
			conf_error_format(&errs.items[i], line, sizeof(line)));
	printf("%s: %s\n", o->config, rc < 0 ? "not usable" : "ok");
	conf_errors_fini(&errs);
	conf_free(conf);
	return rc < 0 ? PROC_EXIT_CONFIG : PROC_EXIT_STOPPED;
}

static int serve(const struct process_options *o, struct conf *conf)
{
	struct process *p = malloc(sizeof(*p));
	int status;

	if (p == NULL) {
		conf_free(conf);
		return PROC_EXIT_FAILED;
	}
	status = process_start(p, o, conf);
	if (status == 0)
		process_run(p);
	if (p->loop.failed)
		status = PROC_EXIT_FAILED;
	process_stop(p);
	free(p);
	return status;
}

int main(int argc, char **argv)
{
	// The configuration that names the instance may be replaced by a reload.
	static char instance[TP_INSTANCE_MAX];
	struct log_settings log = {.process = "control", .level = LOG_LEVEL_INFO};
	struct process_options options;
	enum process_action action;
	struct conf_request request;
	struct conf *conf;
	int status;

	if (!process_options_parse(&options, &action, argc, argv, &status))
		return status;
	if (action == PROCESS_ACTION_CHECK)
		return check(&options);
	if (action == PROCESS_ACTION_PLAN)
		return plan_run(
			options.config, options.instance, options.worker_rate, options.json);
	// Shared files get their mode as they are made.
	umask(0027);
	log_init(&log);
	request = process_options_request(&options);
	conf = proc_conf_load(&request);
	if (conf == NULL) {
		log_fini();
		return PROC_EXIT_CONFIG;
	}
	log_fini();
	log.format = conf->log.format;
	log.level = conf->log.level;
	snprintf(instance, sizeof(instance), "%s", conf->instance);
	log.instance = instance;
	log_init(&log);
	status = action == PROCESS_ACTION_REMOVE ? process_segment_remove(conf)
						 : serve(&options, conf);
	log_fini();
	return status;
}
