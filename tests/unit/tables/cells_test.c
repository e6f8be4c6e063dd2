// SPDX-License-Identifier: BSD-3-Clause
// Entries are taken no faster than their counters get memory, whoever restarts in between.
#include "fixture.h"

#include <stdio.h>

#include <cmocka.h>

#include "tables.h"

#define STEPS 6u

static const struct shm_tables_shape shape = {.n_entries = STEPS * SHM_CELLS_STEP - 100,
	.n_next_hops = 16,
	.n_port_indexes = 2,
	.n_allocations = 50};

static int setup(void **state)
{
	*state = fixture_make(&shape);
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static uint32_t wanted(const struct fixture *f)
{
	return atomic_load(&tables_shm(f->t)->header->cells_wanted);
}

// The data plane's housekeeping.
static void plane_grows(struct fixture *f)
{
	assert_int_equal(shm_state_reserve(&f->state, &f->place, wanted(f), &f->err), 0);
	shm_state_tell(&f->state);
}

// The data plane again, with other workers: a file of its own.
static void plane_restarts(struct fixture *f, uint32_t n_workers)
{
	struct shm_state old = f->state;

	fixture_state_make(f, n_workers);
	shm_state_close(&old);
}

static uint32_t take_all(struct fixture *f, uint32_t most)
{
	uint32_t n = 0;

	while (n < most && tables_slot_take(f->t) != 0)
		n++;
	return n;
}

static void the_lowest_come_first(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 1; i < 100; i++)
		assert_int_equal(tables_slot_take(f->t), i);
	tables_slot_give(f->t, 7);
	assert_int_equal(tables_slot_take(f->t), 7);
	assert_int_equal(tables_slot_take(f->t), 100);
}

static void more_is_asked_for_ahead(void **state)
{
	struct fixture *f = *state;
	uint32_t used = 0;

	while (used < shape.n_entries - 1) {
		uint32_t room = wanted(f) < shape.n_entries ? 2 * SHM_CELLS_STEP : 0;

		assert_true(wanted(f) >= used + room);
		assert_true(wanted(f) <= shape.n_entries);
		assert_int_equal(take_all(f, 1000),
			used + 1000 < shape.n_entries ? 1000 : shape.n_entries - 1 - used);
		used = used + 1000 < shape.n_entries ? used + 1000 : shape.n_entries - 1;
		tables_advance(f->t, f->now_ns);
		plane_grows(f);
	}
	assert_int_equal(tables_slot_take(f->t), 0);
}

static void none_without_cells(void **state)
{
	struct fixture *f = *state;
	uint32_t ready = shm_state_ready(&f->state);
	struct tables_counts c;

	assert_true(ready < shape.n_entries);
	assert_int_equal(take_all(f, UINT32_MAX), ready - 1);
	tables_get_counts(f->t, f->now_ns, &c);
	assert_int_equal(c.entries_ready, 0);
	assert_int_equal(c.entries_free, shape.n_entries - ready);
	plane_grows(f);
	assert_int_equal(tables_slot_take(f->t), ready);
}

// Tables are found by a data plane that knows what the last writer wished for, and no more.
static void a_writer_without_a_data_plane_keeps_to_the_last_wish(void **state)
{
	struct fixture *f = *state;
	uint32_t before = wanted(f);

	tables_attach_state(f->t, NULL);
	assert_int_equal(take_all(f, UINT32_MAX), before - 1);
	assert_true(wanted(f) > before);
	plane_restarts(f, 5);
	assert_true(shm_state_ready(&f->state) >= wanted(f));
	assert_int_equal(tables_slot_take(f->t), before);
}

// ---- any order ----------------------------------------------------------------------------------

struct model {
	struct fixture *f;
	uint8_t *held; // by slot
	uint32_t *list;
	uint32_t n;
	uint64_t seed;
};

static uint32_t draw(struct model *m, uint32_t below)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(m->seed >> 33) % below;
}

static void model_take(struct model *m)
{
	for (uint32_t i = draw(m, 3 * SHM_CELLS_STEP); i > 0; i--) {
		uint32_t slot = tables_slot_take(m->f->t);

		if (slot == 0)
			return;
		assert_true(slot < shape.n_entries);
		assert_false(m->held[slot]);
		assert_true(m->f->t->state == NULL || slot < shm_state_ready(&m->f->state));
		// As if it had been published: a later writer sees it.
		entry_of(m->f->t, slot)->generation++;
		m->held[slot] = 1;
		m->list[m->n++] = slot;
	}
}

static void model_give(struct model *m)
{
	for (uint32_t i = m->n == 0 ? 0 : draw(m, m->n); i > 0; i--) {
		uint32_t at = draw(m, m->n), slot = m->list[at];

		m->list[at] = m->list[--m->n];
		m->held[slot] = 0;
		tables_slot_give(m->f->t, slot);
	}
}

static void model_take_over(struct model *m)
{
	struct tables_visitor none = {0};
	struct tables_recovery result;
	bool attached = m->f->t->state != NULL;

	fixture_take_over(m->f);
	if (!attached)
		tables_attach_state(m->f->t, NULL);
	assert_int_equal(tables_recover(m->f->t, &none, &result), 0);
	// Nothing is linked: all rests until a grace period has passed.
	assert_int_equal(result.retired, m->f->t->entries.n_retired);
	memset(m->held, 0, shape.n_entries);
	m->n = 0;
}

static void model_step(struct model *m)
{
	struct fixture *f = m->f;

	switch (draw(m, 7)) {
	case 0:
	case 1:
		model_take(m);
		break;
	case 2:
		model_give(m);
		break;
	case 3:
		if (f->t->state != NULL)
			plane_grows(f);
		break;
	case 4:
		plane_restarts(f, 1 + draw(m, 4));
		for (uint32_t i = 0; i < m->n; i++)
			assert_true(m->list[i] < shm_state_ready(&f->state));
		break;
	case 5:
		tables_attach_state(f->t, NULL);
		break;
	case 6:
		model_take_over(m);
		fixture_grace(f);
		break;
	}
}

static void any_order_of_restarts(void **state)
{
	struct model m = {.held = calloc(shape.n_entries, 1),
		.list = calloc(shape.n_entries, sizeof(uint32_t))};
	unsigned refused = 0;

	(void)state;
	// Tables that have had all their cells prove nothing any more.
	for (uint64_t seed = 1; seed <= 30; seed++) {
		m.seed = seed;
		m.f = fixture_make(&shape);
		print_message("seed %llu\n", (unsigned long long)seed);
		for (unsigned i = 0; i < 12; i++)
			model_step(&m);
		refused += m.f->t->entries.fresh == m.f->t->entries.end &&
			   m.f->t->entries.end < shape.n_entries;
		fixture_free(m.f);
		memset(m.held, 0, shape.n_entries);
		m.n = 0;
	}
	assert_true(refused > 0); // or there was always enough
	free(m.held);
	free(m.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_lowest_come_first, setup, teardown),
		cmocka_unit_test_setup_teardown(more_is_asked_for_ahead, setup, teardown),
		cmocka_unit_test_setup_teardown(none_without_cells, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_writer_without_a_data_plane_keeps_to_the_last_wish, setup, teardown),
		cmocka_unit_test(any_order_of_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
