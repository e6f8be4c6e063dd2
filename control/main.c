// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <stdlib.h>

#include <log/log.h>
#include <options.h>
#include <plan.h>

// Every mistake on standard output, one a line.
static int check(const struct io_options *o)
{
	struct conf_request request = {
		.role = CONF_FOR_CONTROL, .path = o->config, .instance = o->instance};
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
	return rc < 0 ? IO_EXIT_CONFIG : IO_EXIT_STOPPED;
}

static int serve(const struct io_options *o, struct conf *conf)
{
	struct io_relay *r = malloc(sizeof(*r));
	int status;

	if (r == NULL) {
		conf_free(conf);
		return IO_EXIT_FAILED;
	}
	status = io_relay_start(r, o, conf);
	if (status == 0)
		io_relay_run(r);
	if (r->failed)
		status = IO_EXIT_FAILED;
	io_relay_stop(r);
	free(r);
	return status;
}

int main(int argc, char **argv)
{
	// The configuration that names the instance may be replaced by a reload.
	static char instance[TP_INSTANCE_MAX];
	struct log_settings log = {.process = "control", .level = LOG_LEVEL_INFO};
	struct io_options options;
	enum io_action action;
	struct conf *conf;
	int status;

	if (!io_options_parse(&options, &action, argc, argv, &status))
		return status;
	if (action == IO_ACTION_CHECK)
		return check(&options);
	if (action == IO_ACTION_PLAN)
		return io_plan_run(
			options.config, options.instance, options.worker_rate, options.json);
	log_init(&log);
	conf = io_conf_read(&options);
	if (conf == NULL) {
		log_fini();
		return IO_EXIT_CONFIG;
	}
	log_fini();
	log.format = conf->log.format;
	log.level = conf->log.level;
	snprintf(instance, sizeof(instance), "%s", conf->instance);
	log.instance = instance;
	log_init(&log);
	status = action == IO_ACTION_REMOVE ? io_segment_clear(conf) : serve(&options, conf);
	log_fini();
	return status;
}
