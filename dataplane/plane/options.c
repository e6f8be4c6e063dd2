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

static bool option_take(void *ctx, int c)
{
	struct options *o = ctx;

	switch (c) {
	case 'c':
		o->config = optarg;
		return true;
	case 'i':
		o->instance = optarg;
		return true;
	case 'n':
		o->interface = optarg;
		return true;
	case 'u':
		o->user = optarg;
		return true;
	case 'R':
		o->allow_root = true;
		return true;
	case 's':
		o->no_sandbox = true;
		return true;
	case 'p':
		o->no_huge_pages = true;
		return true;
	default:
		return false;
	}
}

bool plane_options_parse(struct options *o, int argc, char **argv, int *status)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"instance", required_argument, NULL, 'i'},
		{"interface", required_argument, NULL, 'n'},
		{"user", required_argument, NULL, 'u'},
		{"allow-root", no_argument, NULL, 'R'},
		{"no-sandbox", no_argument, NULL, 's'},
		{"no-hugepages", no_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	char version[64];
	const struct proc_program program = {.name = "turnpike-dataplane",
		.help = help,
		.version = version,
		.shorts = "",
		.longs = longs,
		.take = option_take};

	*o = (struct options){0};
	snprintf(version, sizeof(version), "turnpike-dataplane %s (layout %u)\n", TURNPIKE_VERSION,
		TP_LAYOUT_VERSION);
	return proc_options_read(&program, o, argc, argv, status);
}
