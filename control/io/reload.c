// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>

#include <log/log.h>
#include <shm/place.h>

struct conf *io_conf_read(const struct io_options *o)
{
	struct conf_request request = {.role = CONF_FOR_CONTROL,
		.path = o->config,
		.interface = o->interface,
		.instance = o->instance};
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	int rc = conf_load(&request, &conf, &errs);

	for (size_t i = 0; i < errs.len; i++) {
		const struct conf_error *e = &errs.items[i];

		log_event(e->warning ? LOG_EV_CONFIG_WARNING : LOG_EV_CONFIG_ERROR,
			LOG_FIELDS(log_str("file", e->file), log_u64("line", e->line),
				log_str("key", e->key), log_str("problem", e->problem),
				log_str("remedy", e->remedy)));
	}
	conf_errors_fini(&errs);
	if (rc == -ENOMEM)
		log_event(LOG_EV_CONFIG_ERROR, LOG_FIELDS(log_errno(rc)));
	return rc < 0 ? NULL : conf;
}

static void refuse(const char *problem, const char *remedy)
{
	log_event(LOG_EV_CONFIG_ERROR,
		LOG_FIELDS(log_str("problem", problem), log_str("remedy", remedy)));
}

// What the process is: settled at its start.
static bool is_same_relay(const struct conf *a, const struct conf *b)
{
	return strcmp(a->instance, b->instance) == 0 &&
	       strcmp(a->runtime_directory, b->runtime_directory) == 0 &&
	       strcmp(a->control.socket, b->control.socket) == 0 &&
	       (a->segment.directory == NULL) == (b->segment.directory == NULL) &&
	       (a->segment.directory == NULL ||
		       strcmp(a->segment.directory, b->segment.directory) == 0) &&
	       a->dataplane.workers == b->dataplane.workers &&
	       a->limits.entries == b->limits.entries &&
	       a->limits.allocations == b->limits.allocations;
}

static struct io_settings *settings_read(struct io_relay *r)
{
	struct conf *conf;
	struct io_settings *settings;

	// Without a file there is nothing that could have changed.
	if (r->options.config == NULL)
		return NULL;
	conf = io_conf_read(&r->options);
	if (conf == NULL) {
		refuse("the configuration was not reloaded", "correct it, then send SIGHUP again");
		return NULL;
	}
	if (!is_same_relay(conf, r->settings->conf)) {
		conf_free(conf);
		refuse("instance, directories, workers and capacities change at start only: the "
		       "configuration was not reloaded",
			"restart turnpike-control: calls go on meanwhile");
		return NULL;
	}
	settings = io_settings_create(conf);
	if (settings == NULL)
		refuse("the configuration was not reloaded", "is there memory left?");
	return settings;
}

// The core is closed and opened as a restart would: one way to take over what lives is enough.
void io_reload(struct io_relay *r)
{
	struct io_settings *old = r->settings;
	struct io_settings *new = settings_read(r);
	struct shm_error err;

	if (new == NULL)
		return;
	io_core_close(r);
	if (io_core_open(r, new, &err) == 0) {
		io_settings_destroy(old);
		log_level_set(new->conf->log.level);
		log_event(LOG_EV_CONFIG_RELOADED, LOG_FIELDS(log_str("file", new->conf->path)));
		return;
	}
	refuse(err.text, err.remedy);
	io_settings_destroy(new);
	if (io_core_open(r, old, &err) == 0)
		return;
	// The tables stay for the next start of the process.
	refuse(err.text, err.remedy);
	r->settings = old;
	r->failed = true;
	r->stopping = true;
}
