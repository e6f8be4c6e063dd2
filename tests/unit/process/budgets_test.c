// SPDX-License-Identifier: BSD-3-Clause
// The file of budgets: a killed process loses its last counts and nothing else, a damaged file
// is kept and its whole records count, and a file of others is refused.
#include "world.h"

#include <errno.h>
#include <time.h>

#include "scratch_place.h"

static const struct shm_tables_shape shape = {
	.n_entries = 64, .n_next_hops = 8, .n_port_indexes = 1, .n_allocations = 8};

struct stand {
	struct world w;
	struct shm_place place;
	struct shm_state state;
	char aside[96];
};

static void tables_make(struct stand *s)
{
	static const struct tables_env env;
	struct tables **t = &s->w.p.link.tables;
	struct shm_error err;

	scratch_place_make(&s->place);
	if (tables_create(t, &s->place, &shape, &env, &err) < 0)
		fail_msg("%s", err.text);
	if (shm_state_create(&s->state, &s->place, tables_shm(*t), 1, &err) < 0)
		fail_msg("%s", err.text);
	shm_state_adopt(&s->state, tables_shm(*t));
}

static int setup(void **state)
{
	struct stand *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	world_init(&s->w, "budgets");
	snprintf(s->aside, sizeof(s->aside), "%s.damaged", s->w.path);
	s->w.h.realms[0].budget = (struct turn_budget_conf){.octets = 1000000};
	world_start(&s->w);
	tables_make(s);
	*state = s;
	return 0;
}

// As a killed process leaves it.
static void process_kill(struct world *w)
{
	records_close(&w->p.budgets.file, false);
}

static int teardown(void **state)
{
	struct stand *s = *state;

	process_kill(&s->w);
	tables_destroy(s->w.p.link.tables);
	shm_state_close(&s->state);
	scratch_place_remove(&s->place);
	unlink(s->aside);
	world_fini(&s->w);
	free(s);
	return 0;
}

static void restart(struct world *w)
{
	process_kill(w);
	world_restart(w);
	w->p.budgets = (struct process_budgets){.file.fd = -1};
	assert_int_equal(process_budgets_open(&w->p), 0);
}

static void charge(struct world *w, const char *name, uint64_t octets)
{
	struct turn_allocation_record rec = {.identity_kind = TURN_IDENTITY_STATIC};
	struct turn_budget_view view;

	rec.username_len = (uint16_t)strlen(name);
	memcpy(rec.username, name, strlen(name));
	assert_int_equal(
		turn_charge_ended(w->h.s, (uint64_t)time(NULL), &rec, octets, &view), TURN_CHARGED);
}

// A cycle of ticks that writes all places. There are no allocations to be charged.
static void ticks(struct world *w)
{
	for (unsigned i = 0; i < 60; i++)
		process_budgets_tick(&w->p, w->h.now_ns);
}

static uint64_t octets_of(const struct world *w, const char *name)
{
	struct turn_budget_view view;
	uint32_t cursor = 0;

	while (turn_budget_next(w->h.s, (uint64_t)time(NULL), &cursor, &view)) {
		if (view.record.name_len == strlen(name) &&
			memcmp(view.record.name, name, strlen(name)) == 0)
			return view.record.octets;
	}
	return 0;
}

static void file_read(const struct world *w, uint8_t bytes[2 * RECORD])
{
	int fd = open(w->path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, 2 * RECORD, 0), 2 * RECORD);
	close(fd);
}

static void counts_outlive_the_process(void **state)
{
	struct world *w = *state;

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	charge(w, "bob", 70);
	ticks(w);
	charge(w, "alice", 1); // lost
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 1000);
	assert_int_equal(octets_of(w, "bob"), 70);
	charge(w, "alice", 5);
	ticks(w);
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 1005);
}

static void an_orderly_end_loses_nothing(void **state)
{
	struct world *w = *state;
	struct stat st;

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	process_budgets_close(&w->p, true);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 1000);
}

static void no_counts_leave_no_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(process_budgets_open(&w->p), 0);
	process_budgets_close(&w->p, true);
	assert_int_equal(access(w->path, F_OK), -1);
}

// All counts are reset: the file is of zeros. A record of another realm's user keeps it.
static void free_records_leave_no_file(void **state)
{
	struct world *w = *state;

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	charge(w, "bob", 1000);
	ticks(w);
	w->h.realms[0].id = 9;
	restart(w);
	process_budgets_close(&w->p, true);
	assert_int_equal(access(w->path, F_OK), 0);
	w->h.realms[0].id = 0;
	restart(w);
	assert_int_equal(process_budget_reset(&w->p, 0, "alice"), 1);
	assert_int_equal(process_budget_reset(&w->p, 0, "bob"), 1);
	process_budgets_close(&w->p, true);
	assert_int_equal(access(w->path, F_OK), -1);
}

