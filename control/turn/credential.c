// SPDX-License-Identifier: BSD-3-Clause
#include "credential.h"

#include <turn/server.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

bool turn_credential_parse(struct stun_text username, uint64_t *expiry_s, struct stun_text *name)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < username.len && username.chars[i] != TURN_REST_SEPARATOR; i++) {
		char c = username.chars[i];

		// 18 digits fit in 64 bits; larger expiries are not valid times.
		if (c < '0' || c > '9' || i == 18)
			return false;
		v = v * 10 + (uint64_t)(c - '0');
	}
	if (i == 0)
		return false;
	*expiry_s = v;
	if (i < username.len)
		i++;
	*name = (struct stun_text){username.chars + i, username.len - i};
	return true;
}

int turn_credential_password(struct stun_crypto *x, const uint8_t *secret, size_t secret_len,
	struct stun_text username, char password[TURN_REST_PASSWORD_LEN + 1])
{
	uint8_t mac[STUN_HMAC_SHA1_LEN];
	int err = stun_hmac(x, secret, secret_len, username.chars, username.len, mac, sizeof(mac));

	if (err != 0)
		return err;
	EVP_EncodeBlock((unsigned char *)password, mac, sizeof(mac));
	OPENSSL_cleanse(mac, sizeof(mac));
	return 0;
}

int turn_mint_credential(const struct turn_realm_conf *realm, const char *name,
	uint64_t expiry_wall_s, char *username, size_t username_size, char *password,
	size_t password_size)
{
	struct stun_crypto *x;
	int err, len;

	if (realm->n_secrets == 0)
		return -ENOENT;
	len = snprintf(username, username_size, "%llu%c%s", (unsigned long long)expiry_wall_s,
		TURN_REST_SEPARATOR, name);
	if (len < 0 || (size_t)len >= username_size || (size_t)len > TURN_USERNAME_MAX ||
		password_size <= TURN_REST_PASSWORD_LEN)
		return -ENOSPC;
	x = stun_crypto_create();
	if (x == NULL)
		return -errno;
	err = turn_credential_password(x, realm->secrets[0].octets, realm->secrets[0].len,
		(struct stun_text){username, (size_t)len}, password);
	stun_crypto_destroy(x);
	return err;
}
