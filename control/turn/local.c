// SPDX-License-Identifier: BSD-3-Clause
#include "local.h"

#include <errno.h>
#include <stdlib.h>

#include <ds/list.h>

static struct tp_addr ip_of(const struct tp_addr *addr)
{
	struct tp_addr ip = *addr;

	ip.port_be = 0;
	return ip;
}

static void local_add(struct turn_locals *l, const struct tp_addr *addr,
	const struct tp_addr *advertised, bool is_relay)
{
	struct turn_local *a = &l->addresses[l->n];
	struct tp_addr ip = ip_of(addr);

	if (turn_locals_find(l, &ip) != NULL)
		return;
	l->n++;
	a->ip = ip;
	a->advertised = ip_of(advertised);
	a->is_relay = is_relay;
	ds_map_add(&l->map, &a->node, ds_map_hash(&l->map, &ip, sizeof(ip)));
}

static int listeners_index(struct turn_locals *l, const struct turn_conf *conf)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (conf->listeners[i].id >= l->n_ids)
			l->n_ids = (size_t)conf->listeners[i].id + 1;
	}
	l->by_id = calloc(l->n_ids, sizeof(*l->by_id));
	if (l->by_id == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_listeners; i++)
		l->by_id[conf->listeners[i].id] = &conf->listeners[i];
	return 0;
}

const struct turn_listener *turn_locals_listener(const struct turn_locals *l, uint16_t id)
{
	return id < l->n_ids ? l->by_id[id] : NULL;
}

int turn_locals_init(struct turn_locals *l, const uint8_t key[16], const struct turn_conf *conf)
{
	*l = (struct turn_locals){0};
	l->addresses = calloc(2 * (conf->n_relays + conf->n_listeners), sizeof(*l->addresses));
	if (l->addresses == NULL || ds_map_init(&l->map, key) != 0 ||
		listeners_index(l, conf) != 0) {
		turn_locals_fini(l);
		return -ENOMEM;
	}
	// Relay addresses first: they win over listeners of the same IP address.
	for (size_t i = 0; i < conf->n_relays; i++) {
		const struct turn_relay_address *r = &conf->relays[i];

		local_add(l, &r->advertised, &r->advertised, true);
		local_add(l, &r->local, &r->advertised, true);
	}
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct turn_listener *listener = &conf->listeners[i];

		local_add(l, &listener->advertised, &listener->advertised, false);
		local_add(l, &listener->local, &listener->advertised, false);
	}
	return 0;
}

void turn_locals_fini(struct turn_locals *l)
{
	ds_map_fini(&l->map);
	free(l->addresses);
	free(l->by_id);
	*l = (struct turn_locals){0};
}

const struct turn_local *turn_locals_find(const struct turn_locals *l, const struct tp_addr *addr)
{
	struct tp_addr ip = ip_of(addr);
	struct ds_map_node *n = ds_map_first(&l->map, ds_map_hash(&l->map, &ip, sizeof(ip)));

	for (; n != NULL; n = ds_map_next(n)) {
		const struct turn_local *a = DS_CONTAINER(n, struct turn_local, node);

		if (tp_addr_equal(&a->ip, &ip))
			return a;
	}
	return NULL;
}