static void a_reset_is_kept_at_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	ticks(w);
	assert_int_equal(process_budget_reset(&w->p, 0, "alice"), 1);
	assert_int_equal(process_budget_reset(&w->p, 0, "carol"), 0);
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 0);
}

// A disk that refuses is said, and tried again; the records behind the bad ones are written.
static void a_reset_that_is_not_kept_is_tried_again(void **state)
{
	struct world *w = *state;
	int whole;

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	ticks(w);
	whole = w->p.budgets.file.fd;
	w->p.budgets.file.fd = open("/dev/full", O_RDWR);
	assert_true(w->p.budgets.file.fd >= 0);
	assert_int_equal(process_budget_reset(&w->p, 0, "alice"), -EIO);
	assert_int_equal(octets_of(w, "alice"), 0);
	// Nothing to be written, nothing that fails.
	assert_int_equal(process_budget_reset(&w->p, 0, "carol"), 0);
	ticks(w);
	close(w->p.budgets.file.fd);
	w->p.budgets.file.fd = whole;
	ticks(w);
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 0);
}

// The file is kept as it was, and the whole records count.
static void a_damaged_file_is_put_aside(void **state)
{
	struct stand *s = *state;
	struct world *w = &s->w;
	struct stat st;

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	charge(w, "bob", 70);
	charge(w, "carol", 5);
	ticks(w);
	world_byte_flip(w, 16);
	assert_int_equal(truncate(w->path, 3 * RECORD - 1), 0);
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 0);
	assert_int_equal(octets_of(w, "bob"), 70);
	assert_int_equal(octets_of(w, "carol"), 0);
	assert_int_equal(stat(s->aside, &st), 0);
	assert_int_equal(st.st_size, 3 * RECORD - 1);
	// The new file is whole already.
	restart(w);
	assert_int_equal(octets_of(w, "bob"), 70);
}

static void a_file_of_others_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t was[2 * RECORD], is[2 * RECORD];
	char target[96];

	assert_int_equal(process_budgets_open(&w->p), 0);
	charge(w, "alice", 1000);
	process_budgets_close(&w->p, false);
	assert_int_equal(chmod(w->path, 0640), 0);
	assert_int_equal(truncate(w->path, 2 * RECORD), 0);
	world_byte_flip(w, RECORD + 7);
	file_read(w, was);
	charge(w, "alice", 1);
	assert_int_not_equal(process_budgets_open(&w->p), 0);
	// As process_stop does.
	process_budgets_close(&w->p, false);
	file_read(w, is);
	assert_memory_equal(is, was, sizeof(was));
	assert_int_equal(unlink(w->path), 0);
	snprintf(target, sizeof(target), "%s/target", w->directory);
	assert_int_equal(symlink(target, w->path), 0);
	assert_int_not_equal(process_budgets_open(&w->p), 0);
	assert_int_equal(access(target, F_OK), -1);
}

static void budget_set(struct world *w, uint64_t octets)
{
	struct turn_realm_conf realm = w->h.realms[0];
	struct turn_conf conf = w->h.conf;

	realm.budget.octets = octets;
	conf.realms = &realm;
	assert_int_equal(turn_reconfigure(w->h.s, &conf), 0);
}

// Bytes relayed without a budget are not charged by one that comes (back), nor where a process
// started in between; those relayed without a process are.
static void a_budget_begins_when_it_comes(void **state)
{
	struct stand *s = *state;
	struct world *w = &s->w;

	restart(w);
	assert_int_not_equal(w->p.budgets.since_ns, 0);
	// No counters yet: the pass proves nothing.
	ticks(w);
	assert_int_not_equal(w->p.budgets.since_ns, 0);
	restart(w);
	assert_int_not_equal(w->p.budgets.since_ns, 0);
	tables_attach_state(w->p.link.tables, &s->state);
	ticks(w);
	assert_int_equal(w->p.budgets.since_ns, 0);
	charge(w, "alice", 1000);
	ticks(w);
	restart(w);
	assert_int_equal(w->p.budgets.since_ns, 0);
	budget_set(w, 0);
	ticks(w);
	restart(w);
	assert_int_equal(octets_of(w, "alice"), 1000);
	assert_int_not_equal(w->p.budgets.since_ns, 0);
	// The same within one process.
	ticks(w);
	assert_int_equal(w->p.budgets.since_ns, 0);
	budget_set(w, 0);
	ticks(w);
	budget_set(w, 5000);
	process_budgets_tick(&w->p, w->h.now_ns);
	assert_true(tables_is_charging(w->p.link.tables));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_outlive_the_process, setup, teardown),
		cmocka_unit_test_setup_teardown(an_orderly_end_loses_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(no_counts_leave_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(free_records_leave_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_is_kept_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reset_that_is_not_kept_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_put_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_of_others_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_budget_begins_when_it_comes, setup, teardown),
	};

	return cmocka_run_group_tests_name("process budgets", tests, NULL, NULL);
}
