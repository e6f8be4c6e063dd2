// SPDX-License-Identifier: BSD-3-Clause
// Whether a configuration changes the keys of listeners that stay.
#include "internal.h"

static bool texts_same(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && n_a == n_b; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return false;
	}
	return n_a == n_b;
}

static bool backends_same(const struct conf_listener *x, const struct conf_listener *y)
{
	for (size_t i = 0; i < x->n_backends && x->n_backends == y->n_backends; i++) {
		const struct conf_backend *a = &x->backends[i], *b = &y->backends[i];

		if (!tp_addr_equal(&a->addr, &b->addr) || a->plain != b->plain ||
			a->proxy_protocol != b->proxy_protocol ||
			!texts_same(a->names, a->n_names, b->names, b->n_names))
			return false;
	}
	return x->n_backends == y->n_backends;
}

static bool websocket_same(const struct conf_websocket *a, const struct conf_websocket *b)
{
	if ((a->path == NULL) != (b->path == NULL))
		return false;
	return (a->path == NULL || strcmp(a->path, b->path) == 0) &&
	       texts_same(a->origins, a->n_origins, b->origins, b->n_origins);
}

static bool proxies_same(const struct conf_listener *a, const struct conf_listener *b)
{
	return a->n_proxies == b->n_proxies &&
	       (a->n_proxies == 0 ||
		       memcmp(a->proxies, b->proxies, a->n_proxies * sizeof(*a->proxies)) == 0);
}

static bool listener_same(const struct conf_listener *a, const struct conf_listener *b)
{
	return a->transport == b->transport && tp_addr_equal(&a->addr, &b->addr) &&
	       proxies_same(a, b) && texts_same(a->names, a->n_names, b->names, b->n_names) &&
	       backends_same(a, b) && websocket_same(&a->websocket, &b->websocket);
}

static const struct conf_listener *listener_at(
	const struct conf *conf, const struct tp_addr *addr, enum conf_transport transport)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (l->transport == transport && tp_addr_equal(&l->addr, addr))
			return l;
	}
	return NULL;
}

static bool both_same(const struct conf_listener *a, const struct conf_listener *b)
{
	return a == NULL || b == NULL ? a == b : listener_same(a, b);
}

bool serve_listeners_same(const struct serve *s, const struct conf *conf)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		const struct serve_port *p = &s->ports[i];
		const struct conf_listener *plain, *tls;

		plain = listener_at(conf, &p->addr, CONF_TRANSPORT_TCP);
		tls = listener_at(conf, &p->addr, CONF_TRANSPORT_TLS);
		if (p->is_removed || (plain == NULL && tls == NULL))
			continue;
		if (!both_same(plain, p->plain) || !both_same(tls, p->tls))
			return false;
	}
	return true;
}
