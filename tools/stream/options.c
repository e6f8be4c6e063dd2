// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <options/options.h>

#include "flow.h"

#define CREDENTIAL_S 3600

static const char *address_read(union tc_addr *a, const char *text, uint16_t port)
{
	return tc_addr_parse(a, text, port) < 0 ? "a numeric address" : NULL;
}

static const char *server_read(void *out, const char *text)
{
	return address_read(&((struct sm_options *)out)->server, text, 3478);
}

static const char *bind_read(void *out, const char *text)
{
	return address_read(&((struct sm_options *)out)->bind_to, text, 0);
}

static const char *peer_read(void *out, const char *text)
{
	return address_read(&((struct sm_options *)out)->peer, text, 0);
}

static const char *peer_bind_read(void *out, const char *text)
{
	return address_read(&((struct sm_options *)out)->peer_bind, text, 0);
}

static const char *family_read(void *out, const char *text)
{
	bool v6 = strcmp(text, "6") == 0;

	((struct sm_options *)out)->family = v6 ? AF_INET6 : AF_INET;
	return v6 || strcmp(text, "4") == 0 ? NULL : "4 or 6";
}

// MS:REQUEST
static const char *plan_read(void *out, const char *text)
{
	struct sm_options *o = out;
	const char *colon = strchr(text, ':');
	struct sm_plan *p = &o->plans[o->n_plans];

	if (colon == NULL || o->n_plans == SM_PLANS_MAX)
		return "MS:REQUEST, up to 64 of them";
	p->at_ms = (uint32_t)strtoul(text, NULL, 10);
	p->kind = tc_kind_parse(colon + 1);
	if (p->kind == TC_K_COUNT || p->kind == TC_K_ALLOCATE)
		return "MS: and allocate-again, refresh, refresh-zero, permission or channel";
	o->n_plans++;
	return NULL;
}

#define FIELD(name) OPTIONS_FIELD(struct sm_options, name)

static const char *const carriers[] = {"channel", "send", NULL};

static const struct options_row rows[] = {
	{"server", "ADDR[:PORT]", "the TURN server (port 3478)", .kind = OPTIONS_CALL,
		.read = server_read},
	{"user", "NAME", "name of the credential", .kind = OPTIONS_TEXT, FIELD(user)},
	{"password-file", "F", "its password", .kind = OPTIONS_TEXT, FIELD(password_file)},
	{"secret-file", "F", "or the secret that makes a time-limited one", .kind = OPTIONS_TEXT,
		FIELD(secret_file)},
	{"peer", "ADDR[:PORT]", "the peer; without --peer-netns an echo", .kind = OPTIONS_CALL,
		.read = peer_read},
	{"peer-relay", NULL, "or a second TURN client", FIELD(peer_relayed)},
	{"peer-netns", "NS", "namespace of the peer's socket, which sends a stream of its own",
		.kind = OPTIONS_TEXT, FIELD(peer_netns)},
	{"peer-bind", "ADDR", "address of the peer's socket", .kind = OPTIONS_CALL,
		.read = peer_bind_read},
	{"netns", "NS", "namespace of the clients' sockets", .kind = OPTIONS_TEXT, FIELD(netns)},
	{"bind", "ADDR[:PORT]", "address of the clients' sockets", .kind = OPTIONS_CALL,
		.read = bind_read},
	{"data", "channel|send", "what carries the data (channel)", .kind = OPTIONS_WORD,
		FIELD(by_indication), .words = carriers},
	{"family", "4|6", "of the relayed address; without this none is asked for",
		.kind = OPTIONS_CALL, .read = family_read},
	{"streams", "N", "streams (1)", .kind = OPTIONS_WHOLE, FIELD(streams), .low = 1,
		.high = SM_STREAMS_MAX},
	{"rate", "PPS", "packets per second of a stream and direction (50)", .kind = OPTIONS_WHOLE,
		FIELD(rate_pps), .low = 1, .high = 100000},
	{"size", "BYTES", "of a payload (160)", .kind = OPTIONS_WHOLE, FIELD(size_len),
		.low = SM_PAYLOAD_MIN, .high = SM_PAYLOAD_MAX},
	{"seconds", "S", "of traffic (10)", .kind = OPTIONS_NUMBER, FIELD(seconds), .low = 0.001,
		.high = 86400},
	{"drain-ms", "MS", "wait for late packets (1000)", .kind = OPTIONS_WHOLE, FIELD(drain_ms),
		.high = 60000},
	{"at", "MS:REQUEST",
		"a request of the first client at that time of the stream: allocate-again,\n"
		"refresh, refresh-zero, permission or channel; may be given up to 64 times",
		.kind = OPTIONS_CALL, .read = plan_read},
	{"live", NULL, "a line of figures per second on standard error", FIELD(live)},
	{"interactive", NULL,
		"takes \"check SECONDS\" (does every allocation, permission and channel still "
		"work?),\n"
		"\"request KIND\" (as --at) and \"mark\" (measure silences from here) on standard "
		"input;\n"
		"its end ends the run",
		FIELD(interactive)},
};

