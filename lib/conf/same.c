// SPDX-License-Identifier: BSD-3-Clause
// Whether two listeners have the same keys.
#include <conf/conf.h>

#include <string.h>

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

bool conf_listener_same(const struct conf_listener *a, const struct conf_listener *b)
{
	return a->transport == b->transport && tp_addr_equal(&a->addr, &b->addr) &&
	       proxies_same(a, b) && texts_same(a->names, a->n_names, b->names, b->n_names) &&
	       backends_same(a, b) && websocket_same(&a->websocket, &b->websocket);
}
