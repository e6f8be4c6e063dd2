// SPDX-License-Identifier: BSD-3-Clause
#include "credential.h"

#include <turn/server.h>

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "secret.h"

bool turn_credential_parse(
	struct stun_text username, char separator, uint64_t *expiry_s, struct stun_text *name)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < username.len && username.chars[i] != separator; i++) {
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

int turn_credential_password(struct stun_crypto *x, const struct turn_secret *secret, bool sha256,
	struct stun_text username, char password[TURN_REST_PASSWORD_MAX + 1], size_t *len)
{
	size_t mac_len = sha256 ? STUN_HMAC_SHA256_LEN : STUN_HMAC_SHA1_LEN;
	uint8_t mac[STUN_HMAC_SHA256_LEN];
	int err = stun_hmac(
		x, secret->octets, secret->len, username.chars, username.len, mac, mac_len);

	if (err != 0)
		return err;
	*len = (size_t)EVP_EncodeBlock((unsigned char *)password, mac, (int)mac_len);
	OPENSSL_cleanse(mac, sizeof(mac));
	return 0;
}

const struct turn_secret *turn_secret_to_mint(const struct turn_realm_conf *realm, uint64_t wall_s)
{
	for (size_t i = 0; i < realm->n_secrets; i++) {
		if (turn_secret_is_in_force(&realm->secrets[i], wall_s))
			return &realm->secrets[i];
	}
	return NULL;
}

int turn_mint_credential(const struct turn_realm_conf *realm, const char *name,
	uint64_t expiry_wall_s, char *username, size_t username_size, char *password,
	size_t password_size)
{
	char made[TURN_REST_PASSWORD_MAX + 1];
	struct stun_crypto *x;
	size_t made_len;
	int err, len;

	if (realm->n_secrets == 0)
		return -ENOENT;
	len = snprintf(username, username_size, "%llu%c%s", (unsigned long long)expiry_wall_s,
		turn_separator(realm), name);
	if (len < 0 || (size_t)len >= username_size || (size_t)len > TURN_USERNAME_MAX)
		return -ENOSPC;
	x = stun_crypto_create();
	if (x == NULL)
		return -errno;
	err = turn_credential_password(x, &realm->secrets[0],
		realm->secrets[0].hmac == TURN_HMAC_SHA256,
		(struct stun_text){username, (size_t)len}, made, &made_len);
	stun_crypto_destroy(x);
	if (err == 0 && made_len >= password_size)
		err = -ENOSPC;
	if (err == 0)
		memcpy(password, made, made_len + 1);
	OPENSSL_cleanse(made, sizeof(made));
	return err;
}
