// SPDX-License-Identifier: BSD-3-Clause
#include "nonce.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <turnpike/nonce.h>
#include <turnpike/siphash.h>

// RFC 8489 9.2: the fixed text, then the base64 of 24 feature bits.
static const char cookie[] = "obMatJos2AAAA";

#define COOKIE_LEN  (sizeof(cookie) - 1)
#define TIME_LEN    8u
#define MAC_LEN	    11u
#define TIME_OFFSET COOKIE_LEN
#define MAC_OFFSET  (TIME_OFFSET + TIME_LEN)
#define TAG_OFFSET  (MAC_OFFSET + MAC_LEN)
_Static_assert(TAG_OFFSET + TP_NONCE_TAG_LEN == TURN_NONCE_LEN, "the parts of a nonce");

// What the MAC covers; no padding in it.
struct covered {
	struct tp_addr client;
	uint32_t issued_s;
	uint64_t features;
	uint64_t realm_hash;
};
TP_ASSERT_SIZE(struct covered, 40);

void turn_nonces_init(struct turn_nonces *n, const struct turn_conf *conf)
{
	memcpy(n->key, conf->nonce_key, sizeof(n->key));
	memcpy(n->punt_key, conf->punt_key, sizeof(n->punt_key));
	n->realm_hash = tp_siphash24(n->key, conf->realm, strlen(conf->realm));
	n->lifetime_s = conf->nonce_lifetime_s;
}

void turn_nonce_make(const struct turn_nonces *n, uint32_t now_s, const struct tp_addr *client,
	char nonce[TURN_NONCE_LEN])
{
	static const char digits[] = "0123456789abcdef";
	struct covered covered = {
		.client = *client, .issued_s = now_s, .realm_hash = n->realm_hash};
	unsigned char base64[13];
	uint8_t mac[8];

	memcpy(nonce, cookie, COOKIE_LEN);
	for (unsigned i = 0; i < TIME_LEN; i++)
		nonce[TIME_OFFSET + i] = digits[now_s >> (28 - 4 * i) & 0xf];
	tp_store_be64(mac, tp_siphash24(n->key, &covered, sizeof(covered)));
	EVP_EncodeBlock(base64, mac, sizeof(mac));
	memcpy(nonce + MAC_OFFSET, base64, MAC_LEN);
	tp_nonce_tag(n->punt_key, client, nonce + TAG_OFFSET);
}

static bool time_read(const uint8_t *digits, uint32_t *time_s)
{
	*time_s = 0;
	for (unsigned i = 0; i < TIME_LEN; i++) {
		uint8_t c = digits[i];

		if (c >= '0' && c <= '9')
			*time_s = *time_s << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*time_s = *time_s << 4 | (uint32_t)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

bool turn_nonce_is_valid(const struct turn_nonces *n, uint32_t now_s, const struct tp_addr *client,
	const uint8_t *nonce, size_t len)
{
	char ours[TURN_NONCE_LEN];
	uint32_t issued_s;

	if (len != TURN_NONCE_LEN || !time_read(nonce + TIME_OFFSET, &issued_s))
		return false;
	// One from the future, of another boot, is as far away as can be.
	if (now_s - issued_s >= n->lifetime_s)
		return false;
	turn_nonce_make(n, issued_s, client, ours);
	return CRYPTO_memcmp(ours, nonce, TURN_NONCE_LEN) == 0;
}
