// SPDX-License-Identifier: BSD-3-Clause
#include <bench/program.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool in_path(const char *name)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path == NULL ? "/usr/bin:/bin" : path), *at = copy, *directory;
	char file[4096];
	bool found = false;

	while (!found && (directory = strsep(&at, ":")) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", directory, name);
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

bool bench_program_find(const char *name, const char *package, const char *remedy)
{
	if (in_path(name))
		return true;
	fprintf(stderr,
		"relaybench: %s is not installed; package %s has it (tools/packages install "
		"bench)%s\n",
		name, package, remedy);
	return false;
}
