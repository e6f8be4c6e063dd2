// SPDX-License-Identifier: BSD-3-Clause
// Long-term credentials (RFC 8489 9.2.4): static users, time-limited credentials under any of
// several shared secrets, and users of the directory.
#include "request.h"

#include <openssl/crypto.h>

#include "credential.h"
#include "renew.h"
#include "rest.h"
#include "token.h"

bool turn_key_verifies(struct turn_request *r, const struct turn_key *key)
{
	if (!stun_integrity_check(r->s->crypto, r->m, key->octets, key->len))
		return false;
	r->key = *key;
	return true;
}

static unsigned verdict(bool verifies)
{
	return verifies ? 0 : 401;
}

// A user whom nobody knows must cost as much as a wrong password.
static unsigned stranger_refuse(struct turn_request *r, enum turn_refusal_cause cause)
{
	const struct turn_key *dummy = &r->s->dummy_key;

	(void)stun_integrity_check(r->s->crypto, r->m, dummy->octets, dummy->len);
	return turn_refuse(r, cause, 401);
}

static unsigned unknown_refuse(struct turn_request *r)
{
	r->s->counters.unknown_user++;
	r->realm->counters.unknown_user++;
	return stranger_refuse(r, TURN_REFUSED_UNKNOWN_USER);
}

static bool nonce_is_of(const struct turn_request *r, const struct tp_addr *client)
{
	struct stun_value nonce = r->m->attr[STUN_NONCE];

	return turn_nonce_is_valid(
		&r->s->nonces, &r->realm->nonce, r->now_s, client, nonce.octets, nonce.len);
}

// Clients send ConnectionBind with the nonce of their control connection; coturn's give up on 438.
static bool nonce_is_valid(const struct turn_request *r)
{
	return nonce_is_of(r, &r->from->remote) ||
	       (r->m->method == STUN_CONNECTION_BIND && r->owned != NULL &&
		       nonce_is_of(r, &r->owned->client.remote));
}

static unsigned answer_check(struct turn_request *r)
{
	switch (r->answer->status) {
	case TURN_ANSWER_FOUND:
		return verdict(turn_key_verifies(r, &r->answer->key));
	case TURN_ANSWER_UNKNOWN:
		return unknown_refuse(r);
	default:
		return turn_refuse(r, TURN_REFUSED_DIRECTORY, 500);
	}
}

// A user of the directory. Only a client that has a nonce can make it work: others' source
// addresses may be anybody's.
static unsigned directory_check(struct turn_request *r)
{
	struct turn_server *s = r->s;
	struct stun_text name = r->principal.name;
	struct turn_cached_key *cached;

	r->principal.kind = TURN_IDENTITY_DIRECTORY;
	if (r->answer != NULL)
		return answer_check(r);
	cached = turn_key_cache_find(&s->answers, r->realm, name);
	if (cached != NULL) {
		turn_key_cache_touch(cached);
		s->counters.directory_cached++;
		return verdict(turn_key_verifies(r, &cached->key));
	}
	if (turn_key_cache_find(&s->strangers, r->realm, name) != NULL)
		return unknown_refuse(r);
	return nonce_is_valid(r) ? TURN_WAIT : 438;
}

static unsigned rest_check(struct turn_request *r, uint64_t expiry_s)
{
	uint32_t longest_s = r->s->conf.credential_lifetime_s;

	r->principal.kind = TURN_IDENTITY_REST;
	r->principal.expires_s = expiry_s;
	if (expiry_s < r->wall_s) {
		r->s->counters.credential_expired++;
		return stranger_refuse(r, TURN_REFUSED_CREDENTIAL_EXPIRED);
	}
	if (longest_s > 0 && expiry_s - r->wall_s > longest_s) {
		r->s->counters.credential_lifetime++;
		return stranger_refuse(r, TURN_REFUSED_CREDENTIAL_LIFETIME);
	}
	return verdict(turn_rest_verifies(r, expiry_s));
}

// ---- tokens (RFC 7635) --------------------------------------------------------------------------

static const struct turn_token_key *token_key_find(const struct turn_request *r)
{
	const struct turn_realm_conf *conf = &r->realm->conf;

	for (size_t i = 0; i < conf->n_token_keys; i++) {
		const struct turn_token_key *key = &conf->token_keys[i];

		if (turn_text_equal(r->principal.name, turn_text(key->id)) &&
			key->not_before_s <= r->wall_s &&
			(key->not_after_s == 0 || r->wall_s <= key->not_after_s))
			return key;
	}
	return NULL;
}

static bool token_is_timely(const struct turn_request *r, const struct turn_token *token)
{
	uint32_t longest_s = r->s->conf.credential_lifetime_s;

	return token->issued_s <= r->wall_s + TURN_TOKEN_SKEW_S &&
	       token->expires_s + TURN_TOKEN_SKEW_S >= r->wall_s &&
	       (longest_s == 0 || token->expires_s - token->issued_s <= longest_s);
}

