// SPDX-License-Identifier: BSD-3-Clause
// Time-limited credentials under the secrets of a realm, of which several may be in force.
#include "rest.h"

#include <openssl/crypto.h>

#include "credential.h"
#include "secret.h"

// A secret with the digest of its passwords, as the key cache names both in one number.
struct way {
	size_t index;
	bool sha256;
};

static struct way way_of(uint32_t number)
{
	return (struct way){number / 2, number % 2 == 1};
}

// Whether passwords are made so, and now.
static bool way_is_open(const struct turn_request *r, struct way way)
{
	const struct turn_secret *secret = &r->realm->conf.secrets[way.index];

	return secret->hmac != (way.sha256 ? TURN_HMAC_SHA1 : TURN_HMAC_SHA256) &&
	       turn_secret_is_in_force(secret, r->wall_s);
}

// The key of a time-limited credential under a secret; false when the library refuses.
static bool secret_key(struct turn_request *r, struct way way, struct turn_key *key)
{
	const struct turn_secret *secret = &r->realm->conf.secrets[way.index];
	struct stun_crypto *x = r->s->crypto;
	char password[TURN_REST_PASSWORD_MAX + 1];
	struct stun_text text = {password, 0};
	bool sha256 = r->algorithm == TURN_KEY_SHA256;
	bool made;

	key->algorithm = r->algorithm;
	key->len = sha256 ? STUN_KEY_SHA256_LEN : STUN_KEY_MD5_LEN;
	made = turn_credential_password(
		       x, secret, way.sha256, r->principal.name, password, &text.len) == 0 &&
	       (sha256 ? stun_key_sha256(x, r->principal.name, r->realm->name, text, key->octets)
		       : stun_key_md5(x, r->principal.name, r->realm->name, text, key->octets)) ==
		       0;
	OPENSSL_cleanse(password, sizeof(password));
	return made;
}

static bool secret_verifies(struct turn_request *r, struct way way)
{
	struct turn_key key;
	bool verifies = secret_key(r, way, &key) && turn_key_verifies(r, &key);

	OPENSSL_cleanse(&key, sizeof(key));
	return verifies;
}

// How long the key of a credential that is good until this wall clock second is cached, by our own
// clock.
static uint32_t cached_until_s(const struct turn_request *r, uint64_t expiry_s)
{
	uint64_t left_s = expiry_s - r->wall_s + 1;

	return r->now_s + (uint32_t)(left_s < TURN_KEY_CACHE_S ? left_s : TURN_KEY_CACHE_S);
}

static void secret_note(struct turn_request *r, struct way way)
{
	r->principal.secret_id = turn_secret_id(&r->realm->conf.secrets[way.index]);
	turn_secret_used(r->realm, way.index, r->wall_s);
}

bool turn_rest_verifies(struct turn_request *r, uint64_t expiry_s)
{
	struct turn_server *s = r->s;
	struct turn_cached_key *cached =
		turn_key_cache_find(&s->key_cache, r->realm, r->principal.name);
	struct turn_key key;

	if (cached != NULL &&
		(cached->key.algorithm != r->algorithm || !way_is_open(r, way_of(cached->secret))))
		cached = NULL;
	if (cached != NULL && turn_key_verifies(r, &cached->key)) {
		turn_key_cache_touch(cached);
		secret_note(r, way_of(cached->secret));
		s->counters.key_cached++;
		return true;
	}
	for (uint32_t i = 0; i < 2 * r->realm->conf.n_secrets; i++) {
		struct way way = way_of(i);

		if (!way_is_open(r, way))
			continue;
		// The cached one is what this secret makes of the name, and was tried. It is
		// derived again: a wrong password costs the same whether the name was seen lately
		// or not.
		if (cached != NULL && cached->secret == i) {
			(void)secret_key(r, way, &key);
			continue;
		}
		if (!secret_verifies(r, way))
			continue;
		secret_note(r, way);
		turn_key_cache_add(&s->key_cache, r->realm, r->principal.name, &r->key, i,
			cached_until_s(r, expiry_s));
		return true;
	}
	return false;
}
