// SPDX-License-Identifier: BSD-3-Clause
#include "user.h"

#include <stdio.h>

const char bench_rest_secret[] = "a secret that relaybench and its relay share";

void bench_user_name(uint32_t user, char name[BENCH_USER_NAME_MAX])
{
	snprintf(name, BENCH_USER_NAME_MAX, "user%07u", user);
}

// Derived from no password: only the key counts.
void bench_user_key(uint32_t user, uint8_t key[16])
{
	for (unsigned i = 0; i < 16; i++)
		key[i] = (uint8_t)(user >> 8 * (i % 4)) ^ (uint8_t)(0x5a + 31 * i);
}
