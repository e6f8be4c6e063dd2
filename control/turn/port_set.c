// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

#include <errno.h>
#include <stdlib.h>

uint32_t turn_port_range_len(const struct turn_ports *p)
{
	return (uint32_t)p->max - p->min + 1;
}

static uint32_t range_even_len(const struct turn_ports *p)
{
	return (uint32_t)p->max / 2 - ((uint32_t)p->min + 1) / 2 + 1;
}

static uint32_t range_pairs_len(const struct turn_ports *p)
{
	uint32_t end = (uint32_t)p->max + 1; // of the last pair or behind it

	return end / 2 - ((uint32_t)p->min + 1) / 2;
}

int turn_port_set_init(const struct turn_ports *p, struct turn_port_set *set, uint8_t family)
{
	*set = (struct turn_port_set){
		.family = family,
		.n_free = turn_port_range_len(p),
		.n_free_even = range_even_len(p),
		.n_free_pairs = range_pairs_len(p),
		.n_idle = turn_port_range_len(p),
		.n_idle_even = range_even_len(p),
		.n_idle_pairs = range_pairs_len(p),
		.cooling = calloc(turn_port_range_len(p), sizeof(*set->cooling)),
	};
	return set->cooling != NULL ? 0 : -ENOMEM;
}

bool turn_port_is_used(const struct turn_port_set *set, uint16_t port)
{
	return (set->used[port / 64] >> port % 64 & 1) != 0;
}

bool turn_port_is_taken(const struct turn_ports *p, const struct turn_port_set *set, uint16_t port)
{
	return turn_port_is_used(set, port) && !set->cooling[port - p->min].cools;
}

bool turn_port_has_pair(const struct turn_ports *p, uint16_t port)
{
	return (port & ~1u) >= p->min && (port | 1u) <= p->max;
}

static bool pair_is_idle(const struct turn_ports *p, const struct turn_port_set *set, uint16_t port)
{
	return turn_port_has_pair(p, port) && !turn_port_is_taken(p, set, port) &&
	       !turn_port_is_taken(p, set, port ^ 1);
}

void turn_port_idle_add(const struct turn_ports *p, struct turn_port_set *set, uint16_t port)
{
	set->n_idle++;
	set->n_idle_even += port % 2 == 0;
	set->n_idle_pairs += pair_is_idle(p, set, port);
}

void turn_port_idle_remove(const struct turn_ports *p, struct turn_port_set *set, uint16_t port)
{
	set->n_idle--;
	set->n_idle_even -= port % 2 == 0;
	set->n_idle_pairs -= pair_is_idle(p, set, port);
}

static bool pair_is_free(const struct turn_ports *p, const struct turn_port_set *set, uint16_t port)
{
	return turn_port_has_pair(p, port) && !turn_port_is_used(set, port) &&
	       !turn_port_is_used(set, port ^ 1);
}

bool turn_port_is_fit(const struct turn_ports *p, const struct turn_port_set *set, uint16_t port,
	enum turn_port_kind kind)
{
	switch (kind) {
	case TURN_PORT_EVEN:
		return !turn_port_is_used(set, port) && port % 2 == 0;
	case TURN_PORT_PAIR:
		return port % 2 == 0 && pair_is_free(p, set, port);
	default:
		return !turn_port_is_used(set, port);
	}
}

void turn_port_mark(const struct turn_ports *p, struct turn_port_set *set, uint16_t port)
{
	turn_port_idle_remove(p, set, port);
	set->n_free_pairs -= pair_is_free(p, set, port);
	set->used[port / 64] |= UINT64_C(1) << port % 64;
	set->n_free--;
	set->n_free_even -= port % 2 == 0;
}

void turn_port_clear(const struct turn_ports *p, struct turn_port_set *set, uint16_t port)
{
	set->used[port / 64] &= ~(UINT64_C(1) << port % 64);
	set->n_free++;
	set->n_free_even += port % 2 == 0;
	set->n_free_pairs += pair_is_free(p, set, port);
	turn_port_idle_add(p, set, port);
}

// The ports of a word that are of no use. Both of a pair are in one word.
static uint64_t unfit_ports(uint64_t used, enum turn_port_kind kind)
{
	const uint64_t odd = UINT64_C(0xaaaaaaaaaaaaaaaa);

	if (kind == TURN_PORT_ANY)
		return used;
	return used | odd | (kind == TURN_PORT_PAIR ? used >> 1 : 0);
}

uint16_t turn_port_scan(const struct turn_ports *p, const struct turn_port_set *set, uint16_t start,
	enum turn_port_kind kind)
{
	uint32_t port = start;

	for (;;) {
		uint64_t full = unfit_ports(set->used[port / 64], kind) >> port % 64;

		if (full == ~UINT64_C(0) >> port % 64)
			port = (port | 63) + 1;
		else
			port += (uint32_t)__builtin_ctzll(~full);
		if (port > p->max)
			port = p->min;
		else if (turn_port_is_fit(p, set, (uint16_t)port, kind))
			return (uint16_t)port;
		else
			port = port < p->max ? port + 1 : p->min;
	}
}

uint32_t turn_port_set_n_free(const struct turn_port_set *set, enum turn_port_kind kind)
{
	switch (kind) {
	case TURN_PORT_EVEN:
		return set->n_free_even;
	case TURN_PORT_PAIR:
		return set->n_free_pairs;
	default:
		return set->n_free;
	}
}

uint64_t turn_port_set_n_idle(const struct turn_port_set *set, enum turn_port_kind kind)
{
	switch (kind) {
	case TURN_PORT_EVEN:
		return set->n_idle_even;
	case TURN_PORT_PAIR:
		return 2 * (uint64_t)set->n_idle_pairs;
	default:
		return set->n_idle;
	}
}
