// SPDX-License-Identifier: BSD-3-Clause
#include "setup.h"

#include <options/options.h>

#define ALLOCATIONS_MAX 3000000u // flows have addresses for more, the configuration has not

#define FIELD(name)	OPTIONS_FIELD(struct bench_setup_options, name)

static const struct options_row rows[] = {
	{"allocations", "N", "set-ups in all (100000)", .kind = OPTIONS_WHOLE, FIELD(allocations),
		.low = 1, .high = ALLOCATIONS_MAX},
	{"batch", "N", "set-ups measured together (20000, or what makes 64 batches)",
		.kind = OPTIONS_WHOLE, FIELD(batch), .low = 1, .high = ALLOCATIONS_MAX},
	{"users", "N", "different users (1000; with --rest as many as allocations)",
		.kind = OPTIONS_WHOLE, FIELD(users), .low = 1, .high = ALLOCATIONS_MAX},
	{"rest", NULL, "time-limited credentials instead of configured users", FIELD(rest)},
	{"end", NULL, "then restart the control process and end all of them at once", FIELD(end)},
	{"reload", NULL, "then put another peer policy into force while clients ask",
		FIELD(reload)},
	{"core", "N", "core of the control thread (the last one)", .kind = OPTIONS_WHOLE,
		FIELD(core), .high = 1023},
	{"small-pages", NULL, "4 KiB pages, no huge pages", FIELD(small_pages)},
	{"no-boost", NULL, "compete with other programs for the core", FIELD(no_boost)},
	{"json", NULL, "JSON on standard output instead of text", 'j', FIELD(json)},
	{"output", "FILE", "JSON to a file as well", 'o', .kind = OPTIONS_TEXT, FIELD(output)},
};

static const struct options_command command = {
	.program = "relaybench",
	.name = "setup",
	.synopsis = "[OPTION...]",
	.about = "Has the control process's code set allocations up, each with a permission and a "
		 "channel,\n"
		 "by requests that come through the punt rings, and prints how many it does per "
		 "second,\n"
		 "the memory that one costs, and how long it takes to end and recover all of them. "
		 "No\n"
		 "NIC; requests are signed beforehand, and every answer is verified afterwards.\n",
	.notes = "Huge pages and the boost need root. Exit: 0 measured, 1 an answer is missing or "
		 "wrong,\n"
		 "or the machine refused something, 2 usage.\n",
	.rows = rows,
	.n_rows = TP_ARRAY_LEN(rows),
};

int bench_setup_options_read(struct bench_setup_options *o, int argc, char **argv)
{
	uint32_t least;
	int rc;

	*o = (struct bench_setup_options){
		.allocations = 100000,
		.core = -1,
		.argc = argc,
		.argv = argv,
	};
	rc = options_read(&command, o, argc, argv);
	if (rc != 0)
		return rc;
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
