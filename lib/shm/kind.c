// SPDX-License-Identifier: BSD-3-Clause
#include "kind.h"

#include <stdio.h>

#include <shm/group.h>

const struct shm_kind_traits shm_kinds[] = {
	[SHM_TABLES] = {"tables", TP_MAGIC_TABLES, 0640, false, false},
	[SHM_INJECT] = {"inject", TP_MAGIC_INJECT, 0640, false, false},
	[SHM_PRIVATE] = {"private", TP_MAGIC_PRIVATE, 0600, false, false},
	[SHM_STATE] = {"state", TP_MAGIC_STATE, 0640, true, false},
	[SHM_PUNT] = {"punt", TP_MAGIC_PUNT, 0640, false, false},
	[SHM_EDGE] = {"edge", TP_MAGIC_EDGE, 0640, false, true},
	[SHM_STREAM] = {"stream", TP_MAGIC_STREAM, 0640, false, true},
};

void shm_kind_path(
	const struct shm_place *p, enum shm_kind kind, const char *suffix, char *path, size_t size)
{
	snprintf(path, size, "%s/turnpike-%s.%s%s", p->directory, p->instance, shm_kinds[kind].name,
		suffix);
}

gid_t shm_kind_group(const struct shm_place *p, enum shm_kind kind)
{
	return shm_kinds[kind].is_edges ? p->group : shm_tables_group(p);
}

const char *shm_kind_maker(enum shm_kind kind)
{
	switch (kind) {
	case SHM_STATE:
	case SHM_PUNT:
	case SHM_STREAM:
		return SHM_ROLE_DATAPLANE;
	case SHM_EDGE:
		return SHM_ROLE_EDGE;
	default:
		return SHM_ROLE_CONTROL;
	}
}
