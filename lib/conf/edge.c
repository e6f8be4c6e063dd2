// SPDX-License-Identifier: BSD-3-Clause
// Settles the certificates of tls and dtls listeners.
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

static void listener_check(struct conf_loader *load, const struct draft_listener *l)
{
	const struct spot *where = conf_spot_of_struct(load, l);

	if (where == NULL)
		return;
	if (!is_secure(l->transport) && l->certificate != NULL)
		conf_complain(load, conf_spot_of_value(load, &l->certificate),
			"remove it, or give the transport tls or dtls", "%s uses no certificate",
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

	certificates_settle(load);
	for (size_t i = 0; i < d->n_listeners; i++)
		listener_check(load, &d->listeners[i]);
}

bool conf_has_edge(const struct conf *c)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		if (c->listeners[i].transport != CONF_TRANSPORT_UDP)
			return true;
	}
	return false;
}
