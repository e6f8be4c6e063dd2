// SPDX-License-Identifier: BSD-3-Clause
// Listening sockets, one for each thread and port, and the certificates of the ports.
#include "internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <log/log.h>
#include <tcp/socket.h>
#include <text/addr.h>

// ---- ports --------------------------------------------------------------------------------------

struct serve_port *listen_port_find(struct serve *s, const struct tp_addr *addr)
{
	for (size_t i = 0; i < s->n_ports; i++) {
		if (!s->ports[i].is_removed && tp_addr_equal(&s->ports[i].addr, addr))
			return &s->ports[i];
	}
	return NULL;
}

bool listen_is_stream(const struct conf_listener *l)
{
	return l->transport == CONF_TRANSPORT_TCP || l->transport == CONF_TRANSPORT_TLS;
}

int listen_ports_make(struct serve *s, const struct conf *conf)
{
	size_t first = s->n_ports;

	if (s->ports == NULL)
		s->ports = calloc(SERVE_PORTS_MAX, sizeof(*s->ports));
	if (s->ports == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];
		struct serve_port *p = listen_port_find(s, &l->addr);

		// One that is there already stays as it is.
		if (!listen_is_stream(l) || (p != NULL && p < s->ports + first))
			continue;
		if (p == NULL && s->n_ports == SERVE_PORTS_MAX)
			return -ENOSPC;
		if (p == NULL) {
			p = &s->ports[s->n_ports++];
			p->addr = l->addr;
			for (unsigned k = 0; k < TP_EDGE_THREADS_MAX; k++)
				p->fds[k] = -1;
		}
		if (l->transport == CONF_TRANSPORT_TCP)
			p->plain = l;
		else
			p->tls = l;
		if (l->n_proxies > 0)
			p->proxied = l;
	}
	return 0;
}

// ---- sockets -----------------------------------------------------------------------------------

// Connections that are accepted have them from their listener (tcp(7)).
static void options_set(int fd)
{
	static const int lowat = SERVE_LOWAT, on = 1;
	static const unsigned unacked_ms = SERVE_UNACKED_MS;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof(lowat));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
}

static const char *socket_remedy(int rc)
{
	if (rc == -EADDRINUSE)
		return "another program has the port: stop it, or give the listener another port";
	if (rc == -EACCES)
		return "a port below 1024 needs CAP_NET_BIND_SERVICE at the start: start as root "
		       "with --user, or by the unit";
	return "see ip address, and the listener's address";
}

static int socket_take(
	struct serve_socket *sockets, size_t n, const struct tp_addr *addr, unsigned thread)
{
	for (size_t i = 0; i < n; i++) {
		int fd = sockets[i].fd;

		if (fd < 0 || sockets[i].thread != thread || !tp_addr_equal(&sockets[i].addr, addr))
			continue;
		sockets[i].fd = -1;
		return fd;
	}
	return -1;
}

static int port_failed(const struct serve_port *p, int rc, struct tls_error *err)
{
	char text[TEXT_ADDR_SIZE];

	snprintf(err->problem, sizeof(err->problem), "can't listen on %s: %s",
		text_addr_format(&p->addr, text), strerror(-rc));
	snprintf(err->remedy, sizeof(err->remedy), "%s", socket_remedy(rc));
	return rc;
}

int listen_ports_open(struct serve *s, size_t first, struct serve_socket *sockets, size_t n_sockets,
	struct tls_error *err)
{
	for (size_t i = first; i < s->n_ports; i++) {
		for (unsigned k = 0; k < s->n_threads; k++) {
			int fd = socket_take(sockets, n_sockets, &s->ports[i].addr, k);

			if (fd < 0)
				fd = tcp_bind(&s->ports[i].addr, true);
			s->ports[i].fds[k] = fd < 0 ? -1 : fd;
			if (fd >= 0) {
				options_set(fd);
				continue;
			}
			return port_failed(&s->ports[i], fd, err);
		}
	}
	return 0;
}

int listen_ports_begin(struct serve *s, size_t first, struct tls_error *err)
{
	for (size_t i = first; i < s->n_ports; i++) {
		for (unsigned k = 0; k < s->n_threads; k++) {
			// One that was taken over listens already.
			if (s->ports[i].fds[k] >= 0 &&
				listen(s->ports[i].fds[k], SERVE_BACKLOG) < 0)
				return port_failed(&s->ports[i], -errno, err);
		}
	}
	return 0;
}

void listen_ports_forget(struct serve *s, size_t first)
{
	for (size_t i = first; i < s->n_ports; i++) {
		for (unsigned k = 0; k < TP_EDGE_THREADS_MAX; k++) {
			if (s->ports[i].fds[k] >= 0)
				close(s->ports[i].fds[k]);
		}
		tls_context_unref(s->ports[i].context);
		s->ports[i] = (struct serve_port){.plain = NULL};
	}
	s->n_ports = first < s->n_ports ? first : s->n_ports;
}

void listen_ports_close(struct serve *s)
{
	listen_ports_forget(s, 0);
	free(s->ports);
	s->ports = NULL;
}

// ---- certificates ------------------------------------------------------------------------------

static const struct conf_listener *listener_of(
	const struct conf *conf, const struct serve_port *p, enum conf_transport transport)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		if (l->transport == transport && tp_addr_equal(&l->addr, &p->addr))
			return l;
	}
	return NULL;
}

