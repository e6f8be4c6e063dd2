// SPDX-License-Identifier: BSD-3-Clause
// Reads whole regular files without stdio, so that a secret leaves no copy in a buffer of it.
#pragma once

#include "arena.h"

#include <sys/stat.h>

struct file_text {
	char *data; // in the arena, with a NUL behind
	size_t len;
	struct stat st;
};

// 0, or a negative errno; -EISDIR: no regular file; -EFBIG: more than max octets; -EAGAIN: the file
// shrank meanwhile.
int conf_file_read(struct conf_arena *a, const char *path, size_t max, struct file_text *out);
