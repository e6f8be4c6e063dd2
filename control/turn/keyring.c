// SPDX-License-Identifier: BSD-3-Clause
#include "keyring.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <turnpike/siphash.h>

#include "realm.h"
#include "secret.h"

// ---- comparing ----------------------------------------------------------------------------------

static bool secret_is(const struct turn_secret *a, const struct turn_secret *b)
{
	return a->len == b->len && a->hmac == b->hmac && a->not_before_s == b->not_before_s &&
	       a->not_after_s == b->not_after_s && CRYPTO_memcmp(a->octets, b->octets, a->len) == 0;
}

static bool token_key_is(const struct turn_token_key *a, const struct turn_token_key *b)
{
	return strcmp(a->id, b->id) == 0 && a->algorithm == b->algorithm &&
	       a->not_before_s == b->not_before_s && a->not_after_s == b->not_after_s &&
	       CRYPTO_memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

// The keys of a realm that are not the configuration's.
static struct turn_keys keys_of(const struct turn_realm *realm)
{
	const struct turn_keyring *ring = realm->ring;

	if (ring == NULL)
		return (struct turn_keys){0};
	return (struct turn_keys){
		.secrets = ring->secrets + ring->n_own_secrets,
		.n_secrets = ring->n_secrets - ring->n_own_secrets,
		.token_keys = ring->token_keys + ring->n_own_token_keys,
		.n_token_keys = ring->n_token_keys - ring->n_own_token_keys,
	};
}

// A database may give its rows in any order.
static bool keys_have(const struct turn_keys *in, const struct turn_keys *of)
{
	for (size_t i = 0; i < of->n_secrets; i++) {
		size_t k = 0;

		while (k < in->n_secrets && !secret_is(&in->secrets[k], &of->secrets[i]))
			k++;
		if (k == in->n_secrets)
			return false;
	}
	for (size_t i = 0; i < of->n_token_keys; i++) {
		size_t k = 0;

		while (k < in->n_token_keys &&
			!token_key_is(&in->token_keys[k], &of->token_keys[i]))
			k++;
		if (k == in->n_token_keys)
			return false;
	}
	return true;
}

static bool keys_are_same(const struct turn_keys *a, const struct turn_keys *b)
{
	return a->n_secrets == b->n_secrets && a->n_token_keys == b->n_token_keys &&
	       keys_have(a, b) && keys_have(b, a);
}

static int keys_check(const struct turn_keys *keys)
{
	if (keys->n_secrets > TURN_KEYRING_SECRETS_MAX ||
		keys->n_token_keys > TURN_KEYRING_TOKEN_KEYS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < keys->n_secrets; i++) {
		if (keys->secrets[i].len == 0 || keys->secrets[i].len > TURN_KEYRING_SECRET_MAX)
			return -EINVAL;
	}
	for (size_t i = 0; i < keys->n_token_keys; i++) {
		size_t len = strlen(keys->token_keys[i].id);

		if (len == 0 || len > TURN_TOKEN_KEY_ID_MAX)
			return -EINVAL;
	}
	return 0;
}

// ---- making -------------------------------------------------------------------------------------

// The number of the configuration's own secrets and keys.
static size_t own_secrets(const struct turn_realm *realm)
{
	return realm->ring != NULL ? realm->ring->n_own_secrets : realm->conf.n_secrets;
}

static size_t own_token_keys(const struct turn_realm *realm)
{
	return realm->ring != NULL ? realm->ring->n_own_token_keys : realm->conf.n_token_keys;
}

static void ring_free(struct turn_keyring *ring)
{
	if (ring == NULL)
		return;
	if (ring->token_keys != NULL)
		OPENSSL_cleanse(ring->token_keys, ring->n_token_keys * sizeof(*ring->token_keys));
	free(ring->token_keys);
	free(ring->secrets);
	OPENSSL_cleanse(ring, sizeof(*ring));
	free(ring);
}

static struct turn_keyring *ring_make(
	const struct turn_realm *realm, const uint8_t id_key[16], const struct turn_keys *keys)
{
	struct turn_keyring *r = calloc(1, sizeof(*r));
	size_t own = own_secrets(realm), own_keys = own_token_keys(realm);

	if (r == NULL)
		return NULL;
	r->secrets = calloc(own + keys->n_secrets + 1, sizeof(*r->secrets));
	r->token_keys = calloc(own_keys + keys->n_token_keys + 1, sizeof(*r->token_keys));
	if (r->secrets == NULL || r->token_keys == NULL) {
		ring_free(r);
		return NULL;
	}
	for (size_t i = 0; i < own; i++)
		r->secrets[i] = realm->conf.secrets[i];
	for (size_t i = 0; i < keys->n_secrets; i++) {
		struct turn_secret *to = &r->secrets[own + i];

		*to = keys->secrets[i];
		memcpy(r->texts[i].octets, keys->secrets[i].octets, to->len);
		snprintf(r->texts[i].id, sizeof(r->texts[i].id), "db-%08x",
			(unsigned)tp_siphash24(id_key, to->octets, to->len));
		to->octets = r->texts[i].octets;
		to->id = r->texts[i].id;
	}
	for (size_t i = 0; i < own_keys; i++)
		r->token_keys[i] = realm->conf.token_keys[i];
	for (size_t i = 0; i < keys->n_token_keys; i++) {
		struct turn_token_key *to = &r->token_keys[own_keys + i];

		*to = keys->token_keys[i];
		snprintf(r->ids[i].id, sizeof(r->ids[i].id), "%s", to->id);
		to->id = r->ids[i].id;
	}
	r->n_own_secrets = own;
	r->n_secrets = own + keys->n_secrets;
	r->n_own_token_keys = own_keys;
	r->n_token_keys = own_keys + keys->n_token_keys;
	return r;
}

static void ring_point(struct turn_realm *realm, struct turn_keyring *ring)
{
	realm->ring = ring;
	realm->conf.secrets = ring->secrets;
	realm->conf.n_secrets = ring->n_secrets;
	realm->conf.token_keys = ring->token_keys;
	realm->conf.n_token_keys = ring->n_token_keys;
}

int turn_keyring_set(
	struct turn_realm *realm, const uint8_t id_key[16], const struct turn_keys *keys)
{
	const struct turn_keys has = keys_of(realm);
	struct turn_realm was = *realm;
	struct turn_keyring *ring;
	int err = keys_check(keys);

	if (err != 0 || keys_are_same(&has, keys))
		return err;
	ring = ring_make(realm, id_key, keys);
	if (ring == NULL)
		return -ENOMEM;
	realm->uses = NULL;
	realm->n_uses = 0;
	ring_point(realm, ring);
	err = turn_secret_uses_make(realm, &was);
	if (err != 0) {
		*realm = was;
		ring_free(ring);
		return err;
	}
	free(was.uses);
	ring_free(was.ring);
	return 1;
}

int turn_keyring_carry(
	struct turn_realm *fresh, const uint8_t id_key[16], const struct turn_realm *old)
{
	const struct turn_keys keys = keys_of(old);
	struct turn_keyring *ring;

	if (!fresh->conf.keys_looked_up || keys.n_secrets + keys.n_token_keys == 0)
		return 0;
	ring = ring_make(fresh, id_key, &keys);
	if (ring == NULL)
		return -ENOMEM;
	ring_point(fresh, ring);
	return 0;
}

void turn_keyring_fini(struct turn_realm *realm)
{
	ring_free(realm->ring);
	realm->ring = NULL;
}