// With the whole MAC key; or with its first 16 bytes, as coturn's clients sign whose keys are
// longer.
static bool token_verifies(struct turn_request *r, const struct turn_key *mac_key)
{
	struct turn_key first = *mac_key;
	bool verifies = turn_key_verifies(r, mac_key);

	if (!verifies && mac_key->len > STUN_KEY_MD5_LEN) {
		first.len = STUN_KEY_MD5_LEN;
		verifies = turn_key_verifies(r, &first);
	}
	OPENSSL_cleanse(&first, sizeof(first));
	return verifies;
}

static unsigned token_check(struct turn_request *r)
{
	struct stun_value value = r->m->attr[STUN_ACCESS_TOKEN];
	const struct turn_token_key *key = token_key_find(r);
	struct turn_token token = {0};
	bool verifies;

	r->principal.kind = TURN_IDENTITY_TOKEN;
	if (key == NULL ||
		!turn_token_open(
			key, r->realm->conf.token_server, value.octets, value.len, &token) ||
		!token_is_timely(r, &token)) {
		OPENSSL_cleanse(&token, sizeof(token));
		r->s->counters.tokens_refused++;
		return stranger_refuse(r, TURN_REFUSED_TOKEN);
	}
	r->principal.secret_id = turn_token_number(&token.key);
	r->principal.expires_s = token.expires_s;
	verifies = token_verifies(r, &token.key);
	r->s->counters.tokens += verifies;
	OPENSSL_cleanse(&token, sizeof(token));
	return verdict(verifies);
}

static unsigned user_check(struct turn_request *r)
{
	const struct turn_user *user = turn_realm_user(r->realm, r->principal.name);
	struct stun_text rest_name;
	uint64_t expiry_s;

	turn_refuse(r, TURN_REFUSED_INTEGRITY, 401);
	if (stun_has(r->m, STUN_ACCESS_TOKEN))
		return token_check(r);
	if (user != NULL) {
		r->principal.kind = TURN_IDENTITY_STATIC;
		return verdict(turn_key_verifies(
			r, r->algorithm == TURN_KEY_SHA256 ? &user->key_sha256 : &user->key));
	}
	if (r->realm->conf.n_secrets > 0 &&
		turn_credential_parse(
			r->principal.name, turn_separator(&r->realm->conf), &expiry_s, &rest_name))
		return rest_check(r, expiry_s);
	return r->realm->conf.directory ? directory_check(r) : unknown_refuse(r);
}

// Whether the credential of the allocation's owner is over, and the allocation with it.
static bool owner_is_over(const struct turn_request *r)
{
	uint64_t skew_s = r->principal.kind == TURN_IDENTITY_TOKEN ? TURN_TOKEN_SKEW_S : 0;

	return turn_principal_ends(&r->principal) && r->principal.expires_s + skew_s < r->wall_s;
}

// Whether the allocation's own user sent the request, by the name and realm.
static bool owner_is_named(const struct turn_request *r)
{
	return r->owned != NULL && r->owned->user->realm == r->realm &&
	       turn_text_equal(r->principal.name, turn_identity_principal(r->owned->user).name);
}

// An allocation keeps the key it was made with: it goes on when a credential expires, a password
// changes, a secret is taken away or the directory is gone.
static bool owner_verifies(struct turn_request *r)
{
	if (!owner_is_named(r) || !turn_key_verifies(r, &r->owned->user->key))
		return false;
	r->principal = turn_identity_principal(r->owned->user);
	return true;
}

static unsigned owner_check(struct turn_request *r)
{
	return owner_is_over(r) ? turn_refuse(r, TURN_REFUSED_CREDENTIAL_EXPIRED, 401) : 0;
}

static unsigned owner_or_user_check(struct turn_request *r)
{
	return owner_verifies(r) ? owner_check(r) : user_check(r);
}

// A Refresh that may renew. Clients repeat the allocation's own token, also when its key has left:
// that renews nothing, and its owner is as good as without it.
static unsigned renewer_check(struct turn_request *r, bool *renews)
{
	unsigned code = user_check(r);

	if (code != 401 || !owner_verifies(r))
		return code;
	*renews = false;
	return owner_check(r);
}

static bool realm_is_ours(const struct turn_request *r)
{
	return turn_text_equal(turn_text_of(r->m, STUN_REALM), r->realm->name);
}

// RFC 8656 7.2, last note: the same 5-tuple and transaction id, under the same credentials.
static bool request_is_repeated(const struct turn_request *r)
{
	return r->a != NULL && r->m->method == STUN_ALLOCATE &&
	       memcmp(r->a->txid, r->m->txid, sizeof(r->a->txid)) == 0 &&
	       turn_identity_is(r->a->user, &r->principal);
}

