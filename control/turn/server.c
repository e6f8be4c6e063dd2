// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "allocation.h"
#include "channel.h"
#include "data.h"
#include "mobility.h"
#include "permission.h"
#include "request.h"
#include "reservation.h"
#include "stream.h"

// Upper bound on the life of a cached answer of the directory.
#define TURN_ANSWER_LIFE_MAX_S	 3600u
#define TURN_STRANGER_LIFE_MAX_S 300u

bool turn_conf_is_usable(const struct turn_conf *conf)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (conf->listeners[i].realm >= conf->n_realms)
			return false;
	}
	return conf->n_realms > 0 && conf->n_realms <= UINT16_MAX && conf->n_listeners > 0 &&
	       conf->n_relays > 0 && conf->n_relays <= UINT16_MAX &&
	       conf->channel_max >= TP_CHANNEL_MIN && conf->channel_max <= TP_CHANNEL_MAX_COMPAT &&
	       conf->max_lifetime_s >= conf->default_lifetime_s && conf->default_lifetime_s > 0 &&
	       conf->permission_lifetime_s > 0 && conf->channel_lifetime_s > 0 &&
	       conf->default_family <= TP_FAMILY_IPV6;
}

static int maps_init(struct turn_server *s, const uint8_t key[16])
{
	struct ds_map *maps[] = {&s->by_tuple, &s->by_ref, &s->permissions, &s->channels_by_number,
		&s->channels_by_peer, &s->reservations_by_token, &s->reservations_by_port,
		&s->identities, &s->accounts};

	for (size_t i = 0; i < TP_ARRAY_LEN(maps); i++) {
		int err = ds_map_init(maps[i], key);

		if (err != 0)
			return err;
	}
	return 0;
}

static int caches_init(struct turn_server *s, const uint8_t key[16])
{
	struct turn_key_cache *caches[] = {&s->key_cache, &s->answers, &s->strangers};

	for (size_t i = 0; i < TP_ARRAY_LEN(caches); i++) {
		int err = turn_key_cache_init(caches[i], key, &s->wheel);

		if (err != 0)
			return err;
	}
	return 0;
}

static int parts_init(struct turn_server *s, const struct turn_conf *conf)
{
	uint8_t key[16], dummy[STUN_KEY_MD5_LEN];
	int err;

	s->random.env.random(s->random.env.ctx, key, sizeof(key));
	s->random.env.random(s->random.env.ctx, dummy, sizeof(dummy));
	s->dummy_key = turn_key_md5(dummy);
	turn_nonces_init(&s->nonces, conf);
	ds_wheel_init(&s->wheel);
	ds_pool_init(&s->allocation_pool, sizeof(struct turn_allocation));
	ds_pool_init(&s->permission_pool, sizeof(struct turn_permission));
	ds_pool_init(&s->channel_pool, sizeof(struct turn_channel));
	ds_pool_init(&s->reservation_pool, sizeof(struct turn_reservation));
	s->crypto = stun_crypto_create();
	if (s->crypto == NULL)
		return -errno;
	err = maps_init(s, key);
	if (err == 0)
		err = turn_mtus_init(&s->mtus, key);
	if (err == 0)
		err = turn_levels_init(&s->levels, key);
	if (err == 0)
		err = turn_datas_init(s, key);
	if (err == 0)
		err = turn_moves_init(s, key);
	if (err == 0)
		err = turn_realms_init(&s->realms, key, s->crypto, conf);
	if (err == 0)
		err = caches_init(s, key);
	if (err == 0)
		err = turn_pending_init(&s->pending, key, &s->wheel, turn_random_u32(&s->random));
	if (err == 0)
		err = turn_connections_init(&s->connections, key, &s->wheel);
	if (err == 0)
		err = turn_bans_init(&s->bans, key, &s->wheel);
	if (err == 0)
		err = turn_budgets_init(&s->budgets, key);
	if (err == 0)
		err = turn_locals_init(&s->locals, key, conf);
	if (err == 0)
		err = turn_ports_init(&s->ports, &s->accounts, conf);
	if (err == 0)
		err = turn_tombstones_init(&s->tombstones, key);
	return err;
}

