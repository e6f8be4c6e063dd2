// SPDX-License-Identifier: BSD-3-Clause
// The nonces that this server makes and accepts; <turnpike/nonce.h> has their form.
#pragma once

#include <turn/server.h>
#include <turnpike/nonce.h>

#define TURN_NONCE_LEN TP_NONCE_LEN

struct turn_nonces {
	uint8_t key[16];
	uint8_t punt_key[16];
	uint32_t lifetime_s;
};

void turn_nonces_init(struct turn_nonces *n, const struct turn_conf *conf);
void turn_nonce_make(const struct turn_nonces *n, const struct tp_nonce_realm *realm,
	uint32_t now_s, const struct tp_addr *client, char nonce[TURN_NONCE_LEN]);
// Whether we issued it to this client, with these features, less than its lifetime ago.
bool turn_nonce_is_valid(const struct turn_nonces *n, const struct tp_nonce_realm *realm,
	uint32_t now_s, const struct tp_addr *client, const uint8_t *nonce, size_t len);
