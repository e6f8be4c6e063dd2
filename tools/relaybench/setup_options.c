// SPDX-License-Identifier: BSD-3-Clause
#include "setup.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "flow.h"
#include "value.h"

#define ALLOCATIONS_MAX 3000000u // flows have addresses for more, the configuration has not

static const char help[] =
	"relaybench setup [OPTION...]\n"
	"\n"
	"Has the control process's code set allocations up, each with a permission and a channel, "
	"by\n"
	"requests that come through the punt rings, and prints how many it does per second, what "
	"one\n"
	"costs in memory, and how long ending and recovering all of them takes. No NIC; requests "
	"are\n"
	"signed beforehand, and every answer is judged afterwards.\n"
	"\n"
	"  --allocations N     set-ups in all (100000)\n"
	"  --batch N           set-ups measured together (20000, or what makes 64 batches)\n"
	"  --users N           different users (1000; with --rest as many as allocations)\n"
	"  --rest              time-limited credentials instead of configured users\n"
	"  --end               then restarts the control process and ends all of them at once\n"
	"  --core N            core of the control thread (the last one)\n"
	"  --small-pages       4 KiB pages, no huge pages\n"
	"  --no-boost          compete with other programs for the core\n"
	"  -j, --json          JSON on standard output instead of text\n"
	"  -o, --output FILE   JSON to a file, too\n"
	"  -h, --help          this\n"
	"  -V, --version\n"
	"\n"
	"Huge pages and the boost need root. Exit: 0 measured, 1 an answer is missing or wrong, or "
	"the\n"
	"machine refused something, 2 usage.\n";

enum {
	OPT_ALLOCATIONS = 256,
	OPT_BATCH,
	OPT_USERS,
	OPT_REST,
	OPT_END,
	OPT_CORE,
	OPT_SMALL_PAGES,
	OPT_NO_BOOST
};

static const struct option long_options[] = {
	{"allocations", required_argument, NULL, OPT_ALLOCATIONS},
	{"batch", required_argument, NULL, OPT_BATCH},
	{"users", required_argument, NULL, OPT_USERS},
	{"rest", no_argument, NULL, OPT_REST},
	{"end", no_argument, NULL, OPT_END},
	{"core", required_argument, NULL, OPT_CORE},
	{"small-pages", no_argument, NULL, OPT_SMALL_PAGES},
	{"no-boost", no_argument, NULL, OPT_NO_BOOST},
	{"json", no_argument, NULL, 'j'},
	{"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static int option_take(struct bench_setup_options *o, int option)
{
	uint32_t core;
	int rc;

	switch (option) {
	case OPT_ALLOCATIONS:
		return bench_value_whole(
			"--allocations", optarg, 1, ALLOCATIONS_MAX, &o->allocations);
	case OPT_BATCH:
		return bench_value_whole("--batch", optarg, 1, ALLOCATIONS_MAX, &o->batch);
	case OPT_USERS:
		return bench_value_whole("--users", optarg, 1, ALLOCATIONS_MAX, &o->users);
	case OPT_REST:
		o->rest = true;
		return 0;
	case OPT_END:
		o->end = true;
		return 0;
	case OPT_CORE:
		rc = bench_value_whole("--core", optarg, 0, 1023, &core);
		o->core = (int)core;
		return rc;
	case OPT_SMALL_PAGES:
		o->small_pages = true;
		return 0;
	case OPT_NO_BOOST:
		o->no_boost = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'o':
		o->output = optarg;
		return 0;
	case 'h':
		o->page = "help";
		return 0;
	case 'V':
		o->page = "version";
		return 0;
	default:
		return -EINVAL;
	}
}

int bench_setup_options_read(struct bench_setup_options *o, int argc, char **argv)
{
	uint32_t least;
	int option;

	*o = (struct bench_setup_options){
		.allocations = 100000, .core = -1, .argc = argc, .argv = argv};
	optind = 1;
	while ((option = getopt_long(argc, argv, "jo:hV", long_options, NULL)) != -1)
		if (option_take(o, option) != 0)
			return -EINVAL;
	if (optind < argc) {
		fprintf(stderr,
			"relaybench: \"%s\" is not an option; see relaybench setup --help\n",
			argv[optind]);
		return -EINVAL;
	}
	least = (o->allocations + BENCH_SETUP_BATCHES_MAX - 1) / BENCH_SETUP_BATCHES_MAX;
	if (o->batch == 0)
		o->batch = 20000;
	if (o->batch < least)
		o->batch = least;
	if (o->batch > o->allocations)
		o->batch = o->allocations;
	if (o->users == 0)
		o->users = o->rest ? o->allocations : 1000;
	return 0;
}

void bench_setup_options_help(FILE *out)
{
	fputs(help, out);
}
