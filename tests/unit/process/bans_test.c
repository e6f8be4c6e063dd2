// SPDX-License-Identifier: BSD-3-Clause
// The file of bans: what a process has written another reads, cut and foreign records count for
// nothing, and a file of others is refused.
#include "world.h"

#include <errno.h>
#include <time.h>

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	world_init(w, "bans");
	world_start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	process_bans_close(&w->p, false);
	world_fini(w);
	free(w);
	return 0;
}

// Another process with a server of its own; the one before was killed.
static void restart(struct world *w)
{
	process_bans_close(&w->p, false);
	world_restart(w);
	assert_int_equal(process_bans_open(&w->p), 0);
}

static unsigned bans_count(const struct world *w)
{
	struct turn_ban ban;
	uint32_t cursor = 0;
	unsigned n = 0;

	while (turn_ban_next(w->p.core.turn, &cursor, &ban))
		n++;
	return n;
}

static uint64_t hour_hence(void)
{
	return (uint64_t)time(NULL) + 3600;
}

static struct turn_ban ban_of(const char *name)
{
	struct turn_ban ban = {
		.kind = TURN_BAN_USER, .name_len = (uint16_t)strlen(name), .until_s = hour_hence()};

	memcpy(ban.name, name, strlen(name));
	return ban;
}

static void ban(struct world *w, const char *name)
{
	const struct turn_ban b = ban_of(name);

	assert_int_equal(process_ban(&w->p, &b, false), 0);
}

static off_t file_size(const struct world *w)
{
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	return st.st_size;
}

static void bans_outlive_the_process(void **state)
{
	struct world *w = *state;
	struct turn_ban prefix = {.kind = TURN_BAN_PREFIX, .until_s = hour_hence()};
	struct turn_ban seen;
	uint32_t cursor = 0;

	assert_int_equal(process_bans_open(&w->p), 0);
	assert_int_equal(bans_count(w), 0);
	ban(w, "mallory");
	assert_int_equal(text_cidr_parse("203.0.113.0/24", &prefix.prefix), 0);
	assert_int_equal(process_ban(&w->p, &prefix, false), 0);
	assert_int_equal(file_size(w), 2 * RECORD);
	restart(w);
	assert_int_equal(bans_count(w), 2);
	assert_true(turn_ban_next(w->p.core.turn, &cursor, &seen));
	assert_int_equal(seen.kind, TURN_BAN_USER);
	assert_int_equal(seen.name_len, 7);
	assert_memory_equal(seen.name, "mallory", 7);
	assert_true(turn_ban_next(w->p.core.turn, &cursor, &seen));
	assert_int_equal(seen.kind, TURN_BAN_PREFIX);
	assert_true(tp_addr_equal(&seen.prefix.ip, &prefix.prefix.ip));
	assert_int_equal(seen.prefix.prefix_len, 24);
	assert_int_equal(seen.until_s, prefix.until_s);
}

static void a_lifted_ban_stays_lifted(void **state)
{
	struct world *w = *state;
	const struct turn_ban lifted = ban_of("mallory"), unknown = ban_of("trudy");

	assert_int_equal(process_bans_open(&w->p), 0);
	ban(w, "mallory");
	ban(w, "eve");
	assert_int_equal(process_ban(&w->p, &unknown, true), -ENOENT);
	assert_int_equal(process_ban(&w->p, &lifted, true), 0);
	restart(w);
	assert_int_equal(bans_count(w), 1);
	// Its place is used again.
	ban(w, "trudy");
	assert_int_equal(file_size(w), 2 * RECORD);
}

// A crash cuts the last record; a byte of another has changed on the disk.
static void damaged_records_count_for_nothing(void **state)
{
	struct world *w = *state;

	assert_int_equal(process_bans_open(&w->p), 0);
	ban(w, "mallory");
	ban(w, "eve");
	ban(w, "trudy");
	world_byte_flip(w, RECORD + 60);
	assert_int_equal(truncate(w->path, 3 * RECORD - 1), 0);
	restart(w);
	assert_int_equal(bans_count(w), 1);
}

static void ended_bans_are_left_out(void **state)
{
	struct world *w = *state;
	struct turn_ban old = ban_of("mallory");

	assert_int_equal(process_bans_open(&w->p), 0);
	old.until_s = 1;
	assert_int_equal(process_ban(&w->p, &old, false), -EINVAL);
	assert_int_equal(file_size(w), 0);
	ban(w, "eve");
	restart(w);
	assert_int_equal(bans_count(w), 1);
}

static void a_file_of_others_is_refused(void **state)
{
	struct world *w = *state;
	char target[96];

	assert_int_equal(process_bans_open(&w->p), 0);
	process_bans_close(&w->p, false);
	assert_int_equal(chmod(w->path, 0640), 0);
	assert_int_not_equal(process_bans_open(&w->p), 0);
	process_bans_close(&w->p, false);
	assert_int_equal(unlink(w->path), 0);
	snprintf(target, sizeof(target), "%s/target", w->directory);
	assert_int_equal(symlink(target, w->path), 0);
	assert_int_not_equal(process_bans_open(&w->p), 0);
	assert_int_equal(access(target, F_OK), -1);
}

// An orderly end leaves no file without bans, and one with some.
static void the_last_one_removes_the_file(void **state)
{
	struct world *w = *state;
	const struct turn_ban lifted = ban_of("mallory");

	assert_int_equal(process_bans_open(&w->p), 0);
	ban(w, "mallory");
	process_bans_close(&w->p, true);
	assert_int_equal(access(w->path, F_OK), 0);
	restart(w);
	assert_int_equal(process_ban(&w->p, &lifted, true), 0);
	process_bans_close(&w->p, true);
	assert_int_equal(access(w->path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bans_outlive_the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lifted_ban_stays_lifted, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_records_count_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(ended_bans_are_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_of_others_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_last_one_removes_the_file, setup, teardown),
	};

	return cmocka_run_group_tests_name("process bans", tests, NULL, NULL);
}
