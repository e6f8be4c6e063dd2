// SPDX-License-Identifier: BSD-3-Clause
#include <stun/integrity.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "hmac.h"

// Keyed states cached: keying costs as much as the digest of a request, and the requests of a
// user's clients come close together (verify, sign, next request).
#define CACHED_KEYS 1024u
#define CACHED_LEN  64u // longest key that is cached

struct cached_key {
	struct hmac_key hmac;
	size_t len; // 0: none
	uint8_t key[CACHED_LEN];
};

struct stun_crypto {
	EVP_MD *md5;
	EVP_MD *sha256;
	EVP_MD_CTX *md;
	struct cached_key *cache[HMAC_DIGESTS]; // [CACHED_KEYS]
};

// A library that refuses a digest does so when it is fetched.
static bool digest_is_there(const char *name)
{
	EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);

	EVP_MD_free(md);
	return md != NULL;
}

struct stun_crypto *stun_crypto_create(void)
{
	struct stun_crypto *x = calloc(1, sizeof(*x));
	int err = ENOTSUP;

	if (x == NULL)
		return NULL;
	if (!digest_is_there("SHA1"))
		goto destroy;
	x->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	x->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	x->md = EVP_MD_CTX_new();
	if (x->md5 == NULL || x->sha256 == NULL || x->md == NULL)
		goto destroy;
	err = ENOMEM;
	for (unsigned d = 0; d < HMAC_DIGESTS; d++) {
		x->cache[d] = calloc(CACHED_KEYS, sizeof(*x->cache[d]));
		if (x->cache[d] == NULL)
			goto destroy;
	}
	return x;
destroy:
	stun_crypto_destroy(x);
	errno = err;
	return NULL;
}

void stun_crypto_destroy(struct stun_crypto *x)
{
	if (x == NULL)
		return;
	for (unsigned d = 0; d < HMAC_DIGESTS; d++) {
		if (x->cache[d] != NULL)
			OPENSSL_cleanse(x->cache[d], CACHED_KEYS * sizeof(*x->cache[d]));
		free(x->cache[d]);
	}
	EVP_MD_CTX_free(x->md);
	EVP_MD_free(x->sha256);
	EVP_MD_free(x->md5);
	free(x);
}

// The digest of the texts with colons between them.
static int texts_digest(struct stun_crypto *x, const EVP_MD *md, const struct stun_text *texts,
	size_t n, uint8_t *out)
{
	bool ok = EVP_DigestInit_ex2(x->md, md, NULL) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = (i == 0 || EVP_DigestUpdate(x->md, ":", 1) == 1) &&
		     EVP_DigestUpdate(x->md, texts[i].chars, texts[i].len) == 1;
	return ok && EVP_DigestFinal_ex(x->md, out, NULL) == 1 ? 0 : -EIO;
}

int stun_key_md5(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	struct stun_text password, uint8_t key[STUN_KEY_MD5_LEN])
{
	const struct stun_text texts[] = {user, realm, password};

	return texts_digest(x, x->md5, texts, TP_ARRAY_LEN(texts), key);
}

int stun_key_sha256(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	struct stun_text password, uint8_t key[STUN_KEY_SHA256_LEN])
{
	const struct stun_text texts[] = {user, realm, password};

	return texts_digest(x, x->sha256, texts, TP_ARRAY_LEN(texts), key);
}

int stun_userhash(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	uint8_t hash[STUN_USERHASH_LEN])
{
	const struct stun_text texts[] = {user, realm};

	return texts_digest(x, x->sha256, texts, TP_ARRAY_LEN(texts), hash);
}

static struct cached_key *cache_place(
	struct stun_crypto *x, enum hmac_digest d, const uint8_t *key, size_t key_len)
{
	unsigned slot = 0;

	for (size_t i = 0; i < key_len && i < 4; i++)
		slot = slot * 31 + key[i];
	return &x->cache[d][slot % CACHED_KEYS];
}

// The keyed state, from those kept where the key was used lately; NULL on failure. `own` is room
// for one that is not kept.
static const struct hmac_key *key_arm(struct stun_crypto *x, enum hmac_digest d, const uint8_t *key,
	size_t key_len, struct hmac_key *own)
{
	const struct cached_key *k = cache_place(x, d, key, key_len);

	if (k->len == key_len && CRYPTO_memcmp(k->key, key, key_len) == 0)
		return &k->hmac;
	return stun_hmac_key_init(own, d, key, key_len) ? own : NULL;
}

