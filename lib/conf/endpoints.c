// SPDX-License-Identifier: BSD-3-Clause
// Settles listeners, relay addresses and their external addresses.
#include "settle.h"

#include <turnpike/limits.h>

#include <string.h>

#define STUN_PORT  3478u
#define STUNS_PORT 5349u

static int listener_compare(const void *a, const void *b)
{
	const struct draft_listener *x = a, *y = b;
	int c = memcmp(&x->ip, &y->ip, sizeof(x->ip));

	if (c != 0)
		return c;
	if (x->transport != y->transport)
		return (int)x->transport - (int)y->transport;
	return (int)x->port - (int)y->port;
}

static int ip_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tp_addr));
}

void conf_tell_same(struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_complain(load, second, "keep one of the two", "is the same as %s in line %u",
		first->key, first->line);
}

static void listeners_settle(struct conf_loader *load)
{
	struct draft *d = load->draft;
	struct conf_listener *listeners = conf_array(load, d->n_listeners, sizeof(*listeners));

	if (listeners == NULL)
		return;
	for (size_t i = 0; i < d->n_listeners; i++) {
		struct draft_listener *from = &d->listeners[i];
		bool secure = from->transport == CONF_TRANSPORT_TLS ||
			      from->transport == CONF_TRANSPORT_DTLS;

		if (from->port == 0)
			from->port = secure ? STUNS_PORT : STUN_PORT;
		listeners[i].transport = from->transport;
		listeners[i].addr = from->ip;
		listeners[i].addr.port_be = tp_htons(from->port);
		listeners[i].certificate = from->certificate;
		listeners[i].client_ca = from->client_ca;
		listeners[i].proxies = from->proxies;
		listeners[i].n_proxies = from->n_proxies;
		listeners[i].names = from->names;
		listeners[i].n_names = from->n_names;
		listeners[i].websocket = from->websocket;
	}
	d->conf.listeners = listeners;
	d->conf.n_listeners = d->n_listeners;
	conf_pairs_find(
		load, &(struct conf_pairs){d->listeners, d->n_listeners, sizeof(*d->listeners),
			      true, listener_compare, conf_tell_same});
}

static bool ip_known(const struct tp_addr *list, size_t n, const struct tp_addr *ip)
{
	for (size_t i = 0; i < n; i++) {
		if (tp_addr_same_ip(&list[i], ip))
			return true;
	}
	return false;
}

// Without relay addresses those of the listeners serve, each once.
static void relay_addresses_settle(struct conf_loader *load)
{
	struct draft *d = load->draft;
	struct conf_relay *relay = &d->conf.relay;
	struct tp_addr *addresses;
	size_t n = 0;

	if (relay->n_addresses > 0)
		return;
	addresses = conf_array(load, d->n_listeners, sizeof(*addresses));
	if (addresses == NULL)
		return;
	for (size_t i = 0; i < d->n_listeners && n < TP_RELAYS_MAX; i++) {
		const struct tp_addr *ip = &d->listeners[i].ip;

		if (ip->family != TP_FAMILY_NONE && !ip_known(addresses, n, ip))
			addresses[n++] = *ip;
	}
	relay->addresses = addresses;
	relay->n_addresses = n;
}

static void relay_ports_check(struct conf_loader *load)
{
	const struct draft *d = load->draft;
	const struct conf_relay *relay = &d->conf.relay;
	const struct spot *ports = conf_spot_of_value(load, &relay->port_min);

	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct draft_listener *l = &d->listeners[i];
		const struct spot *where = conf_spot_of_value(load, &l->port);

		if (where == NULL)
			where = conf_spot_of_struct(load, l);
		if (where == NULL || l->port < relay->port_min || l->port > relay->port_max ||
			!ip_known(relay->addresses, relay->n_addresses, &l->ip))
			continue;
		conf_complain(load, where, "move the listener or narrow relay.ports",
			"port %u is one of the relayed ports %u-%u of the same address", l->port,
			relay->port_min, relay->port_max);
	}
	if (ports != NULL && relay->port_min < 1024)
		conf_warn(load, ports, "begin at 1024 or above",
			"takes ports that services of this host use");
}

static bool ip_of_listener(const struct draft *d, const struct tp_addr *ip)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		if (tp_addr_same_ip(&d->listeners[i].ip, ip))
			return true;
	}
	return false;
}

static int private_compare(const void *a, const void *b)
{
	const struct conf_external *x = a, *y = b;

	return memcmp(&x->private_ip, &y->private_ip, sizeof(x->private_ip));
}

static int public_compare(const void *a, const void *b)
{
	const struct conf_external *x = a, *y = b;

	return memcmp(&x->public_ip, &y->public_ip, sizeof(x->public_ip));
}

static void tell_same_private(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_complain(load, second, "map each private address once",
		"maps the same private address as line %u", first->line);
}

static void tell_same_public(
	struct conf_loader *load, const struct spot *first, const struct spot *second)
{
	conf_complain(load, second, "give each private address a public address of its own",
		"maps to the same public address as line %u: peers would be indistinguishable",
		first->line);
}

