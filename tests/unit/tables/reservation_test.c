// SPDX-License-Identifier: BSD-3-Clause
// Reservations in the private file, and their next writer.
#include "fixture.h"

static const struct shm_tables_shape shape = {
	.n_entries = 4096, .n_next_hops = 16, .n_port_indexes = 3, .n_allocations = 1000};

// n_allocations / 32 + 64, without number 0
#define NAMES	     94u
// n_allocations / 64 + 64, without number 0
#define RESERVATIONS 78u

struct world {
	struct fixture *f;
	unsigned n_seen;
	struct turn_reservation_record seen[RESERVATIONS];
	uint32_t refs[RESERVATIONS];
	unsigned n_refused; // by the visitor, so many of the first
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fixture_make(&shape);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fixture_free(w->f);
	free(w);
	return 0;
}

static int on_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	(void)ctx;
	(void)rec;
	(void)ref;
	return 0;
}

static int on_reservation(void *ctx, const struct turn_reservation_record *rec, uint32_t ref)
{
	struct world *w = ctx;

	assert_true(w->n_seen < RESERVATIONS);
	w->seen[w->n_seen] = *rec;
	w->refs[w->n_seen++] = ref;
	return w->n_seen <= w->n_refused ? -EINVAL : 0;
}

static void take_over(struct world *w)
{
	const struct tables_visitor v = {
		.ctx = w, .allocation = on_allocation, .reservation = on_reservation};
	struct tables_recovery result;

	w->n_seen = 0;
	fixture_take_over(w->f);
	assert_int_equal(tables_recover(w->f->t, &v, &result), 0);
}

// User names of all lengths.
static struct turn_reservation_record record(uint32_t n)
{
	struct turn_reservation_record rec = {
		.expires_s = 2000 + n,
		.secret_id = n + 1,
		.realm_id = 3,
		.username_len = (uint16_t)(n * TURN_USERNAME_MAX / RESERVATIONS),
		.identity_kind = 2,
		.relay_id = 21,
		.port = (uint16_t)(49153 + 2 * n),
	};

	tp_store_be32(rec.token, n);
	tp_store_be32(rec.txid, ~n);
	memset(rec.username, 'a' + (int)(n % 26), rec.username_len);
	return rec;
}

static uint32_t add(struct world *w, uint32_t n)
{
	struct turn_reservation_record rec = record(n);
	uint32_t ref = 0;

	assert_int_equal(w->f->store.reservation_add(w->f->store.ctx, &rec, &ref), 0);
	assert_true(ref != 0);
	return ref;
}

static void assert_seen(const struct world *w, uint32_t ref, uint32_t n, bool used)
{
	struct turn_reservation_record rec = record(n);

	rec.used = used;
	for (unsigned i = 0; i < w->n_seen; i++) {
		if (w->refs[i] != ref)
			continue;
		assert_memory_equal(&w->seen[i], &rec, sizeof(rec));
		return;
	}
	fail_msg("no reservation %u", n);
}

static void reservations_are_told(void **state)
{
	struct world *w = *state;
	struct turn_store *s = &w->f->store;
	uint32_t a, b, c;

	take_over(w);
	assert_int_equal(w->n_seen, 0);
	a = add(w, 0);
	b = add(w, 1);
	c = add(w, RESERVATIONS);
	s->reservation_use(s->ctx, b);
	take_over(w);
	assert_int_equal(w->n_seen, 3);
	assert_seen(w, a, 0, false);
	assert_seen(w, b, 1, true);
	assert_seen(w, c, RESERVATIONS, false);
	s->reservation_del(s->ctx, a);
	s->reservation_del(s->ctx, a);
	take_over(w);
	assert_int_equal(w->n_seen, 2);
	// Refused ones are gone.
	w->n_refused = 1;
	take_over(w);
	w->n_refused = 0;
	take_over(w);
	assert_int_equal(w->n_seen, 1);
}

static void fill(struct world *w)
{
	const struct turn_store *s = &w->f->store;
	struct turn_reservation_record rec = record(0);
	uint32_t ref;

	// Names that need no block: of these there are fewer.
	for (uint32_t n = 0; n < RESERVATIONS; n++)
		add(w, n % 5);
	assert_int_equal(s->reservation_add(s->ctx, &rec, &ref), -ENOSPC);
}

// Each place is found once, by new files and by the next writer.
static void their_number_is_bounded(void **state)
{
	struct world *w = *state;
	struct turn_store *s = &w->f->store;

	fill(w);
	for (unsigned round = 0; round < 3; round++) {
		take_over(w);
		assert_int_equal(w->n_seen, RESERVATIONS);
		for (unsigned i = 0; i < w->n_seen; i++)
			s->reservation_del(s->ctx, w->refs[i]);
		if (round == 1)
			take_over(w);
		fill(w);
	}
}

// Long names have blocks, which come back: also by the next writer.
static void names_come_back(void **state)
{
	struct world *w = *state;
	struct turn_store *s = &w->f->store;

	for (unsigned round = 0; round < 300; round++) {
		uint32_t ref = add(w, RESERVATIONS - 1);

		if (round % 64 == 0)
			take_over(w);
		s->reservation_del(s->ctx, ref);
	}
}

// The blocks are taken by allocations: nothing is kept of the reservation.
static void without_a_name_block_there_is_none(void **state)
{
	struct world *w = *state;
	struct turn_store *s = &w->f->store;
	struct turn_reservation_record rec = record(RESERVATIONS - 1);
	uint32_t ref, last = 0;
	unsigned n = 0;

	for (uint32_t i = 0; i < NAMES - 20; i++) {
		struct turn_allocation_record a = fixture_record(w->f, i);

		a.username_len = 100;
		assert_int_equal(s->allocation_add(s->ctx, &a, &ref), 0);
	}
	while (s->reservation_add(s->ctx, &rec, &ref) == 0) {
		last = ref;
		n++;
	}
	assert_int_equal(n, 20);
	s->reservation_del(s->ctx, last);
	assert_int_equal(s->reservation_add(s->ctx, &rec, &ref), 0);
	take_over(w);
	assert_int_equal(w->n_seen, n);
}

static void wrong_references_do_nothing(void **state)
{
	static const uint32_t wrong[] = {0, 2, RESERVATIONS + 1, UINT32_MAX};
	struct world *w = *state;
	struct turn_store *s = &w->f->store;
	uint32_t a = add(w, 0);

	assert_int_equal(a, 1);
	for (size_t i = 0; i < TP_ARRAY_LEN(wrong); i++) {
		s->reservation_use(s->ctx, wrong[i]);
		s->reservation_del(s->ctx, wrong[i]);
	}
	take_over(w);
	assert_int_equal(w->n_seen, 1);
	assert_seen(w, a, 0, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reservations_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(their_number_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(names_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_a_name_block_there_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_references_do_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
