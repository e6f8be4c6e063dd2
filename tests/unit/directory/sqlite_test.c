// SPDX-License-Identifier: BSD-3-Clause
// SQLite as a source: a turndb as coturn makes it, read only, replaced, locked and broken.
#include "users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

struct fixture {
	char dir[64];
	char path[96];
	struct conf_source conf;
	struct source *source;
};

static void run(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/turndb_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/turndb", f->dir);
	f->conf = (struct conf_source){
		.name = "test", .type = CONF_SOURCE_SQLITE, .path = f->path, .timeout_ms = 50};
	f->source = source_open(&f->conf);
	assert_non_null(f->source);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	source_close(f->source);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void answers_are_those_of_every_source(void **state)
{
	struct fixture *f = *state;

	run(f->path, USERS_SQL);
	users_check(f->source);
}

static void keys_are_those_of_every_source(void **state)
{
	struct fixture *f = *state;
	const struct source_question q = {.by = TP_LOOKUP_BY_REALM,
		.realm = USERS_REALM,
		.realm_len = strlen(USERS_REALM),
		.wanted = TP_LOOKUP_SECRETS};
	static struct tp_lookup_keys keys;
	struct source_answer a;

	run(f->path, USERS_SQL);
	source_keys(f->source, &q, &keys, &a);
	assert_int_equal(a.status, TP_LOOKUP_FAILED);
	assert_non_null(strstr(a.problem, "no such table"));
	run(f->path, KEYS_SQL);
	keys_check(f->source);
}

// More rows than there is room for: the rest is counted.
static void keys_are_bounded(void **state)
{
	struct fixture *f = *state;
	const struct source_question q = {.by = TP_LOOKUP_BY_REALM,
		.realm = "many",
		.realm_len = 4,
		.wanted = TP_LOOKUP_SECRETS};
	static struct tp_lookup_keys keys;
	struct source_answer a;

	run(f->path, USERS_SQL KEYS_SQL
		"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 70) "
		"INSERT INTO turn_secret SELECT 'many', 'secret ' || n FROM c;"
		"INSERT INTO turn_secret VALUES ('many', hex(zeroblob(129)));");
	source_keys(f->source, &q, &keys, &a);
	assert_int_equal(a.status, TP_LOOKUP_FOUND);
	assert_int_equal(keys.n, TP_LOOKUP_KEYS_MAX);
	assert_int_equal(keys.skipped, 7);
}

static void file_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct source_answer a;
	struct stat before, after;

	run(f->path, USERS_SQL);
	assert_int_equal(chmod(f->path, 0440), 0);
	assert_int_equal(stat(f->path, &before), 0);
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FOUND);
	assert_int_equal(stat(f->path, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	// teardown's rmdir shows that no file was made beside it.
}

static void a_file_that_is_missing_or_another_one_is_opened_later(void **state)
{
	struct fixture *f = *state;
	struct source_answer a;

	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FAILED);
	assert_true(a.again);
	assert_non_null(strstr(a.problem, f->path));
	run(f->path, USERS_SQL);
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FOUND);
	run(f->path, "DELETE FROM turnusers_lt WHERE name = 'alice'");
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_UNKNOWN);
	unlink(f->path);
	run(f->path, USERS_SQL);
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FOUND);
}

static void a_file_of_another_kind_is_named(void **state)
{
	struct fixture *f = *state;
	struct source_answer a;
	FILE *file = fopen(f->path, "w");

	for (int i = 0; i < 200; i++)
		fputs("this is no database at all\n", file);
	fclose(file);
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FAILED);
	assert_non_null(strstr(a.problem, "not a database"));
	unlink(f->path);
	run(f->path, "CREATE TABLE other (x)");
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FAILED);
	assert_non_null(strstr(a.problem, "no such table"));
}

static void a_locked_file_fails_after_the_time_out(void **state)
{
	struct fixture *f = *state;
	struct source_answer a;
	sqlite3 *db;

	run(f->path, USERS_SQL);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FAILED);
	assert_non_null(strstr(a.problem, "locked"));
	assert_true(a.again);
	sqlite3_close(db);
	assert_int_equal(users_find(f->source, USERS_REALM, "alice", &a), TP_LOOKUP_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_are_those_of_every_source),
		TEST(keys_are_those_of_every_source),
		TEST(keys_are_bounded),
		TEST(file_is_not_written),
		TEST(a_file_that_is_missing_or_another_one_is_opened_later),
		TEST(a_file_of_another_kind_is_named),
		TEST(a_locked_file_fails_after_the_time_out),
	};

	source_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
