// SPDX-License-Identifier: BSD-3-Clause
#include "reservation.h"

#include <errno.h>

#include "allocation.h"

// In the interning of identities, of a user without a key.
static const struct turn_key no_key;

static uint64_t port_hash(const struct turn_server *s, uint16_t relay, uint16_t port)
{
	const uint16_t key[2] = {relay, port};

	return ds_map_hash(&s->reservations_by_port, key, sizeof(key));
}

// By token, expired ones too.
static struct turn_reservation *by_token(
	const struct turn_server *s, const uint8_t token[TURN_TOKEN_LEN])
{
	struct ds_map_node *n = ds_map_first(&s->reservations_by_token,
		ds_map_hash(&s->reservations_by_token, token, TURN_TOKEN_LEN));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_reservation *v = DS_CONTAINER(n, struct turn_reservation, by_token);

		if (memcmp(v->token, token, TURN_TOKEN_LEN) == 0)
			return v;
	}
	return NULL;
}

static void token_make(struct turn_server *s, uint8_t token[TURN_TOKEN_LEN])
{
	do {
		tp_store_be32(token, turn_random_u32(&s->random));
		tp_store_be32(token + 4, turn_random_u32(&s->random));
	} while (by_token(s, token) != NULL);
}

static struct turn_reservation *reservation_new(
	struct turn_server *s, const struct turn_principal *principal)
{
	uint32_t index;
	struct turn_reservation *v = ds_pool_take(&s->reservation_pool, &index);

	if (v == NULL)
		return NULL;
	v->index = index;
	ds_timer_init(&v->timer, TURN_TIMER_RESERVATION);
	v->user = turn_identity_take(&s->identities, principal, &no_key);
	v->account = turn_account_take(&s->accounts, principal);
	if (v->account != NULL)
		turn_account_open(v->account);
	return v;
}

static void account_leave(struct turn_server *s, struct turn_reservation *v)
{
	if (v->account != NULL)
		turn_account_return(&s->accounts, v->account);
	v->account = NULL;
}

// Of one in no map.
static void reservation_free(struct turn_server *s, struct turn_reservation *v)
{
	account_leave(s, v);
	if (v->user != NULL)
		turn_identity_return(&s->identities, v->user);
	v->user = NULL;
	ds_pool_return(&s->reservation_pool, v->index);
}

static void reservation_link(struct turn_server *s, struct turn_reservation *v)
{
	ds_map_add(&s->reservations_by_token, &v->by_token,
		ds_map_hash(&s->reservations_by_token, v->token, sizeof(v->token)));
	ds_map_add(&s->reservations_by_port, &v->by_port, port_hash(s, v->relay, v->port));
	ds_wheel_set(&s->wheel, &v->timer, v->expires_s);
}

static void reservation_end(struct turn_server *s, struct turn_reservation *v)
{
	ds_wheel_stop(&s->wheel, &v->timer);
	ds_map_del(&s->reservations_by_token, &v->by_token);
	ds_map_del(&s->reservations_by_port, &v->by_port);
	if (v->ref != 0)
		s->store.reservation_del(s->store.ctx, v->ref);
	if (v->account != NULL)
		turn_account_close(v->account);
	reservation_free(s, v);
}

static void record_fill(const struct turn_server *s, const struct turn_reservation *v,
	struct turn_reservation_record *rec)
{
	const struct turn_identity *user = v->user;

	memset(rec, 0, offsetof(struct turn_reservation_record, username));
	memcpy(rec->token, v->token, sizeof(rec->token));
	memcpy(rec->txid, v->txid, sizeof(rec->txid));
	rec->expires_s = v->expires_s;
	rec->secret_id = user->secret_id;
	rec->relay_id = s->conf.relays[v->relay].id;
	rec->port = v->port;
	rec->realm_id = user->realm->conf.id;
	rec->identity_kind = (uint8_t)user->kind;
	rec->username_len = user->name_len;
	memcpy(rec->username, user->name, user->name_len);
}

struct turn_reservation *turn_reservation_make(
	struct turn_request *r, const struct turn_allocation *a, uint16_t relay, uint16_t port)
{
	struct turn_server *s = r->s;
	struct turn_reservation *v = reservation_new(s, &r->principal);
	struct turn_reservation_record rec;

	if (v == NULL)
		return NULL;
	if (v->user == NULL || v->account == NULL)
		goto free_reservation;
	token_make(s, v->token);
	memcpy(v->txid, a->txid, sizeof(v->txid));
	v->expires_s = tp_expiry_s(r->now_ns, TURN_RESERVATION_S);
	v->relay = relay;
	v->port = port;
	record_fill(s, v, &rec);
	if (s->store.reservation_add != NULL &&
		s->store.reservation_add(s->store.ctx, &rec, &v->ref) != 0)
		goto free_reservation;
	reservation_link(s, v);
	return v;
free_reservation:
	if (v->account != NULL)
		turn_account_close(v->account);
	reservation_free(s, v);
	return NULL;
}

void turn_reservation_cancel(struct turn_server *s, struct turn_reservation *v)
{
	reservation_end(s, v);
}

// Its own user; with access tokens each request may come by another one (RFC 7635), so there any of
// the realm: a client by tokens has no name that lasts.
static bool may_use(const struct turn_reservation *v, const struct turn_principal *p)
{
	if (v->user->kind == TURN_IDENTITY_TOKEN && p->kind == TURN_IDENTITY_TOKEN)
		return v->user->realm == p->realm;
	return turn_identity_is(v->user, p);
}

