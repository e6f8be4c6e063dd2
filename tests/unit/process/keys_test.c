// SPDX-License-Identifier: BSD-3-Clause
// Keys of a realm in a database: when they are asked for, and whose answers count.
#include "harness.h"

#include <proc/clock.h>
#include <process/process.h>

#define REALM_ID 0

struct world {
	struct harness h;
	struct conf conf;
	struct conf_source source;
	struct settings settings;
	struct process p;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	harness_init(&w->h);
	w->h.realms[0].directory = true;
	w->h.realms[0].keys_looked_up = true;
	harness_start(&w->h);
	w->source = (struct conf_source){.name = "main", .secrets = true};
	w->conf.directory = (struct conf_directory){&w->source, 1};
	w->settings.conf = &w->conf;
	w->settings.realms = w->h.realms;
	w->settings.n_realms = 1;
	w->p.core.settings = &w->settings;
	w->p.core.turn = w->h.s;
	lookup_client_init(&w->p.lookup, -1, 0);
	// Nobody listens there: questions wait.
	lookup_client_aim(&w->p.lookup, "/nonexistent");
	process_keys_aim(&w->p);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	process_keys_fini(&w->p);
	lookup_client_fini(&w->p.lookup);
	harness_stop(&w->h);
	free(w);
	return 0;
}

static void a_reload_forgets_questions_of_before(void **state)
{
	struct world *w = *state;

	process_keys_tick(&w->p, 1);
	assert_int_equal(w->p.lookup.n, 1);
	process_keys_tick(&w->p, 2);
	assert_int_equal(w->p.lookup.n, 1);
	w->source.secrets = false;
	process_keys_aim(&w->p);
	assert_int_equal(w->p.lookup.n, 0);
	process_keys_tick(&w->p, 3);
	assert_int_equal(w->p.lookup.n, 0);
	w->source.secrets = true;
	process_keys_aim(&w->p);
	process_keys_tick(&w->p, 4);
	assert_int_equal(w->p.lookup.n, 1);
}

static void answer_fails(struct world *w)
{
	lookup_client_forget_keys(&w->p.lookup);
	w->p.lookup.keys(w->p.lookup.keys_ctx, REALM_ID, NULL);
}

// A source that can't tell now is left alone for a while.
static void a_source_that_fails_is_asked_later(void **state)
{
	uint64_t before_ns = proc_now_ns();
	struct world *w = *state;

	process_keys_tick(&w->p, before_ns);
	assert_int_equal(w->p.lookup.n, 1);
	answer_fails(w);
	process_keys_tick(&w->p, before_ns + 9 * TP_NS_PER_S);
	assert_int_equal(w->p.lookup.n, 0);
	process_keys_tick(&w->p, proc_now_ns() + 10 * TP_NS_PER_S);
	assert_int_equal(w->p.lookup.n, 1);
	// Not so by another configuration.
	answer_fails(w);
	process_keys_aim(&w->p);
	process_keys_tick(&w->p, 1);
	assert_int_equal(w->p.lookup.n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reload_forgets_questions_of_before),
		TEST(a_source_that_fails_is_asked_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
