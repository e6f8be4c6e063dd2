// SPDX-License-Identifier: BSD-3-Clause
// The ports of one relay address: one bit per port, and how many of each kind are free or idle. A
// port is free while its bit is clear; it is idle while it is free or cools down.
//
// Each port is in the range of the struct turn_ports.
#pragma once

#include "account.h"

// What is asked for: any port, an even one, or an even one with the next higher port.
enum turn_port_kind {
	TURN_PORT_ANY,
	TURN_PORT_EVEN,
	TURN_PORT_PAIR,
};

struct turn_ports;
struct turn_cooling_port;

struct turn_port_set {
	uint64_t used[65536 / 64];
	uint32_t n_free;
	uint32_t n_free_even;
	uint32_t n_free_pairs;
	uint32_t n_idle; // free, or cooling down
	uint32_t n_idle_even;
	uint32_t n_idle_pairs;
	uint8_t family;
	bool closed;			   // its address left the configuration: no port is taken
	bool absent;			   // no interface has its address: likewise
	struct turn_cooling_port *cooling; // [max - min + 1]
};

// A port that cools down; one place for each port there is.
struct turn_cooling_port {
	struct ds_list by_time;	      // of those that end in the same second
	struct ds_list by_owner;      // of its account, oldest first
	struct turn_account *account; // whose user had it last; NULL: not known, after a restart
	uint32_t free_at_s;
	uint16_t relay; // index
	uint16_t port;
	bool cools;
};

// Ports of each set.
uint32_t turn_port_range_len(const struct turn_ports *p);

// All ports are free: 0 or -ENOMEM. The caller frees `cooling`.
int turn_port_set_init(const struct turn_ports *p, struct turn_port_set *set, uint8_t family);

// Whether a user has the port, or it cools down.
bool turn_port_is_used(const struct turn_port_set *set, uint16_t port);
// Whether a user has the port.
bool turn_port_is_taken(const struct turn_ports *p, const struct turn_port_set *set, uint16_t port);
// Whether the port is one of a pair that is in the range.
bool turn_port_has_pair(const struct turn_ports *p, uint16_t port);
// Whether the port is free and of the kind.
bool turn_port_is_fit(const struct turn_ports *p, const struct turn_port_set *set, uint16_t port,
	enum turn_port_kind kind);
// Returns the first fit port at or after `start`, around the range. There must be one.
uint16_t turn_port_scan(const struct turn_ports *p, const struct turn_port_set *set, uint16_t start,
	enum turn_port_kind kind);

// Free ports that fit; of pairs, how many pairs.
uint32_t turn_port_set_n_free(const struct turn_port_set *set, enum turn_port_kind kind);
// Idle ports that fit; of pairs, both ports of each.
uint64_t turn_port_set_n_idle(const struct turn_port_set *set, enum turn_port_kind kind);

// Takes a free port, and frees one that is used and does not cool down.
void turn_port_mark(const struct turn_ports *p, struct turn_port_set *set, uint16_t port);
void turn_port_clear(const struct turn_ports *p, struct turn_port_set *set, uint16_t port);
// After the port became idle, and before it is no longer.
void turn_port_idle_add(const struct turn_ports *p, struct turn_port_set *set, uint16_t port);
void turn_port_idle_remove(const struct turn_ports *p, struct turn_port_set *set, uint16_t port);
