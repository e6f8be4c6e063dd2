// SPDX-License-Identifier: BSD-3-Clause
#include <process/options.h>

#include <stdio.h>
#include <stdlib.h>

#include <proc/options.h>

struct taking {
	struct process_options *options;
	enum process_action *action;
};

static const char help[] =
	"usage: turnpike-control [OPTION...]\n\n"
	"Serves TURN clients: authenticates, allocates, and sets up what turnpike-dataplane\n"
	"relays. Runs in the foreground; the log is standard error.\n\n"
	"  --config FILE       the configuration; without it: defaults for one interface and "
	"a\n"
	"                      secret that is made up and shown once\n"
	"  --interface NAME    without a file: the interface; default: of the default route\n"
	"  --instance NAME     overrides the configuration's\n"
	"  --user NAME         becomes this user at the start; turnpike-control where "
	"tools/install-users ran\n"
	"  --allow-root        stays uid 0, which is refused otherwise\n"
	"  --check FILE        names every mistake of a configuration, and ends\n"
	"  --plan FILE         what a configuration has room for, what it takes and what is "
	"short;\n"
	"                      with --json for programs; --worker-rate PACKETS: what one "
	"worker\n"
	"                      was measured to relay per second\n"
	"  --remove-segment    removes what killed processes left, and ends\n"
	"  --no-sandbox        without the system call filter, for debugging\n"
	"  --help, --version\n\n"
	"signals: TERM or INT stops, HUP reads the configuration again\n\n"
	"exit codes: 0 stopped, or nothing is wrong; 1 failed, the log says why; 2 usage;\n"
	"3 the configuration has mistakes; 4 the instance runs already, or its tables are "
	"in\n"
	"use by another version\n";

static bool rate_read(const char *text, uint32_t *rate)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v == 0 || v > UINT32_MAX) {
		fprintf(stderr, "turnpike-control: --worker-rate %s: give packets per second\n",
			text);
		return false;
	}
	*rate = (uint32_t)v;
	return true;
}

static bool option_take(void *ctx, int c)
{
	const struct taking *taking = ctx;
	struct process_options *o = taking->options;
	enum process_action *action = taking->action;

	switch (c) {
	case 'k':
		*action = PROCESS_ACTION_CHECK;
		o->config = optarg;
		return true;
	case 'p':
		*action = PROCESS_ACTION_PLAN;
		o->config = optarg;
		return true;
	case 'j':
		o->json = true;
		return true;
	case 'w':
		return rate_read(optarg, &o->worker_rate);
	case 'c':
		o->config = optarg;
		return true;
	case 'i':
		o->interface = optarg;
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
	case 'r':
		*action = PROCESS_ACTION_REMOVE;
		return true;
	case 's':
		o->no_sandbox = true;
		return true;
	default:
		return false;
	}
}

bool process_options_parse(
	struct process_options *o, enum process_action *action, int argc, char **argv, int *status)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"interface", required_argument, NULL, 'i'},
		{"instance", required_argument, NULL, 'n'},
		{"user", required_argument, NULL, 'u'},
		{"allow-root", no_argument, NULL, 'R'},
		{"check", required_argument, NULL, 'k'},
		{"plan", required_argument, NULL, 'p'},
		{"json", no_argument, NULL, 'j'},
		{"worker-rate", required_argument, NULL, 'w'},
		{"remove-segment", no_argument, NULL, 'r'},
		{"no-sandbox", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	char version[96];
	const struct proc_program program = {.name = "turnpike-control",
		.help = help,
		.version = version,
		.shorts = "j",
		.longs = longs,
		.take = option_take};
	struct taking taking = {.options = o, .action = action};

	*o = (struct process_options){0};
	*action = PROCESS_ACTION_SERVE;
	snprintf(version, sizeof(version),
		"turnpike-control %s (segment layout %u, control protocol %u)\n", TURNPIKE_VERSION,
		TP_LAYOUT_VERSION, TP_CTL_VERSION);
	if (!proc_options_read(&program, &taking, argc, argv, status))
		return false;
	if (*action != PROCESS_ACTION_PLAN && (o->json || o->worker_rate != 0)) {
		fputs("turnpike-control: --json and --worker-rate go with --plan\n", stderr);
		return false;
	}
	if (o->config != NULL && o->interface != NULL) {
		fputs("turnpike-control: --interface is for running without --config\n", stderr);
		return false;
	}
	return true;
}

struct conf_request process_options_request(const struct process_options *o)
{
	return (struct conf_request){
		.role = CONF_FOR_CONTROL,
		.path = o->config,
		.interface = o->interface,
		.instance = o->instance,
	};
}
