// SPDX-License-Identifier: BSD-3-Clause
// The whole TURN server on the fake store, driven by a list of steps (turn_steps.h). The store ends
// the program at the first call that the interface does not allow; answers must be well-formed,
// signed and of the request's transaction; and when everything has had its time, nothing is left.
#include <fake_store.h>
#include <stdio.h>
#include <stdlib.h>
#include <stun_client.h>
#include <turnpike/stun.h>

#include "turn_conf.h"
#include "turn_steps.h"

#define STEP_MAX 200u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
	const uint8_t *at;
	size_t left;
	uint64_t now_ns;
	uint64_t random;
	struct fake_store store;
	struct turn_server *s;
	struct turn_tuple clients[STEP_CLIENTS];
	char nonces[STEP_CLIENTS][64];
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "turn_server: %s\n", what);
	abort();
}

static void random_fill(void *ctx, void *buf, size_t len)
{
	struct target *t = ctx;
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++) {
		t->random = t->random * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(t->random >> 56);
	}
}

static uint8_t take_u8(struct target *t)
{
	if (t->left == 0)
		return 0;
	t->left--;
	return *t->at++;
}

static uint16_t take_u16(struct target *t)
{
	unsigned high = take_u8(t);

	return (uint16_t)(high << 8 | take_u8(t));
}

static const uint8_t *take_octets(struct target *t, size_t *len)
{
	const uint8_t *p = t->at;

	if (*len > t->left)
		*len = t->left;
	t->at += *len;
	t->left -= *len;
	return p;
}

static void server_start(struct target *t)
{
	const struct turn_env env = {.ctx = t, .random = random_fill};
	struct turn_store ops = fake_store_ops(&t->store);

	t->s = turn_create(&env, &ops, &turn_conf);
	require(t->s != NULL, "no server");
	fake_store_restore(&t->store, t->s, t->now_ns);
}

static void nonce_note(struct target *t, unsigned client, const struct turn_out *out)
{
	uint16_t len;
	const uint8_t *nonce = reply_attr(out->data, out->len, ATTR_NONCE, 0, &len);

	if (nonce == NULL)
		return;
	require(len < sizeof(t->nonces[0]), "long nonce");
	memcpy(t->nonces[client], nonce, len);
	t->nonces[client][len] = '\0';
}

static void reply_check(struct target *t, unsigned client, const uint8_t *request, size_t len,
	const uint8_t *key, const struct turn_out *out)
{
	unsigned code = reply_code(out->data, out->len);

	require(len >= 20 && (tp_load_be16(request) & 0x0110) == 0, "answer to no request");
	require(code != 1, "malformed answer");
	require(memcmp(out->data + 8, request + 8, 12) == 0, "another transaction");
	require(out->tuple.listener_id == t->clients[client].listener_id &&
			tp_addr_equal(&out->tuple.remote, &t->clients[client].remote),
		"another client");
	if (key != NULL && code != 400 && code != 401 && code != 438)
		require(reply_verifies(out->data, out->len, key), "answer not signed");
	nonce_note(t, client, out);
}

// `key`: of a request that carries an integrity attribute the target made; else NULL.
static void input(
	struct target *t, unsigned client, const uint8_t *octets, size_t len, const uint8_t *key)
{
	struct turn_out out;
	unsigned n = 0;

	turn_input(t->s, t->now_ns, 1900000000, &t->clients[client], octets, len);
	while (turn_next(t->s, &out)) {
		if (out.kind != TURN_OUT_SEND)
			continue;
		require(++n == 1, "two answers");
		reply_check(t, client, octets, len, key, &out);
	}
}

static void step_raw(struct target *t)
{
	unsigned client = take_u8(t) % STEP_CLIENTS;
	size_t len = take_u16(t);
	const uint8_t *octets = take_octets(t, &len);

	input(t, client, octets, len, NULL);
}

static void credentials_add(struct target *t, struct msg *m, unsigned client, unsigned flags)
{
	const struct turn_known_user *u = &turn_users[flags & FLAG_USER];
	uint8_t key[16];

	memcpy(key, u->key, sizeof(key));
	key[0] ^= (flags & FLAG_WRONG_KEY) != 0;
	msg_text(m, ATTR_USERNAME, u->name);
	msg_text(m, ATTR_REALM, TURN_REALM);
	msg_text(m, ATTR_NONCE, (flags & FLAG_NONCE_BROKEN) != 0 ? "broken" : t->nonces[client]);
	if ((flags & FLAG_SHA256) != 0)
		msg_integrity_sha256(m, key);
	else
		msg_integrity(m, key);
}

// A nonce, as a client gets it.
static void challenge(struct target *t, unsigned client)
{
	static const uint8_t txid[12] = {0xff};
	struct msg m;

	msg_start(&m, MSG_ALLOCATE, txid);
	input(t, client, m.octets, m.len, NULL);
}

// Whether the credentials that are added are the first of their kind, and so those that count.
static bool has_no_credentials(const struct msg *m)
{
	static const uint16_t types[] = {ATTR_USERNAME, ATTR_REALM, ATTR_NONCE,
		ATTR_MESSAGE_INTEGRITY, ATTR_MESSAGE_INTEGRITY_SHA256};
	uint16_t len;

	for (size_t i = 0; i < TP_ARRAY_LEN(types); i++) {
		if (reply_attr(m->octets, m->len, types[i], 0, &len) != NULL)
			return false;
	}
	return true;
}

