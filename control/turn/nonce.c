// SPDX-License-Identifier: BSD-3-Clause
#include "nonce.h"

#include <openssl/crypto.h>
#include <turnpike/nonce.h>

void turn_nonces_init(struct turn_nonces *n, const struct turn_conf *conf)
{
	memcpy(n->key, conf->nonce_key, sizeof(n->key));
	memcpy(n->punt_key, conf->punt_key, sizeof(n->punt_key));
	n->lifetime_s = conf->nonce_lifetime_s;
}

void turn_nonce_make(const struct turn_nonces *n, const struct tp_nonce_realm *realm,
	uint32_t now_s, const struct tp_addr *client, char nonce[TURN_NONCE_LEN])
{
	tp_nonce_make(n->key, n->punt_key, realm, now_s, client, nonce);
}

static bool time_read(const uint8_t *digits, uint32_t *time_s)
{
	*time_s = 0;
	for (unsigned i = 0; i < TP_NONCE_TIME_LEN; i++) {
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

bool turn_nonce_is_valid(const struct turn_nonces *n, const struct tp_nonce_realm *realm,
	uint32_t now_s, const struct tp_addr *client, const uint8_t *nonce, size_t len)
{
	char ours[TURN_NONCE_LEN];
	uint32_t issued_s;

	if (len != TURN_NONCE_LEN || !time_read(nonce + TP_NONCE_TIME_OFFSET, &issued_s))
		return false;
	// A worker's clock reading may be the later one. Another from the future, of another boot,
	// is as far away as can be.
	if (issued_s != now_s + 1 && now_s - issued_s >= n->lifetime_s)
		return false;
	turn_nonce_make(n, realm, issued_s, client, ours);
	return CRYPTO_memcmp(ours, nonce, TURN_NONCE_LEN) == 0;
}
