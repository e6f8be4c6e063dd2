// SPDX-License-Identifier: BSD-3-Clause
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <turnclient/stun.h>

#include "user.h"

#define NONCE_MAX     80u
#define REST_EXPIRY   "4000000000"
#define UDP_TRANSPORT (17u << 24)

static const uint16_t types[BENCH_STAGES] = {TC_ALLOCATE, TC_ALLOCATE, TC_PERMISSION, TC_CHANNEL};
static const char *const names[BENCH_STAGES] = {
	"challenge", "Allocate", "CreatePermission", "ChannelBind"};

struct credential {
	char name[48];
	uint8_t key[16];
};

static void credential_of(const struct bench_clients *c, uint32_t client, struct credential *out)
{
	uint32_t user = client % c->users;
	char name[BENCH_USER_NAME_MAX], password[TC_REST_PASSWORD];

	bench_user_name(user, name);
	if (!c->rest) {
		strcpy(out->name, name);
		bench_user_key(user, out->key);
		return;
	}
	snprintf(out->name, sizeof(out->name), REST_EXPIRY ":%s", name);
	if (!tc_rest_password(bench_rest_secret, out->name, password) ||
		!tc_key(out->name, BENCH_REALM, password, out->key))
		abort();
}

static union tc_addr address_of(const struct tp_addr *a)
{
	union tc_addr out = {.v4 = {.sin_family = AF_INET, .sin_port = a->port_be}};

	memcpy(&out.v4.sin_addr, a->ip, sizeof(out.v4.sin_addr));
	return out;
}

// ---- requests -----------------------------------------------------------------------------------

static struct tc_stun start(struct bench_message *m, enum bench_stage stage, uint32_t client)
{
	struct tc_stun t;
	uint8_t id[TC_STUN_ID];

	tp_store_be32(id, 0x5e709a11u);
	tp_store_be32(id + 4, client);
	tp_store_be32(id + 8, stage);
	tc_stun_init(&t, m->octets, sizeof(m->octets), types[stage], id);
	if (types[stage] == TC_ALLOCATE)
		tc_stun_put_u32(&t, TC_A_TRANSPORT, UDP_TRANSPORT);
	return t;
}

static void finish(struct bench_message *m, const struct tc_stun *t)
{
	if (t->full)
		abort();
	m->len = (uint16_t)t->len;
}

// One request after its nonce is known.
static void request_sign(const struct bench_clients *c, uint32_t i, enum bench_stage stage,
	const struct credential *who, const uint8_t *nonce, size_t nonce_len)
{
	static const struct bench_population population = {.family = BENCH_IPV4};
	struct bench_message *m = &c->all[i].requests[stage];
	struct tc_stun t = start(m, stage, c->first + i);
	struct bench_flow flow;
	union tc_addr peer;

	bench_flow_at(&population, c->first + i, &flow);
	peer = address_of(&flow.peer);
	if (stage == BENCH_CHANNEL)
		tc_stun_put_u32(&t, TC_A_CHANNEL, (uint32_t)flow.number << 16);
	if (stage != BENCH_ALLOCATE)
		tc_stun_put_addr(&t, TC_A_XOR_PEER, &peer);
	tc_stun_put_text(&t, TC_A_USERNAME, who->name);
	tc_stun_put_text(&t, TC_A_REALM, BENCH_REALM);
	tc_stun_put(&t, TC_A_NONCE, nonce, nonce_len);
	tc_stun_put_integrity(&t, who->key);
	finish(m, &t);
}

// ---- answers ------------------------------------------------------------------------------------

static int wrong(struct bench_clients *c, uint32_t i, enum bench_stage stage, const char *what)
{
	snprintf(c->wrong, sizeof(c->wrong), "client %u: the answer to its %s %s", c->first + i,
		names[stage], what);
	return -EPROTO;
}

static int head_verify(struct bench_clients *c, uint32_t i, enum bench_stage stage, unsigned class)
{
	const struct bench_message *request = &c->all[i].requests[stage];
	const struct bench_message *m = &c->all[i].answers[stage];

	if (m->len < TC_STUN_HEADER)
		return wrong(c, i, stage, "is missing");
	if (tc_stun_type(m->octets) != (types[stage] | class))
		return wrong(c, i, stage, "has another type");
	if (!tc_stun_valid(m->octets, m->len) ||
		memcmp(m->octets + 8, request->octets + 8, TC_STUN_ID) != 0)
		return wrong(c, i, stage, "is not of this transaction");
	return 0;
}

