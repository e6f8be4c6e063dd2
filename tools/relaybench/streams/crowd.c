// SPDX-License-Identifier: BSD-3-Clause
#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <bench/clock.h>
#include <bench/host.h>

#include "stamp.h"

#define EVENTS_MAX	256
#define UDP_TRANSPORT	(17u << 24)
#define AGAIN_NS	500000000ull // RFC 8489 section 6.2.1
#define HANDSHAKE_LOOKS 1024u	     // clients looked at for retransmission in one poll

uint64_t streams_now_ns(void)
{
	return bench_clock_ns(CLOCK_MONOTONIC);
}

static bool by_datagrams(const struct streams_crowd *c)
{
	return c->o->transport == STREAMS_DTLS || c->o->transport == STREAMS_UDP;
}

static void gone(struct streams_crowd *c, struct streams_client *client, int problem)
{
	if (client->state == STREAMS_LIVE)
		c->n_live--;
	else
		c->n_pending--;
	c->n_gone++;
	if (c->problem == 0)
		c->problem = problem;
	client->state = STREAMS_GONE;
	streams_conn_close(&client->conn, false);
}

// ---- requests -----------------------------------------------------------------------------------

static void request_sign(
	const struct streams_crowd *c, const struct streams_client *client, struct tc_stun *m)
{
	tc_stun_put_text(m, TC_A_USERNAME, c->o->user);
	tc_stun_put_text(m, TC_A_REALM, c->realm);
	tc_stun_put(m, TC_A_NONCE, client->nonce, client->nonce_len);
	tc_stun_put_integrity(m, c->key);
}

// The request of the client's state; again if nothing has changed.
static void request_send(struct streams_crowd *c, struct streams_client *client)
{
	uint32_t id[] = {(uint32_t)(client - c->clients), client->serial, c->run};
	uint8_t buf[TC_STUN_MAX];
	struct tc_stun m;
	int rc;

	switch (client->state) {
	case STREAMS_CHALLENGE:
	case STREAMS_ALLOCATING:
		tc_stun_init(&m, buf, sizeof(buf), TC_ALLOCATE, (uint8_t *)id);
		tc_stun_put_u32(&m, TC_A_TRANSPORT, UDP_TRANSPORT);
		break;
	case STREAMS_BINDING:
		tc_stun_init(&m, buf, sizeof(buf), TC_CHANNEL, (uint8_t *)id);
		tc_stun_put_u32(&m, TC_A_CHANNEL, STREAMS_CHANNEL << 16);
		tc_stun_put_addr(&m, TC_A_XOR_PEER, &c->o->peer);
		break;
	default:
		tc_stun_init(&m, buf, sizeof(buf), TC_BINDING, (uint8_t *)id);
		break;
	}
	if (client->state == STREAMS_ALLOCATING || client->state == STREAMS_BINDING)
		request_sign(c, client, &m);
	client->asked_ns = streams_now_ns();
	rc = streams_conn_put(&client->conn, buf, m.len);
	if (rc == 0)
		rc = streams_conn_flush(&client->conn);
	if (rc < 0 && rc != -EAGAIN)
		gone(c, client, rc);
}

static void ask(struct streams_crowd *c, struct streams_client *client, enum streams_state state)
{
	client->state = (uint8_t)state;
	client->serial++;
	request_send(c, client);
}

static void reach(struct streams_crowd *c, struct streams_client *client)
{
	client->state = STREAMS_LIVE;
	c->n_pending--;
	c->n_live++;
	if (c->reached != NULL)
		c->reached(c->ctx, (uint32_t)(client - c->clients));
}

static void challenged(
	struct streams_crowd *c, struct streams_client *client, const uint8_t *msg, size_t len)
{
	size_t n_realm, n_nonce;
	const uint8_t *realm = tc_stun_find(msg, len, TC_A_REALM, &n_realm);
	const uint8_t *nonce = tc_stun_find(msg, len, TC_A_NONCE, &n_nonce);

	if (realm == NULL || nonce == NULL || n_realm >= sizeof(c->realm) ||
		n_nonce > sizeof(client->nonce)) {
		gone(c, client, -EBADMSG);
		return;
	}
	if (!c->has_key) {
		memcpy(c->realm, realm, n_realm);
		c->realm[n_realm] = '\0';
		c->has_key = tc_key(c->o->user, c->realm, c->o->password, c->key);
	}
	memcpy(client->nonce, nonce, n_nonce);
	client->nonce_len = (uint8_t)n_nonce;
	ask(c, client, client->state == STREAMS_BINDING ? STREAMS_BINDING : STREAMS_ALLOCATING);
}

static void answered(
	struct streams_crowd *c, struct streams_client *client, const uint8_t *msg, size_t len)
{
	int error = tc_stun_error(msg, len);