static void step_request(struct target *t)
{
	static const uint8_t zero[4];
	unsigned client = take_u8(t) % STEP_CLIENTS;
	unsigned method = take_u8(t) % 16;
	uint8_t txid[12];
	unsigned flags;
	size_t len;
	const uint8_t *attrs, *key = NULL;
	struct msg m;

	memset(txid, take_u8(t), sizeof(txid));
	flags = take_u8(t);
	len = take_u16(t) % 2048;
	attrs = take_octets(t, &len);
	if (t->nonces[client][0] == '\0')
		challenge(t, client);
	msg_start(&m, (uint16_t)method, txid);
	memcpy(m.octets + m.len, attrs, len);
	m.len += len & ~(size_t)3;
	if ((flags & FLAG_UNSIGNED) == 0) {
		if (has_no_credentials(&m) && method != MSG_BINDING)
			key = turn_users[flags & FLAG_USER].key;
		credentials_add(t, &m, client, flags);
	}
	if ((flags & FLAG_TRAILER) != 0)
		msg_attr(&m, ATTR_LIFETIME, zero, sizeof(zero));
	if ((flags & FLAG_FINGERPRINT) != 0)
		msg_fingerprint(&m);
	input(t, client, m.octets, m.len, key);
}

static void outputs_skip(struct target *t)
{
	struct turn_out out;

	while (turn_next(t->s, &out))
		require(out.kind != TURN_OUT_SEND, "a message without a request");
}

// Time goes on, with each timer run when it is due.
static void sleep_for(struct target *t, uint64_t ns)
{
	uint64_t end_ns = t->now_ns + ns;
	uint64_t next_ns;

	while ((next_ns = turn_deadline(t->s)) <= end_ns) {
		if (next_ns > t->now_ns)
			t->now_ns = next_ns;
		turn_advance(t->s, t->now_ns, 3);
		outputs_skip(t);
	}
	t->now_ns = end_ns;
}

static void step_kill(struct target *t)
{
	struct turn_allocation_view view;
	unsigned which = take_u8(t) % STEP_CLIENTS;
	uint64_t cursor = 0;

	while (turn_allocation_next(t->s, &cursor, &view)) {
		if (which-- == 0) {
			require(turn_kill(t->s, t->now_ns, view.ref) == 0, "not killed");
			break;
		}
	}
	outputs_skip(t);
}

static void step_look(struct target *t)
{
	struct turn_permission_view peers[4];
	struct turn_allocation_view view;
	uint64_t cursor = 0;
	size_t n = 0;

	while (turn_allocation_next(t->s, &cursor, &view)) {
		size_t n_peers = turn_permissions_of(t->s, view.ref, peers, TP_ARRAY_LEN(peers));

		require(n_peers == view.n_permissions + view.n_channels, "numbers differ");
		require(turn_allocation_find(t->s, view.ref, &view) == 0, "not found");
		n++;
	}
	require(n == turn_allocation_count(t->s) && n == t->store.live_allocations, "count");
}

static void step_limit(struct target *t)
{
	size_t *const limits[] = {
		&t->store.max_allocations, &t->store.max_permissions, &t->store.max_channels};
	unsigned which = take_u8(t) % TP_ARRAY_LEN(limits);

	*limits[which] = take_u8(t);
}

static void step_run(struct target *t)
{
	switch (take_u8(t)) {
	case STEP_SLEEP:
		sleep_for(t, take_u16(t) * TP_NS_PER_S);
		break;
	case STEP_RAW:
		step_raw(t);
		break;
	case STEP_REQUEST:
		step_request(t);
		break;
	case STEP_KILL:
		step_kill(t);
		break;
	case STEP_RESTART:
		turn_destroy(t->s);
		server_start(t);
		break;
	case STEP_LIMIT:
		step_limit(t);
		break;
	case STEP_LOOK:
		step_look(t);
		break;
	case STEP_LATE:
		t->now_ns += take_u16(t) * TP_NS_PER_S + 1;
		break;
	default:
		break;
	}
}

static void target_end(struct target *t)
{
	step_look(t);
	sleep_for(t, 3700 * TP_NS_PER_S);
	require(t->store.live_allocations + t->store.live_permissions + t->store.live_channels == 0,
		"something never ended");
	require(turn_deadline(t->s) == UINT64_MAX, "a timer without a purpose");
	turn_destroy(t->s);
	fake_store_fini(&t->store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct target target;
	struct target *t = &target;

	if (turn_conf.realms == NULL)
		turn_conf_init();
	*t = (struct target){.at = data, .left = size, .now_ns = 1000 * TP_NS_PER_S, .random = 1};
	for (unsigned i = 0; i < STEP_CLIENTS; i++) {
		uint8_t ip6[16] = {0x2a, 9, [15] = (uint8_t)i};

		t->clients[i].listener_id = (uint16_t)(1 + i % 2);
		t->clients[i].remote =
			i % 2 == 0 ? tp_addr_ipv4(0x09000000 + i, 4000) : tp_addr_ipv6(ip6, 4000);
	}
	fake_store_init(&t->store);
	server_start(t);
	for (unsigned i = 0; i < STEP_MAX && t->left > 0; i++)
		step_run(t);
	target_end(t);
	return 0;
}
