// SPDX-License-Identifier: BSD-3-Clause
#include "harness.h"

static void random_fill(void *ctx, void *buf, size_t len)
{
	struct harness *h = ctx;
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++) {
		h->random = h->random * 6364136223846793005u + 1442695040888963407u;
		p[i] = (uint8_t)(h->random >> 56);
	}
}

void harness_init(struct harness *h)
{
	static const uint8_t listener6[16] = {0x2a, 0x01, 0, 1, [15] = 1};
	static const uint8_t relay6[16] = {0x2a, 0x01, 0, 2, [15] = 1};
	static const uint8_t secret_new[] = "new secret";
	static const uint8_t secret_old[] = "old secret";
	uint8_t key[16];

	memset(h, 0, sizeof(*h));
	fake_store_init(&h->store);
	h->random = 1;
	h->now_ns = 1000 * SECOND + SECOND / 3;
	h->wall_s = 1800000000;
	h->env = (struct turn_env){.ctx = h, .random = random_fill};
	h->listeners[0].local = tp_addr_ipv4(0x05050501, 3478);
	h->listeners[0].advertised = h->listeners[0].local;
	h->listeners[0].id = LISTENER_ID;
	h->listeners[1].local = tp_addr_ipv6(listener6, 3478);
	h->listeners[1].advertised = h->listeners[1].local;
	h->listeners[1].id = LISTENER6_ID;
	h->relays[0].local = tp_addr_ipv4(0x05050502, 0);
	h->relays[0].advertised = h->relays[0].local;
	h->relays[0].id = RELAY_ID;
	h->relays[1].local = tp_addr_ipv6(relay6, 0);
	h->relays[1].advertised = h->relays[1].local;
	h->relays[1].id = RELAY6_ID;
	h->users[0].name = USER;
	msg_key(USER, REALM, PASSWORD, key);
	h->users[0].key = turn_key_md5(key);
	h->users[1].name = "bob";
	msg_key("bob", REALM, "builder", key);
	h->users[1].key = turn_key_md5(key);
	h->secrets[0] = (struct turn_secret){
		.id = "new", .octets = secret_new, .len = sizeof(secret_new) - 1};
	h->secrets[1] = (struct turn_secret){
		.id = "old", .octets = secret_old, .len = sizeof(secret_old) - 1};
	h->realms[0] = (struct turn_realm_conf){
		.name = REALM,
		.users = h->users,
		.n_users = TP_ARRAY_LEN(h->users),
		.secrets = h->secrets,
		.n_secrets = TP_ARRAY_LEN(h->secrets),
	};
	h->conf = (struct turn_conf){
		.realms = h->realms,
		.n_realms = 1,
		.listeners = h->listeners,
		.n_listeners = TP_ARRAY_LEN(h->listeners),
		.relays = h->relays,
		.n_relays = TP_ARRAY_LEN(h->relays),
		.port_min = 49152,
		.port_max = 65535,
		.channel_max = TP_CHANNEL_MAX,
		.default_family = TP_FAMILY_IPV4,
		.max_allocations = 1000,
		.default_lifetime_s = 600,
		.max_lifetime_s = 3600,
		.permission_lifetime_s = 300,
		.channel_lifetime_s = 600,
		.nonce_lifetime_s = 600,
		.tcp_relay = true,
		.data_per_user = 8,
		.nonce_key = {1, 2, 3},
		.punt_key = {4, 5, 6},
	};
}

void harness_offer_sha256(struct harness *h)
{
	uint8_t key[32];

	msg_key_sha256(USER, REALM, PASSWORD, key);
	h->users[0].key_sha256 = turn_key_sha256(key);
	msg_key_sha256("bob", REALM, "builder", key);
	h->users[1].key_sha256 = turn_key_sha256(key);
	h->realms[0].features = TP_FEATURE_PASSWORD_ALGORITHMS;
}

void harness_start(struct harness *h)
{
	struct turn_store ops = fake_store_ops(&h->store);
	struct policy_config policy = {.own = h->own};

	for (size_t i = 0; i < 2; i++) {
		h->own[policy.n_own++] = h->listeners[i].local;
		h->own[policy.n_own++] = h->listeners[i].advertised;
		h->own[policy.n_own++] = h->relays[i].local;
		h->own[policy.n_own++] = h->relays[i].advertised;
	}
	policy_destroy(h->policy);
	h->policy = policy_create(&policy);
	assert_non_null(h->policy);
	for (size_t i = 0; i < h->conf.n_realms; i++)
		h->realms[i].policy = h->policy;
	h->s = turn_create(&h->env, &ops, &h->conf);
	assert_non_null(h->s);
}

void harness_stop(struct harness *h)
{
	turn_destroy(h->s);
	policy_destroy(h->policy);
	fake_store_fini(&h->store);
}

void harness_restart(struct harness *h)
{
	turn_destroy(h->s);
	harness_start(h);
	fake_store_restore(&h->store, h->s, h->now_ns);
}

