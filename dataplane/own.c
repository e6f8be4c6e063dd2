// SPDX-License-Identifier: BSD-3-Clause
#include "own.h"

static void add(
	struct own *o, const struct tp_addr *addr, enum steer_kind kind, uint16_t min, uint16_t max)
{
	struct steer_own *item;

	if (o->n == TP_ARRAY_LEN(o->items))
		return;
	item = &o->items[o->n++];
	memset(item, 0, sizeof(*item));
	item->addr = *addr;
	item->addr.port_be = 0;
	item->addr.reserved = 0;
	item->port_min = min;
	item->port_max = max;
	item->kind = kind;
}

void own_from_conf(struct own *o, const struct conf *c)
{
	o->n = 0;
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct conf_listener *l = &c->listeners[i];
		uint16_t port = tp_addr_port(&l->addr);

		if (l->transport == CONF_TRANSPORT_UDP)
			add(o, &l->addr, STEER_LISTENER, port, port);
	}
	for (size_t i = 0; i < c->relay.n_addresses; i++)
		add(o, &c->relay.addresses[i], STEER_RELAY, c->relay.port_min, c->relay.port_max);
}

static bool sound(const struct tp_local *l)
{
	return l->addr.family == TP_FAMILY_IPV4 || l->addr.family == TP_FAMILY_IPV6;
}

void own_from_locals(struct own *o, const struct tp_local locals[TP_LOCALS_MAX],
	const struct tp_path_config *path)
{
	o->n = 0;
	for (size_t i = 1; i < TP_LOCALS_MAX; i++) {
		const struct tp_local *l = &locals[i];
		uint16_t port = tp_addr_port(&l->addr);

		if (!sound(l))
			continue;
		if (l->role == TP_ROLE_LISTENER && l->transport == TP_TRANSPORT_UDP && port != 0)
			add(o, &l->addr, STEER_LISTENER, port, port);
		else if (l->role == TP_ROLE_RELAY && path->relay_port_min <= path->relay_port_max &&
			 path->relay_port_min != 0)
			add(o, &l->addr, STEER_RELAY, path->relay_port_min, path->relay_port_max);
	}
}

static bool contains(const struct own *o, const struct steer_own *item)
{
	for (size_t i = 0; i < o->n; i++) {
		if (memcmp(&o->items[i], item, sizeof(*item)) == 0)
			return true;
	}
	return false;
}

// As sets: the order of the configuration is not that of the ids.
bool own_equal(const struct own *a, const struct own *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!contains(b, &a->items[i]))
			return false;
	}
	return a->n == b->n;
}
