// SPDX-License-Identifier: BSD-3-Clause
// Bans of users, credentials and prefixes. The server holds them; the caller keeps them on disk.
//
// Threads: as for <turn/server.h>.
#pragma once

#include <policy/policy.h>
#include <turn/store.h>

struct turn_server;

enum turn_ban_kind {
	TURN_BAN_NONE,
	TURN_BAN_USER,	     // by name: the part behind the time of a time-limited credential
	TURN_BAN_CREDENTIAL, // by the whole USERNAME
	TURN_BAN_PREFIX,     // by the client's address, in all realms
};

#define TURN_BANS_MAX	      4096u
#define TURN_BAN_PREFIXES_MAX 256u // of them

struct turn_ban {
	enum turn_ban_kind kind;
	uint16_t realm_id; // USER, CREDENTIAL
	uint16_t name_len;
	uint64_t until_s; // wall clock
	struct text_cidr prefix;
	char name[TURN_USERNAME_MAX]; // any bytes
};

// Bans until the time in it: live calls end in turn_advance, new ones are refused. One that is
// there gets the new end. *index: the place that it should have, where that is free, or
// TURN_BANS_MAX; then the one that it has. 0, -EINVAL (no such realm, the time is over), -ENOSPC.
int turn_ban_add(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_ban *ban, uint32_t *index);
// 0, with the place that it had, or -ENOENT.
int turn_ban_remove(struct turn_server *s, const struct turn_ban *ban, uint32_t *index);
// The ban of the credential that an allocation was made with, for the rest of its time; -ENOENT:
// there is no such allocation, or its credential has no end.
int turn_ban_of_credential(
	const struct turn_server *s, uint32_t ref, uint64_t wall_s, struct turn_ban *ban);
// Walks all bans: start with *cursor = 0; false at the end.
bool turn_ban_next(const struct turn_server *s, uint32_t *cursor, struct turn_ban *ban);
