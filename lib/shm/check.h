// SPDX-License-Identifier: BSD-3-Clause
// Whether a file of the segment that is there already may be taken. 0, or a negative errno with the
// problem and its remedy in `err`.
#pragma once

#include <sys/stat.h>

#include <shm/file.h>

// The owner, group and mode of the open file.
int shm_owner_check(const struct shm_file *f, const struct shm_place *p, struct stat *st,
	struct shm_error *err);
// A copy of its header, by the caller's wish; real_size is the file's.
int shm_header_check(const struct shm_file *f, const struct shm_place *p,
	const struct shm_file_wish *wish, const struct tp_file_header *h, uint64_t real_size,
	struct shm_error *err);
