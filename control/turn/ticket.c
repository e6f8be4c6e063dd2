// SPDX-License-Identifier: BSD-3-Clause
#include "ticket.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define BLOCK_LEN  16u
#define NUMBER_LEN 8u

static bool block_crypt(
	const uint8_t key[TURN_TICKET_KEY_LEN], bool seal, const uint8_t *in, uint8_t *out)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0;
	bool good = x != NULL &&
		    EVP_CipherInit_ex(x, EVP_aes_256_ecb(), NULL, key, NULL, seal) == 1 &&
		    EVP_CIPHER_CTX_set_padding(x, 0) == 1 &&
		    EVP_CipherUpdate(x, out, &n, in, BLOCK_LEN) == 1 && n == (int)BLOCK_LEN;

	EVP_CIPHER_CTX_free(x);
	return good;
}

bool turn_ticket_seal(
	const uint8_t key[TURN_TICKET_KEY_LEN], uint64_t number, uint8_t ticket[TURN_TICKET_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t plain[BLOCK_LEN] = {0}, sealed[BLOCK_LEN];

	tp_store_be64(plain, number);
	if (!block_crypt(key, true, plain, sealed))
		return false;
	for (unsigned i = 0; i < TURN_TICKET_LEN; i++)
		ticket[i] = (uint8_t)digits[sealed[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	return true;
}

static bool digit_read(uint8_t c, uint8_t *value)
{
	if (c >= '0' && c <= '9')
		*value = (uint8_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*value = (uint8_t)(c - 'a' + 10);
	else
		return false;
	return true;
}

bool turn_ticket_open(
	const uint8_t key[TURN_TICKET_KEY_LEN], const uint8_t *ticket, size_t len, uint64_t *number)
{
	static const uint8_t zeroes[BLOCK_LEN - NUMBER_LEN];
	uint8_t sealed[BLOCK_LEN] = {0}, plain[BLOCK_LEN], value;

	if (len != TURN_TICKET_LEN)
		return false;
	for (unsigned i = 0; i < TURN_TICKET_LEN; i++) {
		if (!digit_read(ticket[i], &value))
			return false;
		sealed[i / 2] = (uint8_t)(sealed[i / 2] << 4 | value);
	}
	if (!block_crypt(key, false, sealed, plain) ||
		CRYPTO_memcmp(plain + NUMBER_LEN, zeroes, sizeof(zeroes)) != 0)
		return false;
	*number = tp_load_be64(plain);
	return true;
}
