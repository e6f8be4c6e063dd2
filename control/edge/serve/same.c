// SPDX-License-Identifier: BSD-3-Clause
// Whether a configuration changes the keys of listeners that stay.
#include "internal.h"

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
	return a == NULL || b == NULL ? a == b : conf_listener_same(a, b);
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
