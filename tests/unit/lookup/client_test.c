// SPDX-License-Identifier: BSD-3-Clause
// The control process's end: questions survive a directory that dies, answers meet their question
// alone, and nothing the other side says does harm.
#include <lookup/client.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define MS TP_NS_PER_MS

struct fixture {
	char dir[64];
	char path[96];
	int epoll_fd;
	int listen_fd; // the directory's
	int fd;
	uint64_t now_ns;
	struct lookup_client c;
	unsigned n_answers;
	uint64_t ticket; // of the last answer
	struct turn_answer answer;
};

static void directory_start(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, f->path);
	unlink(f->path);
	f->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->listen_fd, 4), 0);
}

static void directory_accept(struct fixture *f)
{
	f->fd = accept4(f->listen_fd, NULL, NULL, SOCK_NONBLOCK);
	assert_true(f->fd >= 0);
}

static void directory_die(struct fixture *f)
{
	close(f->fd);
	close(f->listen_fd);
	f->fd = f->listen_fd = -1;
}

static void tick(struct fixture *f)
{
	f->now_ns += 100 * MS;
	lookup_client_tick(&f->c, f->now_ns);
}

static void on_answer(void *ctx, uint64_t ticket, const struct turn_answer *answer)
{
	struct fixture *f = ctx;

	f->n_answers++;
	f->ticket = ticket;
	f->answer = *answer;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/lookup_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/%s", f->dir, TP_LOOKUP_SOCKET_NAME);
	f->epoll_fd = epoll_create1(0);
	f->listen_fd = f->fd = -1;
	f->now_ns = 1000 * TP_NS_PER_S;
	lookup_client_init(&f->c, f->epoll_fd, 3);
	lookup_client_aim(&f->c, f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lookup_client_fini(&f->c);
	if (f->fd >= 0)
		close(f->fd);
	if (f->listen_fd >= 0)
		close(f->listen_fd);
	close(f->epoll_fd);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static int ask(struct fixture *f, uint64_t ticket)
{
	const struct turn_lookup lookup = {
		.ticket = ticket, .realm = "realm", .key = (const uint8_t *)"alice", .key_len = 5};

	return lookup_client_ask(&f->c, f->now_ns, &lookup);
}

// The next question at the directory; 0: none.
static uint64_t asked(struct fixture *f)
{
	struct tp_lookup_ask m;
	ssize_t n = recv(f->fd, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0)
		return 0;
	assert_true(tp_lookup_ask_is_whole(&m, (size_t)n));
	assert_int_equal(m.realm_len, 5);
	assert_memory_equal(m.text, "realmalice", 10);
	return m.ticket;
}

static void reply(struct fixture *f, uint64_t ticket, enum tp_lookup_status status, uint8_t len)
{
	struct tp_lookup_answer m = {
		.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_ANSWER},
		.ticket = ticket,
		.status = (uint8_t)status,
		.algorithm = TP_LOOKUP_MD5,
		.key_len = len,
		.life_s = 30,
		.key = {1, 2, 3},
	};

	assert_int_equal(send(f->fd, &m, sizeof(m), 0), sizeof(m));
	lookup_client_read(&f->c, on_answer, f);
}

static void connected(struct fixture *f)
{
	directory_start(f);
	tick(f);
	assert_true(lookup_client_is_up(&f->c));
	directory_accept(f);
}

// ---- keys of a realm ----------------------------------------------------------------------------

struct taken {
	unsigned n;
	uint16_t realm_id;
	bool failed;
	struct tp_lookup_keys keys;
};

static struct taken taken;

static void on_keys(void *ctx, uint16_t realm_id, const struct tp_lookup_keys *keys)
{
	assert_ptr_equal(ctx, &taken);
	taken.n++;
	taken.realm_id = realm_id;
	taken.failed = keys == NULL;
	if (keys != NULL)
		memcpy(&taken.keys, keys, tp_lookup_keys_size(keys));
}

// The ticket of the question for keys that is at the directory.
static uint64_t keys_asked(struct fixture *f)
{
	struct tp_lookup_ask m;
	ssize_t n = recv(f->fd, &m, sizeof(m), MSG_DONTWAIT);

	assert_true(n > 0 && tp_lookup_ask_is_whole(&m, (size_t)n));
	assert_int_equal(m.by, TP_LOOKUP_BY_REALM);
	assert_int_equal(m.wanted, TP_LOOKUP_TOKEN_KEYS);
	assert_int_equal(m.name_len, 0);
	assert_memory_equal(m.text, "realm", 5);
	return m.ticket;
}

static void keys_send(struct fixture *f, const struct tp_lookup_keys *m, size_t size)
{
	assert_int_equal(send(f->fd, m, size, 0), size);
	lookup_client_read(&f->c, on_answer, f);
}

static int keys_ask(struct fixture *f, uint16_t realm_id)
{
	return lookup_client_ask_keys(&f->c, f->now_ns, "realm", realm_id, TP_LOOKUP_TOKEN_KEYS);
}

static void keys_of_a_realm(void **state)
{
	struct fixture *f = *state;
	static struct tp_lookup_keys m = {
		.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_KEYS},
		.n = 2,
		.life_s = 9,
		.items = {{.kind = TP_LOOKUP_SECRET, .len = 3, .octets = "abc"},
			{.kind = TP_LOOKUP_A128GCM, .id_len = 1, .len = 32, .id = "k"}},
	};

	taken = (struct taken){0};
	f->c.keys = on_keys;
	f->c.keys_ctx = &taken;
	connected(f);
	assert_int_equal(keys_ask(f, 515), 0);
	assert_int_equal(keys_ask(f, 515), -EALREADY);
	assert_int_equal(keys_ask(f, 65535), 0);
	m.ticket = keys_asked(f);
	keys_send(f, &m, tp_lookup_keys_size(&m));
	assert_int_equal(taken.n, 1);
	assert_int_equal(taken.realm_id, 515);
	assert_memory_equal(&taken.keys, &m, tp_lookup_keys_size(&m));
	// Once only, and no user's answer.
	keys_send(f, &m, tp_lookup_keys_size(&m));
	assert_int_equal(taken.n, 1);
	assert_int_equal(f->c.counters.stale, 1);
	reply(f, keys_asked(f), TP_LOOKUP_FAILED, 0);
	assert_int_equal(taken.n, 2);
	assert_int_equal(taken.realm_id, 65535);
	assert_true(taken.failed);
	assert_int_equal(f->n_answers, 0);
	// Keys are no answer to a question about a user.
	assert_int_equal(ask(f, 7), 0);
	assert_int_equal(asked(f), 7);
	m.ticket = 7;
	keys_send(f, &m, tp_lookup_keys_size(&m));
	assert_int_equal(taken.n, 2);
	assert_int_equal(f->n_answers, 0);
	assert_true(lookup_client_is_up(&f->c));
}

