// SPDX-License-Identifier: BSD-3-Clause
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <text/addr.h>
#include <turnpike/segment.h>

#include "certificate.h"
#include "internal.h"

const uint8_t world_media[12] = {0x40, 0, 0, 5, 'm', 'e', 'd', 'i', 'a', 0, 0, 0};

size_t world_request(uint8_t out[TP_STUN_HEADER_LEN], uint8_t mark)
{
	memset(out, mark, TP_STUN_HEADER_LEN);
	tp_store_be16(out, TP_STUN_BINDING_REQUEST);
	tp_store_be16(out + 2, 0);
	tp_store_be32(out + 4, TP_STUN_MAGIC_COOKIE);
	return TP_STUN_HEADER_LEN;
}

char world_directory[] = "/tmp/turnpike-serve-XXXXXX";
char world_certificate[64], world_key[64];

int world_setup(void **state)
{
	(void)state;
	// A session writes to its socket as to a file; the process ignores the signal, too.
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(world_directory));
	snprintf(world_certificate, sizeof(world_certificate), "%s/a.pem", world_directory);
	snprintf(world_key, sizeof(world_key), "%s/a.key", world_directory);
	certificate_make(CERTIFICATE_ECDSA, 30 * 86400L, world_certificate, world_key);
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	unlink(world_certificate);
	unlink(world_key);
	return rmdir(world_directory);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

