// SPDX-License-Identifier: BSD-3-Clause
// Random numbers from the environment's CSPRNG, fetched in blocks because each fetch may cost a
// system call.
#pragma once

#include <turn/server.h>

struct turn_random {
	struct turn_env env;
	uint8_t block[256];
	size_t left;
};

static inline void turn_random_init(struct turn_random *r, const struct turn_env *env)
{
	*r = (struct turn_random){.env = *env};
}

static inline uint32_t turn_random_u32(struct turn_random *r)
{
	uint32_t v;

	if (r->left < sizeof(v)) {
		r->env.random(r->env.ctx, r->block, sizeof(r->block));
		r->left = sizeof(r->block);
	}
	r->left -= sizeof(v);
	memcpy(&v, r->block + r->left, sizeof(v));
	// Numbers handed out must not be read back later.
	memset(r->block + r->left, 0, sizeof(v));
	return v;
}

// Uniform in [0, n), n > 0.
static inline uint32_t turn_random_below(struct turn_random *r, uint32_t n)
{
	uint32_t fair = UINT32_MAX - (UINT32_MAX % n + 1) % n;
	uint32_t v;

	do {
		v = turn_random_u32(r);
	} while (v > fair);
	return v % n;
}
