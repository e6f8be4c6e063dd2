// SPDX-License-Identifier: BSD-3-Clause
// Time-limited ("REST") credentials: the user name is "EXPIRY:NAME" or "EXPIRY" with EXPIRY in Unix
// seconds, the password base64(HMAC(shared secret, user name)) with SHA-1 or SHA-256.
#pragma once

#include <stun/integrity.h>
#include <turn/server.h>

#define TURN_REST_SEPARATOR    ':' // unless the realm has another one
#define TURN_REST_PASSWORD_MAX 44u // base64 of 32 bytes; 28 of SHA-1's 20

static inline char turn_separator(const struct turn_realm_conf *realm)
{
	return realm->separator != '\0' ? realm->separator : TURN_REST_SEPARATOR;
}

// Takes a user name apart; false when it is not of this form. `name` is empty without a separator.
bool turn_credential_parse(
	struct stun_text username, char separator, uint64_t *expiry_s, struct stun_text *name);
// The password, NUL-terminated, and its length. 0 or negative errno.
int turn_credential_password(struct stun_crypto *x, const struct turn_secret *secret, bool sha256,
	struct stun_text username, char password[TURN_REST_PASSWORD_MAX + 1], size_t *len);