static const struct options_command command = {
	.program = "stream",
	.name = "run",
	.synopsis = "--server ADDR[:PORT] --user NAME (--password-file F | --secret-file F)\n"
		    "    (--peer ADDR[:PORT] | --peer-relay) [OPTION...]\n"
		    "stream echo ADDR:PORT",
	.about = "Allocates on a TURN server, relays numbered packets to a peer and back, and "
		 "prints as\n"
		 "JSON what was lost, doubled, reordered or late, which ICMP errors came, and how "
		 "the\n"
		 "requests given by --at were answered.\n",
	.notes = "Exit: 0 ran, 1 set-up failed, 2 usage.\n",
	.rows = rows,
	.n_rows = sizeof(rows) / sizeof(rows[0]),
};

// First line of a file, without its end.
static int line_read(const char *path, char *to, size_t len)
{
	FILE *f = fopen(path, "re");

	if (f == NULL || fgets(to, (int)len, f) == NULL)
		to[0] = '\0';
	to[strcspn(to, "\r\n")] = '\0';
	if (to[0] == '\0')
		fprintf(stderr, "stream: %s: %s\n", path,
			f == NULL ? strerror(errno) : "the first line is empty");
	if (f != NULL)
		fclose(f);
	return to[0] != '\0' ? 0 : -EINVAL;
}

// The name of a time-limited credential is "expiry:name".
static int credential_make(struct sm_options *o)
{
	struct tc_credential *c = &o->credential;
	char secret[256];

	if (o->user == NULL || (o->password_file == NULL) == (o->secret_file == NULL))
		return options_refuse(
			&command, "needs --user and one of --password-file and --secret-file");
	if (o->password_file != NULL) {
		snprintf(c->user, sizeof(c->user), "%s", o->user);
		return line_read(o->password_file, c->password, sizeof(c->password));
	}
	if (line_read(o->secret_file, secret, sizeof(secret)) < 0)
		return -EINVAL;
	snprintf(
		c->user, sizeof(c->user), "%lld:%s", (long long)time(NULL) + CREDENTIAL_S, o->user);
	return tc_rest_password(secret, c->user, c->password) ? 0 : -EINVAL;
}

int sm_options_read(struct sm_options *o, int argc, char **argv)
{
	int rc;

	*o = (struct sm_options){
		.streams = 1,
		.rate_pps = 50,
		.size_len = 160,
		.seconds = 10,
		.drain_ms = 1000,
	};
	rc = options_read(&command, o, argc, argv);
	if (rc != 0)
		return rc;
	if (o->server.sa.sa_family == 0)
		return options_refuse(&command, "needs --server ADDRESS[:PORT]");
	if (o->bind_to.sa.sa_family == 0)
		o->bind_to.sa.sa_family = o->server.sa.sa_family;
	if (o->peer_bind.sa.sa_family == 0)
		o->peer_bind.sa.sa_family = o->server.sa.sa_family;
	if ((o->peer.sa.sa_family == 0) != o->peer_relayed)
		return options_refuse(
			&command, "needs one of --peer ADDRESS[:PORT] and --peer-relay");
	o->echo_peer = !o->peer_relayed && o->peer_netns == NULL;
	if (o->echo_peer && tc_addr_port(&o->peer) == 0)
		return options_refuse(
			&command, "--peer needs a port, or --peer-netns for a peer of our own");
	return credential_make(o);
}