static bool attributes_are_complete(const struct stun_message *m)
{
	static const enum stun_attr needed[] = {STUN_REALM, STUN_NONCE};

	if (!stun_has(m, STUN_USERNAME) && !stun_has(m, STUN_USERHASH))
		return false;
	if (stun_is_malformed(m, stun_has(m, STUN_USERNAME) ? STUN_USERNAME : STUN_USERHASH))
		return false;
	for (size_t i = 0; i < TP_ARRAY_LEN(needed); i++) {
		if (!stun_has(m, needed[i]) || stun_is_malformed(m, needed[i]))
			return false;
	}
	return !stun_is_malformed(m, STUN_MESSAGE_INTEGRITY) &&
	       !stun_is_malformed(m, STUN_MESSAGE_INTEGRITY_SHA256);
}

static bool algorithm_read(struct turn_request *r)
{
	uint32_t value; // number and length of the parameters, of which these have none

	if (!stun_get_u32(r->m, STUN_PASSWORD_ALGORITHM, &value))
		return false;
	if (value == TP_PASSWORD_SHA256 << 16)
		r->algorithm = TURN_KEY_SHA256;
	return value == TP_PASSWORD_SHA256 << 16 || value == TP_PASSWORD_MD5 << 16;
}

// RFC 8489 9.2.4: the algorithm is one of those that our nonce came with, and the client shows that
// it saw them all. One that was not offered is as wrong.
static unsigned algorithm_check(struct turn_request *r)
{
	const struct stun_message *m = r->m;
	struct stun_value list = m->attr[STUN_PASSWORD_ALGORITHMS];
	bool offered = (r->realm->nonce.features & TP_FEATURE_PASSWORD_ALGORITHMS) != 0;

	r->algorithm = TURN_KEY_MD5;
	if (!stun_has(m, STUN_PASSWORD_ALGORITHM) && (!offered || list.octets == NULL))
		return 0;
	if (!offered || list.len != TP_PASSWORD_ALGORITHMS_LEN ||
		memcmp(list.octets, TP_PASSWORD_ALGORITHMS, list.len) != 0 || !algorithm_read(r))
		return 400;
	r->negotiated = true;
	return 0;
}

// Names the user of USERHASH: a configured one, or the owner of the allocation, whose name may have
// left the configuration. Nobody: the name stays empty, which no user has.
static void userhash_resolve(struct turn_request *r)
{
	const uint8_t *hash = r->m->attr[STUN_USERHASH].octets;
	const struct turn_user *user = turn_realm_user_by_hash(r->realm, hash);
	uint8_t owners[STUN_USERHASH_LEN];
	struct stun_text name;

	r->principal.name = user != NULL ? turn_text(user->name) : (struct stun_text){"", 0};
	if (user != NULL || r->owned == NULL || r->owned->user->realm != r->realm)
		return;
	name = turn_identity_principal(r->owned->user).name;
	if (stun_userhash(r->s->crypto, name, r->realm->name, owners) == 0 &&
		memcmp(owners, hash, sizeof(owners)) == 0)
		r->principal.name = name;
}

static unsigned principal_read(struct turn_request *r)
{
	r->principal = (struct turn_principal){.realm = r->realm};
	if (stun_has(r->m, STUN_USERNAME)) {
		r->principal.name = turn_text_of(r->m, STUN_USERNAME);
		return 0;
	}
	if ((r->realm->nonce.features & TP_FEATURE_USERHASH) == 0)
		return 400;
	userhash_resolve(r);
	return 0;
}

unsigned turn_auth_check(struct turn_request *r)
{
	const struct stun_message *m = r->m;
	unsigned code;
	bool renews;

	if (!stun_has(m, STUN_MESSAGE_INTEGRITY) && !stun_has(m, STUN_MESSAGE_INTEGRITY_SHA256))
		return 401;
	if (!attributes_are_complete(m))
		return 400;
	r->principal.name = turn_text_of(m, STUN_USERNAME);
	// A client that comes from another server brings that one's realm and nonce, and a key made
	// with that realm: told 401 it would give up, told 438 it takes ours.
	if (!realm_is_ours(r))
		return nonce_is_valid(r) ? 401 : 438;
	code = algorithm_check(r);
	if (code == 0)
		code = principal_read(r);
	// Of another server's nonce, or one from before a reload, the client may say anything.
	if (code != 0)
		return nonce_is_valid(r) ? code : 438;
	renews = turn_token_renews(r);
	code = renews ? renewer_check(r, &renews) : owner_or_user_check(r);
	if (code == 401) {
		r->s->counters.integrity_failed++;
		r->realm->counters.integrity_failed++;
	}
	if (code != 0)
		return code;
	r->refusal.cause = TURN_REFUSED_NOT;
	r->retransmission = request_is_repeated(r);
	// The nonce of a request that waited was good when it came.
	if (!r->retransmission && r->answer == NULL && !nonce_is_valid(r))
		return 438;
	if ((renews || r->m->method == STUN_ALLOCATE) &&
		turn_bans_hold_user(&r->s->bans, &r->principal)) {
		r->s->counters.banned++;
		return turn_refuse(r, TURN_REFUSED_BANNED, 401);
	}
	r->authenticated = true;
	return 0;
}
