// SPDX-License-Identifier: BSD-3-Clause
#include "account.h"

#include <stdlib.h>

#include "credential.h"

static struct turn_account *account_find(
	const struct ds_map *accounts, const struct turn_account_key *key, uint64_t hash)
{
	for (struct ds_map_node *n = ds_map_first(accounts, hash); n != NULL; n = ds_map_next(n)) {
		struct turn_account *a = DS_CONTAINER(n, struct turn_account, node);

		if (a->realm == key->realm && a->kind == key->kind &&
			a->secret_id == key->secret_id &&
			turn_text_equal(key->name, (struct stun_text){a->name, a->name_len}))
			return a;
	}
	return NULL;
}

static uint64_t key_hash(const struct ds_map *accounts, const struct turn_account_key *key)
{
	return turn_name_hash(accounts, key->realm, key->kind, key->name) ^ (uint64_t)key->secret_id
										    << 32;
}

struct turn_account *turn_account_find(
	const struct ds_map *accounts, const struct turn_account_key *key)
{
	return account_find(accounts, key, key_hash(accounts, key));
}

static struct turn_account *account_take(
	struct ds_map *accounts, const struct turn_account_key *key)
{
	uint64_t hash = key_hash(accounts, key);
	struct turn_account *a = account_find(accounts, key, hash);

	if (a == NULL) {
		a = calloc(1, sizeof(*a) + key->name.len);
		if (a == NULL)
			return NULL;
		a->realm = key->realm;
		a->kind = key->kind;
		a->secret_id = key->secret_id;
		ds_list_init(&a->cooling);
		a->name_len = (uint16_t)key->name.len;
		memcpy(a->name, key->name.chars, key->name.len);
		ds_map_add(accounts, &a->node, hash);
	}
	a->refs++;
	return a;
}

// The name behind the expiry of a time-limited credential; empty: it has none, or is another
// user's.
static struct stun_text rest_name(const struct turn_principal *principal, bool *is_rest)
{
	struct stun_text name = {"", 0};
	uint64_t expiry_s;

	*is_rest = principal->kind == TURN_IDENTITY_REST &&
		   turn_credential_parse(principal->name, turn_separator(&principal->realm->conf),
			   &expiry_s, &name);
	return name;
}

struct turn_account_key turn_account_key_of(const struct turn_principal *principal)
{
	struct turn_account_key key = {
		.realm = principal->realm,
		.name = principal->name,
		.secret_id = principal->kind == TURN_IDENTITY_TOKEN ? principal->secret_id : 0,
		.kind = principal->kind,
	};
	bool is_rest;
	struct stun_text name = rest_name(principal, &is_rest);

	if (is_rest && name.len > 0)
		key.name = name;
	return key;
}

struct turn_account *turn_account_take(
	struct ds_map *accounts, const struct turn_principal *principal)
{
	const struct turn_account_key key = turn_account_key_of(principal);
	const struct turn_account_key secret = {
		.realm = principal->realm,
		.name = {"", 0},
		.secret_id = principal->secret_id,
		.kind = TURN_IDENTITY_REST,
	};
	struct turn_account *account, *parent = NULL;
	bool is_rest;

	if (rest_name(principal, &is_rest).len == 0 && is_rest) {
		parent = account_take(accounts, &secret);
		if (parent == NULL)
			return NULL;
	}
	account = account_take(accounts, &key);
	if (account != NULL && account->parent == NULL)
		account->parent = parent;
	else if (parent != NULL)
		turn_account_return(accounts, parent);
	return account;
}

void turn_account_hold(struct turn_account *account)
{
	account->refs++;
}

void turn_account_return(struct ds_map *accounts, struct turn_account *account)
{
	struct turn_account *parent = account->parent;

	if (--account->refs > 0)
		return;
	ds_map_del(accounts, &account->node);
	free(account);
	if (parent != NULL)
		turn_account_return(accounts, parent);
}

void turn_account_open(struct turn_account *account)
{
	account->n_allocations++;
	account->realm->n_held++;
	if (account->parent != NULL)
		account->parent->n_allocations++;
}

void turn_account_close(struct turn_account *account)
{
	account->n_allocations--;
	account->realm->n_held--;
	if (account->parent != NULL)
		account->parent->n_allocations--;
}

static bool quota_has_room(uint32_t quota, uint64_t taken, uint32_t n)
{
	return quota == 0 || taken + n <= quota;
}

bool turn_realm_may_open(const struct turn_realm *realm, uint32_t n)
{
	return quota_has_room(realm->conf.max_allocations, realm->n_held, n);
}

bool turn_account_may_open(const struct turn_account *account, uint32_t n)
{
	const struct turn_realm_conf *conf = &account->realm->conf;

	return quota_has_room(conf->user_quota, account->n_allocations, n) &&
	       quota_has_room(conf->user_ports,
		       (uint64_t)account->n_allocations + account->n_cooling, n) &&
	       (account->parent == NULL ||
		       quota_has_room(conf->secret_quota, account->parent->n_allocations, n));
}

bool turn_account_may_ask(struct turn_account *account, uint64_t now_ns)
{
	const struct turn_realm_conf *conf = &account->realm->conf;
	uint64_t cost_ns, burst_ns;

	if (conf->allocate_rate == 0)
		return true;
	cost_ns = TP_NS_PER_S / conf->allocate_rate;
	burst_ns = cost_ns * conf->allocate_burst;
	if (account->next_allocate_ns > now_ns + burst_ns)
		return false;
	if (account->next_allocate_ns < now_ns)
		account->next_allocate_ns = now_ns;
	account->next_allocate_ns += cost_ns;
	return true;
}
