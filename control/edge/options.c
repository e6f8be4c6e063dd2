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

static bool option_take(void *ctx, int c)
{
	struct edge_options *o = ctx;

	switch (c) {
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
	case 't':
		o->take_over = true;
		return true;
	default:
		return false;
	}
}

bool edge_options_parse(struct edge_options *o, int argc, char **argv, int *status)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"instance", required_argument, NULL, 'n'},
		{"user", required_argument, NULL, 'u'},
		{"allow-root", no_argument, NULL, 'R'},
		{"no-sandbox", no_argument, NULL, 's'},
		{"take-over", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	char version[64];
	const struct proc_program program = {.name = "turnpike-edge",
		.help = help,
		.version = version,
		.shorts = "",
		.longs = longs,
		.take = option_take};

	*o = (struct edge_options){0};
	snprintf(version, sizeof(version), "turnpike-edge %s (segment layout %u)\n",
		TURNPIKE_VERSION, TP_LAYOUT_VERSION);
	if (!proc_options_read(&program, o, argc, argv, status))
		return false;
	if (o->config == NULL) {
		fputs("turnpike-edge: --config FILE is missing: without a file there is no "
		      "listener of tcp, tls or dtls\n",
			stderr);
		return false;
	}
	return true;
}
