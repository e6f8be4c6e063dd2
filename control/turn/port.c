// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

#include <errno.h>
#include <stdlib.h>

#define RANDOM_TRIES 8u // before a scan from a random place

static uint32_t range_len(const struct turn_ports *p)
{
	return (uint32_t)p->max - p->min + 1;
}

static uint32_t range_even_len(const struct turn_ports *p)
{
	return (uint32_t)p->max / 2 - ((uint32_t)p->min + 1) / 2 + 1;
}

int turn_ports_init(struct turn_ports *p, const struct turn_conf *conf)
{
	*p = (struct turn_ports){.min = conf->port_min, .max = conf->port_max};
	if (conf->n_relays == 0 || conf->port_min == 0 || conf->port_min > conf->port_max)
		return -EINVAL;
	p->n_sets = conf->n_relays;
	p->sets = calloc(p->n_sets, sizeof(*p->sets));
	p->rest_cap = p->n_sets * range_len(p);
	p->rest = calloc(p->rest_cap, sizeof(*p->rest));
	if (p->sets == NULL || p->rest == NULL) {
		turn_ports_fini(p);
		return -ENOMEM;
	}
	for (size_t i = 0; i < p->n_sets; i++) {
		p->sets[i].family = conf->relays[i].local.family;
		p->sets[i].n_free = range_len(p);
		p->sets[i].n_free_even = range_even_len(p);
	}
	return 0;
}

void turn_ports_fini(struct turn_ports *p)
{
	free(p->sets);
	free(p->rest);
	*p = (struct turn_ports){0};
}

bool turn_ports_have_family(const struct turn_ports *p, uint8_t family)
{
	for (size_t i = 0; i < p->n_sets; i++) {
		if (p->sets[i].family == family)
			return true;
	}
	return false;
}

static bool port_is_used(const struct turn_port_set *set, uint16_t port)
{
	return (set->used[port / 64] >> port % 64 & 1) != 0;
}

static bool port_is_fit(const struct turn_port_set *set, uint16_t port, bool even)
{
	return !port_is_used(set, port) && !(even && port % 2 != 0);
}

static void port_mark(struct turn_port_set *set, uint16_t port)
{
	set->used[port / 64] |= UINT64_C(1) << port % 64;
	set->n_free--;
	set->n_free_even -= port % 2 == 0;
}

static void port_clear(struct turn_port_set *set, uint16_t port)
{
	set->used[port / 64] &= ~(UINT64_C(1) << port % 64);
	set->n_free++;
	set->n_free_even += port % 2 == 0;
}

// The first free port at or after `start`, around the range, an even one if `even`. There is one.
static uint16_t port_scan(
	const struct turn_ports *p, const struct turn_port_set *set, uint16_t start, bool even)
{
	const uint64_t unfit = even ? UINT64_C(0xaaaaaaaaaaaaaaaa) : 0;
	uint32_t port = start;

	for (;;) {
		uint64_t full = (set->used[port / 64] | unfit) >> port % 64;

		if (full == ~UINT64_C(0) >> port % 64)
			port = (port | 63) + 1;
		else
			port += (uint32_t)__builtin_ctzll(~full);
		if (port > p->max)
			port = p->min;
		else if (port_is_fit(set, (uint16_t)port, even))
			return (uint16_t)port;
	}
}

static struct turn_port_set *set_choose(
	struct turn_ports *p, struct turn_random *random, uint8_t family, bool even)
{
	uint32_t start = turn_random_below(random, (uint32_t)p->n_sets);

	for (size_t k = 0; k < p->n_sets; k++) {
		struct turn_port_set *set = &p->sets[(start + k) % p->n_sets];

		if (set->family == family && (even ? set->n_free_even : set->n_free) > 0)
			return set;
	}
	return NULL;
}

int turn_ports_take(struct turn_ports *p, struct turn_random *random, uint8_t family, bool even,
	uint16_t *relay, uint16_t *port)
{
	struct turn_port_set *set = set_choose(p, random, family, even);

	if (set == NULL)
		return -ENOSPC;
	for (unsigned i = 0; i < RANDOM_TRIES; i++) {
		*port = (uint16_t)(p->min + turn_random_below(random, range_len(p)));
		if (port_is_fit(set, *port, even))
			break;
	}
	if (!port_is_fit(set, *port, even))
		*port = port_scan(p, set, *port, even);
	port_mark(set, *port);
	*relay = (uint16_t)(set - p->sets);
	return 0;
}

void turn_ports_cancel(struct turn_ports *p, uint16_t relay, uint16_t port)
{
	port_clear(&p->sets[relay], port);
}

static void rest_add(struct turn_ports *p, uint16_t relay, uint16_t port, uint32_t free_at_s)
{
	p->rest[(p->rest_head + p->rest_n++) % p->rest_cap] =
		(struct turn_port_rest){.free_at_s = free_at_s, .relay = relay, .port = port};
}

void turn_ports_release(struct turn_ports *p, uint64_t now_ns, uint16_t relay, uint16_t port)
{
	rest_add(p, relay, port, tp_expiry_s(now_ns, TURN_PORT_REST_S));
}

int turn_ports_restore_rest(struct turn_ports *p, uint16_t relay, uint16_t port, uint32_t free_at_s)
{
	int err = turn_ports_claim(p, relay, port);

	if (err != 0)
		return err;
	rest_add(p, relay, port, free_at_s);
	p->rest_mixed = true;
	return 0;
}

static int rest_compare(const void *a, const void *b)
{
	const struct turn_port_rest *x = a, *y = b;

	return (x->free_at_s > y->free_at_s) - (x->free_at_s < y->free_at_s);
}

// Once after a restart, when nothing has been taken off yet: the ring begins at its first place.
static void rests_sort(struct turn_ports *p)
{
	qsort(p->rest, p->rest_n, sizeof(*p->rest), rest_compare);
	p->rest_mixed = false;
}

int turn_ports_claim(struct turn_ports *p, uint16_t relay, uint16_t port)
{
	if (relay >= p->n_sets || port < p->min || port > p->max)
		return -EINVAL;
	if (port_is_used(&p->sets[relay], port))
		return -EEXIST;
	port_mark(&p->sets[relay], port);
	return 0;
}

void turn_ports_advance(struct turn_ports *p, uint32_t now_s, unsigned *budget)
{
	if (p->rest_mixed)
		rests_sort(p);
	for (; *budget > 0 && p->rest_n > 0 && p->rest[p->rest_head].free_at_s <= now_s;
		--*budget) {
		const struct turn_port_rest *rest = &p->rest[p->rest_head];

		port_clear(&p->sets[rest->relay], rest->port);
		p->rest_head = (p->rest_head + 1) % p->rest_cap;
		p->rest_n--;
	}
}

uint32_t turn_ports_next_s(const struct turn_ports *p)
{
	if (p->rest_mixed)
		return 0;
	return p->rest_n > 0 ? p->rest[p->rest_head].free_at_s : UINT32_MAX;
}
