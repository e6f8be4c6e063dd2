// SPDX-License-Identifier: BSD-3-Clause
// Who the clients say they are: as the relay is told by its configuration, and as they sign.
#pragma once

#include <stdint.h>

#define BENCH_REALM	    "relaybench"
#define BENCH_USER_NAME_MAX 32u

// Of time-limited credentials.
extern const char bench_rest_secret[];

// A user's name, NUL-terminated, and key.
void bench_user_name(uint32_t user, char name[BENCH_USER_NAME_MAX]);
void bench_user_key(uint32_t user, uint8_t key[16]);
