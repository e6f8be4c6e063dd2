// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "flow.h"

enum {
	O_SERVER = 256,
	O_BIND,
	O_PEER,
	O_PEER_BIND,
	O_PEER_RELAY,
	O_NETNS,
	O_PEER_NETNS,
	O_USER,
	O_PASSWORD_FILE,
	O_SECRET_FILE,
	O_DATA,
	O_FAMILY,
	O_STREAMS,
	O_RATE,
	O_SIZE,
	O_SECONDS,
	O_DRAIN,
	O_AT,
	O_LIVE,
};

static const struct option sm_long[] = {
	{"server", required_argument, NULL, O_SERVER},
	{"bind", required_argument, NULL, O_BIND},
	{"peer", required_argument, NULL, O_PEER},
	{"peer-bind", required_argument, NULL, O_PEER_BIND},
	{"peer-relay", no_argument, NULL, O_PEER_RELAY},
	{"netns", required_argument, NULL, O_NETNS},
	{"peer-netns", required_argument, NULL, O_PEER_NETNS},
	{"user", required_argument, NULL, O_USER},
	{"password-file", required_argument, NULL, O_PASSWORD_FILE},
	{"secret-file", required_argument, NULL, O_SECRET_FILE},
	{"data", required_argument, NULL, O_DATA},
	{"family", required_argument, NULL, O_FAMILY},
	{"streams", required_argument, NULL, O_STREAMS},
	{"rate", required_argument, NULL, O_RATE},
	{"size", required_argument, NULL, O_SIZE},
	{"seconds", required_argument, NULL, O_SECONDS},
	{"drain-ms", required_argument, NULL, O_DRAIN},
	{"at", required_argument, NULL, O_AT},
	{"live", no_argument, NULL, O_LIVE},
	{NULL, 0, NULL, 0},
};

struct files {
	const char *user, *password, *secret;
};

static int bad(const char *what, const char *value)
{
	fprintf(stderr, "stream: %s '%s'\n", what, value);
	return -EINVAL;
}

// First line of a file, without its end.
static int read_line(const char *path, char *to, size_t len)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return bad("cannot read", path);
	if (fgets(to, (int)len, f) == NULL)
		to[0] = '\0';
	fclose(f);
	to[strcspn(to, "\r\n")] = '\0';
	return to[0] != '\0' ? 0 : bad("empty file", path);
}

// Time-limited credential: "expiry:name", and base64 of HMAC-SHA1 over that by the secret.
static int credential_make(struct sm_credential *c, const struct files *f)
{
	char secret[256];
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	if (f->user == NULL || (f->password == NULL) == (f->secret == NULL))
		return bad("needs --user and one of --password-file, --secret-file; user",
			f->user != NULL ? f->user : "");
	if (f->password != NULL) {
		snprintf(c->user, sizeof(c->user), "%s", f->user);
		return read_line(f->password, c->password, sizeof(c->password));
	}
	if (read_line(f->secret, secret, sizeof(secret)) < 0)
		return -EINVAL;
	snprintf(c->user, sizeof(c->user), "%lld:%s", (long long)time(NULL) + 3600, f->user);
	HMAC(EVP_sha1(), secret, (int)strlen(secret), (const uint8_t *)c->user, strlen(c->user),
		mac, &mac_len);
	EVP_EncodeBlock((uint8_t *)c->password, mac, (int)mac_len);
	return 0;
}

static int number(uint32_t *to, const char *text, uint32_t low, uint32_t high, const char *what)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || v < low || v > high) {
		fprintf(stderr, "stream: %s '%s': %u to %u\n", what, text, low, high);
		return -EINVAL;
	}
	*to = (uint32_t)v;
	return 0;
}

// MS:REQUEST
static int plan_add(struct sm_options *o, const char *text)
{
	const char *colon = strchr(text, ':');
	struct sm_plan *p = &o->plans[o->n_plans];

	if (colon == NULL || o->n_plans == SM_PLANS_MAX)
		return bad("--at wants MS:REQUEST, up to 64 of them, not", text);
	p->at_ms = (uint32_t)strtoul(text, NULL, 10);
	p->kind = sm_kind_parse(colon + 1);
	if (p->kind == SM_K_COUNT || p->kind == SM_K_ALLOCATE)
		return bad("--at knows allocate-again, refresh, refresh-zero, permission, channel, "
			   "not",
			colon + 1);
	o->n_plans++;
	return 0;
}

