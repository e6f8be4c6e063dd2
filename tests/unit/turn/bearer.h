// SPDX-License-Identifier: BSD-3-Clause
// A client with a token of another program (coturn's turnutils_oauth), on the harness.
#pragma once

#include "harness.h"

#include <token.h>

#define SERVER		  "turn.example.org"
#define ISSUED_S	  UINT64_C(1795910400)
#define LIFE_S		  3600u
#define MAC_KEY		  "ZksjpweoixXmvn67534m"
#define MAC_KEY_LEN	  20u
#define ATTR_ACCESS_TOKEN 0x001bu
#define ATTR_THIRD_PARTY  0x802eu

// Tokens by the key "carleon", padded with zeros, for SERVER, with MAC_KEY, ISSUED_S and LIFE_S.
extern const char bearer_token_256[], bearer_token_128[];
// As bearer_token_256, with another MAC key.
#define MAC_KEY_OTHER "anotherMACkeyof20byt"
extern const char bearer_token_other[];

// Their keys, "north" and "south".
extern const struct turn_token_key bearer_key_256, bearer_key_128;

struct bytes {
	uint8_t octets[256];
	size_t len;
};

struct bearer {
	struct harness h;
	struct client c;
	struct bytes token;
	const char *mac_key;
};

struct bytes bearer_decode(const char *base64);
// The server has both keys, the client the first token.
void bearer_init(struct bearer *f);
void bearer_take(struct bearer *f, const char *user, const char *token, const char *mac_key);
// The code of the answer, 0 for success. lifetime_s UINT32_MAX: the request has none.
unsigned bearer_ask(struct bearer *f, uint16_t type, uint32_t lifetime_s, bool token);
// An Allocate with one more attribute, after a challenge.
unsigned bearer_allocate_with(struct bearer *f, uint16_t attr, const uint8_t *value, uint16_t len);
// Asks for an hour, after a challenge. Returns the code as bearer_ask.
unsigned bearer_allocate(struct bearer *f);
