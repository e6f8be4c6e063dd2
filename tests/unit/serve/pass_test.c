// SPDX-License-Identifier: BSD-3-Clause
// Connections that are a backend's, with a backend that the test plays itself.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "hello.h"
#include "internal.h"
#include "world.h"

struct backend {
	int listening;
	int fd; // -1: nobody has come
	uint16_t port;
	char keys[256]; // of the listener
};

static void backend_open(struct backend *b, const char *more)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	b->fd = -1;
	b->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(b->listening, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(b->listening, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(listen(b->listening, 8), 0);
	b->port = ntohs(at.sin_port);
	snprintf(b->keys, sizeof(b->keys),
		", backends: [{names: [\"*.example.org\"], address: 127.0.0.1, port: %u%s}]",
		b->port, more);
}

static void backend_take(struct world *w, struct backend *b)
{
	for (unsigned i = 0; i < 20000 && b->fd < 0; i++) {
		world_turns(w, 1);
		b->fd = accept4(b->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (b->fd < 0)
			usleep(100);
	}
	assert_true(b->fd >= 0);
}

static void backend_close(struct backend *b)
{
	if (b->fd >= 0)
		close(b->fd);
	close(b->listening);
}

// Exactly so many bytes.
static void receive(struct world *w, int fd, uint8_t *out, size_t len)
{
	size_t got = 0;

	for (unsigned i = 0; i < 20000 && got < len; i++) {
		ssize_t n;

		world_turns(w, 1);
		n = world_read(fd, out + got, len - got);
		assert_true(n >= 0);
		got += (size_t)n;
		if (n == 0)
			usleep(100);
	}
	assert_int_equal(got, len);
}

static void receive_end(struct world *w, int fd)
{
	uint8_t byte;

	for (unsigned i = 0; i < 20000; i++) {
		ssize_t n;

		world_turns(w, 1);
		n = recv(fd, &byte, 1, 0);
		assert_true(n <= 0);
		if (n == 0)
			return;
		usleep(100);
	}
	fail_msg("no end comes");
}

static void ended(struct world *w, enum serve_close why)
{
	for (unsigned i = 0; i < 20000 && serve_connections(w->serve) > 0; i++) {
		world_turns(w, 1);
		usleep(100);
	}
	assert_int_equal(world_closes(w, why), 1);
}

static const struct hello shop = {.name = "shop.example.org", .protocols = {"h2"}};

// A ClientHello in single bytes, an answer, and each end closed by itself.
static void bytes_are_untouched(void **state)
{
	uint8_t bytes[4096], got[4096];
	size_t len = hello_records(bytes, &shop, 100);
	struct world w = {.unnamed = false};
	struct backend b;
	int fd;

	(void)state;
	backend_open(&b, "");
	w.shared_tls = b.keys;
	world_start(&w, "");
	fd = world_connect(w.ports[3]);
	for (size_t i = 0; i < len; i++) {
		world_turns(&w, 1);
		world_write(fd, bytes + i, 1);
	}
	backend_take(&w, &b);
	receive(&w, b.fd, got, len);
	assert_memory_equal(got, bytes, len);
	world_write(b.fd, "answer", 6);
	receive(&w, fd, got, 6);
	assert_memory_equal(got, "answer", 6);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	receive_end(&w, b.fd);
	world_write(b.fd, "more", 4);
	receive(&w, fd, got, 4);
	assert_memory_equal(got, "more", 4);
	assert_int_equal(serve_connections(w.serve), 1);
	assert_int_equal(shutdown(b.fd, SHUT_WR), 0);
	receive_end(&w, fd);
	ended(&w, SERVE_CLOSE_passed);
	close(fd);
	backend_close(&b);
	world_stop(&w);
}

static void proxy_header_comes_first(void **state)
{
	uint8_t bytes[4096], got[4096];
	size_t len = hello_records(bytes, &shop, 4096);
	struct world w = {.unnamed = false};
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	struct backend b;
	int fd;

	(void)state;
	backend_open(&b, ", proxy_protocol: true");
	w.shared_tls = b.keys;
	world_start(&w, "");
	fd = world_connect(w.ports[3]);
	world_write(fd, bytes, len);
	backend_take(&w, &b);
	receive(&w, b.fd, got, 28 + len);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&from, &from_len), 0);
	assert_memory_equal(got + 16, "\x7f\0\0\1\x7f\0\0\1", 8);
	assert_memory_equal(got + 24, &from.sin_port, 2);
	assert_int_equal(tp_load_be16(got + 26), w.ports[3]);
	assert_memory_equal(got + 28, bytes, len);
	close(fd);
	backend_close(&b);
	world_stop(&w);
}

