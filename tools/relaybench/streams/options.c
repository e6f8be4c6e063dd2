// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <load/frame.h>
#include <load/netns.h>
#include <options/options.h>
#include <turnpike/base.h>

#include "stamp.h"

#define ADDRESSES_MAX 4096u

static const char *server_read(void *out, const char *text)
{
	struct streams_options *o = out;

	return tc_addr_parse(&o->server, text, 0) == 0 ? NULL : "an address and a port";
}

static const char *peer_read(void *out, const char *text)
{
	struct streams_options *o = out;

	return tc_addr_parse(&o->peer, text, 0) == 0 ? NULL : "an address";
}

static const char *client_read(void *out, const char *text)
{
	struct streams_options *o = out;

	return tc_addr_parse(&o->client, text, 0) == 0 && o->client.sa.sa_family == AF_INET
		       ? NULL
		       : "an IPv4 address";
}

static const char *pid_read(void *out, const char *text)
{
	struct streams_options *o = out;
	double pid;

	if (o->n_pids == STREAMS_PIDS_MAX)
		return "at most 8 processes";
	if (!options_number(text, 1, 1e9, &pid))
		return "the number of a process";
	o->pids[o->n_pids++] = (pid_t)pid;
	return NULL;
}

#define FIELD(name) OPTIONS_FIELD(struct streams_options, name)

static const char *const transports[] = {"tcp", "tls", "dtls", "udp", NULL};
static const char *const whats[] = {"traffic", "handshakes", "idle", NULL};
static const char *const directions[] = {"up", "down", "both", NULL};
static const char *const versions[] = {"1.2", "1.3", NULL};

static const struct options_row rows[] = {
	{"server", "A:P", "the TURN server", .kind = OPTIONS_CALL, .read = server_read},
	{"peer", "A", "the peer's address, one of --peer-netns", .kind = OPTIONS_CALL,
		.read = peer_read},
	{"transport", "T", "tcp, tls, dtls or udp (tls)", .kind = OPTIONS_WORD, FIELD(transport),
		.words = transports},
	{"measure", "W",
		"traffic: packets of channels through allocations;\n"
		"handshakes: connections opened, asked one Binding request and closed;\n"
		"idle: memory of the server with the clients connected (traffic)",
		.kind = OPTIONS_WORD, FIELD(what), .words = whats},
	{"tls", "V", "1.2 or 1.3 alone (the newest)", .kind = OPTIONS_WORD, FIELD(tls),
		.words = versions, .low = 2},
	{"client", "A", "the first client address (the kernel's choice)", .kind = OPTIONS_CALL,
		.read = client_read},
	{"client-addresses", "N", "client addresses from there on (1); about 20,000 clients each",
		.kind = OPTIONS_WHOLE, FIELD(n_addresses), .low = 1, .high = ADDRESSES_MAX},
	{"client-netns", "NAME", "network namespace of the clients", .kind = OPTIONS_TEXT,
		FIELD(client_netns)},
	{"client-interface", "IF", "interface of the clients (eth0)", .kind = OPTIONS_TEXT,
		FIELD(client_interface)},
	{"peer-netns", "NAME", "network namespace of the peer", .kind = OPTIONS_TEXT,
		FIELD(peer_netns)},
	{"user", "NAME", "of the long-term credential (demo)", .kind = OPTIONS_TEXT, FIELD(user)},
	{"password-file", "FILE", "its password; without this: $RELAYBENCH_PASSWORD",
		.kind = OPTIONS_TEXT, FIELD(password_file)},
	{"clients", "N", "clients; with --measure handshakes, at a time (100)",
		.kind = OPTIONS_WHOLE, FIELD(clients), .low = 1, .high = STREAMS_CLIENTS_MAX},
	{"window", "N", "clients that connect at the same time (64)", .kind = OPTIONS_WHOLE,
		FIELD(window), .low = 1, .high = 4096},
	{"direction", "D", "up: client to peer; down; both (up)", .kind = OPTIONS_WORD,
		FIELD(directions), .words = directions, .low = 1},
	{"rate", "N", "packets per second in each direction; 0: as many as go (10000)",
		.kind = OPTIONS_NUMBER, FIELD(rate), .high = 1e8},
	{"burst", "N",
		"packets of a client in turn, each a record of its own, that leave by one\n"
		"write (1)",
		.kind = OPTIONS_WHOLE, FIELD(burst), .low = 1, .high = STREAMS_BURST_MAX},
	{"seconds", "S", "of traffic, handshakes or idling (5; at most 240)",
		.kind = OPTIONS_NUMBER, FIELD(seconds), .low = 0.01, .high = 240},
	{"payload", "N", "bytes, 20 to 1400 (160)", .kind = OPTIONS_WHOLE, FIELD(payload),
		.low = STREAMS_STAMP_LEN, .high = LOAD_PAYLOAD_MAX},
	{"resume", NULL, "handshakes by the ticket of an earlier one", FIELD(resume)},
	{"allocate", NULL, "idle clients have an allocation and a channel", FIELD(allocate)},
	{"server-pid", "PID,...", "the server's processes: their CPU time and memory are reported",
		.kind = OPTIONS_CALL, .read = pid_read, .list = true},
	{"core", "N", "run there", .kind = OPTIONS_WHOLE, FIELD(core), .high = 1023},
	{"stay", "S", "idle clients stay so long after the last of them is answered (0)",
		.kind = OPTIONS_NUMBER, FIELD(stay_s), .high = 240},
	{"setup-limit", "S", "longest time of the set-up (60)", .kind = OPTIONS_NUMBER,
		FIELD(setup_limit_s), .low = 1, .high = 3600},
	{"no-boost", NULL, "compete with other programs for the core", FIELD(no_boost)},
	{"i-own-this-target", NULL, "run outside of namespaces made by tools/lab",
		FIELD(own_target)},
	{"json", NULL, "JSON on standard output", 'j', FIELD(json)},
	{"output", "FILE", "JSON to a file as well", 'o', .kind = OPTIONS_TEXT, FIELD(output)},
};

