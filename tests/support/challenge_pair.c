// SPDX-License-Identifier: BSD-3-Clause
#include "challenge_pair.h"

#include <stdlib.h>

#include "stun_client.h"

static void random_fill(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 7, len);
}

static void path_fill(struct pair *p, const struct pair_shape *shape)
{
	struct tp_path_config *path = &p->r->path;
	size_t len = strlen(p->realms[0].name);

	path->secure_stun = shape->secure_stun;
	path->realm_id = p->realms[0].id;
	path->realm_flags = shape->two_realms ? 0 : TP_REALM_ONLY;
	if ((shape->features & TP_FEATURE_PASSWORD_ALGORITHMS) != 0)
		path->realm_flags |= TP_REALM_SHA256;
	if ((shape->features & TP_FEATURE_USERHASH) != 0)
		path->realm_flags |= TP_REALM_USERHASH;
	for (unsigned i = 0; i < sizeof(path->nonce_key); i++)
		path->nonce_key[i] = (uint8_t)(0x51 * i + 1);
	path->realm_len = len > sizeof(path->realm) ? 0 : (uint8_t)len;
	memcpy(path->realm, p->realms[0].name, path->realm_len);
	p->r->locals[RELAY_LISTENER4].realm_id = path->realm_id;
	p->r->locals[RELAY_LISTENER6].realm_id = path->realm_id;
	relay_locals_change(p->r);
}

static void addresses_fill(struct pair *p)
{
	static const uint16_t listeners[] = {RELAY_LISTENER4, RELAY_LISTENER6};
	static const uint16_t relays[] = {RELAY_RELAY4, RELAY_RELAY6};

	for (unsigned i = 0; i < 2; i++) {
		const struct tp_local *l = &p->r->locals[listeners[i]];
		const struct tp_local *r = &p->r->locals[relays[i]];

		p->listeners[i] = (struct turn_listener){
			.local = l->addr, .advertised = l->external, .id = listeners[i]};
		p->relays[i] = (struct turn_relay_address){
			.local = r->addr, .advertised = r->external, .id = relays[i]};
	}
}

static void conf_fill(struct pair *p, const struct pair_shape *shape)
{
	const struct tp_path_config *path = &p->r->path;

	p->conf = (struct turn_conf){
		.realms = p->realms,
		.n_realms = shape->two_realms ? 2 : 1,
		.listeners = p->listeners,
		.n_listeners = 2,
		.relays = p->relays,
		.n_relays = 2,
		.port_min = 50000,
		.port_max = 50005,
		.channel_max = TP_CHANNEL_MAX,
		.default_family = TP_FAMILY_IPV4,
		.secure_stun = shape->secure_stun,
		.default_lifetime_s = 600,
		.max_lifetime_s = 3600,
		.permission_lifetime_s = 300,
		.channel_lifetime_s = 600,
		.nonce_lifetime_s = 600,
	};
	memcpy(p->conf.nonce_key, path->nonce_key, sizeof(p->conf.nonce_key));
	memcpy(p->conf.punt_key, path->punt_key, sizeof(p->conf.punt_key));
}

void pair_start(struct pair *p, const struct pair_shape *shape)
{
	static const char *const origins[] = {PAIR_ORIGIN};
	const struct turn_env env = {.random = random_fill};
	struct policy_config policy = {0};
	struct turn_store ops;

	memset(p, 0, sizeof(*p));
	p->r = relay_create(64, TP_HASH_KIND_SIPHASH);
	p->policy = policy_create(&policy);
	p->realms[0] = (struct turn_realm_conf){.id = 3,
		.name = shape->realm != NULL ? shape->realm : PAIR_REALM,
		.features = shape->features,
		.policy = p->policy};
	p->realms[1] = (struct turn_realm_conf){.id = 4,
		.name = PAIR_SECOND,
		.origins = origins,
		.n_origins = 1,
		.policy = p->policy};
	path_fill(p, shape);
	addresses_fill(p);
	conf_fill(p, shape);
	fake_store_init(&p->store);
	ops = fake_store_ops(&p->store);
	p->s = turn_create(&env, &ops, &p->conf);
	if (p->s == NULL)
		abort();
}

void pair_stop(struct pair *p)
{
	turn_destroy(p->s);
	policy_destroy(p->policy);
	fake_store_fini(&p->store);
	relay_destroy(p->r);
}

struct tp_addr pair_client(bool v6, uint16_t port)
{
	return v6 ? relay_addr6("fd77:1::77", port) : relay_addr4("10.77.1.77", port);
}

// The server's answer; empty: none.
static struct turn_out server_answer(
	struct pair *p, const struct turn_tuple *from, const uint8_t *msg, size_t len)
{
	struct turn_out out, answer = {0};

	turn_input(p->s, p->r->now_ns, 1900000000, from, msg, len);
	while (turn_next(p->s, &out))
		if (out.kind == TURN_OUT_SEND)
			answer = out;
	return answer;
}

static bool is_signed(const uint8_t *msg, size_t len)
{
	uint16_t n;

	return reply_attr(msg, len, ATTR_MESSAGE_INTEGRITY, 0, &n) != NULL ||
	       reply_attr(msg, len, ATTR_MESSAGE_INTEGRITY_SHA256, 0, &n) != NULL;
}

static const char *answers_compare(const struct stage_pkt *pkt, const struct turn_out *server,
	const struct tp_addr *client, struct pair_verdict *v)
{
	struct frame_view view;
	const char *wrong = frame_read(pkt->data, pkt->len, &view);

	if (wrong != NULL)
		return wrong;
	v->answer_len = view.len;
	if (!view.udp_csum_right || !tp_addr_equal(&view.dst, client))
		return "the worker's answer goes astray";
	if (view.len != server->len || memcmp(view.payload, server->data, view.len) != 0)
		return "the answers differ";
	return NULL;
}

struct pair_verdict pair_compare(
	struct pair *p, const struct tp_addr *client, const uint8_t *msg, size_t len)
{
	uint64_t before = p->r->stats->path_packets[TP_PATH_challenge];
	bool v6 = client->family == TP_FAMILY_IPV6;
	struct turn_tuple from = {
		.remote = *client, .listener_id = v6 ? RELAY_LISTENER6 : RELAY_LISTENER4};
	struct frame_spec spec = {.src = *client,
		.dst = p->r->locals[from.listener_id].addr,
		.payload = msg,
		.len = (uint16_t)len};
	struct pair_verdict v = {0};
	struct turn_out server;
	struct stage_pkt pkt;
	struct frame f;

	frame_build(&f, &spec);
	pkt = relay_run(p->r, &f);
	server = server_answer(p, &from, msg, len);
	v.code = server.len == 0 ? 1 : reply_code(server.data, server.len);
	v.by_worker = p->r->stats->path_packets[TP_PATH_challenge] != before;
	if (v.by_worker) {
		v.wrong = answers_compare(&pkt, &server, client, &v);
	} else if (pkt.verdict == STAGE_DROP) {
		v.drop = pkt.reason;
		if (server.len != 0)
			v.wrong = "dropped by the worker, answered by the server";
	} else if (pkt.verdict == STAGE_PUNT && v.code == 401 && !is_signed(msg, len) &&
		   p->conf.n_realms == 1 && p->r->path.realm_len != 0) {
		v.wrong = "a first 401 left to the server";
	}
	for (unsigned ring = 0; ring < TP_PUNT_CLASSES; ring++)
		(void)relay_punted(p->r, ring);
	return v;
}
