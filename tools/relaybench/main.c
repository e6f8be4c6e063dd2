// SPDX-License-Identifier: BSD-3-Clause
// relaybench: how fast the relay is, on this machine.
#include <stdio.h>
#include <string.h>

#include <bench/exit.h>
#include <turnpike/base.h>

#include "compare/compare.h"
#include "core/core.h"
#include "core/instructions.h"
#include "export/export.h"
#include "load/load.h"
#include "setup/setup.h"
#include "streams/streams.h"

static const char usage[] =
	"relaybench core [OPTION...]    the packet path, without a NIC\n"
	"relaybench setup [OPTION...]   set-ups per second, without a NIC\n"
	"relaybench load [OPTION...]    a population of TURN clients against any server\n"
	"relaybench streams [OPTION...] TURN clients over TCP, TLS and DTLS against any server\n"
	"relaybench compare [OPTION...] Turnpike beside coturn, in alternating rounds\n"
	"relaybench export [OPTION...]  the load's packets, for other generators\n"
	"relaybench --help | --version\n"
	"\n"
	"relaybench core --help, and so on, tells a command's options.\n";

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{"compare", bench_compare},
		{"core", bench_core_main},
		{BENCH_COUNT_COMMAND, bench_count_main},
		{"export", export_main},
		{"load", load_main},
		{"setup", bench_setup_main},
		{"streams", streams_main},
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
