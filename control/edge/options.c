// SPDX-License-Identifier: BSD-3-Clause
#include "edge.h"

#include <stdio.h>

#include <turnpike/segment.h>

#include <proc/options.h>
#include <proc/start.h>

static const char help[] =
	"usage: turnpike-edge --config FILE [OPTION...]\n\n"
	"Ends the connections of clients that come by TCP, TLS and DTLS, and hands their\n"
	"messages to turnpike-dataplane. Runs in the foreground; the log is standard error. It\n"
	"needs a listener of tcp, tls or dtls in the configuration.\n\n"
	"  --config FILE       the configuration of all processes\n"
	"  --instance NAME     overrides the configuration's\n"
	"  --user NAME         becomes this user at the start, once the listening sockets are "
	"open;\n"
	"                      turnpike-edge where tools/install-users ran\n"
	"  --allow-root        stays uid 0, which is refused otherwise\n"
	"  --no-sandbox        without the system call filter and bounds of paths, for debugging\n"
	"  --take-over         takes listening sockets and connections from the process of this\n"
	"                      instance that runs, which ends when its connections of TLS have\n"
	"                      ended, after edge.drain at the latest; starts as always if there "
	"is\n"
	"                      none\n"
	"  --help, --version\n\n"
	"signals: TERM or INT stops; HUP reads configuration and certificates again\n\n"
	"exit codes: 0 stopped; 1 failed, the log says why; 2 usage; 3 the configuration has\n"
	"mistakes; 4 the instance runs already\n";

bool edge_options_parse(struct edge_options *o, int argc, char **argv, int *status)
{
	const struct proc_option table[] = {
		{"config", .text = &o->config},
		{"instance", .text = &o->instance},
		{"user", .text = &o->user},
		{"allow-root", .flag = &o->allow_root},
		{"no-sandbox", .flag = &o->no_sandbox},
		{"take-over", .flag = &o->take_over},
	};
	char version[64];
	const struct proc_program program = {.name = "turnpike-edge",
		.help = help,
		.version = version,
		.options = table,
		.n_options = TP_ARRAY_LEN(table)};

	*o = (struct edge_options){0};
	snprintf(version, sizeof(version), "turnpike-edge %s (segment layout %u)\n",
		TURNPIKE_VERSION, TP_LAYOUT_VERSION);
	if (!proc_options_read(&program, argc, argv, status))
		return false;
	if (o->config == NULL) {
		fputs("turnpike-edge: --config FILE is missing: without a file there is no "
		      "listener of tcp, tls or dtls\n",
			stderr);
		return false;
	}
	return true;
}
