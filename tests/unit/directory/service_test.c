// SPDX-License-Identifier: BSD-3-Clause
// The directory at work over its socket: answers, a slow source beside a quick one, full queues,
// and messages and users that it refuses.
#include "users.h"

#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <proc/clock.h>
#include <service/service.h>
#include <sqlite3.h>

#define SLOW_REALM  "slow.example"
#define TAG_ANSWERS 50u

struct fixture {
	char dir[64];
	char path[96]; // of the socket
	char quick[96];
	char slow[96];
	const char *realms[1];
	struct conf_source sources[2];
	struct conf_directory conf;
	struct service *service;
	struct service_socket socket;
	int epoll_fd;
	int fd;	       // of the control process
	sqlite3 *lock; // held on the slow source
};

static void run(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int control_connect(const struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	strcpy(a.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void socket_listen(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(service_socket_init(&f->socket, fd, f->epoll_fd, geteuid()), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = TAG_ANSWERS};

	strcpy(f->dir, "/tmp/service_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->dir);
	snprintf(f->quick, sizeof(f->quick), "%s/quick", f->dir);
	snprintf(f->slow, sizeof(f->slow), "%s/slow", f->dir);
	run(f->quick, USERS_SQL);
	run(f->slow, USERS_SQL);
	f->realms[0] = SLOW_REALM;
	f->sources[0] = (struct conf_source){.name = "quick",
		.path = f->quick,
		.timeout_ms = 2000,
		.life_s = 60,
		.negative_life_s = 7,
		.connections = 2,
		.queue = 8};
	// Its questions outlive every wait of this test, until the lock goes.
	f->sources[1] = (struct conf_source){.name = "slow",
		.path = f->slow,
		.realms = f->realms,
		.n_realms = 1,
		.timeout_ms = 600000,
		.life_s = 60,
		.connections = 1,
		.queue = 2};
	f->conf = (struct conf_directory){f->sources, 2};
	f->epoll_fd = epoll_create1(0);
	assert_int_equal(service_create(&f->conf, &f->service), 0);
	assert_int_equal(epoll_ctl(f->epoll_fd, EPOLL_CTL_ADD, service_fd(f->service), &e), 0);
	socket_listen(f);
	f->fd = control_connect(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sqlite3_close(f->lock);
	service_destroy(f->service);
	service_socket_fini(&f->socket);
	close(f->fd);
	close(f->epoll_fd);
	unlink(f->path);
	unlink(f->quick);
	unlink(f->slow);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void ask(struct fixture *f, uint64_t ticket, const char *realm, const char *name)
{
	struct tp_lookup_ask m = users_ask(ticket, realm, name);

	assert_int_equal(send(f->fd, &m, tp_lookup_ask_size(&m), 0), tp_lookup_ask_size(&m));
}

// Runs the directory's loop until the control process's socket is readable.
static void serve_until_readable(struct fixture *f)
{
	struct pollfd readable = {.fd = f->fd, .events = POLLIN};
	struct epoll_event e;

	while (poll(&readable, 1, 0) == 0) {
		int n = epoll_wait(f->epoll_fd, &e, 1, 100);

		if (n > 0 && e.data.u32 == TAG_ANSWERS)
			service_socket_answer(&f->socket, f->service);
		else if (n > 0)
			service_socket_serve(&f->socket, e.data.u32, f->service, proc_now_ns());
	}
}

static struct tp_lookup_answer answer(struct fixture *f)
{
	struct tp_lookup_answer m;

	serve_until_readable(f);
	assert_int_equal(recv(f->fd, &m, sizeof(m), 0), sizeof(m));
	assert_true(tp_lookup_head_is(&m.head, TP_LOOKUP_ANSWER));
	return m;
}

static void lock_slow(struct fixture *f)
{
	assert_int_equal(sqlite3_open(f->slow, &f->lock), SQLITE_OK);
	assert_int_equal(sqlite3_exec(f->lock, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
}

static void keys_ask(struct fixture *f, uint64_t ticket, const char *realm)
{
	struct tp_lookup_ask m = users_ask(ticket, realm, "");

	m.by = TP_LOOKUP_BY_REALM;
	m.wanted = TP_LOOKUP_SECRETS | TP_LOOKUP_TOKEN_KEYS;
	assert_int_equal(send(f->fd, &m, tp_lookup_ask_size(&m), 0), tp_lookup_ask_size(&m));
}

static void keys_of_a_realm(void **state)
{
	struct fixture *f = *state;
	static struct tp_lookup_keys keys;
	ssize_t n;

	run(f->quick, KEYS_SQL);
	keys_ask(f, 78, USERS_REALM);
	serve_until_readable(f);
	n = recv(f->fd, &keys, sizeof(keys), MSG_TRUNC);
	assert_true(n > 0 && tp_lookup_keys_are_whole(&keys, (size_t)n));
	assert_int_equal(keys.ticket, 78);
	assert_int_equal(keys.n, 4);
	assert_int_equal(keys.life_s, 60);
}

// The tables are missing: the answer is that of a question about a user.
static void keys_that_cannot_be_had(void **state)
{
	struct fixture *f = *state;
	struct tp_lookup_answer m;

	keys_ask(f, 79, USERS_REALM);
	m = answer(f);
	assert_int_equal(m.ticket, 79);
	assert_int_equal(m.status, TP_LOOKUP_FAILED);
}

static void answers_carry_ticket_key_and_life(void **state)
{
	struct fixture *f = *state;
	struct tp_lookup_answer m;

	ask(f, 77, USERS_REALM, "alice");
	m = answer(f);
	assert_int_equal(m.ticket, 77);
	assert_int_equal(m.status, TP_LOOKUP_FOUND);
	assert_int_equal(m.algorithm, TP_LOOKUP_MD5);
	assert_int_equal(m.key_len, 16);
	assert_int_equal(m.key[0], 0x5a);
	assert_int_equal(m.life_s, 60);
	ask(f, 78, USERS_REALM, "nobody");
	m = answer(f);
	assert_int_equal(m.ticket, 78);
	assert_int_equal(m.status, TP_LOOKUP_UNKNOWN);
	assert_int_equal(m.life_s, 7);
	assert_int_equal(m.key_len, 0);
}

static void a_slow_source_delays_no_other(void **state)
{
	struct fixture *f = *state;
	struct tp_lookup_answer m;

	lock_slow(f);
	ask(f, 1, SLOW_REALM, "alice");
	for (uint64_t t = 2; t < 100; t++) {
		ask(f, t, USERS_REALM, "alice");
		m = answer(f);
		assert_int_equal(m.ticket, t);
		assert_int_equal(m.status, TP_LOOKUP_FOUND);
	}
	sqlite3_close(f->lock);
	f->lock = NULL;
	m = answer(f);
	assert_int_equal(m.ticket, 1);
	assert_int_equal(m.status, TP_LOOKUP_UNKNOWN);
}

// A thread sends its last answer before it is idle, and the test may read that answer first. A
// thread that never becomes idle is ended by the test's time-out.
static void drained_wait(struct fixture *f)
{
	while (!service_drain(f->service))
		sched_yield();
}

// One is asked, two wait; the next has its answer at once.
static void a_full_queue_is_answered_at_once(void **state)
{
	struct fixture *f = *state;
	struct service_counters c;
	uint64_t refused;

	lock_slow(f);
	for (uint64_t t = 1; t <= 4; t++)
		ask(f, t, SLOW_REALM, "alice");
	refused = answer(f).ticket;
	assert_true(refused >= 3);
	service_count(f->service, &c);
	assert_true(c.full >= 1);
	assert_int_equal(c.asked, 4);
	sqlite3_close(f->lock);
	f->lock = NULL;
	for (unsigned i = 0; i < 3; i++)
		assert_int_not_equal(answer(f).ticket, refused);
	drained_wait(f);
}

static void a_realm_without_a_source_is_answered(void **state)
{
	struct fixture *f = *state;

	f->conf.n_sources = 1;
	f->sources[0].realms = f->realms;
	f->sources[0].n_realms = 1;
	ask(f, 5, USERS_REALM, "alice");
	assert_int_equal(answer(f).status, TP_LOOKUP_FAILED);
	f->conf.n_sources = 2;
}

static void refuse(struct fixture *f, const void *message, size_t len)
{
	char byte;

	assert_int_equal(send(f->fd, message, len, 0), len);
	serve_until_readable(f);
	assert_int_equal(recv(f->fd, &byte, 1, 0), 0);
	close(f->fd);
	f->fd = control_connect(f);
}

static void a_message_that_is_none_ends_the_connection(void **state)
{
	struct fixture *f = *state;
	struct tp_lookup_ask m = users_ask(1, USERS_REALM, "alice");
	size_t size = tp_lookup_ask_size(&m);

	refuse(f, "x", 1);
	refuse(f, &m, size - 1);
	refuse(f, &m, size + 1);
	m.realm_len = TP_LOOKUP_REALM_MAX + 1;
	refuse(f, &m, tp_lookup_ask_size(&m));
	m = users_ask(1, USERS_REALM, "alice");
	m.head.version++;
	refuse(f, &m, size);
	assert_int_equal(f->socket.bad, 5);
	ask(f, 9, USERS_REALM, "alice");
	assert_int_equal(answer(f).status, TP_LOOKUP_FOUND);
}

// The answer of a connection that was closed goes to nobody, not to its successor.
static void answers_stay_with_their_connection(void **state)
{
	struct fixture *f = *state;
	const struct service_return gone = {.connection = 0, .generation = 1};
	struct tp_lookup_ask m = users_ask(6, USERS_REALM, "alice");

	ask(f, 5, USERS_REALM, "alice");
	assert_int_equal(answer(f).ticket, 5);
	close(f->fd);
	f->fd = control_connect(f);
	ask(f, 7, USERS_REALM, "alice");
	assert_int_equal(answer(f).ticket, 7);
	service_ask(f->service, &gone, &m, proc_now_ns());
	ask(f, 8, USERS_REALM, "alice");
	assert_int_equal(answer(f).ticket, 8);
	while (f->socket.lost == 0) {
		struct pollfd answers = {.fd = service_fd(f->service), .events = POLLIN};

		(void)poll(&answers, 1, 100);
		service_socket_answer(&f->socket, f->service);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_carry_ticket_key_and_life),
		TEST(keys_of_a_realm),
		TEST(keys_that_cannot_be_had),
		TEST(a_slow_source_delays_no_other),
		TEST(a_full_queue_is_answered_at_once),
		TEST(a_realm_without_a_source_is_answered),
		TEST(a_message_that_is_none_ends_the_connection),
		TEST(answers_stay_with_their_connection),
	};

	source_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
