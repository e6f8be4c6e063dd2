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

bool directory_options_parse(struct directory_options *o, int argc, char **argv, int *status)
{
	const struct proc_option table[] = {
		{"config", .text = &o->config},
		{"instance", .text = &o->instance},
		{"user", .text = &o->user},
		{"allow-root", .flag = &o->allow_root},
		{"check", .text = &o->config, .flag = &o->check},
		{"no-sandbox", .flag = &o->no_sandbox},
	};
	const struct proc_program program = {.name = "turnpike-directory",
		.help = help,
		.version = "turnpike-directory " TURNPIKE_VERSION "\n",
		.options = table,
		.n_options = TP_ARRAY_LEN(table)};

	*o = (struct directory_options){0};
	if (!proc_options_read(&program, argc, argv, status))
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
