// SPDX-License-Identifier: BSD-3-Clause
// The stateless nonce (RFC 8489 9.2, 14.10): 40 characters,
//
//   "obMatJos2" "AAAA"   cookie and security features: none
//   8 hexadecimal digits time of issue, CLOCK_BOOTTIME seconds
//   11 of base64         SipHash-2-4 over time, client address and port, features and realm
//   8 hexadecimal digits tag for the packet path, <turnpike/nonce.h>
//
// Several are valid at once; nothing is remembered about any.
#pragma once

#include <turn/server.h>

#define TURN_NONCE_LEN 40u

struct turn_nonces {
	uint8_t key[16];
	uint8_t punt_key[16];
	uint64_t realm_hash;
	uint32_t lifetime_s;
};

void turn_nonces_init(struct turn_nonces *n, const struct turn_conf *conf);
void turn_nonce_make(const struct turn_nonces *n, uint32_t now_s, const struct tp_addr *client,
	char nonce[TURN_NONCE_LEN]);
// Whether we issued it to this client, less than its lifetime ago.
bool turn_nonce_is_valid(const struct turn_nonces *n, uint32_t now_s, const struct tp_addr *client,
	const uint8_t *nonce, size_t len);
