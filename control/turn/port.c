// SPDX-License-Identifier: BSD-3-Clause
#include "port.h"

#include <errno.h>
#include <stdlib.h>

#define RANDOM_TRIES 8u // before a scan from a random place

int turn_ports_init(struct turn_ports *p, struct ds_map *accounts, const struct turn_conf *conf)
{
	int err;

	*p = (struct turn_ports){
		.min = conf->port_min, .max = conf->port_max, .accounts = accounts};
	for (size_t i = 0; i < TURN_PORT_COOLING_SLOTS; i++)
		ds_list_init(&p->cools_until[i]);
	if (conf->n_relays == 0 || conf->port_min == 0 || conf->port_min > conf->port_max)
		return -EINVAL;
	err = turn_ports_extend(p, conf->relays, conf->n_relays);
	if (err != 0)
		turn_ports_fini(p);
	return err;
}

int turn_ports_extend(struct turn_ports *p, const struct turn_relay_address *relays, size_t n)
{
	struct turn_port_set *sets;

	if (n <= p->n_sets)
		return 0;
	sets = realloc(p->sets, n * sizeof(*sets));
	if (sets == NULL)
		return -ENOMEM;
	p->sets = sets;
	for (; p->n_sets < n; p->n_sets++) {
		int err = turn_port_set_init(p, &sets[p->n_sets], relays[p->n_sets].local.family);

		if (err != 0)
			return err;
	}
	return 0;
}

void turn_ports_open(struct turn_ports *p, uint16_t relay, bool open)
{
	p->sets[relay].closed = !open;
}

void turn_ports_set_present(struct turn_ports *p, uint16_t relay, bool present)
{
	p->sets[relay].absent = !present;
}

bool turn_ports_are_open(const struct turn_ports *p, uint16_t relay)
{
	return !p->sets[relay].closed;
}

static struct turn_cooling_port *cooling_at(
	const struct turn_ports *p, uint16_t relay, uint16_t port)
{
	struct turn_cooling_port *c = &p->sets[relay].cooling[port - p->min];

	c->relay = relay;
	c->port = port;
	return c;
}

// Of a port that is taken.
static void cooling_start(struct turn_ports *p, struct turn_cooling_port *c, uint32_t free_at_s,
	struct turn_account *account)
{
	c->cools = true;
	turn_port_idle_add(p, &p->sets[c->relay], c->port);
	c->free_at_s = free_at_s;
	c->account = account;
	ds_list_init(&c->by_time);
	ds_list_init(&c->by_owner);
	ds_list_add(&p->cools_until[free_at_s % TURN_PORT_COOLING_SLOTS], &c->by_time);
	if (p->n_cooling++ == 0 || free_at_s < p->cooled_s)
		p->cooled_s = free_at_s;
	if (account != NULL) {
		turn_account_hold(account);
		ds_list_add(&account->cooling, &c->by_owner);
		account->n_cooling++;
	}
}

// The port is taken then.
static void cooling_end(struct turn_ports *p, struct turn_cooling_port *c)
{
	ds_list_del(&c->by_time);
	ds_list_del(&c->by_owner);
	turn_port_idle_remove(p, &p->sets[c->relay], c->port);
	c->cools = false;
	p->n_cooling--;
	if (c->account != NULL) {
		c->account->n_cooling--;
		turn_account_return(p->accounts, c->account);
	}
	c->account = NULL;
}

// The port whose cool-down ends next; NULL: none. After a long pause a slot may hold ports of later
// rounds, behind those of this one.
static struct turn_cooling_port *cooling_first(struct turn_ports *p)
{
	for (; p->n_cooling > 0; p->cooled_s++) {
		struct ds_list *l = &p->cools_until[p->cooled_s % TURN_PORT_COOLING_SLOTS];
		struct turn_cooling_port *c =
			DS_CONTAINER(l->next, struct turn_cooling_port, by_time);

		if (!ds_list_is_empty(l) && c->free_at_s <= p->cooled_s)
			return c;
	}
	return NULL;
}

