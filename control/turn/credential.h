// SPDX-License-Identifier: BSD-3-Clause
// Time-limited ("REST") credentials: the user name is "EXPIRY:NAME" or "EXPIRY" with EXPIRY in Unix
// seconds, the password base64(HMAC-SHA1(shared secret, user name)).
#pragma once

#include <stun/integrity.h>

#define TURN_REST_SEPARATOR    ':'
#define TURN_REST_PASSWORD_LEN 28u // base64 of 20 bytes

// Takes a user name apart; false when it is not of this form. `name` is empty without a separator.
bool turn_credential_parse(struct stun_text username, uint64_t *expiry_s, struct stun_text *name);
// The password, NUL-terminated. 0 or negative errno.
int turn_credential_password(struct stun_crypto *x, const uint8_t *secret, size_t secret_len,
	struct stun_text username, char password[TURN_REST_PASSWORD_LEN + 1]);
