// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "request.h"

int rctl_options_read(struct rctl_options *o, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"tsv", no_argument, NULL, 't'},
		{"socket", required_argument, NULL, 's'},
		{"instance", required_argument, NULL, 'i'},
		{"file", required_argument, NULL, 'f'},
		{"stop-on-error", no_argument, NULL, 'e'},
		{"echo", no_argument, NULL, 'x'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"man", no_argument, NULL, 'M'},
		{"completion", no_argument, NULL, 'C'},
		{NULL, 0, NULL, 0},
	};
	const char *instance = getenv("TURNPIKE_INSTANCE");
	int argc = 0;
	int c;

	while (argv[argc] != NULL)
		argc++;
	*o = (struct rctl_options){.instance = instance == NULL ? "default" : instance};
	// '+': what follows the first word of the command belongs to it.
	while ((c = getopt_long(argc, argv, "+jts:i:f:exhV", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->style = RCTL_JSON;
			break;
		case 't':
			o->style = RCTL_TSV;
			break;
		case 's':
			o->socket = optarg;
			break;
		case 'i':
			o->instance = optarg;
			break;
		case 'f':
			o->batch = optarg;
			break;
		case 'e':
			o->stop_on_error = true;
			break;
		case 'x':
			o->echo = true;
			break;
		case 'h':
			o->page = "help";
			break;
		case 'V':
			o->page = "version";
			break;
		case 'M':
			o->page = "man";
			break;
		case 'C':
			o->page = "completion";
			break;
		default:
			fprintf(stderr, "relayctl: relayctl --help lists the options\n");
			return -EINVAL;
		}
	}
	o->words = argv + optind;
	if (o->batch != NULL && o->words[0] != NULL) {
		fprintf(stderr, "relayctl: give -f FILE or a command, not both\n");
		return -EINVAL;
	}
	return 0;
}