static void external_check(struct conf_loader *load)
{
	const struct draft *d = load->draft;
	const struct conf_relay *relay = &d->conf.relay;

	for (size_t i = 0; i < relay->n_external; i++) {
		const struct conf_external *e = &relay->external[i];
		char text[TEXT_ADDR_SIZE];

		if (conf_spot_of_struct(load, e) == NULL)
			continue;
		if (e->private_ip.family != e->public_ip.family)
			conf_complain(load, conf_spot_of_value(load, &e->public_ip),
				"map IPv4 to IPv4 and IPv6 to IPv6",
				"%s is of another family than the private address",
				text_ip_format(&e->public_ip, text));
		if (!ip_known(relay->addresses, relay->n_addresses, &e->private_ip) &&
			!ip_of_listener(d, &e->private_ip))
			conf_complain(load, conf_spot_of_value(load, &e->private_ip),
				"give an address of a listener or of relay.addresses",
				"%s is not an address of this relay",
				text_ip_format(&e->private_ip, text));
	}
	conf_pairs_find(
		load, &(struct conf_pairs){relay->external, relay->n_external,
			      sizeof(*relay->external), true, private_compare, tell_same_private});
	conf_pairs_find(
		load, &(struct conf_pairs){relay->external, relay->n_external,
			      sizeof(*relay->external), true, public_compare, tell_same_public});
}

// Whether the counts fit; later checks compare all pairs and must not run on longer lists.
static bool counts_check(struct conf_loader *load)
{
	const struct draft *d = load->draft;
	const struct conf_relay *relay = &d->conf.relay;
	size_t n_locals = relay->n_addresses + d->n_listeners;

	if (relay->n_addresses > TP_RELAYS_MAX)
		conf_complain(load, NULL, "spread them over several relays",
			"relay.addresses: %zu exceed the maximum of %u", relay->n_addresses,
			TP_RELAYS_MAX);
	if (n_locals >= TP_LOCALS_MAX)
		conf_complain(load, NULL, "spread them over several relays",
			"%zu listeners and relay addresses exceed the maximum of %u", n_locals,
			TP_LOCALS_MAX - 1);
	if (relay->n_external > TP_LOCALS_MAX)
		conf_complain(load, NULL, "map only addresses of this relay",
			"relay.external: %zu exceed the maximum of %u", relay->n_external,
			TP_LOCALS_MAX);
	return relay->n_addresses <= TP_RELAYS_MAX && n_locals < TP_LOCALS_MAX &&
	       relay->n_external <= TP_LOCALS_MAX;
}

static void default_family_check(struct conf_loader *load)
{
	const struct conf *c = &load->draft->conf;

	for (size_t i = 0; i < c->relay.n_addresses; i++) {
		if (c->relay.addresses[i].family == TP_FAMILY_IPV6)
			return;
	}
	if (c->protocol.default_family == CONF_FAMILY_IPV6)
		conf_complain(load, conf_spot_of_value(load, &c->protocol.default_family),
			"add an IPv6 address to relay.addresses, or remove it",
			"no relay address is IPv6; no client could allocate");
}

static bool udp_listener_is_at(const struct draft *d, const struct tp_addr *ip, uint16_t port)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct draft_listener *l = &d->listeners[i];

		if (l->transport == CONF_TRANSPORT_UDP && l->port == port &&
			tp_addr_same_ip(&l->ip, ip))
			return true;
	}
	return false;
}

// RFC 5780 6: the same two ports at two addresses.
static bool is_discovery_pair(
	const struct draft *d, const struct draft_listener *a, const struct draft_listener *b)
{
	return a->transport == CONF_TRANSPORT_UDP && b->transport == CONF_TRANSPORT_UDP &&
	       a->ip.family == b->ip.family && !tp_addr_same_ip(&a->ip, &b->ip) &&
	       a->port != b->port && udp_listener_is_at(d, &a->ip, b->port) &&
	       udp_listener_is_at(d, &b->ip, a->port);
}

static void nat_discovery_check(struct conf_loader *load)
{
	const struct draft *d = load->draft;

	for (size_t i = 0; d->conf.protocol.nat_discovery && i < d->n_listeners; i++) {
		for (size_t k = 0; k < i; k++) {
			if (is_discovery_pair(d, &d->listeners[i], &d->listeners[k]))
				return;
		}
	}
	if (d->conf.protocol.nat_discovery)
		conf_complain(load, conf_spot_of_value(load, &d->conf.protocol.nat_discovery),
			"add the missing listeners, or remove it",
			"no two addresses have UDP listeners with the same two ports");
}

static void relay_settle(struct conf_loader *load)
{
	struct draft *d = load->draft;
	struct conf_relay *relay = &d->conf.relay;

	conf_pairs_find(
		load, &(struct conf_pairs){relay->addresses, relay->n_addresses,
			      sizeof(*relay->addresses), false, ip_compare, conf_tell_same});
	relay_addresses_settle(load);
	if (!counts_check(load))
		return;
	relay_ports_check(load);
	default_family_check(load);
	nat_discovery_check(load);
	external_check(load);
}

void conf_settle_endpoints(struct conf_loader *load)
{
	listeners_settle(load);
	relay_settle(load);
}
