// SPDX-License-Identifier: BSD-3-Clause
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <turnpike/siphash.h>

#include "realm.h"

uint32_t turn_secret_id(const struct turn_secret *secret)
{
	static const uint8_t key[16] = "number of secret";
	uint32_t id = (uint32_t)tp_siphash24(key, secret->id, strlen(secret->id));

	return id != 0 ? id : 1;
}

bool turn_secret_is_in_force(const struct turn_secret *secret, uint64_t wall_s)
{
	return secret->not_before_s <= wall_s &&
	       (secret->not_after_s == 0 || wall_s <= secret->not_after_s);
}

static struct turn_secret_use *use_find(const struct turn_realm *realm, uint32_t id)
{
	for (size_t i = 0; id != 0 && i < realm->n_uses; i++) {
		if (realm->uses[i].id == id)
			return &realm->uses[i];
	}
	return NULL;
}

int turn_secret_uses_make(struct turn_realm *realm, const struct turn_realm *old)
{
	size_t n = realm->conf.n_secrets, n_old = old != NULL ? old->n_uses : 0;
	struct turn_secret_use *uses = calloc(n + n_old + 1, sizeof(*uses));

	if (uses == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct turn_secret *secret = &realm->conf.secrets[i];
		const struct turn_secret_use *was;

		uses[i].id = turn_secret_id(secret);
		was = old != NULL ? use_find(old, uses[i].id) : NULL;
		if (was != NULL)
			uses[i] = *was;
		snprintf(uses[i].name, sizeof(uses[i].name), "%s", secret->id);
	}
	free(realm->uses);
	realm->uses = uses;
	realm->n_uses = n;
	for (size_t i = 0; i < n_old; i++) {
		const struct turn_secret_use *gone = &old->uses[i];

		if (gone->n_allocations > 0 && use_find(realm, gone->id) == NULL)
			uses[realm->n_uses++] = *gone;
	}
	return 0;
}

void turn_secret_uses_fini(struct turn_realm *realm)
{
	free(realm->uses);
	realm->uses = NULL;
	realm->n_uses = 0;
}

void turn_secret_used(struct turn_realm *realm, size_t index, uint64_t wall_s)
{
	realm->uses[index].requests++;
	realm->uses[index].last_s = wall_s;
}

void turn_secret_hold(struct turn_realm *realm, uint32_t id)
{
	struct turn_secret_use *use = use_find(realm, id);

	if (use != NULL)
		use->n_allocations++;
}

void turn_secret_return(struct turn_realm *realm, uint32_t id)
{
	struct turn_secret_use *use = use_find(realm, id);

	// Allocations of before a restart are not counted where their secret had left already.
	if (use != NULL && use->n_allocations > 0)
		use->n_allocations--;
}
