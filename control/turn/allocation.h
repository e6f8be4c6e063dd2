// SPDX-License-Identifier: BSD-3-Clause
// Allocations (RFC 8656 6): finding, opening, refreshing, closing.
#pragma once

#include "state.h"

// The live allocation of a 5-tuple; NULL. One past its time is closed on the way.
struct turn_allocation *turn_allocation_of(
	struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client);
// The same, even if expired.
struct turn_allocation *turn_allocation_by_tuple(
	const struct turn_server *s, const struct turn_tuple *client);
struct turn_allocation *turn_allocation_by_ref(const struct turn_server *s, uint32_t ref);
// One of that 5-tuple whose connection is gone; the functions above do not know it.
struct turn_allocation *turn_allocation_held(
	const struct turn_server *s, const struct turn_tuple *client);
// Entries of the tables that it has, those of a second 5-tuple left out.
uint32_t turn_allocation_entries(const struct turn_allocation *a);
// It has another 5-tuple and another name in the store.
void turn_allocation_readdress(struct turn_server *s, struct turn_allocation *a,
	const struct turn_tuple *client, uint32_t ref);

// A new allocation object outside all tables, for turn_allocation_link.
struct turn_allocation *turn_allocation_new(struct turn_server *s);
void turn_allocation_free(struct turn_server *s, struct turn_allocation *a);
// Whose it is, counted as `n` allocations; false without memory.
bool turn_allocation_own(struct turn_server *s, struct turn_allocation *a,
	const struct turn_principal *principal, const struct turn_key *key, unsigned n);
// Counts as one less.
void turn_allocation_uncount(struct turn_allocation *a);
void turn_allocation_link(struct turn_server *s, struct turn_allocation *a);

// A new time-to-expiry for the relayed address of that family (TP_FAMILY_NONE: for all), here and
// in the store.
void turn_allocation_extend(
	struct turn_server *s, struct turn_allocation *a, uint8_t family, uint32_t expires_s);
// Ends the relayed address of that family with its permissions and channels; the last one takes the
// allocation along.
void turn_allocation_end_family(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a,
	uint8_t family, enum turn_close_reason reason);
// Ends the relayed addresses whose time is over. Returns whether any is left.
bool turn_allocation_expire(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a);
// Ends it with all its permissions and channels, here and in the store.
void turn_allocation_close(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a,
	enum turn_close_reason reason);

// Gives back a port that a client was told of: it cools down, here and in the store.
void turn_port_give(struct turn_server *s, uint64_t now_ns, uint16_t relay, uint16_t port,
	struct turn_account *account);

// Its relayed transport addresses.
struct tp_addr turn_slot_local(const struct turn_server *s, const struct turn_slot *slot);
struct tp_addr turn_slot_advertised(const struct turn_server *s, const struct turn_slot *slot);
bool turn_allocation_has_family(
	const struct turn_server *s, const struct turn_allocation *a, uint8_t family);
void turn_allocation_record(const struct turn_server *s, const struct turn_allocation *a,
	struct turn_allocation_record *rec);
