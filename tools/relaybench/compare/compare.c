// SPDX-License-Identifier: BSD-3-Clause
#include "compare.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bench/exit.h>

// The build that this program is from: tools/relaybench/relaybench lies three levels down.
static bool build_tell(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return false;
	path[n] = '\0';
	for (unsigned i = 0; i < 3; i++) {
		char *slash = strrchr(path, '/');

		if (slash == NULL)
			return false;
		*slash = '\0';
	}
	return setenv("RELAYBENCH_BUILD", path, 1) == 0;
}

int bench_compare(int argc, char **argv)
{
	const char *script = BENCH_SOURCE_DIR "/compare.py";
	char **words = calloc((size_t)argc + 2, sizeof(*words));

	if (words == NULL || !build_tell()) {
		perror("relaybench");
		return BENCH_EXIT_WRONG;
	}
	if (access(script, R_OK) != 0) {
		fprintf(stderr,
			"relaybench: no %s: compare needs the source tree, for the lab is there\n",
			script);
		return BENCH_EXIT_WRONG;
	}
	words[0] = (char *)(uintptr_t) "python3";
	words[1] = (char *)(uintptr_t)script;
	for (int i = 1; i < argc; i++)
		words[i + 1] = argv[i];
	execvp(words[0], words);
	fprintf(stderr, "relaybench: python3: %s\n", strerror(errno));
	free(words);
	return BENCH_EXIT_WRONG;
}
