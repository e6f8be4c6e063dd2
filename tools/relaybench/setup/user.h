// SPDX-License-Identifier: BSD-3-Clause
// The clients' identities: as the relay's configuration has them, and as the clients sign.
#pragma once

#include <stdint.h>

#define BENCH_REALM	    "relaybench"
#define BENCH_USER_NAME_MAX 32u

// The secret of time-limited credentials.
extern const char bench_rest_secret[];

// A user's name, NUL-terminated, and key.
void bench_user_name(uint32_t user, char name[BENCH_USER_NAME_MAX]);
void bench_user_key(uint32_t user, uint8_t key[16]);
