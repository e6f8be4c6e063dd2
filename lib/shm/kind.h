// SPDX-License-Identifier: BSD-3-Clause
// Kinds of files of the segment.
#pragma once

#include <sys/types.h>

#include <shm/file.h>

struct shm_kind_traits {
	const char *name;
	uint64_t magic;
	mode_t mode;
	bool sparse;
	bool is_edges; // the edge reads it
};

extern const struct shm_kind_traits shm_kinds[];

void shm_kind_path(
	const struct shm_place *p, enum shm_kind kind, const char *suffix, char *path, size_t size);
// The group of its files, (gid_t)-1 for none.
gid_t shm_kind_group(const struct shm_place *p, enum shm_kind kind);
// The role of its writer.
const char *shm_kind_maker(enum shm_kind kind);
