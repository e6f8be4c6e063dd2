// SPDX-License-Identifier: BSD-3-Clause
#include <process/options.h>

#include <stdio.h>
#include <stdlib.h>

#include <proc/options.h>

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

static bool rate_take(void *into, const char *text)
{
	uint32_t *rate = into;
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

bool process_options_parse(
	struct process_options *o, enum process_action *action, int argc, char **argv, int *status)
{
	bool check = false, plan = false, remove = false;
	const struct proc_option table[] = {
		{"config", .text = &o->config},
		{"interface", .text = &o->interface},
		{"instance", .text = &o->instance},
		{"user", .text = &o->user},
		{"allow-root", .flag = &o->allow_root},
		{"check", .text = &o->config, .flag = &check},
		{"plan", .text = &o->config, .flag = &plan},
		{"json", .flag = &o->json},
		{"worker-rate", .take = rate_take, .into = &o->worker_rate},
		{"remove-segment", .flag = &remove},
		{"no-sandbox", .flag = &o->no_sandbox},
	};
	char version[96];
	const struct proc_program program = {.name = "turnpike-control",
		.help = help,
		.version = version,
		.options = table,
		.n_options = TP_ARRAY_LEN(table)};

	*o = (struct process_options){0};
	snprintf(version, sizeof(version),
		"turnpike-control %s (segment layout %u, control protocol %u)\n", TURNPIKE_VERSION,
		TP_LAYOUT_VERSION, TP_CTL_VERSION);
	if (!proc_options_read(&program, argc, argv, status))
		return false;
	if (check + plan + remove > 1) {
		fputs("turnpike-control: give one of --check, --plan and --remove-segment\n",
			stderr);
		return false;
	}
	*action = check	   ? PROCESS_ACTION_CHECK
		  : plan   ? PROCESS_ACTION_PLAN
		  : remove ? PROCESS_ACTION_REMOVE
			   : PROCESS_ACTION_SERVE;
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
