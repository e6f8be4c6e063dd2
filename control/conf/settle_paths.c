// SPDX-License-Identifier: BSD-3-Clause
// Listeners, relay addresses and ports of the data plane.
#include "settle.h"

#include <turnpike/limits.h>

#include <net/if.h>
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

static int u32_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void tell_same(struct reader *r, const struct spot *first, const struct spot *second)
{
	reader_complain(r, second, "keep one of the two", "is the same as %s in line %u",
		first->key, first->line);
}

static void listeners_settle(struct reader *r)
{
	struct draft *d = r->draft;
	struct conf_listener *listeners = reader_array(r, d->n_listeners, sizeof(*listeners));

	if (listeners == NULL)
		return;
	for (size_t i = 0; i < d->n_listeners; i++) {
		struct draft_listener *from = &d->listeners[i];
		bool secure = from->transport == CONF_TRANSPORT_TLS ||
			      from->transport == CONF_TRANSPORT_DTLS;

		if (from->port == 0)
			from->port = secure ? STUNS_PORT : STUN_PORT;
		if (!secure && from->certificate != NULL && reader_find_struct(r, from) != NULL)
			reader_complain(r, reader_find_value(r, &from->certificate),
				"remove it, or give the transport tls or dtls",
				"%s uses no certificate", conf_transport_name(from->transport));
		listeners[i].transport = from->transport;
		listeners[i].addr = from->ip;
		listeners[i].addr.port_be = tp_htons(from->port);
		listeners[i].certificate = from->certificate;
	}
	d->conf.listeners = listeners;
	d->conf.n_listeners = d->n_listeners;
	reader_find_pairs(r, &(struct reader_pairs){d->listeners, d->n_listeners,
				     sizeof(*d->listeners), true, listener_compare, tell_same});
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
static void relay_addresses_settle(struct reader *r)
{
	struct draft *d = r->draft;
	struct conf_relay *relay = &d->conf.relay;
	struct tp_addr *addresses;
	size_t n = 0;

	if (relay->n_addresses > 0)
		return;
	addresses = reader_array(r, d->n_listeners, sizeof(*addresses));
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

static void relay_ports_check(struct reader *r)
{
	const struct draft *d = r->draft;
	const struct conf_relay *relay = &d->conf.relay;
	const struct spot *ports = reader_find_value(r, &relay->port_min);

	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct draft_listener *l = &d->listeners[i];
		const struct spot *where = reader_find_value(r, &l->port);

		if (where == NULL)
			where = reader_find_struct(r, l);
		if (where == NULL || l->port < relay->port_min || l->port > relay->port_max ||
			!ip_known(relay->addresses, relay->n_addresses, &l->ip))
			continue;
		reader_complain(r, where, "move the listener or narrow relay.ports",
			"port %u is one of the relayed ports %u-%u of the same address", l->port,
			relay->port_min, relay->port_max);
	}
	if (ports != NULL && relay->port_min < 1024)
		reader_warn(r, ports, "begin at 1024 or above",
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

static void tell_same_private(struct reader *r, const struct spot *first, const struct spot *second)
{
	reader_complain(r, second, "map each private address once",
		"maps the same private address as line %u", first->line);
}

static void tell_same_public(struct reader *r, const struct spot *first, const struct spot *second)
{
	reader_complain(r, second, "give each private address a public address of its own",
		"maps to the same public address as line %u: peers could not be told apart",
		first->line);
}

static void external_check(struct reader *r)
{
	const struct draft *d = r->draft;
	const struct conf_relay *relay = &d->conf.relay;

	for (size_t i = 0; i < relay->n_external; i++) {
		const struct conf_external *e = &relay->external[i];
		char text[TEXT_ADDR_SIZE];

		if (reader_find_struct(r, e) == NULL)
			continue;
		if (e->private_ip.family != e->public_ip.family)
			reader_complain(r, reader_find_value(r, &e->public_ip),
				"map IPv4 to IPv4 and IPv6 to IPv6",
				"%s is of another family than the private address",
				text_ip_format(&e->public_ip, text));
		if (!ip_known(relay->addresses, relay->n_addresses, &e->private_ip) &&
			!ip_of_listener(d, &e->private_ip))
			reader_complain(r, reader_find_value(r, &e->private_ip),
				"give an address of a listener or of relay.addresses",
				"%s is not an address of this relay",
				text_ip_format(&e->private_ip, text));
	}
	reader_find_pairs(
		r, &(struct reader_pairs){relay->external, relay->n_external,
			   sizeof(*relay->external), true, private_compare, tell_same_private});
	reader_find_pairs(
		r, &(struct reader_pairs){relay->external, relay->n_external,
			   sizeof(*relay->external), true, public_compare, tell_same_public});
}

static void relay_settle(struct reader *r)
{
	struct draft *d = r->draft;
	struct conf_relay *relay = &d->conf.relay;

	reader_find_pairs(r, &(struct reader_pairs){relay->addresses, relay->n_addresses,
				     sizeof(*relay->addresses), false, ip_compare, tell_same});
	relay_addresses_settle(r);
	if (relay->n_addresses > TP_RELAYS_MAX)
		reader_complain(r, NULL, "spread them over several relays",
			"relay.addresses: %zu are more than %u", relay->n_addresses, TP_RELAYS_MAX);
	if (relay->n_addresses + d->n_listeners >= TP_LOCALS_MAX)
		reader_complain(r, NULL, "spread them over several relays",
			"%zu listeners and relay addresses are more than %u",
			relay->n_addresses + d->n_listeners, TP_LOCALS_MAX - 1);
	relay_ports_check(r);
	external_check(r);
}

static int string_compare(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

// Twins are interfaces too.
static const char *interface_of(const struct conf_port *p)
{
	return p->kernel != NULL ? p->kernel : p->interface;
}

static int interface_compare(const void *a, const void *b)
{
	return string_compare(interface_of(a), interface_of(b));
}

static int device_compare(const void *a, const void *b)
{
	return string_compare(
		((const struct conf_port *)a)->device, ((const struct conf_port *)b)->device);
}

// Two ports may both be without.
static void tell_same_interface(
	struct reader *r, const struct spot *first, const struct spot *second)
{
	if (interface_of(second->at) != NULL)
		reader_complain(r, second, "open each interface once",
			"names the same interface as line %u", first->line);
}

static void tell_same_device(struct reader *r, const struct spot *first, const struct spot *second)
{
	if (((const struct conf_port *)second->at)->device != NULL)
		reader_complain(r, second, "open each device once",
			"names the same device as line %u", first->line);
}

static bool is_interface_name(const char *name)
{
	return name[0] != '\0' && strlen(name) < IFNAMSIZ && strpbrk(name, "/ :,%") == NULL &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static void twin_check(struct reader *r, const struct conf_port *p)
{
	const struct spot *where = reader_find_value(r, &p->kernel);

	if (!is_interface_name(p->kernel))
		reader_complain(r, where, "give a name such as tp0",
			"%s is no name of an interface", reader_quote(r, p->kernel));
	else if (p->device == NULL || p->interface != NULL)
		reader_complain(r, where,
			"interface: for a device that the kernel sees, kernel: beside device: for "
			"one that it does not",
			"needs a device without an interface");
}

static void port_check(struct reader *r, const struct conf_port *p, const struct spot *where)
{
	if (p->kernel != NULL)
		twin_check(r, p);
	if (p->interface == NULL && p->device == NULL)
		reader_complain(r, where, "give interface: NAME, or device: a PCI address",
			"names neither an interface nor a device");
	if (p->interface != NULL && !is_interface_name(p->interface))
		reader_complain(r, reader_find_value(r, &p->interface),
			"give a name that `ip link` shows", "%s is no name of an interface",
			reader_quote(r, p->interface));
	if (p->device != NULL && strpbrk(p->device, " \"'") != NULL)
		reader_complain(r, reader_find_value(r, &p->device),
			"give a PCI address such as 0000:3b:00.0, or NAME,key=value,...",
			"%s is no DPDK device", reader_quote(r, p->device));
	if (p->device != NULL && strlen(p->device) > DEVICE_MAX)
		reader_complain(r, reader_find_value(r, &p->device), "shorten its arguments",
			"is longer than %u octets", DEVICE_MAX);
}

static void dataplane_settle(struct reader *r)
{
	const struct conf_dataplane *d = &r->draft->conf.dataplane;
	const struct spot *workers = reader_find_value(r, &d->workers);

	for (size_t i = 0; i < d->n_ports; i++) {
		const struct spot *where = reader_find_struct(r, &d->ports[i]);

		if (where != NULL)
			port_check(r, &d->ports[i], where);
	}
	if (d->n_ports > TP_PORTS_MAX)
		reader_complain(r, NULL, "use fewer", "dataplane.ports: %zu are more than %u",
			d->n_ports, TP_PORTS_MAX);
	reader_find_pairs(r, &(struct reader_pairs){d->ports, d->n_ports, sizeof(*d->ports), true,
				     interface_compare, tell_same_interface});
	reader_find_pairs(r, &(struct reader_pairs){d->ports, d->n_ports, sizeof(*d->ports), true,
				     device_compare, tell_same_device});
	reader_find_pairs(r, &(struct reader_pairs){d->cores, d->n_cores, sizeof(*d->cores), false,
				     u32_compare, tell_same});
	if (d->n_cores > 0 && d->n_cores != d->workers)
		reader_complain(r, workers != NULL ? workers : reader_find_value(r, &d->cores[0]),
			reader_textf(
				r, "write workers: %zu, or give %u cores", d->n_cores, d->workers),
			"%u workers do not fit %zu cores", d->workers, d->n_cores);
}

void settle_paths(struct reader *r)
{
	listeners_settle(r);
	relay_settle(r);
	dataplane_settle(r);
}
