// SPDX-License-Identifier: BSD-3-Clause
#include <proc/options.h>

#include <assert.h>
#include <getopt.h>
#include <stdio.h>

#include <proc/start.h>

#define HELP	    'h'
#define VERSION	    'V'
// The options of the table have values from here on, in its order: no character.
#define VALUE_FIRST 256

static void table_make(const struct proc_program *p, struct option longs[PROC_OPTIONS_MAX + 3])
{
	size_t n = 0;

	assert(p->n_options <= PROC_OPTIONS_MAX);
	for (; n < p->n_options; n++) {
		const struct proc_option *o = &p->options[n];
		bool has_argument = o->text != NULL || o->take != NULL;

		longs[n] = (struct option){o->name, has_argument ? required_argument : no_argument,
			NULL, VALUE_FIRST + (int)n};
	}
	longs[n++] = (struct option){"help", no_argument, NULL, HELP};
	longs[n++] = (struct option){"version", no_argument, NULL, VERSION};
	longs[n] = (struct option){NULL, 0, NULL, 0};
}

static bool option_take(const struct proc_option *o, const char *argument)
{
	if (o->text != NULL)
		*o->text = argument;
	if (o->flag != NULL)
		*o->flag = true;
	return o->take == NULL || o->take(o->into, argument);
}

bool proc_options_read(const struct proc_program *p, int argc, char **argv, int *status)
{
	struct option longs[PROC_OPTIONS_MAX + 3];
	int c;

	table_make(p, longs);
	*status = PROC_EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == HELP || c == VERSION) {
			fputs(c == HELP ? p->help : p->version, stdout);
			*status = PROC_EXIT_STOPPED;
			return false;
		}
		if (c < VALUE_FIRST || !option_take(&p->options[c - VALUE_FIRST], optarg)) {
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
