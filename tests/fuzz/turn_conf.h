// SPDX-License-Identifier: BSD-3-Clause
// The configuration that the TURN server is driven with, and its users: a static one, one of
// time-limited credentials, one that nobody knows, and another static one. Made once: none of it is
// changed by a run.
#pragma once

#include <turn/server.h>

#define TURN_REALM "fuzz.example"

struct turn_known_user {
	char name[32];
	uint8_t key[16]; // of the long-term credential (RFC 8489 9.2.2)
};

extern struct turn_known_user turn_users[4];
extern struct turn_conf turn_conf;

void turn_conf_init(void);