// Ports that are free now, each another: the sockets close together.
void world_ports(uint16_t *ports, size_t n)
{
	int fds[8];

	assert_true(n <= TP_ARRAY_LEN(fds));
	for (size_t i = 0; i < n; i++) {
		struct sockaddr_in at = loopback(0);
		socklen_t len = sizeof(at);

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(fds[i], (struct sockaddr *)&at, len), 0);
		assert_int_equal(getsockname(fds[i], (struct sockaddr *)&at, &len), 0);
		ports[i] = ntohs(at.sin_port);
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

struct conf *world_conf(const char *listeners, const char *edge)
{
	struct conf_errors errs = {0};
	struct conf *conf = NULL;
	char text[2048];
	const struct conf_request request = {
		.role = CONF_FOR_EDGE, .text = text, .directory = world_directory};

	snprintf(text, sizeof(text),
		"dataplane: {ports: [{interface: lo}]}\n"
		"relay: {ports: 1-2}\n"
		"listeners:\n%s"
		"edge:\n"
		"  certificates: [{certificate: a.pem, key: a.key}]\n%s",
		listeners, edge);
	if (conf_load(&request, &conf, &errs) < 0) {
		for (size_t i = 0; i < errs.len; i++)
			print_error("%s: %s\n", errs.items[i].key, errs.items[i].problem);
		fail();
	}
	conf_errors_fini(&errs);
	return conf;
}

static void conf_make(struct world *w, const char *edge)
{
	char listeners[1024];

	world_ports(w->ports, TP_ARRAY_LEN(w->ports));
	snprintf(listeners, sizeof(listeners),
		"  - {address: 127.0.0.1, transport: tcp, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tls, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tcp, port: %u, proxies: [127.0.0.0/8]}\n"
		"  - {address: 127.0.0.1, transport: tls, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tcp, port: %u%s}\n"
		"  - {address: 127.0.0.1, transport: tls, port: %u%s}\n"
		"  - {address: 127.0.0.1, transport: dtls, port: %u}\n",
		w->ports[0], w->ports[0], w->ports[1], w->ports[2], w->ports[3],
		w->shared_tcp != NULL ? w->shared_tcp : "", w->ports[3],
		w->shared_tls != NULL ? w->shared_tls : "", w->ports[2]);
	w->conf = world_conf(listeners, edge);
}

static void listener_name(struct world *w, uint16_t id, unsigned port, uint8_t transport)
{
	struct tp_addr a = tp_addr_ipv4(INADDR_LOOPBACK, w->ports[port]);

	if (w->unnamed)
		return;
	fake_edge_listener(w->link, id, &a, transport);
}

static void listeners_name(struct world *w)
{
	listener_name(w, WORLD_TCP, 0, TP_TRANSPORT_TCP);
	listener_name(w, WORLD_TLS, 0, TP_TRANSPORT_TLS);
	listener_name(w, WORLD_PROXIED, 1, TP_TRANSPORT_TCP);
	listener_name(w, WORLD_TLS_ALONE, 2, TP_TRANSPORT_TLS);
	listener_name(w, WORLD_SHARED_TCP, 3, TP_TRANSPORT_TCP);
	listener_name(w, WORLD_SHARED_TLS, 3, TP_TRANSPORT_TLS);
	listener_name(w, WORLD_DTLS, 2, TP_TRANSPORT_DTLS);
}

void world_start(struct world *w, const char *edge)
{
	const struct edge_link_settings settings = {
		.n_workers = w->n_workers > 0 ? w->n_workers : 1,
		.n_threads = 1,
		.connections_max = 64};
	struct tls_error err;

	conf_make(w, edge);
	w->tickets = tls_tickets_create(NULL, 0, NULL, NULL);
	w->link = edge_link_create(&settings);
	listeners_name(w);
	w->serve = serve_create(w->conf, w->tickets, &err);
	if (w->serve != NULL && serve_listen(w->serve, &err) < 0)
		fail_msg("%s; %s", err.problem, err.remedy);
	if (w->serve == NULL || serve_certificates_load(w->serve, &err) < 0)
		fail_msg("%s; %s", err.problem, err.remedy);
	assert_int_equal(serve_attach(w->serve, w->link), 0);
}

void world_turns(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		(void)thread_turn(w->serve->threads[0], false);
}

struct sockets {
	struct serve_socket items[8];
	size_t n;
};

static bool socket_copy(void *ctx, const struct tp_addr *addr, unsigned thread, int fd)
{
	struct sockets *s = ctx;

	assert_true(s->n < 8);
	s->items[s->n++] = (struct serve_socket){
		.addr = *addr, .thread = thread, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
	return true;
}

void world_next(struct world *next, struct world *w)
{
	const struct edge_link_settings settings = {
		.n_workers = 1, .n_threads = 1, .connections_max = 64};
	struct sockets sockets = {.n = 0};
	struct tls_error err;

	*next = *w;
	next->link = edge_link_create(&settings);
	listeners_name(next);
	assert_int_equal(serve_sockets_show(w->serve, socket_copy, &sockets), 4);
	next->serve = serve_create_with(w->conf, w->tickets, sockets.items, sockets.n, &err);
	if (next->serve == NULL || serve_certificates_load(next->serve, &err) < 0)
		fail_msg("%s; %s", err.problem, err.remedy);
	for (size_t i = 0; i < sockets.n; i++)
		assert_int_equal(sockets.items[i].fd, -1);
	assert_int_equal(serve_attach(next->serve, next->link), 0);
}

void world_next_stop(struct world *next)
{
	thread_end(next->serve->threads[0]);
	assert_int_equal(serve_connections(next->serve), 0);
	assert_int_equal(fake_edge_open(next->link), 0);
	assert_int_equal(admit_connections(next->serve->admit), 0);
	serve_destroy(next->serve);
	edge_link_destroy(next->link);
}

void world_stop(struct world *w)
{
	world_next_stop(w);
	tls_tickets_destroy(w->tickets);
	conf_free(w->conf);
}

int world_connect(uint16_t port)
{
	struct sockaddr_in at = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_true(connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 || errno == EINPROGRESS);
	return fd;
}

void world_write(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

ssize_t world_read(int fd, void *out, size_t room)
{
	ssize_t n = recv(fd, out, room, 0);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return -1;
	return n < 0 ? 0 : n;
}

void world_closed(struct world *w, int fd)
{
	uint8_t bytes[256];

	for (unsigned i = 0; i < 20000; i++) {
		world_turns(w, 1);
		if (world_read(fd, bytes, sizeof(bytes)) < 0) {
			close(fd);
			return;
		}
		usleep(100);
	}
	fail_msg("the edge does not close the connection");
}

uint64_t world_closes(struct world *w, enum serve_close why)
{
	struct serve_counters c;

	serve_counters_read(w->serve, &c);
	return c.closed[why];
}

void world_take(struct world *w, struct fake_edge_message *m)
{
	for (unsigned i = 0; i < 20000; i++) {
		if (fake_edge_take(w->link, m))
			return;
		world_turns(w, 1);
		usleep(100);
	}
	fail_msg("no message comes");
}

void world_put(struct world *w, uint64_t connection, const void *data, size_t len)
{
	struct fake_edge_message m = {.connection = connection, .len = len};

	memcpy(m.data, data, len);
	fake_edge_put(edge_link_thread(w->link, 0), &m);
}

void world_client_start(struct world_client *c, uint16_t port)
{
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->ssl = SSL_new(c->ctx);
	c->fd = world_connect(port);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
}

void world_client_shake(struct world *w, struct world_client *c)
{
	for (unsigned i = 0; i < 20000; i++) {
		world_turns(w, 1);
		if (SSL_do_handshake(c->ssl) == 1)
			return;
		usleep(100);
	}
	fail_msg("the handshake does not end");
}

void world_client_end(struct world_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
}
