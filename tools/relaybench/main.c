// SPDX-License-Identifier: BSD-3-Clause
// relaybench: how fast the relay is, on this machine.
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "core.h"
#ifdef HAVE_REPLAY
#include "scale.h"
#endif
#include "export/export.h"
#include "load/load.h"
#include "setup.h"

static const char usage[] =
	"relaybench core [OPTION...]    the packet path, without a NIC\n"
	"relaybench setup [OPTION...]   set-ups per second, without a NIC\n"
	"relaybench load [OPTION...]    a population of TURN clients against any server\n"
	"relaybench compare [OPTION...] Turnpike beside coturn, in alternating rounds\n"
	"relaybench export [OPTION...]  the load's packets, for other generators\n"
	"relaybench --help | --version\n"
	"\n"
	"relaybench core --help, and so on, tells a command's options.\n";

static int run_core(struct bench_ground *g, void *arg)
{
	const struct bench_options *o = arg;

#ifdef HAVE_REPLAY
	if (o->workers > 1)
		return bench_scale(g, o);
#endif
	return bench_core(g, o);
}

static int core(int argc, char **argv)
{
	struct bench_options o;

	if (bench_options_read(&o, argc, argv) != 0)
		return BENCH_EXIT_USAGE;
	if (o.page != NULL && strcmp(o.page, "help") == 0)
		bench_options_help(stdout);
	else if (o.page != NULL)
		printf("relaybench %s\n", TURNPIKE_VERSION);
	else
		return bench_ground_supervise(run_core, &o, !o.no_boost);
	return BENCH_EXIT_OK;
}

static int run_setup(struct bench_ground *g, void *arg)
{
	return bench_setup(g, arg);
}

static int setup(int argc, char **argv)
{
	struct bench_setup_options o;

	if (bench_setup_options_read(&o, argc, argv) != 0)
		return BENCH_EXIT_USAGE;
	if (o.page != NULL && strcmp(o.page, "help") == 0)
		bench_setup_options_help(stdout);
	else if (o.page != NULL)
		printf("relaybench %s\n", TURNPIKE_VERSION);
	else
		return bench_ground_supervise(run_setup, &o, !o.no_boost);
	return BENCH_EXIT_OK;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{"compare", bench_compare},
		{"core", core},
		{"export", export_main},
		{"load", load_main},
		{"setup", setup},
	};

	for (size_t i = 0; argc > 1 && i < TP_ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("relaybench %s\n", TURNPIKE_VERSION);
		return BENCH_EXIT_OK;
	}
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return BENCH_EXIT_OK;
	}
	fputs(usage, stderr);
	return BENCH_EXIT_USAGE;
}
