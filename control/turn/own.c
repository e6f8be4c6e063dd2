// SPDX-License-Identifier: BSD-3-Clause
#include "own.h"

#include <errno.h>
#include <stdlib.h>

#include "list.h"

static struct tp_addr ip_of(const struct tp_addr *addr)
{
	struct tp_addr ip = *addr;

	ip.port_be = 0;
	return ip;
}

static void own_add(struct turn_own *o, const struct tp_addr *addr,
	const struct tp_addr *advertised, bool is_relay)
{
	struct turn_own_address *a = &o->addresses[o->n];
	struct tp_addr ip = ip_of(addr);

	if (turn_own_find(o, &ip) != NULL)
		return;
	o->n++;
	a->ip = ip;
	a->advertised = ip_of(advertised);
	a->is_relay = is_relay;
	turn_map_add(&o->map, &a->node, turn_map_hash(&o->map, &ip, sizeof(ip)));
}

int turn_own_init(struct turn_own *o, const uint8_t key[16], const struct turn_conf *conf)
{
	*o = (struct turn_own){0};
	o->addresses = calloc(2 * (conf->n_relays + conf->n_listeners), sizeof(*o->addresses));
	if (o->addresses == NULL || turn_map_init(&o->map, key) != 0) {
		turn_own_fini(o);
		return -ENOMEM;
	}
	// Relay addresses first: they win over listeners of the same IP address.
	for (size_t i = 0; i < conf->n_relays; i++) {
		const struct turn_relay_address *r = &conf->relays[i];

		own_add(o, &r->advertised, &r->advertised, true);
		own_add(o, &r->local, &r->advertised, true);
	}
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct turn_listener *l = &conf->listeners[i];

		own_add(o, &l->advertised, &l->advertised, false);
		own_add(o, &l->local, &l->advertised, false);
	}
	return 0;
}

void turn_own_fini(struct turn_own *o)
{
	turn_map_fini(&o->map);
	free(o->addresses);
	*o = (struct turn_own){0};
}

const struct turn_own_address *turn_own_find(const struct turn_own *o, const struct tp_addr *addr)
{
	struct tp_addr ip = ip_of(addr);
	struct turn_map_node *n = turn_map_first(&o->map, turn_map_hash(&o->map, &ip, sizeof(ip)));

	for (; n != NULL; n = turn_map_next(n)) {
		const struct turn_own_address *a = TURN_CONTAINER(n, struct turn_own_address, node);

		if (tp_addr_equal(&a->ip, &ip))
			return a;
	}
	return NULL;
}
