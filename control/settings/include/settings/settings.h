// SPDX-License-Identifier: BSD-3-Clause
// The configuration in the terms of its users: the TURN server, the peer policy, the tables. Never
// changed once made; holds secrets, wiped when freed.
#pragma once

#include <conf/conf.h>
#include <policy/policy.h>
#include <tables/writer.h>
#include <turn/server.h>

// The memory behind a realm.
struct settings_realm {
	struct policy *policy;
	struct policy *trial; // with the deny rules under trial; NULL: none
	struct turn_user *users;
	struct turn_secret *secrets;
	struct turn_token_key *token_keys;
	struct turn_user_policy *policies; // of some users
	size_t n_policies;
};

struct settings {
	struct conf *conf;
	struct turn_conf turn;
	struct turn_realm_conf *realms; // the file's own first, then the further ones
	struct settings_realm *parts;	// of each realm
	size_t n_realms;
	struct turn_listener *listeners;
	struct turn_relay_address *relays;
	struct tables_local *locals; // listeners, then relay addresses
	size_t n_locals;
	struct tp_path_config path;
};

// Takes over conf, also on failure. Ids are 0 until settings_ids. NULL with errno set.
struct settings *settings_create(struct conf *conf);
// NULL is fine.
void settings_destroy(struct settings *s);

// Copies the ids that tables_configure settled, and the keys that outlive the process. 0 or
// -ENOMEM.
int settings_ids(struct settings *s, const struct tables_secrets *secrets);

// False: an address before it has the same IP address and role, with another port or transport.
bool settings_local_is_first(const struct settings *s, size_t i);

// Capacities of new tables.
struct shm_tables_shape settings_shape(const struct conf *conf);
// Bytes of memory that the control process needs when all its capacity is in use: its heap and the
// files that it makes.
uint64_t settings_memory(const struct conf *conf);
// The first key that asks for slots of limits: of caps, or of budgets that cap; NULL: none.
const char *settings_limits_key(const struct conf *conf);
// Slots of limits that its caps need, 0 without any; settings_shape may have more.
uint32_t settings_limits_needed(const struct conf *conf);
// Whether tables of `have` have the capacities of the configuration and room for its caps.
bool settings_shape_fits(const struct conf *conf, const struct shm_tables *have);