void turn_ports_fini(struct turn_ports *p)
{
	for (size_t i = 0; i < p->n_sets; i++) {
		for (uint32_t k = 0; k < turn_port_range_len(p); k++) {
			if (p->sets[i].cooling[k].cools)
				cooling_end(p, &p->sets[i].cooling[k]);
		}
		free(p->sets[i].cooling);
	}
	free(p->sets);
	*p = (struct turn_ports){0};
}

bool turn_ports_have_family(const struct turn_ports *p, uint8_t family)
{
	for (size_t i = 0; i < p->n_sets; i++) {
		if (p->sets[i].family == family && !p->sets[i].closed)
			return true;
	}
	return false;
}

static struct turn_port_set *set_choose(
	struct turn_ports *p, struct turn_random *random, uint8_t family, enum turn_port_kind kind)
{
	uint32_t start = turn_random_below(random, (uint32_t)p->n_sets);

	for (size_t k = 0; k < p->n_sets; k++) {
		struct turn_port_set *set = &p->sets[(start + k) % p->n_sets];

		if (set->family == family && !set->closed && !set->absent &&
			turn_port_set_n_free(set, kind) > 0)
			return set;
	}
	return NULL;
}

static bool cooling_is_fit(const struct turn_ports *p, const struct turn_cooling_port *c,
	uint8_t family, enum turn_port_kind kind)
{
	const struct turn_port_set *set = &p->sets[c->relay];

	if (set->family != family || set->closed || set->absent)
		return false;
	if (kind == TURN_PORT_PAIR)
		return turn_port_has_pair(p, c->port) && !turn_port_is_taken(p, set, c->port ^ 1);
	return kind == TURN_PORT_ANY || c->port % 2 == 0;
}

static struct turn_cooling_port *own_find(const struct turn_ports *p,
	const struct turn_account *account, uint8_t family, enum turn_port_kind kind)
{
	for (struct ds_list *l = account->cooling.next; l != &account->cooling; l = l->next) {
		struct turn_cooling_port *c = DS_CONTAINER(l, struct turn_cooling_port, by_owner);

		if (cooling_is_fit(p, c, family, kind))
			return c;
	}
	return NULL;
}

static struct turn_cooling_port *oldest_find(
	struct turn_ports *p, uint8_t family, enum turn_port_kind kind)
{
	for (uint32_t i = 0; p->n_cooling > 0 && i < TURN_PORT_COOLING_SLOTS; i++) {
		struct ds_list *slot = &p->cools_until[(p->cooled_s + i) % TURN_PORT_COOLING_SLOTS];

		for (struct ds_list *l = slot->next; l != slot; l = l->next) {
			struct turn_cooling_port *c =
				DS_CONTAINER(l, struct turn_cooling_port, by_time);

			if (cooling_is_fit(p, c, family, kind))
				return c;
		}
	}
	return NULL;
}

// A cooling port that is to be given though its time is not over; NULL: a free one is. `set` has
// a free one; NULL: none has.
static struct turn_cooling_port *cooling_choose(struct turn_ports *p,
	const struct turn_port_set *set, const struct turn_account *account, uint8_t family,
	enum turn_port_kind kind)
{
	struct turn_cooling_port *c = NULL;

	if (account != NULL && (set == NULL || account->n_cooling > set->n_free / 2))
		c = own_find(p, account, family, kind);
	return c == NULL && set == NULL ? oldest_find(p, family, kind) : c;
}

static uint32_t *n_held(struct turn_account *account, uint8_t family)
{
	return &account->n_ports[family == TP_FAMILY_IPV6];
}

static bool share_is_left(const struct turn_ports *p, struct turn_account *account, uint8_t family,
	enum turn_port_kind kind)
{
	uint64_t n = kind == TURN_PORT_PAIR ? 2 : 1, left = 0;

	if (account == NULL)
		return true;
	for (size_t i = 0; i < p->n_sets; i++) {
		const struct turn_port_set *set = &p->sets[i];

		if (set->family == family && !set->closed && !set->absent)
			left += turn_port_set_n_idle(set, kind);
	}
	return left >= n && *n_held(account, family) / TURN_PORTS_SHARE <= left - n;
}

void turn_ports_count(
	const struct turn_ports *p, struct turn_account *account, uint16_t relay, int n)
{
	if (account != NULL)
		*n_held(account, p->sets[relay].family) += (uint32_t)n;
}

