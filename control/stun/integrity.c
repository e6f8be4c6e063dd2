// SPDX-License-Identifier: BSD-3-Clause
#include <stun/integrity.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

// Keyed contexts kept per digest: re-arming one costs half of keying one, and a client's requests
// come close together (verify, sign, next request).
#define KEYED_CONTEXTS 64u

struct keyed_context {
	EVP_MAC_CTX *mac;
	size_t key_len;
	uint8_t key[STUN_HMAC_KEY_MAX];
};

struct keyed_contexts {
	const char *digest;
	struct keyed_context slot[KEYED_CONTEXTS];
};

struct stun_crypto {
	EVP_MD *md5;
	EVP_MD_CTX *md;
	EVP_MAC *hmac;
	struct keyed_contexts sha1;
	struct keyed_contexts sha256;
};

static int context_init(
	const struct stun_crypto *x, struct keyed_context *c, const char *digest_name)
{
	char digest[8];
	OSSL_PARAM params[2];

	// The constructor takes the text's length: the text must be there first.
	strcpy(digest, digest_name);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	c->mac = EVP_MAC_CTX_new(x->hmac);
	if (c->mac == NULL)
		return -ENOMEM;
	if (EVP_MAC_CTX_set_params(c->mac, params) == 1)
		return 0;
	EVP_MAC_CTX_free(c->mac);
	c->mac = NULL;
	return -ENOTSUP;
}

struct stun_crypto *stun_crypto_create(void)
{
	struct stun_crypto *x = calloc(1, sizeof(*x));
	int err;

	if (x == NULL)
		return NULL;
	x->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	x->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	x->md = EVP_MD_CTX_new();
	if (x->md5 == NULL || x->hmac == NULL || x->md == NULL) {
		err = -ENOTSUP;
		goto destroy;
	}
	// The first of each tells whether the library can; the others are made when a key needs
	// them.
	x->sha1.digest = "SHA1";
	x->sha256.digest = "SHA256";
	err = context_init(x, &x->sha1.slot[0], x->sha1.digest);
	if (err == 0)
		err = context_init(x, &x->sha256.slot[0], x->sha256.digest);
	if (err == 0)
		return x;
destroy:
	stun_crypto_destroy(x);
	errno = -err;
	return NULL;
}

void stun_crypto_destroy(struct stun_crypto *x)
{
	if (x == NULL)
		return;
	for (unsigned i = 0; i < KEYED_CONTEXTS; i++) {
		EVP_MAC_CTX_free(x->sha1.slot[i].mac);
		EVP_MAC_CTX_free(x->sha256.slot[i].mac);
	}
	EVP_MD_CTX_free(x->md);
	EVP_MAC_free(x->hmac);
	EVP_MD_free(x->md5);
	OPENSSL_cleanse(x, sizeof(*x));
	free(x);
}

int stun_key_md5(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	struct stun_text password, uint8_t key[STUN_KEY_MD5_LEN])
{
	bool ok = EVP_DigestInit_ex2(x->md, x->md5, NULL) == 1 &&
		  EVP_DigestUpdate(x->md, user.chars, user.len) == 1 &&
		  EVP_DigestUpdate(x->md, ":", 1) == 1 &&
		  EVP_DigestUpdate(x->md, realm.chars, realm.len) == 1 &&
		  EVP_DigestUpdate(x->md, ":", 1) == 1 &&
		  EVP_DigestUpdate(x->md, password.chars, password.len) == 1 &&
		  EVP_DigestFinal_ex(x->md, key, NULL) == 1;

	return ok ? 0 : -EIO;
}

static struct keyed_contexts *contexts_of(struct stun_crypto *x, size_t mac_len)
{
	switch (mac_len) {
	case STUN_HMAC_SHA1_LEN:
		return &x->sha1;
	case STUN_HMAC_SHA256_LEN:
		return &x->sha256;
	default:
		return NULL;
	}
}

