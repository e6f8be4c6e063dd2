// SPDX-License-Identifier: BSD-3-Clause
#include <directory/directory.h>

#include <stdio.h>

#include <proc/options.h>
#include <proc/start.h>

static const char help[] =
	"usage: turnpike-directory --config FILE [OPTION...]\n\n"
	"Looks users up in the databases of directory.sources for turnpike-control. Runs in the\n"
	"foreground; the log is standard error.\n\n"
	"  --config FILE    the configuration of all processes\n"
	"  --instance NAME  overrides the configuration's\n"
	"  --user NAME      becomes this user at the start; turnpike-directory where\n"
	"                   tools/install-users ran\n"
	"  --allow-root     stays uid 0, which is refused otherwise\n"
	"  --check FILE     names every mistake of a configuration, with the files of its "
	"sources,\n"
	"                   and ends\n"
	"  --no-sandbox     without the system call filter, for debugging\n"
	"  --help, --version\n\n"
	"signals: TERM or INT stops, HUP reads the configuration again\n\n"
	"exit codes: 0 stopped, or nothing is wrong; 1 failed, the log says why; 2 usage;\n"
	"3 the configuration has mistakes; 4 the instance has a directory already\n";

static bool option_take(void *ctx, int c)
{
	struct directory_options *o = ctx;

	switch (c) {
	case 'k':
		o->check = true;
		o->config = optarg;
		return true;
	case 'c':
		o->config = optarg;
		return true;
	case 'n':
		o->instance = optarg;
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
	default:
		return false;
	}
}

bool directory_options_parse(struct directory_options *o, int argc, char **argv, int *status)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"instance", required_argument, NULL, 'n'},
		{"user", required_argument, NULL, 'u'},
		{"allow-root", no_argument, NULL, 'R'},
		{"check", required_argument, NULL, 'k'},
		{"no-sandbox", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	static const struct proc_program program = {.name = "turnpike-directory",
		.help = help,
		.version = "turnpike-directory " TURNPIKE_VERSION "\n",
		.shorts = "",
		.longs = longs,
		.take = option_take};

	*o = (struct directory_options){0};
	if (!proc_options_read(&program, o, argc, argv, status))
		return false;
	if (o->config == NULL) {
		fputs("turnpike-directory: --config FILE is missing: without a file there are no "
		      "sources\n",
			stderr);
		return false;
	}
	return true;
}

struct conf_request directory_request(const struct directory_options *o, enum conf_role role)
{
	return (struct conf_request){.role = role, .path = o->config, .instance = o->instance};
}
