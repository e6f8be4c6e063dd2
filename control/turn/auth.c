// SPDX-License-Identifier: BSD-3-Clause
// Long-term credentials (RFC 8489 9.2.4): static users, and time-limited credentials under any of
// several shared secrets.
#include "request.h"

#include <openssl/crypto.h>

#include "credential.h"

static bool key_verifies(struct turn_request *r, const uint8_t key[STUN_KEY_MD5_LEN])
{
	if (!stun_integrity_check(r->s->crypto, r->m, key, STUN_KEY_MD5_LEN))
		return false;
	memcpy(r->key, key, STUN_KEY_MD5_LEN);
	return true;
}

static bool secret_verifies(struct turn_request *r, const struct turn_secret *secret)
{
	struct stun_crypto *x = r->s->crypto;
	struct stun_text realm = {r->s->conf.realm, strlen(r->s->conf.realm)};
	char password[TURN_REST_PASSWORD_LEN + 1];
	uint8_t key[STUN_KEY_MD5_LEN];
	bool verifies = false;

	if (turn_credential_password(x, secret->octets, secret->len, r->username, password) == 0 &&
		stun_key_md5(x, r->username, realm,
			(struct stun_text){password, TURN_REST_PASSWORD_LEN}, key) == 0)
		verifies = key_verifies(r, key);
	OPENSSL_cleanse(password, sizeof(password));
	OPENSSL_cleanse(key, sizeof(key));
	return verifies;
}

// How long the key of a credential that is good until this wall clock second is kept, by our own
// clock.
static uint32_t kept_until_s(const struct turn_request *r, uint64_t expiry_s)
{
	uint64_t left_s = expiry_s - r->wall_s + 1;

	return r->now_s + (uint32_t)(left_s < TURN_KEPT_S ? left_s : TURN_KEPT_S);
}

static bool credential_verifies(struct turn_request *r, uint64_t expiry_s)
{
	struct turn_server *s = r->s;
	struct turn_kept_key *kept = turn_kept_find(&s->kept, r->username);

	if (kept != NULL && key_verifies(r, kept->key)) {
		turn_kept_touch(&s->kept, kept);
		s->counters.credential_kept++;
		return true;
	}
	for (size_t i = 0; i < s->conf.n_secrets; i++) {
		// The kept one is what this secret makes of the name.
		if ((kept != NULL && kept->secret == i) || !secret_verifies(r, &s->conf.secrets[i]))
			continue;
		if (kept != NULL)
			turn_kept_drop(&s->kept, &s->wheel, kept);
		turn_kept_add(&s->kept, &s->wheel, r->username, (uint32_t)i, r->key,
			kept_until_s(r, expiry_s));
		return true;
	}
	return false;
}

// A user whom nobody knows must cost what a wrong password costs.
static bool stranger_verifies(struct turn_request *r)
{
	stun_integrity_check(r->s->crypto, r->m, r->s->dummy_key, sizeof(r->s->dummy_key));
	return false;
}

static bool user_verifies(struct turn_request *r)
{
	struct turn_server *s = r->s;
	const struct turn_user *user = turn_users_find(&s->users, r->username);
	struct stun_text name;
	uint64_t expiry_s;

	turn_refuse(r, TURN_REFUSED_INTEGRITY, 401);
	if (user != NULL)
		return key_verifies(r, user->key);
	if (s->conf.n_secrets == 0 || !turn_credential_parse(r->username, &expiry_s, &name)) {
		s->counters.unknown_user++;
		turn_refuse(r, TURN_REFUSED_UNKNOWN_USER, 401);
		return stranger_verifies(r);
	}
	if (expiry_s < r->wall_s) {
		s->counters.credential_expired++;
		turn_refuse(r, TURN_REFUSED_CREDENTIAL_EXPIRED, 401);
		return stranger_verifies(r);
	}
	return credential_verifies(r, expiry_s);
}

// An allocation keeps the key it was made with: it goes on when a credential expires, a password
// changes or a secret is taken away.
static bool owner_verifies(struct turn_request *r)
{
	return r->a != NULL && turn_text_equal(r->username, turn_identity_name(r->a->user)) &&
	       key_verifies(r, r->a->user->key);
}

static bool realm_is_ours(const struct turn_request *r)
{
	struct stun_value realm = r->m->attr[STUN_REALM];
	const char *ours = r->s->conf.realm;

	return realm.len == strlen(ours) && memcmp(realm.octets, ours, realm.len) == 0;
}

static bool nonce_is_valid(const struct turn_request *r)
{
	struct stun_value nonce = r->m->attr[STUN_NONCE];

	return turn_nonce_is_valid(
		&r->s->nonces, r->now_s, &r->from->remote, nonce.octets, nonce.len);
}

// RFC 8656 7.2, last note: the same 5-tuple and transaction id, under the same credentials.
static bool request_is_repeated(const struct turn_request *r)
{
	return r->a != NULL && r->m->method == STUN_ALLOCATE &&
	       memcmp(r->a->txid, r->m->txid, sizeof(r->a->txid)) == 0 &&
	       turn_text_equal(r->username, turn_identity_name(r->a->user));
}

static bool attributes_are_complete(const struct stun_message *m)
{
	static const enum stun_attr needed[] = {STUN_USERNAME, STUN_REALM, STUN_NONCE};

	for (size_t i = 0; i < TP_ARRAY_LEN(needed); i++) {
		if (!stun_has(m, needed[i]) || stun_is_malformed(m, needed[i]))
			return false;
	}
	return !stun_is_malformed(m, STUN_MESSAGE_INTEGRITY) &&
	       !stun_is_malformed(m, STUN_MESSAGE_INTEGRITY_SHA256);
}

unsigned turn_auth_check(struct turn_request *r)
{
	const struct stun_message *m = r->m;

	if (!stun_has(m, STUN_MESSAGE_INTEGRITY) && !stun_has(m, STUN_MESSAGE_INTEGRITY_SHA256))
		return 401;
	if (!attributes_are_complete(m))
		return 400;
	r->username = (struct stun_text){
		(const char *)m->attr[STUN_USERNAME].octets, m->attr[STUN_USERNAME].len};
	// A client that comes from another server brings that one's realm and nonce, and a key made
	// with that realm: told 401 it would give up, told 438 it takes ours.
	if (!realm_is_ours(r))
		return nonce_is_valid(r) ? 401 : 438;
	if (!owner_verifies(r) && !user_verifies(r)) {
		r->s->counters.integrity_failed++;
		return 401;
	}
	r->refusal.cause = TURN_REFUSED_NOT;
	r->retransmission = request_is_repeated(r);
	if (!r->retransmission && !nonce_is_valid(r))
		return 438;
	r->authenticated = true;
	return 0;
}