static void key_cache(struct stun_crypto *x, enum hmac_digest d, const uint8_t *key, size_t key_len,
	const struct hmac_key *armed)
{
	struct cached_key *k = cache_place(x, d, key, key_len);

	if (key_len > CACHED_LEN || armed == &k->hmac)
		return;
	k->hmac = *armed;
	memcpy(k->key, key, key_len);
	k->len = key_len;
}

// `expected`: the first bytes that the MAC must have; NULL: any. Only the state of a key that was
// right is kept: guessed keys evict no user's state.
static int mac_compute(struct stun_crypto *x, const uint8_t *key, size_t key_len,
	const struct hmac_piece pieces[2], const struct stun_value *expected, uint8_t *mac,
	size_t mac_len)
{
	enum hmac_digest d = mac_len == STUN_HMAC_SHA256_LEN ? HMAC_SHA256 : HMAC_SHA1;
	const struct hmac_key *armed;
	struct hmac_key own;
	int err = -EIO;

	if (mac_len != stun_hmac_mac_len(d) || key_len == 0)
		return -EINVAL;
	armed = key_arm(x, d, key, key_len, &own);
	if (armed != NULL && stun_hmac_pieces(armed, d, pieces, mac))
		err = expected == NULL || CRYPTO_memcmp(mac, expected->octets, expected->len) == 0
			      ? 0
			      : -EBADMSG;
	// A wrong MAC costs the same for a key that was cached, so that the time of a refusal does
	// not tell which user was here lately.
	if (err == -EBADMSG && armed != &own && stun_hmac_key_init(&own, d, key, key_len))
		armed = &own;
	if (err == 0)
		key_cache(x, d, key, key_len, armed);
	if (armed == &own)
		OPENSSL_cleanse(&own, sizeof(own));
	return err;
}

int stun_hmac(struct stun_crypto *x, const uint8_t *key, size_t key_len, const void *data,
	size_t len, uint8_t *mac, size_t mac_len)
{
	const struct hmac_piece pieces[2] = {{data, len}, {"", 0}};

	return mac_compute(x, key, key_len, pieces, NULL, mac, mac_len);
}

// `expected` as in mac_compute.
static int integrity_compute(struct stun_crypto *x, const uint8_t *octets, size_t attr_offset,
	const uint8_t *key, size_t key_len, const struct stun_value *expected, uint8_t *mac,
	size_t mac_len)
{
	size_t value_len = expected != NULL ? expected->len : mac_len;
	uint8_t head[4];
	const struct hmac_piece pieces[2] = {
		{head, sizeof(head)},
		{octets + sizeof(head), attr_offset - sizeof(head)},
	};

	// 14.5: the length field as if the message ended with this attribute.
	memcpy(head, octets, 2);
	tp_store_be16(head + 2, (uint16_t)(attr_offset + 4 + value_len - TP_STUN_HEADER_LEN));
	return mac_compute(x, key, key_len, pieces, expected, mac, mac_len);
}

int stun_integrity_compute(struct stun_crypto *x, const uint8_t *octets, size_t attr_offset,
	const uint8_t *key, size_t key_len, uint8_t *mac, size_t mac_len)
{
	return integrity_compute(x, octets, attr_offset, key, key_len, NULL, mac, mac_len);
}

bool stun_integrity_check(
	struct stun_crypto *x, const struct stun_message *m, const uint8_t *key, size_t key_len)
{
	enum stun_attr id = stun_has(m, STUN_MESSAGE_INTEGRITY_SHA256)
				    ? STUN_MESSAGE_INTEGRITY_SHA256
				    : STUN_MESSAGE_INTEGRITY;
	struct stun_value value = m->attr[id];
	size_t mac_len = id == STUN_MESSAGE_INTEGRITY ? STUN_HMAC_SHA1_LEN : STUN_HMAC_SHA256_LEN;
	uint8_t mac[STUN_HMAC_SHA256_LEN];

	if (value.octets == NULL || stun_is_malformed(m, id))
		return false;
	return integrity_compute(x, m->octets, (size_t)(value.octets - m->octets) - 4, key, key_len,
		       &value, mac, mac_len) == 0;
}