	if (client->state == STREAMS_CHALLENGE ? error == 401 : error == 438)
		challenged(c, client, msg, len);
	else if ((tc_stun_type(msg) & TC_ERROR) != TC_SUCCESS)
		gone(c, client, error);
	else if (client->state == STREAMS_ASKING || client->state == STREAMS_BINDING)
		reach(c, client);
	else if (client->state != STREAMS_ALLOCATING || !tc_stun_integrity_ok(msg, len, c->key) ||
		 !tc_stun_find_addr(msg, len, TC_A_XOR_RELAYED, &client->relayed))
		gone(c, client, -EBADMSG);
	else
		ask(c, client, STREAMS_BINDING);
}

struct taker {
	struct streams_crowd *crowd;
	struct streams_client *client;
};

static void message_take(void *ctx, const uint8_t *msg, size_t len)
{
	struct streams_crowd *c = ((struct taker *)ctx)->crowd;
	struct streams_client *client = ((struct taker *)ctx)->client;
	uint32_t id[] = {(uint32_t)(client - c->clients), client->serial, c->run};
	size_t n;

	if (len >= 4 && msg[0] >= 0x40) {
		n = (size_t)msg[2] << 8 | msg[3];
		if (client->state == STREAMS_LIVE && c->media != NULL && n <= len - 4 &&
			(msg[0] << 8 | msg[1]) == STREAMS_CHANNEL)
			c->media(c->ctx, (uint32_t)(client - c->clients), msg + 4, n);
		return;
	}
	if (!tc_stun_valid(msg, len) || memcmp(msg + 8, id, sizeof(id)) != 0)
		return;
	if (client->state >= STREAMS_CHALLENGE && client->state <= STREAMS_ASKING)
		answered(c, client, msg, len);
}

// ---- events -------------------------------------------------------------------------------------

static void events_want(struct streams_crowd *c, struct streams_client *client, int op, bool write)
{
	struct epoll_event e = {
		.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0), .data.ptr = client};

	client->writable_wanted = write;
	if (epoll_ctl(c->epoll_fd, op, client->conn.fd, &e) < 0)
		gone(c, client, -errno);
}

static void connect_step(struct streams_crowd *c, struct streams_client *client)
{
	int rc = streams_conn_step(&client->conn);

	if (rc < 0) {
		gone(c, client, rc);
		return;
	}
	if (client->conn.connected && client->writable_wanted)
		events_want(c, client, EPOLL_CTL_MOD, false);
	if (rc == 0 || client->state != STREAMS_CONNECTING)
		return;
	if (c->goal == STREAMS_GOAL_CONNECT)
		reach(c, client);
	else
		ask(c, client,
			c->goal == STREAMS_GOAL_ALLOCATE ? STREAMS_CHALLENGE : STREAMS_ASKING);
}

static void client_event(struct streams_crowd *c, struct streams_client *client)
{
	struct taker taker = {.crowd = c, .client = client};
	int rc;

	if (client->state == STREAMS_CONNECTING)
		connect_step(c, client);
	if (client->state <= STREAMS_CONNECTING || client->state == STREAMS_GONE)
		return;
	rc = streams_conn_read(&client->conn, message_take, &taker);
	if (rc < 0 && client->conn.fd >= 0)
		gone(c, client, rc);
}

// Requests and flights over datagrams may be lost.
static void again(struct streams_crowd *c, uint64_t now_ns)
{
	for (uint32_t i = 0; i < c->o->clients; i++) {
		struct streams_client *client = &c->clients[i];

		if (client->state == STREAMS_CONNECTING)
			connect_step(c, client);
		else if (client->state > STREAMS_CONNECTING && client->state < STREAMS_LIVE &&
			 now_ns - client->asked_ns > AGAIN_NS)
			request_send(c, client);
	}
}

unsigned streams_crowd_poll(struct streams_crowd *c, int wait_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(c->epoll_fd, events, EVENTS_MAX, wait_ms);
	static uint64_t looked_ns;
	uint64_t now_ns;

	for (int i = 0; i < n; i++)
		client_event(c, events[i].data.ptr);
	if (!by_datagrams(c) || c->n_pending == 0)
		return n < 0 ? 0 : (unsigned)n;
	now_ns = streams_now_ns();
	if (now_ns - looked_ns > AGAIN_NS / 2) {
		looked_ns = now_ns;
		again(c, now_ns);
	}
	return n < 0 ? 0 : (unsigned)n;
}

// ---- beginning and end --------------------------------------------------------------------------

// Keeps the ticket that the server gave for resumption.
static int session_new(SSL *ssl, SSL_SESSION *session)
{
	struct streams_client *client = SSL_get_app_data(ssl);

	SSL_SESSION_free(client->session);
	client->session = session;
	return 1;
}