static void event_note(struct harness *h, const struct turn_out *out)
{
	assert_non_null(out->record);
	h->record = *out->record;
	if (out->kind == TURN_OUT_ALLOCATION_OPENED) {
		h->n_opened++;
	} else if (out->kind == TURN_OUT_ALLOCATION_CLOSED) {
		h->n_closed++;
		h->reason = out->reason;
		h->closed_ref = out->ref;
	}
}

static void lookup_note(struct harness *h, const struct turn_lookup *lookup)
{
	assert_true(lookup->key_len < sizeof(h->lookup_key));
	h->n_lookups++;
	h->lookup = *lookup;
	memcpy(h->lookup_key, lookup->key, lookup->key_len);
	h->lookup_key[lookup->key_len] = '\0';
}

// An order's data is a message for the client.
static void order_note(struct harness *h, const struct turn_out *out)
{
	assert_true(h->n_orders < HARNESS_ORDERS);
	h->orders[h->n_orders++] = *out->order;
	if (out->len == 0)
		return;
	assert_int_equal(out->order->kind, TP_ORDER_JOIN);
	assert_true(h->reply_len == 0 && out->len <= sizeof(h->reply));
	memcpy(h->reply, out->data, out->len);
	h->reply_len = out->len;
}

void harness_drain(struct harness *h)
{
	struct turn_out out;

	while (turn_next(h->s, &out)) {
		if (out.kind == TURN_OUT_REFUSED) {
			h->refusal = *out.refusal;
			continue;
		}
		if (out.kind == TURN_OUT_LOOKUP) {
			lookup_note(h, out.lookup);
			continue;
		}
		if (out.kind == TURN_OUT_ORDER) {
			order_note(h, &out);
			continue;
		}
		if (out.kind != TURN_OUT_SEND) {
			event_note(h, &out);
			continue;
		}
		assert_true(h->many_replies || h->reply_len == 0);
		assert_true(out.len <= sizeof(h->reply));
		h->to = out.tuple;
		h->n_replies++;
		memcpy(h->reply, out.data, out.len);
		h->reply_len = out.len;
	}
}

void harness_sleep(struct harness *h, uint64_t ns)
{
	uint64_t end_ns = h->now_ns + ns;

	for (;;) {
		uint64_t next_ns = turn_deadline(h->s);

		if (next_ns > end_ns)
			break;
		if (next_ns > h->now_ns) {
			h->wall_s += (next_ns - h->now_ns) / SECOND;
			h->now_ns = next_ns;
		}
		turn_advance(h->s, h->now_ns, 1000);
		harness_drain(h);
	}
	h->wall_s += (end_ns - h->now_ns) / SECOND;
	h->now_ns = end_ns;
}

void client_init(struct client *c, uint32_t ip, uint16_t port)
{
	memset(c, 0, sizeof(*c));
	c->tuple.remote = tp_addr_ipv4(ip, port);
	c->tuple.listener_id = LISTENER_ID;
	c->realm = REALM;
	client_user(c, USER, PASSWORD);
}

void client_user(struct client *c, const char *user, const char *password)
{
	c->user = user;
	msg_key(user, c->realm, password, c->key);
}

void client_rest_user(struct client *c, const char *secret, uint64_t expiry_s, const char *name)
{
	static char username[64];
	char password[64];
	struct turn_secret s = {
		.id = "s", .octets = (const uint8_t *)secret, .len = strlen(secret)};
	struct turn_realm_conf realm = {.secrets = &s, .n_secrets = 1};

	assert_int_equal(turn_mint_credential(&realm, name, expiry_s, username, sizeof(username),
				 password, sizeof(password)),
		0);
	client_user(c, username, password);
}

void client_start(struct client *c, struct msg *m, uint16_t type)
{
	tp_store_be32(c->txid, tp_load_be32(c->txid) + 1);
	msg_start(m, type, c->txid);
}

unsigned client_send(struct harness *h, struct client *c, const struct msg *m)
{
	h->reply_len = 0;
	h->refusal.cause = TURN_REFUSED_NOT;
	turn_input(h->s, h->now_ns, h->wall_s, &c->tuple, m->octets, m->len);
	harness_drain(h);
	if (h->reply_len == 0)
		return 1;
	// An answer belongs to the request.
	assert_memory_equal(h->reply + 8, m->octets + 8, TXID_LEN);
	assert_int_equal(tp_load_be16(h->reply) & 0x3eef, tp_load_be16(m->octets) & 0x3eef);
	return reply_code(h->reply, h->reply_len);
}

void client_auth(struct client *c, struct msg *m)
{
	msg_text(m, ATTR_USERNAME, c->user);
	msg_text(m, ATTR_REALM, c->realm);
	msg_text(m, ATTR_NONCE, c->nonce);
	if (c->sha256)
		msg_integrity_sha256(m, c->key);
	else
		msg_integrity(m, c->key);
	if (c->fingerprint)
		msg_fingerprint(m);
}