static int address(union sm_addr *a, const char *text, uint16_t port, const char *what)
{
	return sm_addr_parse(a, text, port) < 0 ? bad(what, text) : 0;
}

static int take(struct sm_options *o, struct files *f, int option, const char *v)
{
	switch (option) {
	case O_SERVER:
		return address(&o->server, v, 3478, "no numeric address: --server");
	case O_BIND:
		return address(&o->bind_to, v, 0, "no numeric address: --bind");
	case O_PEER:
		return address(&o->peer, v, 0, "no numeric address: --peer");
	case O_PEER_BIND:
		return address(&o->peer_bind, v, 0, "no numeric address: --peer-bind");
	case O_DATA:
		o->by_indication = strcmp(v, "send") == 0;
		return o->by_indication || strcmp(v, "channel") == 0
			       ? 0
			       : bad("--data is channel or send, not", v);
	case O_FAMILY:
		o->family = strcmp(v, "6") == 0 ? AF_INET6 : AF_INET;
		return strcmp(v, "6") == 0 || strcmp(v, "4") == 0
			       ? 0
			       : bad("--family is 4 or 6, not", v);
	case O_STREAMS:
		return number(&o->streams, v, 1, SM_STREAMS_MAX, "--streams");
	case O_RATE:
		return number(&o->rate_pps, v, 1, 100000, "--rate");
	case O_SIZE:
		return number(&o->size_len, v, SM_PAYLOAD_MIN, SM_PAYLOAD_MAX, "--size");
	case O_DRAIN:
		return number(&o->drain_ms, v, 0, 60000, "--drain-ms");
	case O_SECONDS:
		o->seconds = strtod(v, NULL);
		return o->seconds > 0 && o->seconds <= 86400 ? 0 : bad("--seconds", v);
	case O_AT:
		return plan_add(o, v);
	case O_PEER_RELAY:
		o->peer_relayed = true;
		return 0;
	case O_LIVE:
		o->live = true;
		return 0;
	case O_NETNS:
		o->netns = v;
		return 0;
	case O_PEER_NETNS:
		o->peer_netns = v;
		return 0;
	case O_USER:
		f->user = v;
		return 0;
	case O_PASSWORD_FILE:
		f->password = v;
		return 0;
	case O_SECRET_FILE:
		f->secret = v;
		return 0;
	default:
		return -EINVAL;
	}
}

int sm_options_parse(struct sm_options *o, int argc, char **argv)
{
	struct files f = {NULL, NULL, NULL};
	int option;

	memset(o, 0, sizeof(*o));
	o->streams = 1;
	o->rate_pps = 50;
	o->size_len = 160;
	o->seconds = 10;
	o->drain_ms = 1000;
	while ((option = getopt_long(argc, argv, "", sm_long, NULL)) != -1)
		if (take(o, &f, option, optarg) < 0)
			return -EINVAL;
	if (optind != argc)
		return bad("what is", argv[optind]);
	if (o->server.sa.sa_family == 0)
		return bad("needs --server ADDRESS[:PORT]", "");
	if (o->bind_to.sa.sa_family == 0)
		o->bind_to.sa.sa_family = o->server.sa.sa_family;
	if (o->peer_bind.sa.sa_family == 0)
		o->peer_bind.sa.sa_family = o->server.sa.sa_family;
	if ((o->peer.sa.sa_family == 0) != o->peer_relayed)
		return bad("needs one of --peer ADDRESS[:PORT] and --peer-relay", "");
	o->echo_peer = !o->peer_relayed && o->peer_netns == NULL;
	if (o->echo_peer && sm_addr_port(&o->peer) == 0)
		return bad("--peer needs a port, or --peer-netns for a peer of our own", "");
	return credential_make(&o->credential, &f);
}
