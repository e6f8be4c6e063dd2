// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <load/value.h>
#include <options/options.h>
#include <turnpike/base.h>

#include <load/netns.h>

static const char *server_read(void *out, const char *text)
{
	struct load_options *o = out;

	return load_value_address(text, 3478, &o->population.server);
}

static const char *peer_read(void *out, const char *text)
{
	struct load_population *p = &((struct load_options *)out)->population;
	struct load_addr a = {0};
	const char *wanted = load_value_address(text, 0, &a);

	p->peer_ip = a.ip;
	p->peer_net = a.net;
	return wanted;
}

static const char *client_read(void *out, const char *text)
{
	struct load_population *p = &((struct load_options *)out)->population;
	struct load_addr a = {0};
	const char *wanted = load_value_address(text, 0, &a);

	p->client_ip = a.ip;
	p->client_net = a.net;
	return wanted;
}

#define FIELD(name) OPTIONS_FIELD(struct load_options, name)

static const char *const directions[] = {"up", "down", "both", NULL};
static const char *const sinks[] = {"full", "count", NULL};

static const struct options_row rows[] = {
	{"server", "A[:P]", "the TURN server (port 3478)", .kind = OPTIONS_CALL,
		.read = server_read},
	{"peer", "A", "the peers' address, one of --peer-netns", .kind = OPTIONS_CALL,
		.read = peer_read},
	{"client", "A", "the first client address (the client interface's own)",
		.kind = OPTIONS_CALL, .read = client_read},
	{"client-addresses", "N", "client addresses from there on (1); 22,000 clients each",
		.kind = OPTIONS_WHOLE, FIELD(population.n_client_ips), .low = 1, .high = 4096},
	{"first-client", "N",
		"number of the first client (one by the clock: servers remember those\n"
		"that left)",
		.kind = OPTIONS_WHOLE, FIELD(population.first_client), .high = 1e8},
	{"client-netns", "NAME", "network namespace of the clients", .kind = OPTIONS_TEXT,
		FIELD(client_netns)},
	{"client-interface", "IF", "interface of the clients (eth0)", .kind = OPTIONS_TEXT,
		FIELD(client_interface)},
	{"peer-netns", "NAME", "network namespace of the peers", .kind = OPTIONS_TEXT,
		FIELD(peer_netns)},
	{"peer-interface", "IF", "interface of the peers (eth0)", .kind = OPTIONS_TEXT,
		FIELD(peer_interface)},
	{"user", "NAME", "of the long-term credential (demo)", .kind = OPTIONS_TEXT, FIELD(user)},
	{"password-file", "FILE", "its password; without this: $RELAYBENCH_PASSWORD",
		.kind = OPTIONS_TEXT, FIELD(password_file)},
	{"allocations", "N", "allocations (100)", .kind = OPTIONS_WHOLE,
		FIELD(population.n_allocations), .low = 1, .high = 4e6},
	{"channels", "N", "channels of each allocation (1)", .kind = OPTIONS_WHOLE,
		FIELD(population.n_channels), .low = 1, .high = 4096},
	{"window", "N", "requests in flight (64)", .kind = OPTIONS_WHOLE, FIELD(window), .low = 1,
		.high = 65536},
	{"direction", "D", "up: client to peer; down; both (up)", .kind = OPTIONS_WORD,
		FIELD(directions), .words = directions, .low = 1},
	{"rate", "N", "packets per second in each direction; 0: as many as go (10000)",
		.kind = OPTIONS_NUMBER, FIELD(rate), .high = 1e8},
	{"seconds", "S", "of traffic (5; at most 3600)", .kind = OPTIONS_NUMBER, FIELD(seconds),
		.low = 0.01, .high = 3600},
	{"payload", "N", "bytes, 20 to 1400 (160)", .kind = OPTIONS_WHOLE, FIELD(payload),
		.low = LOAD_PAYLOAD_MIN, .high = LOAD_PAYLOAD_MAX},
	{"sink", "full|count",
		"count: nft counts what arrives and one packet in 64 is read, which\n"
		"takes less of the server's core (full)",
		.kind = OPTIONS_WORD, FIELD(sink), .words = sinks},
	{"churn", "N", "allocations replaced per second (0)", .kind = OPTIONS_NUMBER, FIELD(churn),
		.high = 1e6},
	{"flood-binding", "N", "Binding requests per second beside it (0)", .kind = OPTIONS_NUMBER,
		FIELD(flood_binding), .high = 1e7},
	{"flood-allocate", "N", "Allocates without credentials per second beside it (0)",
		.kind = OPTIONS_NUMBER, FIELD(flood_allocate), .high = 1e7},
	{"flood-addresses", "N", "addresses that both come from (1)", .kind = OPTIONS_WHOLE,
		FIELD(flood_ips), .low = 1, .high = 4096},
	{"plain", NULL, "no TURN: datagrams to the peer, through any forwarder on the way",
		FIELD(plain)},
	{"interactive", NULL,
		"intervals by lines of standard input: interval rate=N seconds=S\n"
		"direction=D sink=full|count payload=N churn=N ...; each answered by a\n"
		"JSON line",
		FIELD(interactive)},
	{"hold", "S",
		"keep the allocations for S seconds without traffic, for another\n"
		"generator",
		.kind = OPTIONS_NUMBER, FIELD(hold_s), .high = 86400},
	{"map", "FILE", "list the allocations in FILE", .kind = OPTIONS_TEXT, FIELD(map)},
	{"keep", NULL, "do not delete the allocations at the end", FIELD(keep)},
	{"core", "N", "run there", .kind = OPTIONS_WHOLE, FIELD(core), .high = 1023},
	{"server-core", "N", "report how fast that core is as well", .kind = OPTIONS_WHOLE,
		FIELD(server_core), .high = 1023},
	{"setup-limit", "S", "longest time of the set-up (60)", .kind = OPTIONS_NUMBER,
		FIELD(setup_limit_s), .low = 1, .high = 3600},
	{"limit", "S", "longest time of everything (4000)", .kind = OPTIONS_NUMBER, FIELD(limit_s),
		.low = 1, .high = 90000},
	{"seed", "N", "of everything random (1)", .kind = OPTIONS_WHOLE, FIELD(seed),
		.high = UINT32_MAX},
	{"no-boost", NULL, "compete with other programs for the core", FIELD(no_boost)},
	{"i-own-this-target", NULL, "run outside of namespaces made by tools/lab",
		FIELD(own_target)},
	{"json", NULL, "JSON on standard output", 'j', FIELD(json)},
	{"output", "FILE", "JSON to a file as well", 'o', .kind = OPTIONS_TEXT, FIELD(output)},
};

