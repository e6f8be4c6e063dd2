// SPDX-License-Identifier: BSD-3-Clause
// The group of the files that control process and data plane alone may read: tables, private file,
// inject, state and punt. Keys and requests of all clients are in them; the edge, which parses
// bytes of strangers, is not a member.
//
// Set once, at the process's start, before any file is made or opened.
#pragma once

#include <shm/place.h>

// tools/install-users makes it.
#define SHM_TABLES_GROUP_NAME "turnpike-tables"

// (gid_t)-1, as at first: the place's group, which the edge is in.
void shm_tables_group_set(gid_t group);
gid_t shm_tables_group(const struct shm_place *p);