static bool integrity_good(const struct bench_message *m, const uint8_t key[16])
{
	size_t len = 0;
	const uint8_t *v = tc_stun_find(m->octets, m->len, TC_A_INTEGRITY, &len);

	// The relay adds nothing behind it but FINGERPRINT, and that only where a client asks for
	// it.
	return v != NULL && v + len == m->octets + m->len &&
	       tc_stun_integrity_ok(m->octets, m->len, key);
}

static int allocation_verify(struct bench_clients *c, uint32_t i)
{
	const struct bench_message *m = &c->all[i].answers[BENCH_ALLOCATE];
	struct tp_addr first = bench_relay_address(BENCH_IPV4, 0);
	union tc_addr own = address_of(&c->all[i].addr), a;
	size_t len = 0;
	const uint8_t *v;

	if (!tc_stun_find_addr(m->octets, m->len, TC_A_XOR_RELAYED, &a))
		return wrong(c, i, BENCH_ALLOCATE, "has no relayed address");
	if (a.sa.sa_family != AF_INET ||
		ntohl(a.v4.sin_addr.s_addr) - tp_load_be32(first.ip) >= BENCH_RELAYS_MAX ||
		tc_addr_port(&a) < BENCH_RELAY_PORT_MIN)
		return wrong(c, i, BENCH_ALLOCATE, "has a relayed address that is not the relay's");
	if (!tc_stun_find_addr(m->octets, m->len, TC_A_XOR_MAPPED, &a))
		return wrong(c, i, BENCH_ALLOCATE, "has no mapped address");
	if (!tc_addr_equal(&a, &own))
		return wrong(c, i, BENCH_ALLOCATE, "was made for another client");
	v = tc_stun_find(m->octets, m->len, TC_A_LIFETIME, &len);
	if (v == NULL || len != 4 || tp_load_be32(v) == 0)
		return wrong(c, i, BENCH_ALLOCATE, "has no lifetime");
	return 0;
}

// ---- the clients of a batch ---------------------------------------------------------------------

int bench_clients_init(struct bench_clients *c, uint32_t n, uint32_t users, bool rest)
{
	*c = (struct bench_clients){.users = users, .rest = rest};
	c->all = calloc(n, sizeof(*c->all));
	return c->all == NULL ? -ENOMEM : 0;
}

void bench_clients_fini(struct bench_clients *c)
{
	free(c->all);
	*c = (struct bench_clients){0};
}

void bench_clients_begin(struct bench_clients *c, uint32_t first, uint32_t n)
{
	static const struct bench_population population = {.family = BENCH_IPV4};

	c->first = first;
	c->n = n;
	for (uint32_t i = 0; i < n; i++) {
		struct bench_message *m = &c->all[i].requests[BENCH_CHALLENGE];
		struct bench_flow flow;
		struct tc_stun t;

		bench_flow_at(&population, first + i, &flow);
		c->all[i].addr = flow.client;
		for (unsigned s = 0; s < BENCH_STAGES; s++)
			c->all[i].answers[s].len = 0;
		t = start(m, BENCH_CHALLENGE, first + i);
		finish(m, &t);
	}
}

int bench_clients_sign(struct bench_clients *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		const struct bench_message *m = &c->all[i].answers[BENCH_CHALLENGE];
		int rc = head_verify(c, i, BENCH_CHALLENGE, TC_ERROR);
		const uint8_t *nonce = NULL;
		struct credential who;
		size_t len = 0;

		if (rc == 0)
			nonce = tc_stun_find(m->octets, m->len, TC_A_NONCE, &len);
		if (rc == 0 && (nonce == NULL || len > NONCE_MAX))
			rc = wrong(c, i, BENCH_CHALLENGE, "brings no nonce");
		if (rc != 0)
			return rc;
		credential_of(c, c->first + i, &who);
		for (unsigned s = BENCH_ALLOCATE; s < BENCH_STAGES; s++)
			request_sign(c, i, s, &who, nonce, len);
	}
	return 0;
}

int bench_clients_verify(struct bench_clients *c)
{
	for (uint32_t i = 0; i < c->n; i++) {
		struct credential who;
		int rc = 0;

		credential_of(c, c->first + i, &who);
		for (unsigned s = BENCH_ALLOCATE; s < BENCH_STAGES && rc == 0; s++) {
			rc = head_verify(c, i, s, TC_SUCCESS);
			if (rc == 0 && !integrity_good(&c->all[i].answers[s], who.key))
				rc = wrong(c, i, s, "is not under the user's key");
		}
		if (rc == 0)
			rc = allocation_verify(c, i);
		if (rc != 0)
			return rc;
	}
	return 0;
}