// An answer that was on its way is none to the next question either.
static void forgotten_keys_are_stale(void **state)
{
	struct fixture *f = *state;
	static struct tp_lookup_keys m = {
		.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_KEYS}, .life_s = 9};
	uint64_t before;

	taken = (struct taken){0};
	f->c.keys = on_keys;
	f->c.keys_ctx = &taken;
	connected(f);
	assert_int_equal(keys_ask(f, 1), 0);
	assert_int_equal(ask(f, 7), 0);
	assert_int_equal(keys_ask(f, 2), 0);
	before = keys_asked(f);
	assert_int_equal(asked(f), 7);
	(void)keys_asked(f);
	lookup_client_forget_keys(&f->c);
	assert_int_equal(f->c.n, 1);
	assert_int_equal(f->c.n_unsent, 0);
	assert_int_equal(keys_ask(f, 1), 0);
	m.ticket = before;
	keys_send(f, &m, tp_lookup_keys_size(&m));
	reply(f, before, TP_LOOKUP_FAILED, 0);
	assert_int_equal(taken.n, 0);
	assert_int_equal(f->c.counters.stale, 2);
	m.ticket = keys_asked(f);
	keys_send(f, &m, tp_lookup_keys_size(&m));
	assert_int_equal(taken.n, 1);
	assert_int_equal(taken.realm_id, 1);
	reply(f, 7, TP_LOOKUP_FOUND, 16);
	assert_int_equal(f->n_answers, 1);
	// Those that were never sent, too.
	directory_die(f);
	lookup_client_read(&f->c, on_answer, f);
	assert_int_equal(keys_ask(f, 1), 0);
	assert_int_equal(f->c.n_unsent, 1);
	lookup_client_forget_keys(&f->c);
	assert_int_equal(f->c.n_unsent, 0);
}