static const struct options_command command = {
	.program = "relaybench",
	.name = "streams",
	.synopsis = "--server ADDRESS:PORT --peer ADDRESS [OPTION...]",
	.about =
		"TURN clients over TCP, TLS or DTLS against any server, each with a socket and a "
		"TLS\n"
		"session of its own: packets through allocations, handshakes per second, or memory "
		"of\n"
		"connections without traffic. The certificate is not checked.\n",
	.notes = "Needs root. Exit: 0 done, 1 something failed, 2 usage.\n",
	.rows = rows,
	.n_rows = TP_ARRAY_LEN(rows),
};

static int password_read(struct streams_options *o)
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
static int options_check(const struct streams_options *o)
{
	bool secure = o->transport == STREAMS_TLS || o->transport == STREAMS_DTLS;
	bool allocates = o->what == STREAMS_TRAFFIC || o->allocate;

	if (tc_addr_port(&o->server) == 0)
		return options_refuse(&command, "--server with a port is needed");
	if (allocates && o->peer.sa.sa_family == 0)
		return options_refuse(&command, "--peer is needed");
	if (o->n_addresses > 1 && o->client.sa.sa_family == 0)
		return options_refuse(&command, "--client-addresses needs --client");
	if (o->what == STREAMS_HANDSHAKES && !secure)
		return options_refuse(&command, "handshakes are of --transport tls or dtls");
	if (o->resume && o->what != STREAMS_HANDSHAKES)
		return options_refuse(&command, "--resume goes with --measure handshakes");
	if (o->stay_s > 0 && o->what != STREAMS_IDLE)
		return options_refuse(&command, "--stay goes with --measure idle");
	if (o->burst > 1 && o->transport != STREAMS_TCP && o->transport != STREAMS_TLS)
		return options_refuse(&command, "--burst goes with --transport tcp or tls");
	if (!o->own_target &&
		(!load_netns_is_lab(o->client_netns) || !load_netns_is_lab(o->peer_netns)))
		return options_refuse(&command, "--client-netns and --peer-netns are not both a "
						"lab's (tools/lab up); load on "
						"anything else needs --i-own-this-target");
	return 0;
}

int streams_options_read(struct streams_options *o, int argc, char **argv)
{
	int rc;

	*o = (struct streams_options){
		.n_addresses = 1,
		.client_netns = "",
		.client_interface = "eth0",
		.peer_netns = "",
		.user = "demo",
		.transport = STREAMS_TLS,
		.clients = 100,
		.window = 64,
		.burst = 1,
		.rate = 10000,
		.seconds = 5,
		.setup_limit_s = 60,
		.directions = 1,
		.payload = 160,
		.core = -1,
		.argc = argc,
		.argv = argv,
	};
	rc = options_read(&command, o, argc, argv);
	if (rc == 0)
		rc = options_check(o);
	return rc == 0 ? password_read(o) : rc;
}
