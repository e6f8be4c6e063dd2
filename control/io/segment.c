// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>

#include <log/log.h>

#include "options.h"

static void files_remove(const struct shm_place *place)
{
	static const enum shm_kind kinds[] = {
		SHM_TABLES, SHM_INJECT, SHM_PRIVATE, SHM_STATE, SHM_PUNT};
	struct shm_error err;

	for (size_t i = 0; i < TP_ARRAY_LEN(kinds); i++)
		(void)shm_file_remove(place, kinds[i], &err);
}

static uint64_t segment_size(const struct conf *conf, const struct shm_tables_shape *shape)
{
	// The state file has a cell per worker and entry; both rings' slots are of a fixed size.
	uint64_t cells = (uint64_t)shape->n_workers * shape->n_entries * sizeof(struct tp_cell);
	uint64_t slots = (uint64_t)conf->dataplane.workers * (TP_PUNT_CLASSES + 1) * TP_RING_SLOTS *
			 TP_RING_SLOT_SIZE;

	return shm_tables_size(shape) + cells + tables_private_octets(shape) + slots;
}

static int tables_make(struct io_relay *r, const struct conf *conf, const struct tables_env *env,
	struct shm_error *err)
{
	struct shm_tables_shape shape = io_settings_shape(conf);
	bool huge = conf->dataplane.hugepages != CONF_HUGEPAGES_NEVER;
	int rc;

	if (r->place.directory[0] != '\0')
		files_remove(&r->place);
	rc = shm_place_choose(&r->place, segment_size(conf, &shape), huge, err);
	if (rc == 0)
		rc = tables_create(&r->tables, &r->place, &shape, env, err);
	r->fresh = rc == 0;
	if (rc == 0 && r->place.nodes != 0 && !tables_shm(r->tables)->file.placed)
		log_event(LOG_EV_NUMA_REMOTE,
			LOG_FIELDS(log_str("problem",
					   "the tables may lie on another node than the ports"),
				log_str("remedy", "let the process have memory of the ports' nodes "
						  "(cgroup cpuset.mems), or segment.numa: none")));
	return rc;
}

int io_segment_open(struct io_relay *r, const struct conf *conf, const struct tables_env *env,
	struct shm_error *err)
{
	int rc = 0;

	r->fresh = false;
	err->cause = SHM_MISSING;
	if (r->place.directory[0] == '\0')
		rc = shm_place_find(&r->place, err);
	if (rc == 0)
		rc = tables_open(&r->tables, &r->place, env, err);
	if (rc < 0)
		return shm_cause_is_stale(err->cause) ? tables_make(r, conf, env, err) : rc;
	if (io_settings_shape_fits(conf, tables_shm(r->tables)))
		return 0;
	// Other capacities mean new tables, without the calls in these.
	if (shm_role_held(&r->place, SHM_ROLE_DATAPLANE)) {
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", "limits"),
				log_str("problem",
					"the capacities differ from those of the tables in use"),
				log_str("remedy", "stop both processes, then start them")));
		return 0;
	}
	tables_destroy(r->tables);
	r->tables = NULL;
	return tables_make(r, conf, env, err);
}

int io_segment_open_inject(struct io_relay *r, const struct conf *conf, struct shm_error *err)
{
	const struct shm_tables *t = tables_shm(r->tables);
	uint32_t n = conf->dataplane.workers;
	int rc = shm_inject_open(&r->inject, &r->place, t, n, true, err);

	if (rc == 0 || !shm_cause_is_stale(err->cause))
		return rc;
	rc = shm_inject_create(&r->inject, &r->place, t, n, err);
	if (rc == 0)
		rc = shm_file_publish(&r->inject.file, &r->place, err);
	if (rc < 0)
		shm_inject_close(&r->inject);
	return rc;
}

int io_segment_clear(struct conf *conf)
{
	const struct group *g = getgrnam(conf->control.group);
	struct shm_place place;
	struct shm_error err;
	int rc = shm_place_init(&place, conf->instance, conf->runtime_directory,
		conf->segment.directory, g == NULL ? (gid_t)-1 : g->gr_gid, &err);

	conf_free(conf);
	if (rc == 0)
		rc = shm_role_lock(&place, SHM_ROLE_CONTROL, &err);
	if (rc < 0) {
		fprintf(stderr, "turnpike-control: %s; %s\n", err.text, err.remedy);
		return err.cause == SHM_BUSY ? IO_EXIT_BUSY : IO_EXIT_FAILED;
	}
	if (shm_role_leave(&place, rc))
		return IO_EXIT_STOPPED;
	fputs("turnpike-control: turnpike-dataplane relays by these files; stop it first\n",
		stderr);
	return IO_EXIT_BUSY;
}