static struct tls_context *pairs_load(struct serve *s, const struct conf *conf,
	const struct conf_listener *l, enum tls_kind kind, struct tls_error *err)
{
	const struct tls_pair own = {l->certificate, l->certificate};
	struct tls_pair shared[TLS_PAIRS_MAX + 1];
	size_t n = conf->edge.n_certificates;

	if (l->certificate != NULL)
		return tls_context_create(kind, &own, 1, s->tickets, err);
	for (size_t i = 0; i < n && i <= TLS_PAIRS_MAX; i++)
		shared[i] = (struct tls_pair){
			conf->edge.certificates[i].certificate, conf->edge.certificates[i].key};
	return tls_context_create(kind, shared, n, s->tickets, err);
}

// OCSP responses and the authorities of clients.
static int more_load(struct tls_context *c, const struct conf *conf, const struct conf_listener *l,
	struct tls_error *err)
{
	size_t n = l->certificate == NULL ? conf->edge.n_certificates : 0;

	for (size_t i = 0; i < n; i++) {
		const char *ocsp = conf->edge.certificates[i].ocsp;

		if (ocsp != NULL && tls_context_staple(c, i, ocsp, err) < 0)
			return -1;
	}
	return l->client_ca != NULL ? tls_context_client_ca(c, l->client_ca, err) : 0;
}

struct tls_context *listen_context_load(struct serve *s, const struct conf *conf,
	const struct conf_listener *l, enum tls_kind kind, struct tls_error *err)
{
	struct tls_context *c = pairs_load(s, conf, l, kind, err);

	if (c != NULL && more_load(c, conf, l, err) < 0) {
		tls_context_unref(c);
		return NULL;
	}
	return c;
}

// `started`: the listener as of the start.
static struct tls_context *context_load(struct serve *s, const struct conf *conf,
	const struct conf_listener *l, const struct conf_listener *started, struct tls_error *err)
{
	struct tls_context *c = listen_context_load(s, conf, l, TLS_STREAM, err);

	if (c != NULL && web_is_for(started))
		tls_context_offer_http(c);
	return c;
}

static void left_note(struct serve *s, struct serve_port *p, const struct conf *conf)
{
	bool plain_left = listener_of(conf, p, CONF_TRANSPORT_TCP) == NULL;
	bool tls_left = listener_of(conf, p, CONF_TRANSPORT_TLS) == NULL;
	bool leaves = (p->plain != NULL && plain_left && !p->plain_left) ||
		      (p->tls != NULL && tls_left && !p->tls_left);

	p->plain_left = plain_left;
	p->tls_left = tls_left;
	if (leaves)
		s->ports_left++;
}

// Ports that share a pair of files share no context: one is small beside one connection.
int listen_contexts_load(struct serve *s, const struct conf *conf, struct tls_error *err)
{
	struct tls_context **made = calloc(s->n_ports + 1, sizeof(struct tls_context *));
	int rc = made == NULL ? -1 : 0;

	for (size_t i = 0; i < s->n_ports && rc == 0; i++) {
		const struct conf_listener *l = listener_of(conf, &s->ports[i], CONF_TRANSPORT_TLS);

		if (s->ports[i].tls == NULL)
			continue;
		// One that the new configuration lacks keeps its context, by which none is judged.
		made[i] = l != NULL ? context_load(s, conf, l, s->ports[i].tls, err)
				    : tls_context_ref(s->ports[i].context);
		rc = made[i] == NULL ? -1 : 0;
	}
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n_ports && rc == 0; i++) {
		struct tls_context *old = s->ports[i].context;

		s->ports[i].context = made[i];
		left_note(s, &s->ports[i], conf);
		made[i] = old;
	}
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_ports && made != NULL; i++)
		tls_context_unref(made[i]);
	free(made);
	return rc;
}

// ---- accepting ---------------------------------------------------------------------------------

static bool is_proxy(const struct conf_listener *l, const struct tp_addr *from)
{
	for (size_t i = 0; i < l->n_proxies; i++) {
		if (text_cidr_contains(&l->proxies[i], from))
			return true;
	}
	return false;
}

static void refused(const struct serve_port *p, const struct tp_addr *from, const char *reason)
{
	log_event(LOG_EV_CONNECTION_REFUSED,
		LOG_FIELDS(log_addr("client", from), log_addr("listener", &p->addr),
			log_str("reason", reason)));
}

static void accept_failed(struct serve_thread *t, struct serve_port *p, int rc)
{
	struct tp_addr from;

	if (rc == -EAGAIN || rc == -ECONNABORTED || rc == -EINTR)
		return;
	SERVE_COUNT(t, accept_failed, 1);
	if (tcp_spare_refuse(&t->spare, p->fds[t->number], rc, &from))
		refused(p, &from, "files");
}

void listen_accept(struct serve_thread *t, struct serve_port *p)
{
	for (unsigned i = 0; i < SERVE_ACCEPTS && p->fds[t->number] >= 0; i++) {
		struct tp_addr from;
		int fd = tcp_accept(p->fds[t->number], &from);

		if (fd < 0) {
			accept_failed(t, p, fd);
			return;
		}
		SERVE_COUNT(t, accepted, 1);
		tcp_spare_refill(&t->spare);
		if (p->proxied != NULL && !is_proxy(p->proxied, &from)) {
			SERVE_COUNT(t, refused_proxy, 1);
			refused(p, &from, "proxy");
			close(fd);
		} else {
			conn_create(t, p, fd, &from);
		}
	}
}