static SSL_CTX *tls_make(const struct streams_options *o)
{
	static const int versions[][2] = {
		{TLS1_2_VERSION, TLS1_3_VERSION}, {DTLS1_2_VERSION, DTLS1_2_VERSION}};
	bool dtls = o->transport == STREAMS_DTLS;
	SSL_CTX *tls = SSL_CTX_new(dtls ? DTLS_client_method() : TLS_client_method());

	if (tls == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(
		tls, o->tls == 3 && !dtls ? TLS1_3_VERSION : versions[dtls][0]);
	SSL_CTX_set_max_proto_version(tls, o->tls == 2 ? versions[dtls][0] : versions[dtls][1]);
	SSL_CTX_set_mode(tls, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	if (o->resume)
		SSL_CTX_sess_set_new_cb(tls, session_new);
	return tls;
}

int streams_crowd_open(
	struct streams_crowd *c, const struct streams_options *o, enum streams_goal goal)
{
	bool secure = o->transport == STREAMS_TLS || o->transport == STREAMS_DTLS;

	*c = (struct streams_crowd){.o = o,
		.goal = goal,
		.epoll_fd = epoll_create1(EPOLL_CLOEXEC),
		.run = (uint32_t)bench_clock_ns(CLOCK_REALTIME)};
	c->clients = calloc(o->clients, sizeof(*c->clients));
	c->tls = secure ? tls_make(o) : NULL;
	if (c->epoll_fd < 0 || c->clients == NULL || (secure && c->tls == NULL)) {
		fprintf(stderr, "relaybench: no memory for %u clients\n", o->clients);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < o->clients; i++)
		c->clients[i].conn.fd = -1;
	return 0;
}

void streams_crowd_close(struct streams_crowd *c)
{
	for (uint32_t i = 0; c->clients != NULL && i < c->o->clients; i++) {
		streams_conn_close(&c->clients[i].conn, true);
		SSL_SESSION_free(c->clients[i].session);
	}
	free(c->clients);
	c->clients = NULL;
	SSL_CTX_free(c->tls);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
}

void streams_crowd_begin(struct streams_crowd *c, uint32_t i)
{
	struct streams_client *client = &c->clients[i];
	union tc_addr from = c->o->client;
	int rc;

	if (from.sa.sa_family == AF_INET)
		from.v4.sin_addr.s_addr =
			htonl(ntohl(from.v4.sin_addr.s_addr) + i % c->o->n_addresses);
	if (client->state == STREAMS_GONE)
		c->n_gone--;
	c->n_pending++;
	client->state = STREAMS_CONNECTING;
	client->began_ns = streams_now_ns();
	rc = streams_conn_start(
		&client->conn, c->o, &from, c->tls, c->o->resume ? client->session : NULL);
	if (rc < 0) {
		gone(c, client, rc);
		return;
	}
	if (client->conn.ssl != NULL)
		SSL_set_app_data(client->conn.ssl, client);
	events_want(c, client, EPOLL_CTL_ADD, !by_datagrams(c));
	if (by_datagrams(c) && client->state == STREAMS_CONNECTING)
		connect_step(c, client);
}

void streams_crowd_end(struct streams_crowd *c, uint32_t i)
{
	struct streams_client *client = &c->clients[i];

	if (client->state == STREAMS_LIVE)
		c->n_live--;
	else if (client->state == STREAMS_GONE)
		c->n_gone--;
	else if (client->state != STREAMS_ABSENT)
		c->n_pending--;
	client->state = STREAMS_ABSENT;
	streams_conn_close(&client->conn, true);
}

// `begin` for each client, of which at most o->window are on their way, until all are at their
// goal.
static int each_client(struct streams_crowd *c, void (*begin)(struct streams_crowd *c, uint32_t i))
{
	uint64_t end_ns = streams_now_ns() + (uint64_t)(c->o->setup_limit_s * 1e9);
	uint32_t next = 0;

	while (next < c->o->clients || c->n_pending > 0) {
		while (next < c->o->clients && c->n_pending < c->o->window)
			begin(c, next++);
		streams_crowd_poll(c, 10);
		if (bench_host_stopped())
			return -EINTR;
		if (streams_now_ns() > end_ns)
			break;
	}
	if (c->n_live == c->o->clients)
		return 0;
	fprintf(stderr, "relaybench: %u of %u clients are ready, %u failed (first: %s %d)\n",
		c->n_live, c->o->clients, c->n_gone,
		c->problem < 0 ? strerror(-c->problem) : "error response", c->problem);
	return c->n_gone > 0 ? -EIO : -ETIMEDOUT;
}

int streams_crowd_set_up(struct streams_crowd *c)
{
	return each_client(c, streams_crowd_begin);
}

static void ask_again(struct streams_crowd *c, uint32_t i)
{
	struct streams_client *client = &c->clients[i];

	if (client->state != STREAMS_LIVE)
		return;
	c->n_live--;
	c->n_pending++;
	ask(c, client, STREAMS_ASKING);
}

int streams_crowd_ask(struct streams_crowd *c)
{
	return each_client(c, ask_again);
}