struct turn_reservation *turn_reservation_find(const struct turn_request *r)
{
	struct stun_value token = r->m->attr[STUN_RESERVATION_TOKEN];
	struct turn_reservation *v = by_token(r->s, token.octets);

	if (v == NULL || v->account == NULL || v->expires_s <= r->now_s ||
		!may_use(v, &r->principal) || !turn_ports_are_open(&r->s->ports, v->relay))
		return NULL;
	return v;
}

const struct turn_reservation *turn_reservation_of(
	const struct turn_request *r, const struct turn_allocation *a)
{
	const struct turn_slot *slot = &a->slot[0];
	struct ds_map_node *n = ds_map_first(&r->s->reservations_by_port,
		port_hash(r->s, slot->relay, (uint16_t)(slot->port + 1)));

	for (; n != NULL; n = ds_map_next(n)) {
		const struct turn_reservation *v =
			DS_CONTAINER(n, struct turn_reservation, by_port);

		if (v->relay == slot->relay && v->port == slot->port + 1 &&
			v->expires_s > r->now_s && memcmp(v->txid, a->txid, sizeof(v->txid)) == 0)
			return v;
	}
	return NULL;
}

void turn_reservation_lift(struct turn_reservation *v)
{
	turn_account_close(v->account);
}

void turn_reservation_lower(struct turn_reservation *v)
{
	turn_account_open(v->account);
}

void turn_reservation_use(
	struct turn_server *s, struct turn_reservation *v, const struct turn_allocation *a)
{
	if (v->ref != 0)
		s->store.reservation_use(s->store.ctx, v->ref);
	turn_ports_count(&s->ports, v->account, v->relay, -1);
	turn_ports_count(&s->ports, a->account, v->relay, 1);
	account_leave(s, v);
	s->counters.reservations_used++;
}

void turn_reservation_expire(struct turn_server *s, uint64_t now_ns, struct turn_reservation *v)
{
	if (v->account != NULL)
		turn_port_give(s, now_ns, v->relay, v->port, v->account);
	reservation_end(s, v);
}

void turn_reservations_fini(struct turn_server *s)
{
	for (uint32_t i = 0; i < ds_pool_end(&s->reservation_pool); i++) {
		struct turn_reservation *v = ds_pool_at(&s->reservation_pool, i);

		if (v->user != NULL)
			reservation_free(s, v);
	}
	ds_map_fini(&s->reservations_by_token);
	ds_map_fini(&s->reservations_by_port);
	ds_pool_fini(&s->reservation_pool);
}

// ---- after a restart ----------------------------------------------------------------------------

static int relay_index(const struct turn_server *s, uint16_t id)
{
	for (size_t i = 0; i < s->conf.n_relays; i++) {
		if (s->conf.relays[i].id == id)
			return (int)i;
	}
	return -ENOENT;
}

static bool record_is_sane(
	const struct turn_server *s, uint32_t now_s, const struct turn_reservation_record *rec)
{
	return rec->expires_s > now_s && rec->expires_s - now_s <= TURN_RESERVATION_S + 1 &&
	       rec->username_len <= TURN_USERNAME_MAX &&
	       rec->identity_kind > TURN_IDENTITY_UNKNOWN &&
	       rec->identity_kind <= TURN_IDENTITY_TOKEN && by_token(s, rec->token) == NULL;
}

int turn_restore_reservation(struct turn_server *s, uint64_t now_ns,
	const struct turn_reservation_record *rec, uint32_t ref)
{
	const struct turn_principal principal = {
		.realm = turn_realm_by_id(&s->realms, rec->realm_id),
		.name = {(const char *)rec->username, rec->username_len},
		.secret_id = rec->secret_id,
		.kind = (enum turn_identity_kind)rec->identity_kind,
	};
	int relay = relay_index(s, rec->relay_id);
	struct turn_reservation *v;
	int err;

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	if (relay < 0 || principal.realm == NULL || !record_is_sane(s, turn_seconds(now_ns), rec))
		return -EINVAL;
	// Taken already: by the allocation that used it, before that was noted.
	err = rec->used ? -EEXIST : turn_ports_claim(&s->ports, (uint16_t)relay, rec->port, NULL);
	if (err != 0 && err != -EEXIST)
		return err;
	v = reservation_new(s, &principal);
	if (v == NULL || v->user == NULL || v->account == NULL) {
		if (err == 0)
			turn_ports_cancel(&s->ports, (uint16_t)relay, rec->port, NULL);
		if (v != NULL && v->account != NULL)
			turn_account_close(v->account);
		if (v != NULL)
			reservation_free(s, v);
		return -ENOMEM;
	}
	memcpy(v->token, rec->token, sizeof(v->token));
	memcpy(v->txid, rec->txid, sizeof(v->txid));
	v->expires_s = rec->expires_s;
	v->relay = (uint16_t)relay;
	v->port = rec->port;
	v->ref = ref;
	reservation_link(s, v);
	if (err == -EEXIST) {
		turn_reservation_lift(v);
		account_leave(s, v);
	} else {
		turn_ports_count(&s->ports, v->account, v->relay, 1);
	}
	return 0;
}
