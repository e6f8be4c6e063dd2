// SPDX-License-Identifier: BSD-3-Clause
#include <stun/integrity.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "hmac.h"

// Keyed states kept: keying costs as much as the digest of a request, and the requests of a user's
// clients come close together (verify, sign, next request).
#define KEPT	 1024u
#define KEPT_LEN 64u // longest key that is kept

struct kept_key {
	struct hmac_key hmac;
	size_t len; // 0: none
	uint8_t key[KEPT_LEN];
};

struct stun_crypto {
	EVP_MD *md5;
	EVP_MD_CTX *md;
	struct kept_key *kept[HMAC_DIGESTS]; // [KEPT]
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
	if (!digest_is_there("SHA1") || !digest_is_there("SHA256"))
		goto destroy;
	x->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	x->md = EVP_MD_CTX_new();
	if (x->md5 == NULL || x->md == NULL)
		goto destroy;
	err = ENOMEM;
	for (unsigned d = 0; d < HMAC_DIGESTS; d++) {
		x->kept[d] = calloc(KEPT, sizeof(*x->kept[d]));
		if (x->kept[d] == NULL)
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
		if (x->kept[d] != NULL)
			OPENSSL_cleanse(x->kept[d], KEPT * sizeof(*x->kept[d]));
		free(x->kept[d]);
	}
	EVP_MD_CTX_free(x->md);
	EVP_MD_free(x->md5);
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

static struct kept_key *kept_place(
	struct stun_crypto *x, enum hmac_digest d, const uint8_t *key, size_t key_len)
{
	unsigned slot = 0;

	for (size_t i = 0; i < key_len && i < 4; i++)
		slot = slot * 31 + key[i];
	return &x->kept[d][slot % KEPT];
}

// The keyed state, from those kept where the key was used lately; NULL on failure. `own` is room
// for one that is not kept.
static const struct hmac_key *key_arm(struct stun_crypto *x, enum hmac_digest d, const uint8_t *key,
	size_t key_len, struct hmac_key *own)
{
	const struct kept_key *k = kept_place(x, d, key, key_len);

	if (k->len == key_len && CRYPTO_memcmp(k->key, key, key_len) == 0)
		return &k->hmac;
	return hmac_key_init(own, d, key, key_len) ? own : NULL;
}

static void key_keep(struct stun_crypto *x, enum hmac_digest d, const uint8_t *key, size_t key_len,
	const struct hmac_key *armed)
{
	struct kept_key *k = kept_place(x, d, key, key_len);

	if (key_len > KEPT_LEN || armed == &k->hmac)
		return;
	k->hmac = *armed;
	memcpy(k->key, key, key_len);
	k->len = key_len;
}

// `expected`: the MAC that it must be; NULL: any. Only the state of a key that was right is kept:
// whoever guesses keys pushes no user's out.
static int mac_compute(struct stun_crypto *x, const uint8_t *key, size_t key_len,
	const struct hmac_piece pieces[2], const uint8_t *expected, uint8_t *mac, size_t mac_len)
{
	enum hmac_digest d = mac_len == STUN_HMAC_SHA256_LEN ? HMAC_SHA256 : HMAC_SHA1;
	const struct hmac_key *armed;
	struct hmac_key own;
	int err = -EIO;

	if (mac_len != hmac_mac_len(d) || key_len == 0 || key_len > STUN_HMAC_KEY_MAX)
		return -EINVAL;
	armed = key_arm(x, d, key, key_len, &own);
	if (armed != NULL && hmac_pieces(armed, d, pieces, mac))
		err = expected == NULL || CRYPTO_memcmp(mac, expected, mac_len) == 0 ? 0 : -EBADMSG;
	if (err == 0)
		key_keep(x, d, key, key_len, armed);
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
	const uint8_t *key, size_t key_len, const uint8_t *expected, uint8_t *mac, size_t mac_len)
{
	uint8_t head[4];
	const struct hmac_piece pieces[2] = {
		{head, sizeof(head)},
		{octets + sizeof(head), attr_offset - sizeof(head)},
	};

	// 14.5: the length field as if the message ended with this attribute.
	memcpy(head, octets, 2);
	tp_store_be16(head + 2, (uint16_t)(attr_offset + 4 + mac_len - TP_STUN_HEADER_LEN));
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
	uint8_t mac[STUN_HMAC_SHA256_LEN];

	if (value.octets == NULL || stun_is_malformed(m, id))
		return false;
	return integrity_compute(x, m->octets, (size_t)(value.octets - m->octets) - 4, key, key_len,
		       value.octets, mac, value.len) == 0;
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
