// SPDX-License-Identifier: BSD-3-Clause
// Self-contained tokens of third-party authorization (RFC 7635 6.2): made and encrypted by an
// authorization server, decrypted here with the key that both share.
//
//   2 bytes length of the nonce, the nonce, then by AES-GCM with a tag of 16 bytes at its end and
//   the server name as associated data: 2 bytes length of the MAC key, the MAC key, 8 bytes time of
//   issue (48 bits seconds of Unix time, 16 bits of 1/64000 s), 4 bytes lifetime in seconds.
#pragma once

#include <turn/server.h>

#define TURN_TOKEN_SKEW_S 5u // between the clocks of both servers

struct turn_token {
	struct turn_key key; // the MAC key
	uint64_t issued_s;   // wall clock
	uint64_t expires_s;
};

// False where the token was not made with the key for a server of this name, or its fields make no
// sense. Lengths are checked before anything is decrypted.
bool turn_token_open(const struct turn_token_key *key, const char *server_name,
	const uint8_t *octets, size_t len, struct turn_token *token);
// The number that tells a token's user from others of the same key id; from its MAC key alone.
uint32_t turn_token_number(const struct turn_key *mac_key);
