// SPDX-License-Identifier: BSD-3-Clause
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hmac.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#define BLOCK_LEN 64u
_Static_assert(SHA_CBLOCK == BLOCK_LEN && SHA256_CBLOCK == BLOCK_LEN, "one block for both");

// ---- one digest as the other --------------------------------------------------------------------

union context {
	SHA_CTX sha1;
	SHA256_CTX sha256;
};

static bool digest_begin(union context *c, enum hmac_digest d)
{
	return (d == HMAC_SHA1 ? SHA1_Init(&c->sha1) : SHA256_Init(&c->sha256)) == 1;
}

static bool digest_add(union context *c, enum hmac_digest d, const void *octets, size_t len)
{
	return (d == HMAC_SHA1 ? SHA1_Update(&c->sha1, octets, len)
			       : SHA256_Update(&c->sha256, octets, len)) == 1;
}

static bool digest_end(union context *c, enum hmac_digest d, uint8_t *out)
{
	return (d == HMAC_SHA1 ? SHA1_Final(out, &c->sha1) : SHA256_Final(out, &c->sha256)) == 1;
}

// The state after a whole block.
static void state_keep(const union context *c, enum hmac_digest d, uint32_t state[8])
{
	if (d == HMAC_SHA256) {
		memcpy(state, c->sha256.h, sizeof(c->sha256.h));
		return;
	}
	state[0] = c->sha1.h0;
	state[1] = c->sha1.h1;
	state[2] = c->sha1.h2;
	state[3] = c->sha1.h3;
	state[4] = c->sha1.h4;
}

// Fields not set here are written before they are read: there are no buffered bytes.
static void state_resume(union context *c, enum hmac_digest d, const uint32_t state[8])
{
	if (d == HMAC_SHA256) {
		memcpy(c->sha256.h, state, sizeof(c->sha256.h));
		c->sha256.Nl = 8 * BLOCK_LEN;
		c->sha256.Nh = 0;
		c->sha256.num = 0;
		c->sha256.md_len = SHA256_DIGEST_LENGTH;
		return;
	}
	c->sha1.h0 = state[0];
	c->sha1.h1 = state[1];
	c->sha1.h2 = state[2];
	c->sha1.h3 = state[3];
	c->sha1.h4 = state[4];
	c->sha1.Nl = 8 * BLOCK_LEN;
	c->sha1.Nh = 0;
	c->sha1.num = 0;
}

// ---- HMAC ---------------------------------------------------------------------------------------

size_t stun_hmac_mac_len(enum hmac_digest d)
{
	return d == HMAC_SHA1 ? SHA_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
}

static bool pad_digest(
	enum hmac_digest d, const uint8_t block[BLOCK_LEN], uint8_t pad, uint32_t state[8])
{
	union context c;
	uint8_t padded[BLOCK_LEN];
	bool good;

	for (size_t i = 0; i < BLOCK_LEN; i++)
		padded[i] = block[i] ^ pad;
	good = digest_begin(&c, d) && digest_add(&c, d, padded, sizeof(padded));
	state_keep(&c, d, state);
	OPENSSL_cleanse(padded, sizeof(padded));
	OPENSSL_cleanse(&c, sizeof(c));
	return good;
}

bool stun_hmac_key_init(struct hmac_key *k, enum hmac_digest d, const uint8_t *key, size_t key_len)
{
	uint8_t block[BLOCK_LEN] = {0};
	union context c;
	bool good = true;

	if (key_len <= sizeof(block))
		memcpy(block, key, key_len);
	else
		good = digest_begin(&c, d) && digest_add(&c, d, key, key_len) &&
		       digest_end(&c, d, block);
	good = good && pad_digest(d, block, 0x36, k->inner) && pad_digest(d, block, 0x5c, k->outer);
	OPENSSL_cleanse(block, sizeof(block));
	return good;
}

bool stun_hmac_pieces(const struct hmac_key *k, enum hmac_digest d,
	const struct hmac_piece pieces[2], uint8_t *mac)
{
	uint8_t inner[HMAC_MAC_MAX];
	union context c;

	state_resume(&c, d, k->inner);
	if (!digest_add(&c, d, pieces[0].octets, pieces[0].len) ||
		!digest_add(&c, d, pieces[1].octets, pieces[1].len) || !digest_end(&c, d, inner))
		return false;
	state_resume(&c, d, k->outer);
	return digest_add(&c, d, inner, stun_hmac_mac_len(d)) && digest_end(&c, d, mac);
}
