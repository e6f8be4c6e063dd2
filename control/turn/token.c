// SPDX-License-Identifier: BSD-3-Clause
#include "token.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <turnpike/siphash.h>

#define NONCE_LEN   12u // of AES-GCM (RFC 5116 5.1)
#define TAG_LEN	    16u
#define MAC_KEY_MIN 16u
#define BLOCK_MIN   (2u + MAC_KEY_MIN + 8u + 4u)
#define BLOCK_MAX   (2u + TURN_KEY_MAX + 8u + 4u)
#define FRONT_LEN   (2u + NONCE_LEN)

static bool block_decrypt(const struct turn_token_key *key, const char *server_name,
	const uint8_t *octets, size_t len, uint8_t block[BLOCK_MAX])
{
	const EVP_CIPHER *cipher =
		key->algorithm == TURN_TOKEN_A128GCM ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	size_t block_len = len - FRONT_LEN - TAG_LEN, name_len = strlen(server_name);
	uint8_t tag[TAG_LEN];
	int n;
	bool good;

	memcpy(tag, octets + len - TAG_LEN, TAG_LEN);
	good = x != NULL && name_len <= INT_MAX &&
	       EVP_DecryptInit_ex(x, cipher, NULL, key->octets, octets + 2) == 1 &&
	       EVP_DecryptUpdate(x, NULL, &n, (const uint8_t *)server_name, (int)name_len) == 1 &&
	       EVP_DecryptUpdate(x, block, &n, octets + FRONT_LEN, (int)block_len) == 1 &&
	       (size_t)n == block_len &&
	       EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
	       EVP_DecryptFinal_ex(x, block + n, &n) == 1;
	EVP_CIPHER_CTX_free(x);
	return good;
}

static bool block_read(const uint8_t *block, size_t len, struct turn_token *token)
{
	size_t key_len = tp_load_be16(block);
	const uint8_t *end = block + 2 + key_len;

	if (key_len < MAC_KEY_MIN || key_len > TURN_KEY_MAX || len != 2 + key_len + 8 + 4)
		return false;
	*token = (struct turn_token){
		.key = {.algorithm = TURN_KEY_MAC, .len = (uint8_t)key_len},
		.issued_s = (uint64_t)tp_load_be32(end) << 16 | tp_load_be16(end + 4),
	};
	memcpy(token->key.octets, block + 2, key_len);
	token->expires_s = token->issued_s + tp_load_be32(end + 8);
	return true;
}

bool turn_token_open(const struct turn_token_key *key, const char *server_name,
	const uint8_t *octets, size_t len, struct turn_token *token)
{
	uint8_t block[BLOCK_MAX];
	bool good;

	if (len < FRONT_LEN + BLOCK_MIN + TAG_LEN || len > FRONT_LEN + BLOCK_MAX + TAG_LEN ||
		tp_load_be16(octets) != NONCE_LEN)
		return false;
	good = block_decrypt(key, server_name, octets, len, block) &&
	       block_read(block, len - FRONT_LEN - TAG_LEN, token);
	OPENSSL_cleanse(block, sizeof(block));
	return good;
}

uint32_t turn_token_number(const struct turn_key *mac_key)
{
	static const uint8_t key[16] = "number of token";
	uint32_t id = (uint32_t)tp_siphash24(key, mac_key->octets, mac_key->len);

	return id != 0 ? id : 1;
}