// A client of a backend, which has its first bytes. Returns the client's end.
static int begin(struct world *w, struct backend *b)
{
	uint8_t hello[4096], got[4096];
	size_t len = hello_records(hello, &shop, 4096);
	int fd;

	backend_open(b, "");
	w->shared_tls = b->keys;
	world_start(w, "");
	fd = world_connect(w->ports[3]);
	world_write(fd, hello, len);
	backend_take(w, b);
	receive(w, b->fd, got, len);
	return fd;
}

#define MANY (64u << 20)

// Until nothing more is taken, or MANY bytes. Returns how many.
static size_t numbers_send(struct world *w, int fd)
{
	static uint8_t chunk[65536];
	unsigned quiet = 0;
	size_t sent = 0;

	while (quiet < 200 && sent < MANY) {
		ssize_t n;

		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = (uint8_t)((sent + i) % 251);
		n = send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);
		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		quiet = n > 0 ? 0 : quiet + 1;
		world_turns(w, 4);
	}
	return sent;
}

static void numbers_receive(struct world *w, int fd, size_t len)
{
	static uint8_t got[65536];
	size_t come = 0;

	while (come < len) {
		ssize_t n;

		world_turns(w, 1);
		n = world_read(fd, got, sizeof(got));
		assert_true(n >= 0);
		for (ssize_t i = 0; i < n; i++, come++)
			assert_int_equal(got[i], come % 251);
	}
}

// A backend that does not read stops the client; every byte arrives in the end.
static void slow_end_slows_the_other(void **state)
{
	struct world w = {.unnamed = false};
	struct backend b;
	int fd = begin(&w, &b);
	size_t sent = numbers_send(&w, fd);

	(void)state;
	assert_true(sent < MANY);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	numbers_receive(&w, b.fd, sent);
	receive_end(&w, b.fd);
	close(fd);
	backend_close(&b);
	world_stop(&w);
}

static unsigned open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

