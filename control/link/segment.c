// SPDX-License-Identifier: BSD-3-Clause
// The order of making: tables and private file first, then the rings; each is published when it is
// complete.
#include <link/link.h>

#include <log/log.h>

static void files_remove(const struct shm_place *place)
{
	static const enum shm_kind kinds[] = {
		SHM_TABLES, SHM_INJECT, SHM_PRIVATE, SHM_STATE, SHM_PUNT, SHM_EDGE, SHM_STREAM};
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

static int tables_make(struct link *l, const struct conf *conf, const struct tables_env *env,
	struct shm_error *err)
{
	struct shm_tables_shape shape = settings_shape(conf);
	bool huge = conf->dataplane.hugepages != CONF_HUGEPAGES_NEVER;
	int rc;

	if (l->place.directory[0] != '\0')
		files_remove(&l->place);
	rc = shm_place_choose(&l->place, segment_size(conf, &shape), huge, err);
	if (rc == 0)
		rc = tables_create(&l->tables, &l->place, &shape, env, err);
	l->fresh = rc == 0;
	if (rc == 0)
		log_event(LOG_EV_SEGMENT_CREATED,
			LOG_FIELDS(log_str("directory", l->place.directory),
				log_u64("entries", shape.n_entries),
				log_u64("allocations", shape.n_allocations)));
	if (rc == 0 && l->place.nodes != 0 && !tables_shm(l->tables)->file.placed)
		log_event(LOG_EV_NUMA_REMOTE,
			LOG_FIELDS(log_str("problem",
					   "the tables may lie on another node than the ports"),
				log_str("remedy", "let the process have memory of the ports' nodes "
						  "(free huge pages, cgroup cpuset.mems), or "
						  "segment.numa: none")));
	return rc;
}

int link_segment_open(struct link *l, const struct conf *conf, const struct tables_env *env,
	struct shm_error *err)
{
	int rc = 0;

	l->fresh = false;
	err->cause = SHM_MISSING;
	if (l->place.directory[0] == '\0')
		rc = shm_place_find(&l->place, err);
	if (rc == 0)
		rc = tables_open(&l->tables, &l->place, env, err);
	if (rc < 0)
		return shm_cause_is_stale(err->cause) ? tables_make(l, conf, env, err) : rc;
	if (settings_shape_fits(conf, tables_shm(l->tables)))
		return 0;
	// Other capacities mean new tables, without the calls in these.
	if (shm_role_held(&l->place, SHM_ROLE_DATAPLANE)) {
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", "limits"),
				log_str("problem",
					"the capacities differ from those of the tables in use"),
				log_str("remedy", "stop both processes, then start them")));
		return 0;
	}
	tables_destroy(l->tables);
	l->tables = NULL;
	return tables_make(l, conf, env, err);
}

int link_segment_open_inject(struct link *l, const struct conf *conf, struct shm_error *err)
{
	const struct shm_tables *t = tables_shm(l->tables);
	uint32_t n = conf->dataplane.workers;
	int rc = shm_inject_open(&l->inject, &l->place, t, n, true, err);

	if (rc == 0 || !shm_cause_is_stale(err->cause))
		return rc;
	rc = shm_inject_create(&l->inject, &l->place, t, n, err);
	if (rc == 0)
		rc = shm_file_publish(&l->inject.file, &l->place, err);
	if (rc < 0)
		shm_inject_close(&l->inject);
	return rc;
}

void link_segment_close(struct link *l)
{
	shm_inject_close(&l->inject);
	tables_destroy(l->tables);
	l->tables = NULL;
}
