// SPDX-License-Identifier: BSD-3-Clause
#include "edge.h"

#include <stdio.h>
#include <sys/stat.h>

#include <log/log.h>
#include <proc/start.h>
#include <tls/tls.h>

int main(int argc, char **argv)
{
	static char instance[TP_INSTANCE_MAX];
	static struct edge e;
	struct log_settings log = {.process = "edge", .level = LOG_LEVEL_INFO};
	struct conf_request request = {.role = CONF_FOR_EDGE};
	struct edge_options options;
	struct conf *conf;
	int status;

	if (!edge_options_parse(&options, argc, argv, &status))
		return status;
	(void)tls_memory_keep();
	// Shared files get their mode as they are made.
	umask(0027);
	log_init(&log);
	request.path = options.config;
	request.instance = options.instance;
	conf = proc_conf_load(&request);
	log_fini();
	if (conf == NULL)
		return PROC_EXIT_CONFIG;
	log.format = conf->log.format;
	log.level = conf->log.level;
	snprintf(instance, sizeof(instance), "%s", conf->instance);
	log.instance = instance;
	log_init(&log);
	status = edge_start(&e, &options, conf);
	if (status == 0)
		edge_run(&e);
	if (e.failed)
		status = PROC_EXIT_FAILED;
	edge_stop(&e);
	log_fini();
	return status;
}
