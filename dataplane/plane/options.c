// SPDX-License-Identifier: BSD-3-Clause
#include <plane/options.h>

#include <stdio.h>

#include <turnpike/segment.h>

#include <proc/options.h>

static const char help[] =
	"usage: turnpike-dataplane [--config FILE] [--instance NAME] [--interface NAME]\n"
	"                          [--user NAME | --allow-root] [--no-hugepages]\n"
	"\n"
	"Forwards the packets of calls that turnpike-control has set up. Runs in the\n"
	"foreground until SIGTERM; either process may be started first.\n"
	"\n"
	"  --config FILE     the configuration both processes read\n"
	"  --instance NAME   overrides its `instance`\n"
	"  --interface NAME  without a file: the one to serve, instead of the default "
	"route's\n"
	"  --user NAME       becomes this user at the start; turnpike-dataplane where\n"
	"                    tools/install-users ran\n"
	"  --allow-root      stays uid 0, which is refused otherwise\n"
	"  --no-sandbox      without the system call filter and bounds of paths, for "
	"debugging\n"
	"  --no-hugepages    as dataplane.hugepages: never; the process adds it itself "
	"when\n"
	"                    others took the pages that were free\n"
	"  --version         version of the program and layout of its shared tables\n"
	"  --help            this text\n"
	"\n"
	"exit status: 0 stopped, 1 failed, 2 usage, 3 configuration, 4 runs already\n";

bool plane_options_parse(struct options *o, int argc, char **argv, int *status)
{
	const struct proc_option table[] = {
		{"config", .text = &o->config},
		{"instance", .text = &o->instance},
		{"interface", .text = &o->interface},
		{"user", .text = &o->user},
		{"allow-root", .flag = &o->allow_root},
		{"no-sandbox", .flag = &o->no_sandbox},
		{"no-hugepages", .flag = &o->no_huge_pages},
	};
	char version[64];
	const struct proc_program program = {.name = "turnpike-dataplane",
		.help = help,
		.version = version,
		.options = table,
		.n_options = TP_ARRAY_LEN(table)};

	*o = (struct options){0};
	snprintf(version, sizeof(version), "turnpike-dataplane %s (layout %u)\n", TURNPIKE_VERSION,
		TP_LAYOUT_VERSION);
	return proc_options_read(&program, argc, argv, status);
}
