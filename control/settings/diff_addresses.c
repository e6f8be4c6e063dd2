// SPDX-License-Identifier: BSD-3-Clause
// Listeners and relay addresses in the difference of two configurations.
#include "parts.h"

static bool relay_holds(const struct conf *c, const struct tp_addr *a)
{
	for (size_t i = 0; i < c->relay.n_addresses; i++) {
		if (tp_addr_equal(&c->relay.addresses[i], a))
			return true;
	}
	return false;
}

const struct conf_listener *settings_listener_find(
	const struct conf *c, const struct conf_listener *l)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (tp_addr_equal(&c->listeners[i].addr, &l->addr) &&
			c->listeners[i].transport == l->transport)
			return &c->listeners[i];
	}
	return NULL;
}

static bool listeners_hold(const struct conf *c, const struct conf_listener *l)
{
	return settings_listener_find(c, l) != NULL;
}

static void listener_note(struct settings_diff *d, const struct conf_listener *l, const char *what)
{
	unsigned first = d->n;
	char text[TEXT_ADDR_SIZE];

	settings_diff_add(d, "listeners", false, "%s %s", text_addr_format(&l->addr, text), what);
	if (l->transport != CONF_TRANSPORT_UDP)
		settings_diff_reach(d, first, SETTINGS_EDGE);
}

static uint16_t realm_of(const struct conf *c, const struct conf_listener *l)
{
	return l->realm == 0 ? 0 : c->realms[l->realm - 1].id;
}

// Clients were told the external address: it is part of an allocation's identity.
static void external_compare(struct settings_diff *d, const struct conf *from,
	const struct conf *to, const struct tp_addr *a, const char *key, bool restart)
{
	struct tp_addr x = conf_external_of(from, a), y = conf_external_of(to, a);
	char was[TEXT_ADDR_SIZE], is[TEXT_ADDR_SIZE];

	if (!tp_addr_equal(&x, &y))
		settings_diff_add(d, key, restart, "%s to %s", text_ip_format(&x, was),
			text_ip_format(&y, is));
}

void settings_diff_addresses(
	struct settings_diff *d, const struct conf *from, const struct conf *to)
{
	char text[TEXT_ADDR_SIZE];
	unsigned first;

	for (size_t i = 0; i < from->n_listeners; i++) {
		const struct conf_listener *l = &from->listeners[i];

		if (!listeners_hold(to, l))
			listener_note(d, l, "removed");
		else if (realm_of(from, l) != realm_of(to, settings_listener_find(to, l)))
			settings_diff_add(d, "listeners", false, "%s has another realm",
				text_addr_format(&l->addr, text));
		else if (!relay_holds(from, &l->addr))
			external_compare(d, from, to, &l->addr, "relay.external", false);
	}
	for (size_t i = 0; i < to->n_listeners; i++) {
		if (!listeners_hold(from, &to->listeners[i]))
			listener_note(d, &to->listeners[i], "added");
	}
	first = d->n;
	for (size_t i = 0; i < from->relay.n_addresses; i++) {
		const struct tp_addr *a = &from->relay.addresses[i];

		if (!relay_holds(to, a))
			settings_diff_add(
				d, "relay.addresses", false, "%s removed", text_ip_format(a, text));
		else
			external_compare(d, from, to, a, "relay.external", true);
	}
	for (size_t i = 0; i < to->relay.n_addresses; i++) {
		if (!relay_holds(from, &to->relay.addresses[i]))
			settings_diff_add(d, "relay.addresses", false, "%s added",
				text_ip_format(&to->relay.addresses[i], text));
	}
	// The edge has the relayed sockets of TCP allocations.
	if (conf_has_edge(to))
		settings_diff_reach(d, first, SETTINGS_EDGE);
}