struct turn_server *turn_create(
	const struct turn_env *env, const struct turn_store *store, const struct turn_conf *conf)
{
	struct turn_server *s;
	int err;

	if (!turn_conf_is_usable(conf)) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->conf = *conf;
	s->store = *store;
	s->relays = calloc(conf->n_relays, sizeof(*s->relays));
	if (s->relays == NULL) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	memcpy(s->relays, conf->relays, conf->n_relays * sizeof(*s->relays));
	s->n_relays = conf->n_relays;
	s->conf.relays = s->relays;
	turn_random_init(&s->random, env);
	ds_list_init(&s->tombstones.queue);
	err = parts_init(s, conf);
	if (err != 0) {
		turn_destroy(s);
		errno = -err;
		return NULL;
	}
	return s;
}

void turn_destroy(struct turn_server *s)
{
	if (s == NULL)
		return;
	// Live allocations, and closed ones whose event nobody took, still hold their users.
	for (uint32_t i = 0; i < ds_pool_end(&s->allocation_pool); i++) {
		struct turn_allocation *a = ds_pool_at(&s->allocation_pool, i);

		if (a->user != NULL)
			turn_allocation_free(s, a);
	}
	turn_reservations_fini(s);
	turn_datas_fini(s);
	turn_levels_fini(&s->levels);
	turn_moves_fini(s);
	turn_outs_fini(&s->outs);
	turn_mtus_fini(&s->mtus);
	turn_tombstones_fini(&s->tombstones);
	turn_ports_fini(&s->ports);
	turn_locals_fini(&s->locals);
	turn_budgets_fini(&s->budgets);
	turn_bans_fini(&s->bans);
	turn_connections_fini(&s->connections);
	turn_pending_fini(&s->pending);
	turn_key_cache_fini(&s->strangers);
	turn_key_cache_fini(&s->answers);
	turn_key_cache_fini(&s->key_cache);
	turn_realms_fini(&s->realms);
	free(s->relays);
	ds_map_fini(&s->identities);
	ds_map_fini(&s->accounts);
	ds_map_fini(&s->by_tuple);
	ds_map_fini(&s->by_ref);
	ds_map_fini(&s->permissions);
	ds_map_fini(&s->channels_by_number);
	ds_map_fini(&s->channels_by_peer);
	ds_pool_fini(&s->allocation_pool);
	ds_pool_fini(&s->permission_pool);
	ds_pool_fini(&s->channel_pool);
	stun_crypto_destroy(s->crypto);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

static void lookup_expire(struct turn_server *s, uint64_t now_ns, struct turn_lookup_state *lookup)
{
	const struct turn_answer failed = {.status = TURN_ANSWER_FAILED};

	s->counters.lookups_expired++;
	s->resume_ns = now_ns;
	turn_pending_end(&s->pending, lookup, &failed);
}

static void timer_fire(struct turn_server *s, uint64_t now_ns, struct ds_timer *t)
{
	switch (t->kind) {
	case TURN_TIMER_ALLOCATION:
		turn_allocation_expire(s, now_ns, DS_CONTAINER(t, struct turn_allocation, timer));
		break;
	case TURN_TIMER_PERMISSION:
		turn_permission_end(s, DS_CONTAINER(t, struct turn_permission, timer));
		break;
	case TURN_TIMER_CHANNEL:
		turn_channel_end(s, DS_CONTAINER(t, struct turn_channel, timer));
		break;
	case TURN_TIMER_CACHED_KEY:
		turn_key_cache_drop(DS_CONTAINER(t, struct turn_cached_key, timer));
		break;
	case TURN_TIMER_LOOKUP:
		lookup_expire(s, now_ns, DS_CONTAINER(t, struct turn_lookup_state, timer));
		break;
	case TURN_TIMER_CONNECTION:
		turn_stream_expire(s, now_ns, DS_CONTAINER(t, struct turn_connection, timer));
		break;
	case TURN_TIMER_BAN:
		turn_ban_expire(DS_CONTAINER(t, struct turn_ban_slot, timer));
		break;
	case TURN_TIMER_RESERVATION:
		turn_reservation_expire(s, now_ns, DS_CONTAINER(t, struct turn_reservation, timer));
		break;
	case TURN_TIMER_MOVE:
		turn_move_expire(s, DS_CONTAINER(t, struct turn_move, timer));
		break;
	}
}

void turn_advance(struct turn_server *s, uint64_t now_ns, unsigned budget)
{
	uint32_t now_s = turn_seconds(now_ns);
	struct ds_timer *t;

	turn_sweep(s, now_ns, &budget);
	turn_ports_advance(&s->ports, now_s, &budget);
	turn_tombstones_advance(&s->tombstones, now_s, &budget);
	turn_mtus_advance(s, now_s, &budget);
	while ((t = ds_wheel_pop(&s->wheel, now_s, &budget)) != NULL)
		timer_fire(s, now_ns, t);
}

uint64_t turn_deadline(const struct turn_server *s)
{
	uint32_t next_s[] = {ds_wheel_next_s(&s->wheel), turn_ports_next_s(&s->ports),
		turn_tombstones_next_s(&s->tombstones), turn_mtus_next_s(&s->mtus)};
	uint32_t first_s = UINT32_MAX;

	if (s->sweep.under_way)
		return 0;
	for (size_t i = 0; i < TP_ARRAY_LEN(next_s); i++) {
		if (next_s[i] < first_s)
			first_s = next_s[i];
	}
	return first_s != UINT32_MAX ? first_s * TP_NS_PER_S : UINT64_MAX;
}

int turn_kill(struct turn_server *s, uint64_t now_ns, uint32_t ref)
{
	struct turn_allocation *a = turn_allocation_by_ref(s, ref);

	if (a == NULL)
		return -ENOENT;
	turn_allocation_close(s, now_ns, a, TURN_CLOSE_KILLED);
	return 0;
}

// ---- the directory's answers --------------------------------------------------------------------

static bool answer_is_sane(const struct turn_answer *answer)
{
	switch (answer->status) {
	case TURN_ANSWER_FOUND:
		return (answer->key.algorithm == TURN_KEY_MD5 &&
			       answer->key.len == STUN_KEY_MD5_LEN) ||
		       (answer->key.algorithm == TURN_KEY_SHA256 &&
			       answer->key.len == STUN_HMAC_SHA256_LEN);
	case TURN_ANSWER_UNKNOWN:
	case TURN_ANSWER_FAILED:
		return true;
	default:
		return false;
	}
}

static void answer_cache(struct turn_server *s, uint64_t now_ns,
	const struct turn_lookup_state *lookup, const struct turn_answer *answer)
{
	struct stun_text name = {lookup->name, lookup->name_len};
	bool found = answer->status == TURN_ANSWER_FOUND;
	uint32_t max_s = found ? TURN_ANSWER_LIFE_MAX_S : TURN_STRANGER_LIFE_MAX_S;
	uint32_t life_s = answer->life_s < max_s ? answer->life_s : max_s;

	if (answer->status == TURN_ANSWER_FAILED || life_s == 0 || lookup->forgotten)
		return;
	turn_key_cache_add(found ? &s->answers : &s->strangers, lookup->realm, name, &answer->key,
		0, turn_seconds(now_ns) + life_s);
}

int turn_answer(
	struct turn_server *s, uint64_t now_ns, uint64_t ticket, const struct turn_answer *answer)
{
	static const struct turn_answer failed = {.status = TURN_ANSWER_FAILED};
	struct turn_lookup_state *lookup = turn_pending_lookup(&s->pending, ticket);
	bool sane = answer_is_sane(answer);

	if (lookup == NULL) {
		s->counters.answers_stale++;
		return -ESTALE;
	}
	if (!sane)
		s->counters.answers_bad++;
	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	answer_cache(s, now_ns, lookup, sane ? answer : &failed);
	s->resume_ns = now_ns;
	turn_pending_end(&s->pending, lookup, sane ? answer : &failed);
	return sane ? 0 : -EINVAL;
}

int turn_forget(struct turn_server *s, uint16_t realm_id, const char *name, size_t len)
{
	struct turn_key_cache *caches[] = {&s->answers, &s->strangers};
	const struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);
	struct stun_text text = {name, len};

	if (realm == NULL)
		return -ENOENT;
	for (size_t i = 0; i < TP_ARRAY_LEN(caches); i++) {
		struct turn_cached_key *cached = turn_key_cache_find(caches[i], realm, text);

		if (cached != NULL)
			turn_key_cache_drop(cached);
	}
	turn_pending_forget(&s->pending, realm, text);
	return 0;
}

