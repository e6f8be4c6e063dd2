// SPDX-License-Identifier: BSD-3-Clause
#include <plane/claims.h>

#include <errno.h>
#include <stdlib.h>

#include <log/log.h>
#include <steer/guard.h>
#include <steer/reserve.h>

#include <plane/ports.h>

static void add(struct plane_claimed *c, const struct tp_addr *addr, enum steer_kind kind,
	uint16_t min, uint16_t max)
{
	struct steer_claim *item;

	if (c->n == TP_ARRAY_LEN(c->items))
		return;
	item = &c->items[c->n++];
	memset(item, 0, sizeof(*item));
	item->addr = *addr;
	item->addr.port_be = 0;
	item->addr.reserved = 0;
	item->port_min = min;
	item->port_max = max;
	item->kind = kind;
}

// UDP and DTLS listeners may share a port.
static void listener_add(struct plane_claimed *c, const struct tp_addr *addr, uint16_t port)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct steer_claim *item = &c->items[i];

		if (item->kind == STEER_LISTENER && item->port_min == port &&
			tp_addr_same_ip(&item->addr, addr))
			return;
	}
	add(c, addr, STEER_LISTENER, port, port);
}

void plane_claimed_from_conf(struct plane_claimed *c, const struct conf *conf)
{
	c->n = 0;
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];
		uint16_t port = tp_addr_port(&l->addr);

		if (l->transport == CONF_TRANSPORT_UDP || l->transport == CONF_TRANSPORT_DTLS)
			listener_add(c, &l->addr, port);
	}
	for (size_t i = 0; i < conf->relay.n_addresses; i++)
		add(c, &conf->relay.addresses[i], STEER_RELAY, conf->relay.port_min,
			conf->relay.port_max);
}

static bool comes_as_datagrams(uint8_t transport)
{
	return transport == TP_TRANSPORT_UDP || transport == TP_TRANSPORT_DTLS;
}

static bool sound(const struct tp_local *l)
{
	return l->addr.family == TP_FAMILY_IPV4 || l->addr.family == TP_FAMILY_IPV6;
}

void plane_claimed_from_locals(struct plane_claimed *c, const struct tp_local locals[TP_LOCALS_MAX],
	const struct tp_path_config *path)
{
	c->n = 0;
	for (size_t i = 1; i < TP_LOCALS_MAX; i++) {
		const struct tp_local *l = &locals[i];
		uint16_t port = tp_addr_port(&l->addr);

		if (!sound(l))
			continue;
		if (l->role == TP_ROLE_LISTENER && comes_as_datagrams(l->transport) && port != 0)
			listener_add(c, &l->addr, port);
		else if (l->role == TP_ROLE_RELAY && path->relay_port_min <= path->relay_port_max &&
			 path->relay_port_min != 0)
			add(c, &l->addr, STEER_RELAY, path->relay_port_min, path->relay_port_max);
	}
}

static bool contains(const struct plane_claimed *c, const struct steer_claim *item)
{
	for (size_t i = 0; i < c->n; i++) {
		if (memcmp(&c->items[i], item, sizeof(*item)) == 0)
			return true;
	}
	return false;
}

// As sets: the order of the configuration is not that of the ids.
bool plane_claimed_equal(const struct plane_claimed *a, const struct plane_claimed *b)
{
	for (size_t i = 0; i < a->n; i++) {
		if (!contains(b, &a->items[i]))
			return false;
	}
	return a->n == b->n;
}

static void reserve(struct plane_claims *c)
{
	struct reserve_ports ports;
	int err;

	steer_reserve_ports_of(&ports, c->now.items, c->now.n);
	err = steer_reserve_apply(RESERVE_SYSCTL, RESERVE_RANGE, c->record, &ports);
	c->reserved = c->reserved || err == 0;
	if (err == 0 || steer_reserve_verify(RESERVE_SYSCTL, &ports) == 1)
		return;
	log_event(LOG_EV_PORTS_NOT_RESERVED,
		LOG_FIELDS(log_u64("port_min", c->conf->relay.port_min),
			log_u64("port_max", c->conf->relay.port_max), log_errno(err),
			log_str("remedy", err == -ENOSPC
						  ? "relay.ports: leave the host some of "
						    "net.ipv4.ip_local_port_range"
						  : "sysctl net.ipv4.ip_local_reserved_ports")));
}

static void guard_remember(struct plane_claims *c, int err)
{
	c->guarded = c->guarded || err == 0;
	c->guard_err = err;
	free(c->listing);
	c->listing = err == 0 ? steer_guard_listing(c->conf->instance) : NULL;
	c->generation = steer_guard_generation();
}

void plane_claims_apply(
	struct plane_claims *c, struct plane_ports *ports, const struct plane_claimed *claimed)
{
	struct steer_fault fault;
	int err;

	if (plane_claimed_equal(&c->now, claimed))
		return;
	c->now = *claimed;
	plane_ports_steer(ports, c->now.items, c->now.n);
	err = steer_guard_install(c->conf->instance, claimed->items, claimed->n, &fault);
	guard_remember(c, err);
	if (err != 0)
		log_event(LOG_EV_GUARD_FAILED, LOG_FIELDS(log_str("problem", fault.problem),
						       log_str("remedy", fault.remedy)));
	reserve(c);
}

bool plane_claims_guard(struct plane_claims *c)
{
	struct steer_fault fault;
	uint32_t generation = c->guarded ? steer_guard_generation() : c->generation;
	char *listing;
	bool same;
	int err;

	if (generation == c->generation)
		return c->guard_err == 0;
	listing = steer_guard_listing(c->conf->instance);
	same = listing != NULL && c->listing != NULL && strcmp(listing, c->listing) == 0;
	free(listing);
	c->generation = generation;
	if (same)
		return true;
	err = steer_guard_install(c->conf->instance, c->now.items, c->now.n, &fault);
	guard_remember(c, err);
	log_event(LOG_EV_GUARD_LOST,
		LOG_FIELDS(
			log_str("problem", err == 0 ? "the nft table was changed" : fault.problem),
			log_str("remedy", err == 0 ? "done: made again" : fault.remedy)));
	return err == 0;
}

void plane_claims_verify(struct plane_claims *c)
{
	struct reserve_ports ports;

	steer_reserve_ports_of(&ports, c->now.items, c->now.n);
	if (!c->reserved || steer_reserve_verify(RESERVE_SYSCTL, &ports) != 0)
		return;
	log_event(LOG_EV_PORTS_NOT_RESERVED,
		LOG_FIELDS(log_str("problem", "net.ipv4.ip_local_reserved_ports was overwritten"),
			log_str("remedy", "done: merged again")));
	steer_reserve_apply(RESERVE_SYSCTL, RESERVE_RANGE, c->record, &ports);
}

void plane_claims_release(struct plane_claims *c)
{
	struct steer_fault fault;
	int err;

	free(c->listing);
	c->listing = NULL;
	if (c->guarded && steer_guard_remove(c->conf->instance, &fault) != 0)
		log_event(LOG_EV_GUARD_FAILED, LOG_FIELDS(log_str("problem", fault.problem),
						       log_str("remedy", fault.remedy)));
	err = c->reserved ? steer_reserve_release(RESERVE_SYSCTL, c->record) : 0;
	if (err != 0)
		log_event(LOG_EV_PORTS_NOT_RESERVED,
			LOG_FIELDS(log_str("record", c->record), log_errno(err)));
}