// Takes a port that is free or cools down.
static void port_seize(struct turn_ports *p, uint16_t relay, uint16_t port)
{
	struct turn_cooling_port *c = cooling_at(p, relay, port);

	if (c->cools)
		cooling_end(p, c);
	else
		turn_port_mark(p, &p->sets[relay], port);
}

int turn_ports_take(struct turn_ports *p, struct turn_random *random, struct turn_account *account,
	uint8_t family, enum turn_port_kind kind, uint16_t *relay, uint16_t *port)
{
	struct turn_port_set *set = set_choose(p, random, family, kind);
	struct turn_cooling_port *c = cooling_choose(p, set, account, family, kind);

	if (c == NULL && set == NULL)
		return -ENOSPC;
	if (!share_is_left(p, account, family, kind))
		return -EDQUOT;
	if (c != NULL) {
		*relay = c->relay;
		*port = kind == TURN_PORT_PAIR ? c->port & ~1u : c->port;
		port_seize(p, *relay, *port);
		if (kind == TURN_PORT_PAIR)
			port_seize(p, *relay, *port | 1);
		turn_ports_count(p, account, *relay, kind == TURN_PORT_PAIR ? 2 : 1);
		return 0;
	}
	for (unsigned i = 0; i < RANDOM_TRIES; i++) {
		*port = (uint16_t)(p->min + turn_random_below(random, turn_port_range_len(p)));
		if (turn_port_is_fit(p, set, *port, kind))
			break;
	}
	if (!turn_port_is_fit(p, set, *port, kind))
		*port = turn_port_scan(p, set, *port, kind);
	turn_port_mark(p, set, *port);
	if (kind == TURN_PORT_PAIR)
		turn_port_mark(p, set, *port | 1);
	*relay = (uint16_t)(set - p->sets);
	turn_ports_count(p, account, *relay, kind == TURN_PORT_PAIR ? 2 : 1);
	return 0;
}

void turn_ports_cancel(
	struct turn_ports *p, uint16_t relay, uint16_t port, struct turn_account *account)
{
	turn_ports_count(p, account, relay, -1);
	turn_port_clear(p, &p->sets[relay], port);
}

void turn_ports_release(struct turn_ports *p, uint64_t now_ns, uint16_t relay, uint16_t port,
	struct turn_account *account)
{
	turn_ports_count(p, account, relay, -1);
	cooling_start(
		p, cooling_at(p, relay, port), tp_expiry_s(now_ns, TURN_PORT_COOLDOWN_S), account);
}

int turn_ports_restore_cooldown(
	struct turn_ports *p, uint16_t relay, uint16_t port, uint32_t free_at_s)
{
	int err = turn_ports_claim(p, relay, port, NULL);
	struct turn_cooling_port *c;

	if (err == -EINVAL)
		return err;
	c = cooling_at(p, relay, port);
	if (err == -EEXIST) {
		// A port that was given before its time was over and ended again has two records.
		if (!c->cools || c->free_at_s >= free_at_s)
			return err;
		cooling_end(p, c);
	}
	cooling_start(p, c, free_at_s, NULL);
	return 0;
}

int turn_ports_claim(
	struct turn_ports *p, uint16_t relay, uint16_t port, struct turn_account *account)
{
	if (relay >= p->n_sets || port < p->min || port > p->max)
		return -EINVAL;
	if (turn_port_is_used(&p->sets[relay], port))
		return -EEXIST;
	turn_port_mark(p, &p->sets[relay], port);
	turn_ports_count(p, account, relay, 1);
	return 0;
}

void turn_ports_advance(struct turn_ports *p, uint32_t now_s, unsigned *budget)
{
	struct turn_cooling_port *c;

	for (; *budget > 0; --*budget) {
		c = cooling_first(p);
		if (c == NULL || c->free_at_s > now_s)
			return;
		turn_port_clear(p, &p->sets[c->relay], c->port);
		cooling_end(p, c);
	}
}

uint32_t turn_ports_next_s(const struct turn_ports *p)
{
	return p->n_cooling > 0 ? p->cooled_s : UINT32_MAX;
}
