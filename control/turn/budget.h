// SPDX-License-Identifier: BSD-3-Clause
// Budgets of bytes: the counts of all users, in places that have a number for the caller's file.
#pragma once

#include <turn/budget.h>

#include <ds/map.h>

#include "account.h"

struct turn_allocation;

struct turn_budget {
	struct ds_map_node node;
	struct turn_realm *realm;
	uint64_t octets;
	uint64_t since_s;
	uint64_t early_until_s; // as in struct turn_budget_record
	uint32_t secret_id;
	enum turn_identity_kind kind;
	bool changed; // since it was handed out for the file
	uint16_t name_len;
	char name[];
};

struct turn_budgets {
	struct ds_map by_user;
	struct turn_budget **places; // [room]; NULL: free
	uint32_t room;
	uint32_t end;			     // no place is taken from here on
	uint32_t first;			     // none below is free
	uint8_t stale[TURN_BUDGETS_MAX / 8]; // bits: free, and the record on disk is to be cleared
};

// 0 or -ENOMEM.
int turn_budgets_init(struct turn_budgets *b, const uint8_t map_key[16]);
void turn_budgets_fini(struct turn_budgets *b);
// Whether the user's budget is spent.
bool turn_budget_is_spent(
	const struct turn_server *s, const struct turn_account *account, uint64_t wall_s);
// The user of an account.
struct turn_account_key turn_budget_user(const struct turn_account *account);
// Adds to the user's count; `view` as of turn_charge.
enum turn_charged turn_budget_charge(struct turn_server *s, uint64_t wall_s,
	const struct turn_account_key *who, uint64_t octets, struct turn_budget_view *view);
