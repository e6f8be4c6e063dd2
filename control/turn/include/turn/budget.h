// SPDX-License-Identifier: BSD-3-Clause
// Budgets: the bytes of each user in the present period, and the end or the cap of calls when they
// are spent. The server counts; the caller tells it the bytes relayed, and keeps the counts on
// disk.
//
// A user is that of quotas (docs/configuration.md): the name behind the time of a time-limited
// credential, each token by itself.
//
// Threads: as for <turn/server.h>. Times are of the wall clock, Unix seconds. Where it goes back to
// before the begin of a count, nobody knows which of both times is right: the count goes on, until
// the clock reaches its period again and beyond, or the present period's end.
#pragma once

#include <turn/conf.h>

struct turn_server;

// Users with a count at a time. Those beyond have no budget.
#define TURN_BUDGETS_MAX 65536u

// The count of one user, as it is kept on disk. Numbers are of the host's byte order.
struct turn_budget_record {
	uint64_t octets;  // in the period
	uint64_t since_s; // begin of the period
	// Since the clock went back before since_s: end of the period that it went back to; 0.
	uint64_t early_until_s;
	uint32_t secret_id; // of a token: its number; else 0
	uint16_t realm_id;
	uint8_t kind; // enum turn_identity_kind
	uint16_t name_len;
	char name[TURN_USERNAME_MAX]; // any bytes
};

struct turn_budget_view {
	struct turn_budget_record record;
	uint64_t limit; // octets; 0: the realm has no budget any more
	uint64_t until_s;
};

// Begin and end of the period that a second is in.
uint64_t turn_budget_since_s(const struct turn_budget_conf *conf, uint64_t wall_s);
uint64_t turn_budget_until_s(const struct turn_budget_conf *conf, uint64_t wall_s);

// Whether any realm has budgets: only then allocations have to be charged.
bool turn_budgets_are_set(const struct turn_server *s);

// Where a charge has brought the user.
enum turn_charged {
	TURN_CHARGED,
	TURN_CHARGED_NEAR,  // now nine tenths are spent
	TURN_CHARGED_SPENT, // now all of it is
	TURN_CHARGED_FULL,  // not counted: TURN_BUDGETS_MAX users have a count
};

// Charges the user of a live allocation; with 0 octets, too, the allocation ends or gets its cap
// where the budget is spent, and loses the cap where it is not. Every allocation is to be charged
// every few seconds. `view`: of the user, where it is NEAR or SPENT.
enum turn_charged turn_charge(struct turn_server *s, uint64_t now_ns, uint64_t wall_s, uint32_t ref,
	uint64_t octets, struct turn_budget_view *view);
// Charges the user of an allocation that has ended. May be called while the server is in a call of
// the store's.
enum turn_charged turn_charge_ended(struct turn_server *s, uint64_t wall_s,
	const struct turn_allocation_record *rec, uint64_t octets, struct turn_budget_view *view);
// Walks live allocations: start with *cursor = 0; false at the end, or when *budget is used up.
// Each place takes one, with or without an allocation, and each further entry of the allocation in
// the tables, whose usage is to be added up.
bool turn_charge_next(const struct turn_server *s, uint32_t *cursor, unsigned *budget,
	uint32_t *ref, uint64_t *created_ns);

// Puts back a count from before a restart, at place `index`. -EINVAL: no such realm or name, or
// the place is taken; -ENOMEM.
int turn_budget_restore(
	struct turn_server *s, uint32_t index, const struct turn_budget_record *rec);
// Walks the places whose record is to be written again, at most *budget of all places: start with
// *cursor = 0; false at the end, or when *budget is used up. The place is taken for written. One
// whose period is over is given back: name_len is 0 then.
bool turn_budget_changed(struct turn_server *s, uint64_t wall_s, uint32_t *cursor, unsigned *budget,
	uint32_t *index, struct turn_budget_record *rec);
// The place could not be written: it is handed out again.
void turn_budget_not_written(struct turn_server *s, uint32_t index);

// Walks all users counted in the present period: start with *cursor = 0; false at the end.
bool turn_budget_next(const struct turn_server *s, uint64_t wall_s, uint32_t *cursor,
	struct turn_budget_view *view);
// All of the name in the realm begin anew, one with each call: its place, which is free now and
// whose record is to be cleared. Start with *cursor = 0; false at the end.
bool turn_budget_reset(struct turn_server *s, uint16_t realm_id, const char *name, size_t len,
	uint32_t *cursor, uint32_t *index);
