// SPDX-License-Identifier: BSD-3-Clause
// A segment of its own for a test: a fresh directory that holds run directory and files.
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shm/place.h>

// Exits the test with a message when the machine has no room for it.
static inline void scratch_place_make(struct shm_place *p)
{
	char path[] = "/dev/shm/turnpike-test-XXXXXX";
	struct shm_error err;

	if (mkdtemp(path) == NULL) {
		perror("mkdtemp");
		exit(1);
	}
	if (shm_place_init(p, "test", path, path, (gid_t)-1, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static inline void scratch_place_remove(const struct shm_place *p)
{
	DIR *d = opendir(p->directory);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(p->directory);
}

// Set-up for cmocka's tests that need no more: the state is the place.
static inline int scratch_place_setup(void **state)
{
	struct shm_place *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -1;
	scratch_place_make(p);
	*state = p;
	return 0;
}

static inline int scratch_place_teardown(void **state)
{
	scratch_place_remove(*state);
	free(*state);
	return 0;
}
