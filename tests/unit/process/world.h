// SPDX-License-Identifier: BSD-3-Clause
// A process with a server and a directory for its files, and no more; and a look at a file.
#pragma once

#include "harness.h"

#include <fcntl.h>
#include <process/process.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD RECORDS_SIZE

struct world {
	struct harness h;
	struct conf conf;
	struct settings settings;
	struct process p;
	char directory[64];
	char path[80]; // of the file
};

// The caller starts the harness, after its changes of the realms.
static inline void world_init(struct world *w, const char *file)
{
	snprintf(w->directory, sizeof(w->directory), "/tmp/turnpike-process-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/%s", w->directory, file);
	harness_init(&w->h);
	w->conf.control.state_directory = w->directory;
	w->settings.conf = &w->conf;
	w->p.core.settings = &w->settings;
	w->p.bans.fd = w->p.budgets.file.fd = -1;
}

static inline void world_start(struct world *w)
{
	harness_start(&w->h);
	w->p.core.turn = w->h.s;
}

// Another server, as of a process that starts.
static inline void world_restart(struct world *w)
{
	harness_restart(&w->h);
	w->p.core.turn = w->h.s;
}

static inline void world_fini(struct world *w)
{
	harness_stop(&w->h);
	unlink(w->path);
	rmdir(w->directory);
}

static inline void world_byte_flip(const struct world *w, off_t at)
{
	int fd = open(w->path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}
