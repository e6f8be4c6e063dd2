// SPDX-License-Identifier: BSD-3-Clause
// The secrets of a realm's time-limited credentials, and how much each of them is used: a rotation
// is over when nobody uses the old secret any more.
//
// A secret that left the configuration is remembered for as long as the server runs and allocations
// made with it live.
#pragma once

#include <turn/server.h>

struct turn_realm;

#define TURN_SECRET_NAME_SIZE 68u

struct turn_secret_use {
	uint32_t id; // as in records
	uint32_t n_allocations;
	uint64_t requests; // that verified
	uint64_t last_s;   // wall clock; 0: never
	char name[TURN_SECRET_NAME_SIZE];
};

// The number of a secret in records, not 0.
uint32_t turn_secret_id(const struct turn_secret *secret);
// Whether passwords made from it are accepted at this wall clock second.
bool turn_secret_is_in_force(const struct turn_secret *secret, uint64_t wall_s);

// Makes the uses of a realm's configured secrets, and takes over those of `old` (NULL: none). 0 or
// -ENOMEM; the realm's own list is freed by turn_secret_uses_fini.
int turn_secret_uses_make(struct turn_realm *realm, const struct turn_realm *old);
void turn_secret_uses_fini(struct turn_realm *realm);

// A request verified under the secret of that index of the configuration.
void turn_secret_used(struct turn_realm *realm, size_t index, uint64_t wall_s);
// An allocation more or less, made with the secret of that id; 0: with none.
void turn_secret_hold(struct turn_realm *realm, uint32_t id);
void turn_secret_return(struct turn_realm *realm, uint32_t id);
