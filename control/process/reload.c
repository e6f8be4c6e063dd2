// SPDX-License-Identifier: BSD-3-Clause
// A new configuration for the running core: compared with the old one first, put into force whole
// or not at all. No file is made or removed, and the tables stay as they are.
#include <process/process.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <log/log.h>
#include <proc/start.h>
#include <settings/diff.h>

#include <process/options.h>

static int refuse(struct operator_reload *r, int rc, const char *problem, const char *remedy)
{
	snprintf(r->problem, sizeof(r->problem), "%s", problem);
	snprintf(r->remedy, sizeof(r->remedy), "%s", remedy);
	return rc;
}

// The new configuration, and its difference to the one in force. A dry run leaves no line for its
// mistakes: `config check` shows them.
static struct conf *conf_compare(const struct process *p, bool dry_run, struct operator_reload *r)
{
	struct conf_request request = process_options_request(&p->options);
	struct conf *conf = NULL;

	if (request.path == NULL) {
		refuse(r, -ENOENT, "the process runs without a configuration file",
			"start turnpike-control with --config FILE");
		return NULL;
	}
	if (dry_run) {
		struct conf_errors errs = {0};

		if (conf_load(&request, &conf, &errs) < 0)
			conf = NULL;
		conf_errors_fini(&errs);
	} else {
		conf = proc_conf_load(&request);
	}
	if (conf == NULL) {
		refuse(r, -EINVAL, "the configuration has mistakes",
			"relayctl config check lists them");
		return NULL;
	}
	if (settings_diff(&r->diff, p->core.settings->conf, conf) < 0) {
		conf_free(conf);
		refuse(r, -ENOMEM, "out of memory", "free memory, then reload again");
		return NULL;
	}
	settings_diff_room(
		&r->diff, p->core.settings->conf, conf, tables_shm(p->link.tables)->n_limits);
	return conf;
}

static bool room_suffices(const struct process *p, const struct conf *conf)
{
	return settings_limits_needed(conf) <= tables_shm(p->link.tables)->n_limits;
}

void process_room_check(const struct process *p)
{
	const struct conf *conf = p->core.settings->conf;

	if (!room_suffices(p, conf))
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", settings_limits_key(conf)),
				log_str("problem",
					"not all in force: the tables have no room for caps"),
				log_str("remedy", "stop all processes, then start them")));
}

// Ids go with addresses: the old ones get theirs back.
static void tables_restore(struct process *p)
{
	struct settings *old = p->core.settings;
	struct shm_error err;

	(void)tables_configure(p->link.tables, old->locals, old->n_locals, &old->path, &err);
}

static int put_into_force(struct process *p, struct settings *new, struct operator_reload *r)
{
	struct shm_error err = {.cause = SHM_OK};
	int rc = tables_configure(p->link.tables, new->locals, new->n_locals, &new->path, &err);

	if (rc < 0)
		return refuse(r, rc, err.text, err.remedy);
	rc = settings_ids(new, tables_secrets(p->link.tables));
	if (rc == 0)
		rc = turn_reconfigure(p->core.turn, &new->turn);
	if (rc < 0) {
		tables_restore(p);
		return refuse(r, rc, "the TURN server does not take it", strerror(-rc));
	}
	p->core.settings = new;
	p->operator.sources.settings = new;
	return 0;
}

static int reload(struct process *p, bool dry_run, struct operator_reload *r)
{
	struct conf *conf = conf_compare(p, dry_run, r);
	struct settings *old = p->core.settings, *new;
	char keys[320], problem[400];
	bool has_room;
	int rc;

	if (conf == NULL)
		return -EINVAL;
	if (dry_run || r->diff.n_restart > 0) {
		has_room = room_suffices(p, conf);
		conf_free(conf);
		if (dry_run)
			return 0;
		snprintf(problem, sizeof(problem), "these take effect at a start only: %s",
			settings_diff_format(&r->diff, true, keys, sizeof(keys)));
		return refuse(r, -EBUSY, problem,
			has_room ? "restart turnpike-control, and the process that the key belongs "
				   "to if it is another: calls go on meanwhile; or take the change "
				   "back"
				 : "new tables are needed: stop all processes, then start them; "
				   "or take the change back");
	}
	new = settings_create(conf);
	if (new == NULL)
		return refuse(r, -errno, "the configuration can't be used", strerror(errno));
	rc = put_into_force(p, new, r);
	if (rc < 0) {
		settings_destroy(new);
		return rc;
	}
	if (old->conf->log.level != new->conf->log.level)
		log_level_set(new->conf->log.level);
	settings_destroy(old);
	process_serve_aim(p);
	process_streams_tell(p);
	process_addresses_check(p);
	process_room_check(p);
	return 0;
}

int process_reload(struct process *p, bool dry_run, struct operator_reload *r)
{
	char changes[512];
	int rc;

	*r = (struct operator_reload){.problem = ""};
	rc = reload(p, dry_run, r);
	if (dry_run)
		return rc;
	if (rc < 0)
		log_event(LOG_EV_CONFIG_ERROR,
			LOG_FIELDS(log_str("problem", r->problem), log_str("remedy", r->remedy),
				log_str("state", "the old configuration stays in force")));
	else
		log_event(LOG_EV_CONFIG_RELOADED,
			LOG_FIELDS(log_str("file", p->core.settings->conf->path),
				log_u64("changes", r->diff.n),
				log_str("difference", settings_diff_format(&r->diff, false, changes,
							      sizeof(changes)))));
	return rc;
}
