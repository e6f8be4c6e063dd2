// SPDX-License-Identifier: BSD-3-Clause
// Settles peers.local, only what is said to be a peer's may be one, and other relays.
#include "settle.h"

#include <turnpike/limits.h>

#include <string.h>

#define DNS_NAME_MAX 253u

static bool ip_is_own(const struct draft *d, const struct tp_addr *ip, bool *relay)
{
	bool own = false;

	*relay = false;
	for (size_t i = 0; i < d->conf.relay.n_addresses; i++)
		*relay |= tp_addr_same_ip(&d->conf.relay.addresses[i], ip);
	for (size_t i = 0; i < d->n_listeners; i++)
		own |= tp_addr_same_ip(&d->listeners[i].ip, ip);
	return own || *relay;
}

static void place_check(struct conf_loader *load, const struct conf_place *place)
{
	const struct draft *d = load->draft;
	const struct conf_relay *r = &d->conf.relay;
	const struct spot *where = conf_spot_of_value(load, place);
	char text[TEXT_ADDR_SIZE];
	bool relay;

	if (where == NULL)
		return;
	if (!ip_is_own(d, &place->ip, &relay)) {
		conf_complain(load, where,
			"give an address of a listener or of relay.addresses; peers on others need "
			"no leave of peers.local",
			"%s is not an address of this relay", text_ip_format(&place->ip, text));
		return;
	}
	if (relay && place->port_min <= r->port_max && place->port_max >= r->port_min)
		conf_complain(load, where, "move the media server's ports or narrow relay.ports",
			"ports %u-%u are among the relayed ports %u-%u of the same address",
			place->port_min, place->port_max, r->port_min, r->port_max);
	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct draft_listener *l = &d->listeners[i];

		if (tp_addr_same_ip(&l->ip, &place->ip) && l->port >= place->port_min &&
			l->port <= place->port_max)
			conf_complain(load, where, "leave the listener's port out",
				"port %u is a listener's: no client may reach it through the relay",
				l->port);
	}
}

static void alternates_check(
	struct conf_loader *load, const char *key, const struct conf_place *places, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct conf_place *place = &places[i];
		const struct spot *where = conf_spot_of_value(load, place);

		if (where == NULL)
			continue;
		if (i == CONF_ALTERNATES_MAX) {
			conf_complain(load, where, "name fewer",
				"protocol.%s: %zu exceed the maximum of %u", key, n,
				CONF_ALTERNATES_MAX);
			return;
		}
		if (place->port_min != place->port_max)
			conf_complain(load, where, "give one port", "is a range of ports");
	}
}

// RFC 1123: labels of 1 to 63 letters, digits and hyphens, with dots between them.
static bool is_dns_name(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-";

	if (strlen(name) > DNS_NAME_MAX)
		return false;
	for (;;) {
		size_t len = strspn(name, letters);

		if (len == 0 || len > 63 || name[0] == '-' || name[len - 1] == '-')
			return false;
		if (name[len] == '\0')
			return true;
		if (name[len] != '.')
			return false;
		name += len + 1;
	}
}

static void domain_check(struct conf_loader *load)
{
	const struct conf_protocol *p = &load->draft->conf.protocol;
	const struct spot *where = conf_spot_of_value(load, &p->alternate_domain);

	if (where == NULL || p->alternate_domain == NULL)
		return;
	if (!is_dns_name(p->alternate_domain))
		conf_complain(load, where, "give one such as turn2.example.org",
			"%s is not a host name", conf_quote(load, p->alternate_domain));
	else if (p->n_tls_alternate_servers == 0)
		conf_complain(load, where, "add protocol.tls_alternate_servers",
			"there are no servers of that name");
}

void conf_settle_places(struct conf_loader *load)
{
	const struct conf_protocol *protocol = &load->draft->conf.protocol;
	const struct conf_peers *p = &load->draft->conf.peers;

	alternates_check(load, "alternate_servers", protocol->alternate_servers,
		protocol->n_alternate_servers);
	alternates_check(load, "tls_alternate_servers", protocol->tls_alternate_servers,
		protocol->n_tls_alternate_servers);
	domain_check(load);
	if (p->n_local > CONF_LOCAL_PEERS_MAX) {
		conf_complain(load, conf_spot_of_value(load, &p->local[CONF_LOCAL_PEERS_MAX]),
			"give ranges of ports", "peers.local: %zu exceed the maximum of %u",
			p->n_local, CONF_LOCAL_PEERS_MAX);
		return;
	}
	for (size_t i = 0; i < p->n_local; i++)
		place_check(load, &p->local[i]);
}
