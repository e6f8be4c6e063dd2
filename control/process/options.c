// SPDX-License-Identifier: BSD-3-Clause
#include <process/options.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void help_print(void)
{
	fputs("usage: turnpike-control [OPTION...]\n\n"
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
	      "use by another version\n",
		stdout);
}

static void version_print(void)
{
	printf("turnpike-control %s (segment layout %u, control protocol %u)\n", TURNPIKE_VERSION,
		TP_LAYOUT_VERSION, TP_CTL_VERSION);
}

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

static bool option_take(struct process_options *o, enum process_action *action, int c)
{
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
	int c;

	*o = (struct process_options){0};
	*action = PROCESS_ACTION_SERVE;
	*status = PROC_EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		if (c == 'h' || c == 'V') {
			if (c == 'h')
				help_print();
			else
				version_print();
			*status = PROC_EXIT_STOPPED;
			return false;
		}
		if (!option_take(o, action, c)) {
			fputs("turnpike-control --help lists the options\n", stderr);
			return false;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "turnpike-control: what is %s? --help lists the options\n",
			argv[optind]);
		return false;
	}
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