void client_auth_sha256(struct client *c, struct msg *m, uint8_t key[32])
{
	static const uint8_t offer[8] = {0, 2, 0, 0, 0, 1, 0, 0};

	msg_key_sha256(USER, REALM, PASSWORD, key);
	msg_text(m, ATTR_USERNAME, USER);
	msg_text(m, ATTR_REALM, REALM);
	msg_text(m, ATTR_NONCE, c->nonce);
	msg_attr(m, ATTR_PASSWORD_ALGORITHMS, offer, sizeof(offer));
	msg_attr(m, ATTR_PASSWORD_ALGORITHM, offer, 4);
	msg_integrity_sha256_by(m, key, 32, 32);
}

unsigned client_finish(struct harness *h, struct client *c, struct msg *m)
{
	unsigned code;

	client_auth(c, m);
	code = client_send(h, c, m);
	// A client drops answers that it cannot verify, so a right answer must verify.
	if (code != 1 && code != 400 && code != 401 && code != 438)
		assert_true(reply_verifies(h->reply, h->reply_len, c->key));
	if (code != 1 && c->fingerprint)
		assert_true(reply_fingerprint_ok(h->reply, h->reply_len));
	return code;
}

static void nonce_take(struct harness *h, struct client *c)
{
	uint16_t len;
	const uint8_t *nonce = reply_attr(h->reply, h->reply_len, ATTR_NONCE, 0, &len);

	assert_non_null(nonce);
	assert_true(len < sizeof(c->nonce));
	memcpy(c->nonce, nonce, len);
	c->nonce[len] = '\0';
}

void client_challenge(struct harness *h, struct client *c)
{
	struct msg m;

	client_start(c, &m, MSG_ALLOCATE);
	assert_int_equal(client_send(h, c, &m), 401);
	nonce_take(h, c);
}

unsigned client_allocate(struct harness *h, struct client *c, uint32_t lifetime_s)
{
	struct msg m;
	unsigned code;

	client_challenge(h, c);
	client_start(c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (lifetime_s != 0)
		msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	code = client_finish(h, c, &m);
	if (code == 0)
		assert_true(reply_xor_addr(
			h->reply, h->reply_len, ATTR_XOR_RELAYED_ADDRESS, 0, &c->relayed));
	return code;
}

unsigned client_allocate_tcp(struct harness *h, struct client *c)
{
	struct msg m;
	unsigned code;

	client_start(c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 6u << 24);
	code = client_finish(h, c, &m);
	if (code == 0)
		assert_true(reply_xor_addr(
			h->reply, h->reply_len, ATTR_XOR_RELAYED_ADDRESS, 0, &c->relayed));
	return code;
}

unsigned client_refresh(struct harness *h, struct client *c, uint32_t lifetime_s)
{
	struct msg m;

	client_start(c, &m, MSG_REFRESH);
	msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	return client_finish(h, c, &m);
}

unsigned client_permit(struct harness *h, struct client *c, const struct tp_addr *peer)
{
	struct msg m;

	client_start(c, &m, MSG_CREATE_PERMISSION);
	msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
	return client_finish(h, c, &m);
}

unsigned client_bind(
	struct harness *h, struct client *c, uint16_t number, const struct tp_addr *peer)
{
	struct msg m;

	client_start(c, &m, MSG_CHANNEL_BIND);
	msg_u32(&m, ATTR_CHANNEL_NUMBER, (uint32_t)number << 16);
	msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
	return client_finish(h, c, &m);
}

const struct fake_allocation *client_allocation(const struct harness *h, const struct client *c)
{
	return fake_store_allocation(&h->store, &c->tuple);
}

void fixture_start(struct fixture *f)
{
	harness_start(&f->h);
	client_init(&f->c, 0xc6336401, 5000);
}

void fixture_init(struct fixture *f)
{
	harness_init(&f->h);
	fixture_start(f);
}

void fixture_challenge(struct fixture *f)
{
	fixture_init(f);
	client_challenge(&f->h, &f->c);
}

void fixture_allocate(struct fixture *f)
{
	fixture_start(f);
	assert_int_equal(client_allocate(&f->h, &f->c, 3600), 0);
	f->ref = client_allocation(&f->h, &f->c)->ref;
}

void fixture_hold(struct fixture *f)
{
	harness_init(&f->h);
	f->h.conf.nonce_lifetime_s = 3600;
	fixture_allocate(f);
}

bool reply_has(const struct harness *h, uint16_t type)
{
	uint16_t len;

	return reply_attr(h->reply, h->reply_len, type, 0, &len) != NULL;
}

uint32_t reply_u32(const struct harness *h, uint16_t type)
{
	uint16_t len;
	const uint8_t *value = reply_attr(h->reply, h->reply_len, type, 0, &len);

	assert_non_null(value);
	assert_int_equal(len, 4);
	return tp_load_be32(value);
}

uint32_t realm_held(const struct harness *h)
{
	struct turn_user_view view;

	assert_int_equal(turn_realm_find(h->s, 0, &view), 0);
	return view.allocations;
}
