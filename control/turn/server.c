// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "alloc.h"
#include "chan.h"
#include "perm.h"

static bool conf_is_usable(const struct turn_conf *conf)
{
	return conf->realm != NULL && conf->policy != NULL && conf->n_listeners > 0 &&
	       conf->n_relays > 0 && conf->n_relays <= UINT16_MAX &&
	       conf->channel_max >= TP_CHANNEL_MIN && conf->channel_max <= TP_CHANNEL_MAX_COMPAT &&
	       conf->max_lifetime_s >= conf->default_lifetime_s && conf->default_lifetime_s > 0 &&
	       conf->permission_lifetime_s > 0 && conf->channel_lifetime_s > 0;
}

static int maps_init(struct turn_server *s, const uint8_t key[16])
{
	struct turn_map *maps[] = {&s->by_tuple, &s->by_ref, &s->permissions,
		&s->channels_by_number, &s->channels_by_peer};

	for (size_t i = 0; i < TP_ARRAY_LEN(maps); i++) {
		int err = turn_map_init(maps[i], key);

		if (err != 0)
			return err;
	}
	return 0;
}

static int parts_init(struct turn_server *s, const struct turn_conf *conf)
{
	uint8_t key[16];
	int err;

	s->random.env.random(s->random.env.ctx, key, sizeof(key));
	s->random.env.random(s->random.env.ctx, s->dummy_key, sizeof(s->dummy_key));
	turn_nonces_init(&s->nonces, conf);
	turn_wheel_init(&s->wheel);
	turn_pool_init(&s->allocation_pool, sizeof(struct turn_allocation));
	turn_pool_init(&s->permission_pool, sizeof(struct turn_permission));
	turn_pool_init(&s->channel_pool, sizeof(struct turn_channel));
	s->crypto = stun_crypto_create();
	if (s->crypto == NULL)
		return -errno;
	err = maps_init(s, key);
	if (err == 0)
		err = turn_users_init(&s->users, key, conf);
	if (err == 0)
		err = turn_kept_init(&s->kept, key);
	if (err == 0)
		err = turn_own_init(&s->own, key, conf);
	if (err == 0)
		err = turn_ports_init(&s->ports, conf);
	if (err == 0)
		err = turn_tombs_init(&s->tombs, key);
	return err;
}

struct turn_server *turn_create(
	const struct turn_env *env, const struct turn_store *store, const struct turn_conf *conf)
{
	struct turn_server *s;
	int err;

	if (!conf_is_usable(conf)) {
		errno = EINVAL;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->conf = *conf;
	s->store = *store;
	turn_random_init(&s->random, env);
	turn_list_init(&s->tombs.queue);
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
	for (uint32_t i = 0; i < turn_pool_end(&s->allocation_pool); i++) {
		struct turn_allocation *a = turn_pool_at(&s->allocation_pool, i);

		if (a->user != NULL)
			turn_allocation_free(s, a);
	}
	turn_outs_fini(s);
	turn_tombs_fini(&s->tombs);
	turn_ports_fini(&s->ports);
	turn_own_fini(&s->own);
	turn_kept_clear(&s->kept, &s->wheel);
	turn_kept_fini(&s->kept);
	turn_users_fini(&s->users);
	turn_map_fini(&s->by_tuple);
	turn_map_fini(&s->by_ref);
	turn_map_fini(&s->permissions);
	turn_map_fini(&s->channels_by_number);
	turn_map_fini(&s->channels_by_peer);
	turn_pool_fini(&s->allocation_pool);
	turn_pool_fini(&s->permission_pool);
	turn_pool_fini(&s->channel_pool);
	stun_crypto_destroy(s->crypto);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

static void timer_fire(struct turn_server *s, uint64_t now_ns, struct turn_timer *t)
{
	switch (t->kind) {
	case TURN_TIMER_ALLOCATION:
		turn_allocation_close(s, now_ns, TURN_CONTAINER(t, struct turn_allocation, timer),
			TURN_CLOSE_EXPIRED);
		break;
	case TURN_TIMER_PERMISSION:
		turn_permission_end(s, TURN_CONTAINER(t, struct turn_permission, timer));
		break;
	case TURN_TIMER_CHANNEL:
		turn_channel_end(s, TURN_CONTAINER(t, struct turn_channel, timer));
		break;
	case TURN_TIMER_KEPT_KEY:
		turn_kept_drop(&s->kept, &s->wheel, TURN_CONTAINER(t, struct turn_kept_key, timer));
		break;
	}
}

void turn_advance(struct turn_server *s, uint64_t now_ns, unsigned budget)
{
	uint32_t now_s = turn_seconds(now_ns);
	struct turn_timer *t;

	turn_ports_advance(&s->ports, now_s, &budget);
	turn_tombs_advance(&s->tombs, now_s, &budget);
	while ((t = turn_wheel_pop(&s->wheel, now_s, &budget)) != NULL)
		timer_fire(s, now_ns, t);
}

uint64_t turn_deadline(const struct turn_server *s)
{
	uint32_t next_s[] = {turn_wheel_next_s(&s->wheel), turn_ports_next_s(&s->ports),
		turn_tombs_next_s(&s->tombs)};
	uint32_t first_s = UINT32_MAX;

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

void turn_set_draining(struct turn_server *s, bool draining)
{
	s->draining = draining;
}
