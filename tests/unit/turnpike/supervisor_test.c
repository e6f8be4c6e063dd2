// SPDX-License-Identifier: BSD-3-Clause
// Decisions about processes, with a clock of the test.
#include <supervisor.h>

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <turnpike/base.h>

static const char *const names[] = {"control", "dataplane"};

struct fixture {
	struct supervisor s;
	uint64_t now_ns;
};

static void expect(struct fixture *f, enum supervisor_action_kind kind, unsigned service)
{
	struct supervisor_action a = supervisor_next(&f->s, f->now_ns);

	assert_int_equal(a.kind, kind);
	if (kind != SUPERVISOR_WAIT && kind != SUPERVISOR_EXIT)
		assert_int_equal(a.service, service);
}

// Both run and are ready.
static void start(struct fixture *f)
{
	f->now_ns = 1000 * TP_NS_PER_S;
	supervisor_init(&f->s, names, 2, f->now_ns);
	expect(f, SUPERVISOR_START, 0);
	expect(f, SUPERVISOR_START, 1);
	expect(f, SUPERVISOR_WAIT, 0);
	assert_false(supervisor_all_ready(&f->s));
	supervisor_is_ready(&f->s, 0);
	supervisor_is_ready(&f->s, 1);
	assert_true(supervisor_all_ready(&f->s));
}

static void crashed_service_restarts_with_backoff(void **state)
{
	struct fixture f;
	uint64_t backoff_ns = 100 * TP_NS_PER_MS;

	(void)state;
	start(&f);
	assert_int_equal(supervisor_ended(&f.s, 1, 0, SIGSEGV, f.now_ns), SUPERVISOR_RESTARTS);
	expect(&f, SUPERVISOR_START, 1);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(
			supervisor_ended(&f.s, 1, 0, SIGSEGV, f.now_ns), SUPERVISOR_RESTARTS);
		assert_int_equal(supervisor_next(&f.s, f.now_ns).due_ns, f.now_ns + backoff_ns);
		f.now_ns += backoff_ns - 1;
		expect(&f, SUPERVISOR_WAIT, 0);
		f.now_ns += 1;
		expect(&f, SUPERVISOR_START, 1);
		expect(&f, SUPERVISOR_WAIT, 0);
		backoff_ns = 2 * backoff_ns < 30 * TP_NS_PER_S ? 2 * backoff_ns : 30 * TP_NS_PER_S;
	}
	// Five steady seconds, and the first restart is at once again.
	f.now_ns += 5 * TP_NS_PER_S;
	supervisor_ended(&f.s, 1, 1, 0, f.now_ns);
	expect(&f, SUPERVISOR_START, 1);
	assert_int_equal(f.s.services[1].restarts, 14);
	assert_int_equal(f.s.services[0].restarts, 0);
}

static void ended_by_another_hand_restarts(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	assert_int_equal(supervisor_ended(&f.s, 0, 0, 0, f.now_ns), SUPERVISOR_RESTARTS);
	assert_int_equal(supervisor_ended(&f.s, 1, 0, SIGTERM, f.now_ns), SUPERVISOR_RESTARTS);
}

static void hopeless_service_ends_all(void **state)
{
	static const struct {
		bool ready;
		int status;
		enum supervisor_verdict verdict;
	} rows[] = {
		{false, 1, SUPERVISOR_GIVES_UP},
		{false, 127, SUPERVISOR_GIVES_UP},
		{true, 1, SUPERVISOR_RESTARTS},
		{true, SUPERVISOR_EXIT_USAGE, SUPERVISOR_GIVES_UP},
		{true, SUPERVISOR_EXIT_CONFIG, SUPERVISOR_GIVES_UP},
		{true, SUPERVISOR_EXIT_IN_USE, SUPERVISOR_GIVES_UP},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct fixture f = {.now_ns = 5};

		supervisor_init(&f.s, names, 2, f.now_ns);
		expect(&f, SUPERVISOR_START, 0);
		expect(&f, SUPERVISOR_START, 1);
		if (rows[i].ready)
			supervisor_is_ready(&f.s, 0);
		assert_int_equal(
			supervisor_ended(&f.s, 0, rows[i].status, 0, f.now_ns), rows[i].verdict);
		if (rows[i].verdict == SUPERVISOR_RESTARTS)
			continue;
		expect(&f, SUPERVISOR_TERM, 1);
		supervisor_ended(&f.s, 1, 0, 0, f.now_ns);
		expect(&f, SUPERVISOR_EXIT, 0);
		assert_int_equal(supervisor_next(&f.s, f.now_ns).status, rows[i].status);
	}
}

static void stop_terminates_then_kills(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	supervisor_stop(&f.s, f.now_ns);
	expect(&f, SUPERVISOR_TERM, 0);
	expect(&f, SUPERVISOR_TERM, 1);
	expect(&f, SUPERVISOR_WAIT, 0);
	assert_int_equal(supervisor_ended(&f.s, 0, 0, 0, f.now_ns), SUPERVISOR_STOPPED);
	f.now_ns += 10 * TP_NS_PER_S;
	expect(&f, SUPERVISOR_KILL, 1);
	expect(&f, SUPERVISOR_WAIT, 0);
	supervisor_ended(&f.s, 1, 0, SIGKILL, f.now_ns);
	expect(&f, SUPERVISOR_EXIT, 0);
	assert_int_equal(supervisor_next(&f.s, f.now_ns).status, 1);
}

static void second_stop_kills_at_once(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	supervisor_stop(&f.s, f.now_ns);
	expect(&f, SUPERVISOR_TERM, 0);
	supervisor_stop(&f.s, f.now_ns);
	expect(&f, SUPERVISOR_KILL, 0);
	expect(&f, SUPERVISOR_KILL, 1);
	expect(&f, SUPERVISOR_WAIT, 0);
}

static void stop_while_one_waits_for_its_restart(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	supervisor_ended(&f.s, 1, 0, SIGSEGV, f.now_ns);
	supervisor_stop(&f.s, f.now_ns);
	expect(&f, SUPERVISOR_TERM, 0);
	supervisor_ended(&f.s, 0, 0, 0, f.now_ns);
	expect(&f, SUPERVISOR_EXIT, 0);
	assert_int_equal(supervisor_next(&f.s, f.now_ns).status, 0);
}

// A service that has given signs of life and gives none any more hangs.
static void silent_service_is_killed(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	f.now_ns += 3600 * TP_NS_PER_S;
	expect(&f, SUPERVISOR_WAIT, 0);
	supervisor_is_alive(&f.s, 1, f.now_ns);
	assert_int_equal(supervisor_next(&f.s, f.now_ns).due_ns, f.now_ns + 10 * TP_NS_PER_S);
	f.now_ns += 10 * TP_NS_PER_S;
	expect(&f, SUPERVISOR_KILL, 1);
	expect(&f, SUPERVISOR_WAIT, 0);
	assert_int_equal(supervisor_ended(&f.s, 1, 0, SIGKILL, f.now_ns), SUPERVISOR_RESTARTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crashed_service_restarts_with_backoff),
		cmocka_unit_test(ended_by_another_hand_restarts),
		cmocka_unit_test(hopeless_service_ends_all),
		cmocka_unit_test(stop_terminates_then_kills),
		cmocka_unit_test(second_stop_kills_at_once),
		cmocka_unit_test(stop_while_one_waits_for_its_restart),
		cmocka_unit_test(silent_service_is_killed),
	};

	return cmocka_run_group_tests_name("turnpike supervisor", tests, NULL, NULL);
}
