// SPDX-License-Identifier: BSD-3-Clause
#include <proc/start.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/privilege.h>
#include <shm/group.h>
#include <shm/numa.h>

#define GROUPS_MAX 256

struct conf *proc_conf_load(const struct conf_request *request)
{
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	int rc = conf_load(request, &conf, &errs);

	for (size_t i = 0; i < errs.len; i++) {
		const struct conf_error *e = &errs.items[i];

		log_event(e->warning ? LOG_EV_CONFIG_WARNING : LOG_EV_CONFIG_ERROR,
			LOG_FIELDS(log_str("file", e->file), log_u64("line", e->line),
				log_str("key", e->key), log_str("problem", e->problem),
				log_str("remedy", e->remedy)));
	}
	if (rc < 0 && errs.n_errors == 0)
		log_event(LOG_EV_CONFIG_ERROR, LOG_FIELDS(log_errno(rc)));
	conf_errors_fini(&errs);
	return rc < 0 ? NULL : conf;
}

static gid_t group_find(const char *name)
{
	const struct group *g = getgrnam(name);

	return g == NULL ? (gid_t)-1 : g->gr_gid;
}

gid_t proc_group_find(const struct conf *conf)
{
	return group_find(conf->segment.group);
}

// Whether the process, once it is the user (NULL: as it is), may give files to the group.
static bool may_give(const struct passwd *pw, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;

	if (pw == NULL || pw->pw_uid == geteuid()) {
		if (geteuid() == 0 || getegid() == group)
			return true;
		n = getgroups(GROUPS_MAX, groups);
	} else if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0) {
		return false;
	}
	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

// An installation with users and a group of files of its own may have a group of the tables that it
// does not know of.
static void tables_group_check(const struct shm_place *place, const char *user)
{
	const gid_t group = shm_tables_group(place);
	const struct passwd *pw = user == NULL ? NULL : getpwnam(user);
	char remedy[160];

	if (group == place->group || may_give(pw, group))
		return;
	shm_tables_group_set((gid_t)-1);
	if (user == NULL)
		pw = getpwuid(geteuid());
	snprintf(remedy, sizeof(remedy), "usermod -aG %s %.64s, and restart all",
		SHM_TABLES_GROUP_NAME, pw == NULL ? "USER" : pw->pw_name);
	log_event(LOG_EV_CONFIG_WARNING,
		LOG_FIELDS(log_str("key", "segment.group"),
			log_str("problem",
				"this process's user is not in the group " SHM_TABLES_GROUP_NAME
				": turnpike-edge may read the tables "
				"and the keys in them"),
			log_str("remedy", remedy)));
}

int proc_user_take(const struct shm_place *place, const struct conf *conf, const char *user,
	bool keep_capabilities)
{
	tables_group_check(place, user);

	const struct proc_identity who = {
		.user = user,
		.group = place->group,
		// The data plane, which keeps some, has nothing to give to operators.
		.operators = keep_capabilities ? (gid_t)-1 : group_find(conf->control.group),
		.tables = shm_tables_group(place),
		.keep_capabilities = keep_capabilities,
	};
	char problem[2 * SHM_PATH_MAX], remedy[3 * SHM_PATH_MAX];
	int rc;

	if (user != NULL && place->group == (gid_t)-1)
		return proc_start_failed(
			"--user: there is no group by which both processes share their files",
			-ENOENT, "make it: tools/install-users; another name: segment.group");
	rc = geteuid() == 0 && place->group != (gid_t)-1
		     ? proc_directory_share(place->run_directory, place->group)
		     : 0;
	if (rc < 0 && user != NULL) {
		snprintf(problem, sizeof(problem), "the group %s may not make files in %s",
			conf->segment.group, place->run_directory);
		snprintf(remedy, sizeof(remedy),
			"chgrp %s %s; chmod 0771 %s; or set runtime_directory to a directory of "
			"its "
			"own",
			conf->segment.group, place->run_directory, place->run_directory);
		return proc_start_failed(problem, rc, remedy);
	}
	if (user == NULL)
		return 0;
	rc = proc_become(&who);
	return rc < 0 ? proc_start_failed("--user: can't become that user", rc,
				"start as root, or as that user without --user")
		      : 0;
}

// The sandbox closes the database of groups, so its members are noted now.
static void tables_group_find(void)
{
	const struct group *g = getgrnam(SHM_TABLES_GROUP_NAME);

	shm_tables_group_set(g == NULL ? (gid_t)-1 : g->gr_gid);
	for (char **name = g == NULL ? NULL : g->gr_mem; name != NULL && *name != NULL; name++) {
		const struct passwd *pw = getpwnam(*name);

		if (pw != NULL)
			shm_tables_member_add(pw->pw_uid);
	}
}

int proc_place_init(struct shm_place *place, const struct conf *conf, struct shm_error *err)
{
	int rc;

	tables_group_find();
	rc = shm_place_init(place, conf->instance, conf->runtime_directory, conf->segment.directory,
		proc_group_find(conf), err);
	if (rc < 0 || conf->segment.numa == CONF_NUMA_NONE)
		return rc;
	for (size_t i = 0; i < conf->dataplane.n_ports; i++)
		shm_place_add_node(place, SHM_SYSFS, conf->dataplane.ports[i].interface,
			conf->dataplane.ports[i].device);
	return 0;
}

bool proc_role_check(const struct shm_place *place, const char *role, int fd, bool *reported)
{
	static const struct {
		const char *problem;
		const char *remedy;
	} texts[] = {
		[SHM_LOCK_GIVEN_BACK] = {"its name was removed or replaced",
			"done: given back; find what changes files there"},
		[SHM_LOCK_LOST] = {"its name is gone: a second process could start",
			"restart this process; find what removes files there"},
		[SHM_LOCK_TAKEN] = {"another process has taken the role",
			"none: this process ends"},
	};
	enum shm_lock_fate fate = shm_role_check(place, role, fd);

	if (fate != SHM_LOCK_NAMED && !(fate == SHM_LOCK_LOST && *reported))
		log_event(LOG_EV_LOCK_LOST, LOG_FIELDS(log_str("role", role),
						    log_str("directory", place->run_directory),
						    log_str("problem", texts[fate].problem),
						    log_str("remedy", texts[fate].remedy)));
	*reported = fate == SHM_LOCK_LOST;
	return fate != SHM_LOCK_TAKEN;
}

int proc_start_failed(const char *problem, int rc, const char *remedy)
{
	log_event(LOG_EV_START_FAILED,
		LOG_FIELDS(log_str("problem", problem), log_errno(rc), log_str("remedy", remedy)));
	return PROC_EXIT_FAILED;
}

int proc_shm_failed(const struct shm_error *err)
{
	log_event(err->cause == SHM_BUSY ? LOG_EV_START_FAILED : LOG_EV_SEGMENT_REFUSED,
		LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
	return err->cause == SHM_BUSY || err->cause == SHM_LAYOUT_IN_USE ? PROC_EXIT_BUSY
									 : PROC_EXIT_FAILED;
}