static void keys_that_are_none_end_the_connection(void **state)
{
	struct fixture *f = *state;
	static struct tp_lookup_keys m;

	for (int i = 0; i < 4; i++) {
		m = (struct tp_lookup_keys){
			.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION, TP_LOOKUP_KEYS}, .n = 1};
		connected(f);
		m.n = i == 0 ? 65 : 1;
		m.items[0].len = i == 1 ? 257 : 0;
		m.items[0].id_len = i == 2 ? 129 : 0;
		keys_send(f, &m,
			i == 0 ? sizeof(m) : offsetof(struct tp_lookup_keys, items[1]) - (i == 3));
		assert_false(lookup_client_is_up(&f->c));
		directory_die(f);
	}
	assert_int_equal(f->c.counters.bad, 4);
}

static void a_question_has_its_answer(void **state)
{
	struct fixture *f = *state;

	connected(f);
	assert_int_equal(ask(f, 41), 0);
	assert_int_equal(asked(f), 41);
	reply(f, 41, TP_LOOKUP_FOUND, 16);
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->ticket, 41);
	assert_int_equal(f->answer.status, TURN_ANSWER_FOUND);
	assert_int_equal(f->answer.key.algorithm, TURN_KEY_MD5);
	assert_int_equal(f->answer.key.len, 16);
	assert_int_equal(f->answer.key.octets[2], 3);
	assert_int_equal(f->answer.life_s, 30);
	assert_int_equal(f->c.n, 0);
	// A second answer, and one to no question.
	reply(f, 41, TP_LOOKUP_FOUND, 16);
	reply(f, 99, TP_LOOKUP_UNKNOWN, 0);
	assert_int_equal(f->n_answers, 1);
	assert_int_equal(f->c.counters.stale, 2);
}

static void a_directory_that_comes_later_is_asked(void **state)
{
	struct fixture *f = *state;

	tick(f);
	assert_int_equal(ask(f, 7), 0);
	assert_false(lookup_client_is_up(&f->c));
	connected(f);
	assert_int_equal(asked(f), 7);
	assert_int_equal(asked(f), 0);
	reply(f, 7, TP_LOOKUP_UNKNOWN, 0);
	assert_int_equal(f->answer.status, TURN_ANSWER_UNKNOWN);
}

static void a_directory_that_dies_is_asked_again(void **state)
{
	struct fixture *f = *state;

	connected(f);
	assert_int_equal(ask(f, 1), 0);
	assert_int_equal(ask(f, 2), 0);
	assert_int_equal(asked(f), 1);
	assert_int_equal(asked(f), 2);
	reply(f, 1, TP_LOOKUP_FAILED, 0);
	assert_int_equal(f->answer.status, TURN_ANSWER_FAILED);
	directory_die(f);
	lookup_client_read(&f->c, on_answer, f);
	assert_false(lookup_client_is_up(&f->c));
	connected(f);
	assert_int_equal(asked(f), 2);
	assert_int_equal(asked(f), 0);
}