// ---- outputs ------------------------------------------------------------------------------------

// False: the look-up is over already.
static bool lookup_take(struct turn_server *s, uint64_t ticket, struct turn_out *out)
{
	const struct turn_lookup_state *lookup = turn_pending_lookup(&s->pending, ticket);

	if (lookup == NULL)
		return false;
	s->lookup = (struct turn_lookup){
		.ticket = ticket,
		.realm_id = lookup->realm->conf.id,
		.realm = lookup->realm->conf.name,
		.kind = TURN_LOOKUP_NAME,
		.key = (const uint8_t *)lookup->name,
		.key_len = lookup->name_len,
	};
	*out = (struct turn_out){.kind = TURN_OUT_LOOKUP, .lookup = &s->lookup};
	return true;
}

static bool event_take(struct turn_server *s, struct turn_out *out)
{
	struct turn_event event;

	do {
		if (!turn_outs_take(&s->outs, &event))
			return false;
		if (event.kind == TURN_OUT_LOOKUP && lookup_take(s, event.ticket, out))
			return true;
	} while (event.kind == TURN_OUT_LOOKUP);
	if (event.kind == TURN_OUT_ORDER) {
		s->outs.order = event.order;
		*out = (struct turn_out){.kind = TURN_OUT_ORDER, .order = &s->outs.order};
		return true;
	}
	turn_allocation_record(s, event.allocation, &s->outs.record);
	*out = (struct turn_out){
		.kind = event.kind,
		.tuple = event.allocation->client,
		.ref = event.allocation->ref,
		.previous = event.ref,
		.reason = event.reason,
		.record = &s->outs.record,
	};
	// A closed allocation was kept for this event.
	if (event.kind == TURN_OUT_ALLOCATION_CLOSED)
		turn_allocation_free(s, event.allocation);
	return true;
}

static bool out_take(struct turn_server *s, struct turn_out *out)
{
	struct turn_outs *o = &s->outs;

	if (o->message_len > 0) {
		*out = (struct turn_out){
			.kind = o->join.kind != 0 ? TURN_OUT_ORDER : TURN_OUT_SEND,
			.order = &o->order,
			.tuple = o->to,
			.data = o->message,
			.len = o->message_len,
		};
		o->order = o->join;
		o->join.kind = 0;
		o->message_len = 0;
		return true;
	}
	if (o->refused) {
		*out = (struct turn_out){
			.kind = TURN_OUT_REFUSED,
			.tuple = o->to,
			.refusal = &o->refusal,
		};
		o->refused = false;
		return true;
	}
	return event_take(s, out);
}

bool turn_next(struct turn_server *s, struct turn_out *out)
{
	while (!out_take(s, out)) {
		// The next request that has its answer brings outputs of its own. A refusal points
		// into it, so it stays until the one after.
		if (!turn_pending_take(&s->pending, &s->resumed))
			return false;
		turn_request_resume(s, s->resume_ns, &s->resumed);
		OPENSSL_cleanse(&s->resumed.answer, sizeof(s->resumed.answer));
	}
	return true;
}
