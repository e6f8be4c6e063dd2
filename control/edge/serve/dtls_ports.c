// SPDX-License-Identifier: BSD-3-Clause
// Ports of DTLS listeners, and their certificates. Their datagrams come from the data plane: there
// is no socket.
#include "association.h"

#include <errno.h>
#include <stdlib.h>

static bool is_there(const struct serve *s, const struct tp_addr *addr)
{
	for (size_t i = 0; i < s->n_dtls_ports; i++) {
		if (tp_addr_equal(&s->dtls_ports[i].addr, addr))
			return true;
	}
	return false;
}

int association_ports_make(struct serve *s, const struct conf *conf)
{
	if (s->dtls_ports == NULL)
		s->dtls_ports = calloc(SERVE_PORTS_MAX, sizeof(*s->dtls_ports));
	if (s->dtls_ports == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		// One that was removed and comes back is there yet.
		if (l->transport != CONF_TRANSPORT_DTLS || is_there(s, &l->addr))
			continue;
		if (s->n_dtls_ports == SERVE_PORTS_MAX)
			return -ENOSPC;
		s->dtls_ports[s->n_dtls_ports++].addr = l->addr;
	}
	return 0;
}

void association_ports_forget(struct serve *s, size_t first)
{
	for (size_t i = first; i < s->n_dtls_ports; i++) {
		tls_context_unref(s->dtls_ports[i].context);
		s->dtls_ports[i] = (struct serve_dtls_port){.context = NULL};
	}
	s->n_dtls_ports = first < s->n_dtls_ports ? first : s->n_dtls_ports;
}

void association_ports_free(struct serve *s)
{
	association_ports_forget(s, 0);
	free(s->dtls_ports);
	s->dtls_ports = NULL;
}

static const struct conf_listener *listener_of(const struct conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (conf->listeners[i].transport == CONF_TRANSPORT_DTLS &&
			tp_addr_equal(&conf->listeners[i].addr, addr))
			return &conf->listeners[i];
	}
	return NULL;
}

struct tls_context **association_contexts_load(
	struct serve *s, const struct conf *conf, struct tls_error *err)
{
	struct tls_context **made = calloc(s->n_dtls_ports + 1, sizeof(struct tls_context *));

	for (size_t i = 0; i < s->n_dtls_ports && made != NULL; i++) {
		const struct conf_listener *l = listener_of(conf, &s->dtls_ports[i].addr);

		// The data plane takes no more records for one that the configuration lacks.
		made[i] = l != NULL ? listen_context_load(s, conf, l, TLS_DATAGRAM, err)
				    : tls_context_ref(s->dtls_ports[i].context);
		if (made[i] == NULL) {
			association_contexts_free(s, made);
			return NULL;
		}
	}
	return made;
}

void association_contexts_swap(struct serve *s, const struct conf *conf, struct tls_context **made)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_dtls_ports; i++) {
		struct tls_context *old = s->dtls_ports[i].context;

		s->dtls_ports[i].context = made[i];
		s->dtls_ports[i].is_removed = listener_of(conf, &s->dtls_ports[i].addr) == NULL;
		made[i] = old;
	}
	s->n_dtls_served = s->n_dtls_ports;
	pthread_mutex_unlock(&s->lock);
	association_contexts_free(s, made);
}

void association_contexts_free(struct serve *s, struct tls_context **made)
{
	for (size_t i = 0; i < s->n_dtls_ports && made != NULL; i++)
		tls_context_unref(made[i]);
	free(made);
}