// Bytes of one that ends wait in a pipe, which ends with it; others are kept until the stop.
static void pipes_are_closed(void **state)
{
	struct world w = {.unnamed = false};
	unsigned before = open_files();
	struct backend b;
	int fd = begin(&w, &b);
	const struct linger reset = {.l_onoff = 1};

	(void)state;
	assert_true(numbers_send(&w, fd) < MANY);
	assert_int_equal(setsockopt(b.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	backend_close(&b);
	world_closed(&w, fd);
	close(fd);
	assert_int_equal(w.serve->threads[0]->n_pipes_used, 0);
	world_stop(&w);
	assert_int_equal(open_files(), before);
}

// Nor where others hold as many as there may be: clients that do not read cost no more of them.
static void pipes_are_bounded(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_thread *t;
	struct backend b;
	int fd = begin(&w, &b);
	unsigned before;
	size_t sent;

	(void)state;
	t = w.serve->threads[0];
	splice_fini(t);
	before = open_files();
	t->n_pipes_used = SERVE_PIPES_USED;
	sent = numbers_send(&w, fd);
	assert_int_equal(open_files(), before);
	numbers_receive(&w, b.fd, sent);
	assert_int_equal(t->n_pipes_used, SERVE_PIPES_USED);
	t->n_pipes_used = 0;
	sent = numbers_send(&w, fd);
	assert_int_equal(t->n_pipes_used, 1);
	close(fd);
	backend_close(&b);
	world_stop(&w);
}

// Where the limit of open files leaves none, bytes are copied.
static void without_pipes_bytes_pass(void **state)
{
	struct world w = {.unnamed = false};
	struct rlimit limit, none;
	struct backend b;
	int fd = begin(&w, &b);
	size_t sent;

	(void)state;
	splice_fini(w.serve->threads[0]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	sent = numbers_send(&w, fd);
	numbers_receive(&w, b.fd, sent);
	assert_int_equal(w.serve->threads[0]->n_pipes, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(sent > 0);
	close(fd);
	backend_close(&b);
	world_stop(&w);
}

// An urgent byte is lost, as to any program that does not ask for it; those behind it are not.
static void urgent_bytes_stop_nothing(void **state)
{
	struct world w = {.unnamed = false};
	struct backend b;
	uint8_t got[8];
	int fd = begin(&w, &b);

	(void)state;
	world_write(fd, "one", 3);
	receive(&w, b.fd, got, 3);
	assert_int_equal(send(fd, "!", 1, MSG_OOB), 1);
	world_turns(&w, 8);
	world_write(fd, "two", 3);
	receive(&w, b.fd, got, 3);
	assert_memory_equal(got, "two", 3);
	assert_int_equal(send(b.fd, "!", 1, MSG_OOB), 1);
	world_write(b.fd, "back", 4);
	receive(&w, fd, got, 4);
	assert_memory_equal(got, "back", 4);
	close(fd);
	backend_close(&b);
	world_stop(&w);
}

// The port stays taken: a listener of the relay that got it would be refused for that.
static void backend_stop_listening(struct backend *b)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	assert_int_equal(getsockname(b->listening, (struct sockaddr *)&at, &len), 0);
	close(b->listening);
	b->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->listening, (const struct sockaddr *)&at, len), 0);
}

static void backend_that_is_away(void **state)
{
	uint8_t bytes[4096];
	size_t len = hello_records(bytes, &shop, 4096);
	struct world w = {.unnamed = false};
	struct backend b;
	int fd;

	(void)state;
	backend_open(&b, "");
	backend_stop_listening(&b);
	w.shared_tls = b.keys;
	world_start(&w, "");
	fd = world_connect(w.ports[3]);
	world_write(fd, bytes, len);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_backend), 1);
	close(b.listening);
	world_stop(&w);
}

// Without a name, or with one that no backend has: the relay's own end.
static void others_stay(void **state)
{
	struct world w = {.unnamed = false};
	struct world_client c;
	struct backend b;

	(void)state;
	backend_open(&b, "");
	w.shared_tls = b.keys;
	world_start(&w, "");
	for (unsigned i = 0; i < 2; i++) {
		world_client_start(&c, w.ports[3]);
		if (i == 1)
			assert_int_equal(SSL_set_tlsext_host_name(c.ssl, "else.example.com"), 1);
		world_client_shake(&w, &c);
		world_client_end(&c);
	}
	assert_int_equal(accept4(b.listening, NULL, NULL, 0), -1);
	backend_close(&b);
	world_stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_untouched),
		cmocka_unit_test(proxy_header_comes_first),
		cmocka_unit_test(slow_end_slows_the_other),
		cmocka_unit_test(pipes_are_closed),
		cmocka_unit_test(pipes_are_bounded),
		cmocka_unit_test(without_pipes_bytes_pass),
		cmocka_unit_test(urgent_bytes_stop_nothing),
		cmocka_unit_test(backend_that_is_away),
		cmocka_unit_test(others_stay),
	};

	return cmocka_run_group_tests_name("serve pass", tests, world_setup, world_teardown);
}