static void a_question_does_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	connected(f);
	assert_int_equal(ask(f, 1), 0);
	assert_int_equal(asked(f), 1);
	f->now_ns += TP_LOOKUP_PATIENCE_S * TP_NS_PER_S;
	tick(f);
	assert_int_equal(f->c.n, 0);
	assert_int_equal(f->c.counters.expired, 1);
	reply(f, 1, TP_LOOKUP_FOUND, 16);
	assert_int_equal(f->n_answers, 0);
}

// Nobody reads at the other end: questions wait here, as many as there may be.
static void questions_are_bounded(void **state)
{
	struct fixture *f = *state;
	unsigned n = 0;

	connected(f);
	for (uint64_t t = 1; t <= LOOKUP_QUESTIONS_MAX; t++)
		assert_int_equal(ask(f, t), 0);
	assert_int_equal(ask(f, LOOKUP_QUESTIONS_MAX + 1), -ENOBUFS);
	assert_true(f->c.n_unsent > 0);
	assert_true(lookup_client_is_up(&f->c));
	while (n < LOOKUP_QUESTIONS_MAX) {
		while (asked(f) != 0)
			n++;
		tick(f);
	}
	assert_int_equal(f->c.n_unsent, 0);
}

static void messages_that_are_none_end_the_connection(void **state)
{
	struct fixture *f = *state;
	struct tp_lookup_answer m = {
		.head = {TP_LOOKUP_MAGIC, TP_LOOKUP_VERSION + 1, TP_LOOKUP_ANSWER}};

	connected(f);
	assert_int_equal(ask(f, 1), 0);
	assert_int_equal(send(f->fd, &m, sizeof(m), 0), sizeof(m));
	lookup_client_read(&f->c, on_answer, f);
	assert_false(lookup_client_is_up(&f->c));
	directory_die(f);
	connected(f);
	m.head.version = TP_LOOKUP_VERSION;
	assert_int_equal(send(f->fd, &m, sizeof(m) - 1, 0), sizeof(m) - 1);
	lookup_client_read(&f->c, on_answer, f);
	assert_false(lookup_client_is_up(&f->c));
	assert_int_equal(f->c.counters.bad, 2);
	// A key longer than there is room for is no key.
	directory_die(f);
	connected(f);
	reply(f, 1, TP_LOOKUP_FOUND, 255);
	assert_int_equal(f->answer.key.len, 0);
}

static void another_user_is_not_asked(void **state)
{
	struct fixture *f = *state;

	// As the control process of a user to whom neither root nor this test's user is known.
	f->c.n_users = 1;
	f->c.users[0] = 4242;
	directory_start(f);
	tick(f);
	assert_false(lookup_client_is_up(&f->c));
	assert_true(f->c.foreign);
	f->c.users[0] = geteuid();
	tick(f);
	assert_true(lookup_client_is_up(&f->c));
}

static void the_socket_of_a_dead_directory_is_removed(void **state)
{
	struct fixture *f = *state;

	connected(f);
	lookup_client_tidy(&f->c);
	assert_int_equal(access(f->path, F_OK), 0);
	directory_die(f);
	lookup_client_tidy(&f->c);
	assert_int_not_equal(access(f->path, F_OK), 0);
}

static void without_a_source_nothing_is_asked(void **state)
{
	struct fixture *f = *state;

	connected(f);
	lookup_client_aim(&f->c, NULL);
	assert_false(lookup_client_is_up(&f->c));
	assert_int_equal(ask(f, 1), -ENOBUFS);
	tick(f);
	assert_false(lookup_client_is_up(&f->c));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys_of_a_realm),
		TEST(forgotten_keys_are_stale),
		TEST(keys_that_are_none_end_the_connection),
		TEST(a_question_has_its_answer),
		TEST(a_directory_that_comes_later_is_asked),
		TEST(a_directory_that_dies_is_asked_again),
		TEST(a_question_does_not_wait_for_ever),
		TEST(questions_are_bounded),
		TEST(messages_that_are_none_end_the_connection),
		TEST(another_user_is_not_asked),
		TEST(the_socket_of_a_dead_directory_is_removed),
		TEST(without_a_source_nothing_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
