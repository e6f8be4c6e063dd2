// SPDX-License-Identifier: BSD-3-Clause
// The threads of a source with a table that is missing: questions of one kind fail, the others have
// their answers, and each kind has its own events.
#include "users.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <log/log.h>
#include <proc/clock.h>
#include <sqlite3.h>
#include <worker.h>

struct fixture {
	char path[64];
	struct conf_source conf;
	struct worker_pool pool;
	struct worker_answers answers;
	struct service_answer room[8];
	unsigned n_failed, n_recovered; // events
};

static bool line_take(void *ctx, const char *line, size_t len)
{
	struct fixture *f = ctx;

	f->n_failed += memmem(line, len, " source_failed ", 15) != NULL;
	f->n_recovered += memmem(line, len, " source_recovered ", 18) != NULL;
	return true;
}

static void run(const struct fixture *f, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int setup(void **state)
{
	static struct log_env env = {.write = line_take};
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	strcpy(f->path, "/tmp/worker_test.XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
	run(f, USERS_SQL);
	env.ctx = f;
	log_init(&(struct log_settings){
		.level = LOG_LEVEL_INFO, .process = "test", .instance = "test", .env = &env});
	// One that tries again would do so for longer than this test may take.
	f->conf = (struct conf_source){.name = "main",
		.path = f->path,
		.timeout_ms = 600000,
		.life_s = 60,
		.negative_life_s = 7,
		.connections = 1,
		.queue = 8};
	f->answers = (struct worker_answers){
		.items = f->room, .size = TP_ARRAY_LEN(f->room), .fd = eventfd(0, 0)};
	pthread_mutex_init(&f->answers.lock, NULL);
	assert_int_equal(worker_pool_start(&f->pool, &f->conf, &f->answers), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	worker_pool_stop(&f->pool);
	log_fini();
	close(f->answers.fd);
	pthread_mutex_destroy(&f->answers.lock);
	unlink(f->path);
	free(f);
	return 0;
}

static uint8_t ask(struct fixture *f, const struct tp_lookup_ask *m)
{
	// In an hour: however late a thread comes, it asks.
	const struct worker_job job = {
		.asked_ns = proc_now_ns() + 3600 * TP_NS_PER_S, .message = *m};
	struct service_answer a;
	uint8_t status;
	uint64_t n;

	assert_true(worker_pool_add(&f->pool, &job));
	assert_int_equal(read(f->answers.fd, &n, sizeof(n)), sizeof(n));
	assert_int_equal(n, 1);
	pthread_mutex_lock(&f->answers.lock);
	assert_int_equal(f->answers.n, 1);
	a = f->answers.items[f->answers.first];
	f->answers.first = (f->answers.first + 1) % f->answers.size;
	f->answers.n = 0;
	pthread_mutex_unlock(&f->answers.lock);
	status = a.message.status;
	service_answer_end(&a);
	return status;
}

static uint8_t user_ask(struct fixture *f)
{
	const struct tp_lookup_ask m = users_ask(1, USERS_REALM, "alice");

	return ask(f, &m);
}

static uint8_t keys_ask(struct fixture *f, uint16_t wanted)
{
	struct tp_lookup_ask m = users_ask(2, USERS_REALM, "");

	m.by = TP_LOOKUP_BY_REALM;
	m.wanted = wanted;
	return ask(f, &m);
}

static void a_missing_table_of_keys_is_no_fault_for_users(void **state)
{
	struct fixture *f = *state;

	run(f, "CREATE TABLE turn_secret (realm varchar(127), value varchar(256));");
	assert_int_equal(keys_ask(f, TP_LOOKUP_SECRETS | TP_LOOKUP_TOKEN_KEYS), TP_LOOKUP_FAILED);
	assert_int_equal(f->n_failed, 1);
	// Another realm wants less, and has it.
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(user_ask(f), TP_LOOKUP_FOUND);
		assert_int_equal(keys_ask(f, TP_LOOKUP_SECRETS), TP_LOOKUP_FOUND);
		assert_int_equal(
			keys_ask(f, TP_LOOKUP_SECRETS | TP_LOOKUP_TOKEN_KEYS), TP_LOOKUP_FAILED);
		assert_true(f->pool.users.down_ns == 0);
	}
	assert_int_equal(f->n_failed, 1);
	assert_int_equal(f->n_recovered, 0);
	run(f, "DROP TABLE turn_secret;" KEYS_SQL);
	assert_int_equal(keys_ask(f, TP_LOOKUP_SECRETS | TP_LOOKUP_TOKEN_KEYS), TP_LOOKUP_FOUND);
	assert_int_equal(f->n_failed, 1);
	assert_int_equal(f->n_recovered, 1);
}

// A key that is none is told once, and its user's requests keep nobody from an answer.
static void a_broken_user_is_no_fault_for_others(void **state)
{
	const struct tp_lookup_ask broken = users_ask(3, USERS_REALM, "broken");
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ask(f, &broken), TP_LOOKUP_FAILED);
		assert_true(f->pool.users.down_ns == 0);
	}
	assert_int_equal(f->n_failed, 1);
	assert_int_equal(user_ask(f), TP_LOOKUP_FOUND);
	assert_int_equal(f->n_recovered, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_missing_table_of_keys_is_no_fault_for_users),
		TEST(a_broken_user_is_no_fault_for_others),
	};

	source_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
