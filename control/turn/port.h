// SPDX-License-Identifier: BSD-3-Clause
// The relayed ports of all relay addresses: chosen at random, shared among users, and a queue of
// ports that cool down after use, so that a late packet for the last user of a port finds nobody
// (docs/conformance.md).
//
// A user is an account, NULL none, which has no share. A user holds the ports that are in use and
// those that are reserved.
#pragma once

#include <turn/server.h>

#include <ds/list.h>

#include "port_set.h"
#include "random.h"

#define TURN_PORT_COOLDOWN_S	60u
#define TURN_PORTS_SHARE	7u   // alone all but an eighth, of many busy users each less
#define TURN_PORT_COOLING_SLOTS 128u // seconds; more than a cool-down and a late turn_ports_advance

struct turn_ports {
	struct turn_port_set *sets; // one per relay address, in the configuration's order
	size_t n_sets;
	uint16_t min;
	uint16_t max;
	struct ds_list cools_until[TURN_PORT_COOLING_SLOTS]; // by second
	uint32_t cooled_s; // no port's cool-down ends before this second
	size_t n_cooling;
	struct ds_map *accounts; // where accounts go back
};

// 0, -EINVAL or -ENOMEM.
int turn_ports_init(struct turn_ports *p, struct ds_map *accounts, const struct turn_conf *conf);
void turn_ports_fini(struct turn_ports *p);

// Makes room for more relay addresses behind those there are: 0 or -ENOMEM.
int turn_ports_extend(struct turn_ports *p, const struct turn_relay_address *relays, size_t n);
// Opens or closes an address for new allocations.
void turn_ports_open(struct turn_ports *p, uint16_t relay, bool open);
// Whether an interface has the address: no port is taken of one that is absent.
void turn_ports_set_present(struct turn_ports *p, uint16_t relay, bool present);
bool turn_ports_are_open(const struct turn_ports *p, uint16_t relay);

bool turn_ports_have_family(const struct turn_ports *p, uint8_t family);
// A port of an address of the family, which counts for the user from then on: 0, -ENOSPC where
// there is none, -EDQUOT where the user has the share of them already. Of a pair, *port is the even
// one, and both are the caller's.
//
// A free one as a rule. A user with more cooling ports than half of the free ones gets the oldest
// of these back, so that no user makes all ports cool down. Where none is free the oldest cooling
// one is given, the user's own before others'.
//
// A user may take more while one idle port of the family stays for each TURN_PORTS_SHARE that the
// user holds; an even one or one of a pair where such are asked for.
int turn_ports_take(struct turn_ports *p, struct turn_random *random, struct turn_account *account,
	uint8_t family, enum turn_port_kind kind, uint16_t *relay, uint16_t *port);
// Counts `n` more ports of the address for the user, or less.
void turn_ports_count(
	const struct turn_ports *p, struct turn_account *account, uint16_t relay, int n);
// Gives back a port that no client was told of.
void turn_ports_cancel(
	struct turn_ports *p, uint16_t relay, uint16_t port, struct turn_account *account);
// Gives back a port that a user had: it cools down first, and counts for the user meanwhile.
void turn_ports_release(struct turn_ports *p, uint64_t now_ns, uint16_t relay, uint16_t port,
	struct turn_account *account);
// A port that is not in use cools down until then, after a restart; of two times for one port the
// later counts: 0, -EINVAL, -EEXIST.
int turn_ports_restore_cooldown(
	struct turn_ports *p, uint16_t relay, uint16_t port, uint32_t free_at_s);
// Takes a given port for its user, after a restart: 0, -EINVAL out of range, -EEXIST.
int turn_ports_claim(
	struct turn_ports *p, uint16_t relay, uint16_t port, struct turn_account *account);
// Frees ports whose cool-down is over, at most *budget of them.
void turn_ports_advance(struct turn_ports *p, uint32_t now_s, unsigned *budget);
// The second when the next cool-down ends, or earlier; UINT32_MAX: none.
uint32_t turn_ports_next_s(const struct turn_ports *p);
