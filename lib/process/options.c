// SPDX-License-Identifier: BSD-3-Clause
#include <proc/options.h>

#include <stdio.h>

#include <proc/start.h>

bool proc_options_read(const struct proc_program *p, void *ctx, int argc, char **argv, int *status)
{
	int c;

	*status = PROC_EXIT_USAGE;
	while ((c = getopt_long(argc, argv, p->shorts, p->longs, NULL)) != -1) {
		if (c == 'h' || c == 'V') {
			fputs(c == 'h' ? p->help : p->version, stdout);
			*status = PROC_EXIT_STOPPED;
			return false;
		}
		if (!p->take(ctx, c)) {
			fprintf(stderr, "%s --help lists the options\n", p->name);
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "%s: unexpected argument '%s'; --help lists the options\n", p->name,
		argv[optind]);
	return false;
}