static const struct options_command command = {
	.program = "relaybench",
	.name = "load",
	.synopsis = "--server ADDRESS[:PORT] --peer ADDRESS [OPTION...]",
	.about = "A population of TURN clients against any server: allocations by real requests, "
		 "then\n"
		 "traffic through them, with loss, reordering and one-way delay. Packets are made "
		 "here:\n"
		 "no socket per allocation. IPv4 or IPv6, all addresses of one family.\n",
	.notes = "Needs root. Exit: 0 done, 1 something failed, 2 usage.\n",
	.rows = rows,
	.n_rows = TP_ARRAY_LEN(rows),
};

// The first line of the file, or $RELAYBENCH_PASSWORD, or nothing.
static int password_read(struct load_options *o)
{
	const char *text = getenv("RELAYBENCH_PASSWORD");
	FILE *f;

	if (o->password_file == NULL) {
		snprintf(o->password, sizeof(o->password), "%s", text == NULL ? "" : text);
		return 0;
	}
	f = fopen(o->password_file, "re");
	if (f == NULL) {
		fprintf(stderr, "relaybench: --password-file: %s: %s\n", o->password_file,
			strerror(errno));
		return -EINVAL;
	}
	if (fgets(o->password, sizeof(o->password), f) == NULL)
		o->password[0] = '\0';
	fclose(f);
	o->password[strcspn(o->password, "\r\n")] = '\0';
	return 0;
}

// Problems between options.
static int options_check(const struct load_options *o)
{
	const struct load_population *p = &o->population;
	char problem[160];

	if (p->peer_ip == 0 || (p->server.ip == 0 && !o->plain))
		return options_refuse(&command, "--server and --peer are needed");
	if ((!o->plain && p->server.net.v6 != p->peer_net.v6) ||
		(p->client_ip != 0 && p->client_net.v6 != p->peer_net.v6))
		return options_refuse(
			&command, "--server, --client and --peer are not of one family");
	if (p->n_allocations > load_clients_max(p)) {
		snprintf(problem, sizeof(problem), "%u allocations need --client-addresses %u",
			p->n_allocations, (p->n_allocations - 1) / LOAD_PORTS + 1);
		return options_refuse(&command, problem);
	}
	if ((uint64_t)p->n_allocations * p->n_channels > 1u << 26)
		return options_refuse(&command, "more than 67108864 channels in all");
	if (o->plain && o->directions != 1)
		return options_refuse(&command, "--plain goes --direction up only");
	if (!o->own_target &&
		(!load_netns_is_lab(o->client_netns) || !load_netns_is_lab(o->peer_netns)))
		return options_refuse(&command, "--client-netns and --peer-netns are not both a "
						"lab's (tools/lab up); load on "
						"anything else needs --i-own-this-target");
	return 0;
}

int load_options_read(struct load_options *o, int argc, char **argv)
{
	int rc;

	*o = (struct load_options){
		.population = {.n_client_ips = 1,
			.first_client = (uint32_t)time(NULL) * 3001u % (1u << 24),
			.n_allocations = 100,
			.n_channels = 1},
		.client_netns = "",
		.client_interface = "eth0",
		.peer_netns = "",
		.peer_interface = "eth0",
		.user = "demo",
		.window = 64,
		.flood_ips = 1,
		.seconds = 5,
		.rate = 10000,
		.setup_limit_s = 60,
		.limit_s = 4000,
		.hold_s = -1,
		.directions = 1,
		.core = -1,
		.server_core = -1,
		.payload = 160,
		.seed = 1,
		.argc = argc,
		.argv = argv,
	};
	rc = options_read(&command, o, argc, argv);
	if (rc == 0)
		rc = options_check(o);
	return rc == 0 ? password_read(o) : rc;
}
