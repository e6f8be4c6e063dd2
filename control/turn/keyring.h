// SPDX-License-Identifier: BSD-3-Clause
// A realm's secrets and keys of tokens from a database, behind those of the configuration: the
// realm's `conf` has both. They are copies, wiped when others take their place; a new configuration
// takes them over. A secret's id is made from it with a key of this relay's, so that it stays the
// same over restarts and tells nobody anything.
#pragma once

#include <turn/server.h>

struct turn_realm;

#define TURN_KEYRING_SECRET_MAX	    256u // bytes, as coturn's column
#define TURN_KEYRING_SECRETS_MAX    64u
#define TURN_KEYRING_TOKEN_KEYS_MAX 64u

struct turn_keyring_secret {
	char id[16];
	uint8_t octets[TURN_KEYRING_SECRET_MAX];
};

struct turn_keyring_token_key {
	char id[TURN_TOKEN_KEY_ID_MAX + 1];
};

// Both lists begin with the configuration's.
struct turn_keyring {
	struct turn_secret *secrets;
	size_t n_secrets;
	size_t n_own_secrets;
	struct turn_token_key *token_keys;
	size_t n_token_keys;
	size_t n_own_token_keys;
	struct turn_keyring_secret texts[TURN_KEYRING_SECRETS_MAX];
	struct turn_keyring_token_key ids[TURN_KEYRING_TOKEN_KEYS_MAX];
};

// Puts other keys behind the configuration's. 1; 0 if they are the same; -ENOMEM, -E2BIG or
// -EINVAL: nothing has changed.
int turn_keyring_set(
	struct turn_realm *realm, const uint8_t id_key[16], const struct turn_keys *keys);
// Gives `fresh`, the same realm of a new configuration, the keys that `old` has, where it may have
// any. 0 or -ENOMEM.
int turn_keyring_carry(
	struct turn_realm *fresh, const uint8_t id_key[16], const struct turn_realm *old);
void turn_keyring_fini(struct turn_realm *realm);
