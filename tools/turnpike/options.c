// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <stdio.h>

#include <turnpike/base.h>

#include <proc/options.h>

static const char help[] =
	"usage: turnpike [--config FILE | --interface NAME] [OPTION...]\n\n"
	"Runs the processes of a relay in the foreground: turnpike-control, turnpike-dataplane,\n"
	"with listeners of tcp, tls or dtls turnpike-edge, and with directory.sources\n"
	"turnpike-directory. A process that crashes is started again at once, or after 0.1 s to\n"
	"30 s if it crashes again within five seconds; the others go on meanwhile.\n\n"
	"  --config FILE         the configuration of all processes; without it: defaults for one\n"
	"                        interface and a secret that is made up and shown once\n"
	"  --interface NAME      without a file: the interface; default: of the default route\n"
	"  --instance NAME       overrides the configuration's\n"
	"  --control OPTION      a further option of turnpike-control, such as "
	"--control=--user=NAME;\n"
	"                        may be given again\n"
	"  --dataplane OPTION    the same for turnpike-dataplane\n"
	"  --edge OPTION         the same for turnpike-edge\n"
	"  --directory OPTION    the same for turnpike-directory\n"
	"  --allow-root          all processes stay uid 0; without it they become the users of\n"
	"                        their names (tools/install-users)\n"
	"  --programs DIRECTORY  of the programs; default: this program's\n"
	"  --help, --version\n\n"
	"signals: TERM or INT stops all processes, a second time at once; HUP is passed on: the\n"
	"configuration is read again; USR2 upgrades turnpike-edge: its program, started anew, "
	"takes\n"
	"its connections over\n\n"
	"exit codes: 0 stopped; 2 usage; 3 the configuration has mistakes; else that of the "
	"process\n"
	"that could not start\n";

static bool argument_add(void *into, const char *argument)
{
	const char **list = into;

	for (unsigned i = 0; i + 1 < OPTIONS_ARGUMENTS_MAX; i++) {
		if (list[i] != NULL)
			continue;
		list[i] = argument;
		return true;
	}
	fprintf(stderr, "turnpike: more than %u further options\n", OPTIONS_ARGUMENTS_MAX - 1);
	return false;
}

bool options_read(struct options *o, int argc, char **argv, int *status)
{
	const struct proc_option table[] = {
		{"config", .text = &o->config},
		{"interface", .text = &o->interface},
		{"instance", .text = &o->instance},
		{"programs", .text = &o->programs},
		{"control", .take = argument_add, .into = o->control},
		{"dataplane", .take = argument_add, .into = o->dataplane},
		{"edge", .take = argument_add, .into = o->edge},
		{"directory", .take = argument_add, .into = o->directory},
		{"allow-root", .flag = &o->allow_root},
	};
	const struct proc_program program = {.name = "turnpike",
		.help = help,
		.version = "turnpike " TURNPIKE_VERSION "\n",
		.options = table,
		.n_options = TP_ARRAY_LEN(table)};

	*o = (struct options){0};
	if (!proc_options_read(&program, argc, argv, status))
		return false;
	if (o->config != NULL && o->interface != NULL) {
		fprintf(stderr, "turnpike: give --config or --interface, not both\n");
		return false;
	}
	return true;
}
