// SPDX-License-Identifier: BSD-3-Clause
// Settles certificates, proxies and backends of stream listeners.
#include "settle.h"

#include <string.h>

static bool is_secure(enum conf_transport t)
{
	return t == CONF_TRANSPORT_TLS || t == CONF_TRANSPORT_DTLS;
}

static bool is_stream(enum conf_transport t)
{
	return t == CONF_TRANSPORT_TCP || t == CONF_TRANSPORT_TLS;
}

static void certificates_settle(struct conf_loader *load)
{
	// The table's own memory, of which the struct conf has a const view.
	struct conf_certificate *pairs =
		(struct conf_certificate *)(uintptr_t)load->draft->conf.edge.certificates;

	for (size_t i = 0; i < load->draft->conf.edge.n_certificates; i++) {
		if (pairs[i].key == NULL)
			pairs[i].key = pairs[i].certificate;
	}
}

// ---- backends -----------------------------------------------------------------------------------

// Letters, digits, '-', '_' and '.'; "*." may stand before them.
static bool name_is_good(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	name += strncmp(name, "*.", 2) == 0 ? 2 : 0;
	return name[0] != '\0' && name[0] != '.' && strlen(name) <= 253 &&
	       name[strspn(name, allowed)] == '\0';
}

static void names_check(struct conf_loader *load, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct spot *where = conf_spot_of_value(load, &names[i]);

		if (where != NULL && !name_is_good(names[i]))
			conf_complain(load, where,
				"give one such as www.example.org or *.example.org",
				"%s is no name of a host", conf_quote(load, names[i]));
	}
}

static bool is_own_listener(const struct draft *d, const struct tp_addr *a)
{
	for (size_t i = 0; i < d->n_listeners; i++) {
		if (is_stream(d->listeners[i].transport) &&
			tp_addr_same_ip(&d->listeners[i].ip, a) &&
			d->listeners[i].port == tp_addr_port(a))
			return true;
	}
	return false;
}

static void backend_check(struct conf_loader *load, const struct draft_listener *l,
	const struct draft_backend *from, const struct conf_backend *b)
{
	const struct spot *where = conf_spot_of_struct(load, from);

	if (where == NULL)
		return;
	names_check(load, b->names, b->n_names);
	if (is_own_listener(load->draft, &b->addr))
		conf_complain(load, where, "give the address and port of another server",
			"is a listener of this relay: connections would go in a circle");
	if (l->transport == CONF_TRANSPORT_TCP && (!b->plain || b->n_names > 0))
		conf_complain(load, where, "give plain: true without names, or the transport tls",
			"a tcp listener can hand on plain HTTP alone");
}

static void websocket_check(struct conf_loader *load, const struct draft_listener *l)
{
	const struct conf_websocket *w = &l->websocket;
	const struct spot *where = conf_spot_of_value(load, &w->path);

	if (where != NULL && !is_stream(l->transport))
		conf_complain(load, where, "remove websocket, or give the transport tcp or tls",
			"no WebSocket comes by %s", conf_transport_name(l->transport));
	else if (where != NULL && (w->path[0] != '/' || strpbrk(w->path, " ?#") != NULL))
		conf_complain(load, where, "give one such as /turn", "%s is no path",
			conf_quote(load, w->path));
	else if (where != NULL && w->n_origins == 0)
		conf_complain(load, where,
			"add origins: ['https://app.example.org'], or ['*'] for all",
			"no page may begin a WebSocket");
	where = w->n_origins > 0 ? conf_spot_of_value(load, &w->origins[0]) : NULL;
	if (where != NULL && w->path == NULL)
		conf_complain(
			load, where, "add path: /turn", "origins without a path have no effect");
}

static void backends_settle(
	struct conf_loader *load, const struct draft_listener *l, struct conf_listener *out)
{
	const struct spot *where = conf_spot_of_struct(load, l);
	struct conf_backend *backends = conf_array(load, l->n_backends, sizeof(*backends));

	names_check(load, l->names, l->n_names);
	websocket_check(load, l);
	if (l->n_backends == 0 || backends == NULL)
		return;
	if (where != NULL && !is_stream(l->transport))
		conf_complain(load, where, "remove backends, or give the transport tcp or tls",
			"%s connections are not handed on", conf_transport_name(l->transport));
	if (where != NULL && l->n_backends > CONF_BACKENDS_MAX)
		conf_complain(load, where, "let one backend distribute them",
			"%zu backends exceed the maximum of %u", l->n_backends, CONF_BACKENDS_MAX);
	for (size_t i = 0; i < l->n_backends; i++) {
		backends[i] = l->backends[i].conf;
		backends[i].addr.port_be = tp_htons(l->backends[i].port);
		backend_check(load, l, &l->backends[i], &backends[i]);
	}
	out->backends = backends;
	out->n_backends = l->n_backends;
}

// ---- listeners ----------------------------------------------------------------------------------

static void listener_check(struct conf_loader *load, const struct draft_listener *l)
{
	const struct spot *where = conf_spot_of_struct(load, l);

	if (where == NULL)
		return;
	if (!is_secure(l->transport) && l->certificate != NULL)
		conf_complain(load, conf_spot_of_value(load, &l->certificate),
			"remove it, or give the transport tls or dtls", "%s uses no certificate",
			conf_transport_name(l->transport));
	if (l->transport != CONF_TRANSPORT_TLS && l->client_ca != NULL)
		conf_complain(load, conf_spot_of_value(load, &l->client_ca),
			"remove it, or give the transport tls", "%s asks for no certificate",
			conf_transport_name(l->transport));
	if (!is_stream(l->transport) && l->n_proxies > 0)
		conf_complain(load, where, "remove proxies, or give the transport tcp or tls",
			"no PROXY protocol goes ahead of %s", conf_transport_name(l->transport));
	// The data plane does not read the section with the certificates.
	if (load->role != CONF_FOR_DATAPLANE && is_secure(l->transport) && l->certificate == NULL &&
		load->draft->conf.edge.n_certificates == 0)
		conf_complain(load, where,
			"add edge: {certificates: [{certificate: FILE, key: FILE}]}",
			"a %s listener has no certificate", conf_transport_name(l->transport));
}

void conf_settle_edge(struct conf_loader *load)
{
	const struct draft *d = load->draft;
	// Made by conf_settle_endpoints; NULL: there was no memory.
	struct conf_listener *listeners = (struct conf_listener *)(uintptr_t)d->conf.listeners;

	certificates_settle(load);
	for (size_t i = 0; i < d->n_listeners && listeners != NULL; i++) {
		listener_check(load, &d->listeners[i]);
		backends_settle(load, &d->listeners[i], &listeners[i]);
	}
}

bool conf_has_edge(const struct conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (c->listeners[i].transport != CONF_TRANSPORT_UDP)
			return true;
	}
	return false;
}

bool conf_has_backends(const struct conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (c->listeners[i].n_backends > 0)
			return true;
	}
	return false;
}
