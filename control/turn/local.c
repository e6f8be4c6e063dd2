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

// The first UDP listener that has the address of `of` or another of the family, and the port of
// `of` or another.
static const struct turn_listener *listener_like(
	const struct turn_conf *conf, const struct turn_listener *of, bool same_ip, bool same_port)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct turn_listener *l = &conf->listeners[i];

		if (!turn_listener_is_stream(l) && l->local.family == of->local.family &&
			tp_addr_same_ip(&l->local, &of->local) == same_ip &&
			(l->local.port_be == of->local.port_be) == same_port)
			return l;
	}
	return NULL;
}

static const struct turn_listener *listener_at(
	const struct turn_conf *conf, const struct tp_addr *ip, uint16_t port_be)
{
	struct tp_addr addr = *ip;

	addr.port_be = port_be;
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct turn_listener *l = &conf->listeners[i];

		if (!turn_listener_is_stream(l) && tp_addr_equal(&l->local, &addr))
			return l;
	}
	return NULL;
}

static int alternates_find(struct turn_locals *l, const struct turn_conf *conf)
{
	l->alternates = calloc(l->n_ids, sizeof(*l->alternates));
	if (l->alternates == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct turn_listener *of = &conf->listeners[i];
		struct turn_alternates *a = &l->alternates[of->id];

		if (turn_listener_is_stream(of))
			continue;
		a->port = listener_like(conf, of, true, false);
		a->ip = listener_like(conf, of, false, true);
		if (a->port != NULL && a->ip != NULL)
			a->both = listener_at(conf, &a->ip->local, a->port->local.port_be);
	}
	return 0;
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
	return conf->nat_discovery ? alternates_find(l, conf) : 0;
}

const struct turn_alternates *turn_locals_alternates(const struct turn_locals *l, uint16_t id)
{
	return l->alternates != NULL && id < l->n_ids && l->alternates[id].both != NULL
		       ? &l->alternates[id]
		       : NULL;
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
	free(l->alternates);
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