// A context armed with the key, from the cache where the key was used lately; NULL on failure.
static EVP_MAC_CTX *context_arm(const struct stun_crypto *x, struct keyed_contexts *contexts,
	const uint8_t *key, size_t key_len)
{
	struct keyed_context *c;
	unsigned slot = 0;

	for (size_t i = 0; i < key_len && i < 4; i++)
		slot = slot * 31 + key[i];
	c = &contexts->slot[slot % KEYED_CONTEXTS];
	if (c->key_len == key_len && CRYPTO_memcmp(c->key, key, key_len) == 0)
		return EVP_MAC_init(c->mac, NULL, 0, NULL) == 1 ? c->mac : NULL;
	c->key_len = 0;
	if (c->mac == NULL && context_init(x, c, contexts->digest) != 0)
		return NULL;
	if (EVP_MAC_init(c->mac, key, key_len, NULL) != 1)
		return NULL;
	memcpy(c->key, key, key_len);
	c->key_len = key_len;
	return c->mac;
}

// HMAC over two pieces, either of which may be empty.
static int hmac_pieces(struct stun_crypto *x, const uint8_t *key, size_t key_len,
	const struct stun_text pieces[2], uint8_t *mac, size_t mac_len)
{
	struct keyed_contexts *contexts = contexts_of(x, mac_len);
	EVP_MAC_CTX *ctx;
	size_t out_len;

	if (contexts == NULL || key_len == 0 || key_len > STUN_HMAC_KEY_MAX)
		return -EINVAL;
	ctx = context_arm(x, contexts, key, key_len);
	if (ctx == NULL)
		return -EIO;
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *octets = (const uint8_t *)pieces[i].chars;

		if (EVP_MAC_update(ctx, octets, pieces[i].len) != 1)
			return -EIO;
	}
	return EVP_MAC_final(ctx, mac, &out_len, mac_len) == 1 ? 0 : -EIO;
}

int stun_hmac(struct stun_crypto *x, const uint8_t *key, size_t key_len, const void *data,
	size_t len, uint8_t *mac, size_t mac_len)
{
	const struct stun_text pieces[2] = {{(const char *)data, len}, {"", 0}};

	return hmac_pieces(x, key, key_len, pieces, mac, mac_len);
}

int stun_integrity_compute(struct stun_crypto *x, const uint8_t *octets, size_t attr_offset,
	const uint8_t *key, size_t key_len, uint8_t *mac, size_t mac_len)
{
	uint8_t head[4];
	const struct stun_text pieces[2] = {
		{(const char *)head, sizeof(head)},
		{(const char *)octets + sizeof(head), attr_offset - sizeof(head)},
	};

	// 14.5: the length field as if the message ended with this attribute.
	memcpy(head, octets, 2);
	tp_store_be16(head + 2, (uint16_t)(attr_offset + 4 + mac_len - TP_STUN_HEADER_LEN));
	return hmac_pieces(x, key, key_len, pieces, mac, mac_len);
}

bool stun_integrity_check(
	struct stun_crypto *x, const struct stun_message *m, const uint8_t *key, size_t key_len)
{
	enum stun_attr id = stun_has(m, STUN_MESSAGE_INTEGRITY_SHA256)
				    ? STUN_MESSAGE_INTEGRITY_SHA256
				    : STUN_MESSAGE_INTEGRITY;
	struct stun_value value = m->attr[id];
	uint8_t mac[STUN_HMAC_SHA256_LEN];

	if (value.octets == NULL || stun_is_malformed(m, id))
		return false;
	if (stun_integrity_compute(x, m->octets, (size_t)(value.octets - m->octets) - 4, key,
		    key_len, mac, value.len) != 0)
		return false;
	return CRYPTO_memcmp(mac, value.octets, value.len) == 0;
}

uint32_t stun_fingerprint(const uint8_t *octets, size_t len)
{
	// CRC-32 of ITU V.42, reflected polynomial 0xedb88320, half an octet at a time.
	static const uint32_t nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= octets[i];
		crc = crc >> 4 ^ nibble[crc & 0xf];
		crc = crc >> 4 ^ nibble[crc & 0xf];
	}
	return ~crc ^ TP_STUN_FINGERPRINT_XOR;
}
