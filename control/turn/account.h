// SPDX-License-Identifier: BSD-3-Clause
// Accounts: each user's share of the common resources. The key is realm, kind and name, so that
// users of two realms, or a configured user and a time-limited credential, never count for each
// other.
//
// Each token is a user of its own. A time-limited credential counts on the name behind its expiry.
// Without a name it counts on an account of its own, and all such credentials of one secret on an
// account of the secret.
#pragma once

#include "identity.h"
#include "level.h"

// Whom a request counts for.
struct turn_account_key {
	struct turn_realm *realm;
	struct stun_text name; // of the user; part of the principal's
	uint32_t secret_id;
	enum turn_identity_kind kind;
};

struct turn_account {
	struct ds_map_node node;
	struct turn_account *parent; // of the secret; NULL
	struct turn_realm *realm;
	enum turn_identity_kind kind;
	uint32_t refs;
	uint32_t secret_id; // of a secret's account: its id; of a token's: its number; else 0
	uint32_t n_allocations;
	uint32_t n_entries;  // of the tables: an allocation, a permission and each way of a channel
	uint32_t n_data;     // data connections of TCP allocations
	uint32_t n_sessions; // live allocations, which share its cap
	struct turn_level level;   // of its cap
	bool capped;		   // it has the cap of a spent budget
	uint32_t n_ports[2];	   // relayed ports in use or reserved: of IPv4, of IPv6
	uint32_t n_cooling;	   // relayed ports that cool down after the user
	struct ds_list cooling;	   // these, oldest first
	uint64_t next_allocate_ns; // when the user has used up nothing of the Allocate rate
	uint16_t name_len;
	char name[];
};

struct turn_account_key turn_account_key_of(const struct turn_principal *principal);
// Returns the account with one more reference, made where there was none; NULL without memory.
struct turn_account *turn_account_take(
	struct ds_map *accounts, const struct turn_principal *principal);
// The account that is there; NULL.
struct turn_account *turn_account_find(
	const struct ds_map *accounts, const struct turn_account_key *key);
void turn_account_hold(struct turn_account *account); // one reference more
void turn_account_return(struct ds_map *accounts, struct turn_account *account);
// Entries of the tables. A user may take more while fewer are taken than TURN_ENTRIES_SHARE times
// the free ones: alone all but an eighth, of many busy users each less.
#define TURN_ENTRIES_SHARE 7u

// One allocation more or less.
void turn_account_open(struct turn_account *account);
void turn_account_close(struct turn_account *account);
// Whether an Allocate request is within the rate of the user; counts it.
bool turn_account_may_ask(struct turn_account *account, uint64_t now_ns);
// Whether `n` allocations more are within that of the realm;
bool turn_realm_may_open(const struct turn_realm *realm, uint32_t n);
// within the quotas of the user and of the user's secret.
bool turn_account_may_open(const struct turn_account *account, uint32_t n);
