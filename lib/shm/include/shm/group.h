// SPDX-License-Identifier: BSD-3-Clause
// The group of the files that control process and data plane alone may read: tables, private file,
// inject, state and punt. Keys and requests of all clients are in them; the edge, which parses
// bytes of strangers, is not a member.
//
// Set once, at the process's start, before any file is made or opened.
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <shm/place.h>

// tools/install-users makes it.
#define SHM_TABLES_GROUP_NAME "turnpike-tables"

// (gid_t)-1, as at first: the place's group, which the edge is in. Forgets the members.
void shm_tables_group_set(gid_t group);
gid_t shm_tables_group(const struct shm_place *p);

// A user that is a member of the group by the system's database. Its files are believed also while
// they are of the place's group: a process that started before the group was made, or before its
// user joined, has made them. More than 64 are passed over.
void shm_tables_member_add(uid_t uid);
bool shm_tables_is_member(uid_t uid);

// Whether the other end of a connected Unix socket is root, this process's user, a member, or a
// process that is in the group. `uid`: its user, (uid_t)-1 where the kernel does not tell it.
bool shm_tables_peer(const struct shm_place *p, int fd, uid_t *uid);
