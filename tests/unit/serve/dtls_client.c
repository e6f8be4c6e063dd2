// SPDX-License-Identifier: BSD-3-Clause
#include "dtls_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

void dtls_client_start(struct dtls_client *c, uint16_t port)
{
	int fds[2];
	BIO *b;

	memset(c, 0, sizeof(*c));
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	c->fd = fds[0];
	c->remote = tp_addr_ipv4(0xc0000209, port);
	c->way = (struct edge_link_way){.next_hop = 17, .tag = 18};
	c->ctx = SSL_CTX_new(DTLS_client_method());
	c->ssl = SSL_new(c->ctx);
	b = BIO_new_socket(fds[1], BIO_CLOSE);
	SSL_set_bio(c->ssl, b, b);
	SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(c->ssl, 1200);
	SSL_set_connect_state(c->ssl);
}

void dtls_client_stop(struct dtls_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	close(c->fd);
}

void dtls_client_put(struct world *w, const struct dtls_client *c, const uint8_t *data, size_t len)
{
	struct fake_edge_message m = {
		.listener_id = WORLD_DTLS, .remote = c->remote, .way = c->way, .len = len};

	memcpy(m.data, data, len);
	fake_edge_put(edge_link_thread(w->link, 0), &m);
}

void dtls_client_carry(struct world *w, struct dtls_client *c)
{
	struct fake_edge_message m;
	uint8_t bytes[2048];
	ssize_t n;

	while ((n = recv(c->fd, bytes, sizeof(bytes), 0)) > 0)
		dtls_client_put(w, c, bytes, (size_t)n);
	world_turns(w, 2);
	while (fake_edge_take(w->link, &m)) {
		if (m.connection != 0) {
			c->message = m;
			c->n_messages++;
			continue;
		}
		assert_int_equal(m.listener_id, WORLD_DTLS);
		c->astray += m.way.next_hop != c->way.next_hop || m.way.tag != c->way.tag;
		if (tp_addr_equal(&m.remote, &c->remote))
			assert_int_equal(send(c->fd, m.data, m.len, 0), m.len);
	}
}

void dtls_client_shake(struct world *w, struct dtls_client *c)
{
	for (unsigned i = 0; i < DTLS_ROUNDS && !SSL_is_init_finished(c->ssl); i++) {
		(void)SSL_do_handshake(c->ssl);
		dtls_client_carry(w, c);
	}
	assert_true(SSL_is_init_finished(c->ssl));
	dtls_client_carry(w, c);
}

void dtls_client_say(struct world *w, struct dtls_client *c, const void *bytes, int len)
{
	unsigned before = c->n_messages;

	assert_int_equal(SSL_write(c->ssl, bytes, len), len);
	dtls_client_carry(w, c);
	assert_int_equal(c->n_messages, before + 1);
}

struct serve_counters world_counters(struct world *w)
{
	struct serve_counters c;

	serve_counters_read(w->serve, &c);
	return c;
}
