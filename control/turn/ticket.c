// SPDX-License-Identifier: BSD-3-Clause
#include "ticket.h"

#include <openssl/evp.h>

#define NUMBER_LEN 8u
#define TAG_LEN	   16u

bool turn_ticket_seal(const uint8_t key[TURN_TICKET_KEY_LEN], const uint8_t iv[TURN_TICKET_IV_LEN],
	uint64_t number, uint8_t ticket[TURN_TICKET_LEN])
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	uint8_t *sealed = ticket + TURN_TICKET_IV_LEN;
	uint8_t plain[NUMBER_LEN];
	bool good;
	int n;

	tp_store_be64(plain, number);
	memcpy(ticket, iv, TURN_TICKET_IV_LEN);
	good = x != NULL && EVP_EncryptInit_ex(x, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
	       EVP_EncryptUpdate(x, sealed, &n, plain, sizeof(plain)) == 1 &&
	       n == (int)NUMBER_LEN && EVP_EncryptFinal_ex(x, sealed + n, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG_LEN, sealed + NUMBER_LEN) == 1;
	EVP_CIPHER_CTX_free(x);
	return good;
}

bool turn_ticket_open(
	const uint8_t key[TURN_TICKET_KEY_LEN], const uint8_t *ticket, size_t len, uint64_t *number)
{
	uint8_t plain[NUMBER_LEN], tag[TAG_LEN];
	EVP_CIPHER_CTX *x;
	bool good;
	int n;

	if (len != TURN_TICKET_LEN)
		return false;
	memcpy(tag, ticket + TURN_TICKET_IV_LEN + NUMBER_LEN, TAG_LEN);
	x = EVP_CIPHER_CTX_new();
	good = x != NULL && EVP_DecryptInit_ex(x, EVP_aes_256_gcm(), NULL, key, ticket) == 1 &&
	       EVP_DecryptUpdate(x, plain, &n, ticket + TURN_TICKET_IV_LEN, NUMBER_LEN) == 1 &&
	       n == (int)NUMBER_LEN &&
	       EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag) == 1 &&
	       EVP_DecryptFinal_ex(x, plain + n, &n) == 1;
	EVP_CIPHER_CTX_free(x);
	if (good)
		*number = tp_load_be64(plain);
	return good;
}
