// SPDX-License-Identifier: BSD-3-Clause
// The remains of ended allocations, and the cost of living ones.
#include "fixture.h"

#include <sys/stat.h>

static const struct shm_tables_shape shape = {
	.n_entries = 4096, .n_next_hops = 16, .n_port_indexes = 3, .n_allocations = 1000};

// n_allocations / 16 + 64
#define TOMBS 126u
#define SEEN  512u

struct world {
	struct fixture *f;
	unsigned n_rests, n_tombs;
	uint16_t relay_ids[SEEN], ports[SEEN], rests_until_s[SEEN];
	struct turn_tuple clients[SEEN];
	uint32_t tombs_until_s[SEEN];
	uint8_t txids[SEEN][12];
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

// ---- another writer -----------------------------------------------------------------------------

static int on_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	(void)ctx;
	(void)rec;
	(void)ref;
	return 0;
}

static int on_permission(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	(void)ctx;
	(void)allocation;
	(void)peer;
	(void)expires_s;
	(void)ref;
	return 0;
}

static int on_channel(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	(void)number;
	return on_permission(ctx, allocation, peer, expires_s, ref);
}

static void on_port_cooldown(void *ctx, uint16_t relay_id, uint16_t port, uint16_t until_s)
{
	struct world *w = ctx;

	assert_true(w->n_rests < SEEN);
	w->relay_ids[w->n_rests] = relay_id;
	w->ports[w->n_rests] = port;
	w->rests_until_s[w->n_rests++] = until_s;
}

static void on_tomb(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s)
{
	struct world *w = ctx;

	assert_true(w->n_tombs < SEEN);
	w->clients[w->n_tombs] = *client;
	memcpy(w->txids[w->n_tombs], txid, 12);
	w->tombs_until_s[w->n_tombs++] = until_s;
}

static void take_over(struct world *w)
{
	const struct tables_visitor v = {.ctx = w,
		.allocation = on_allocation,
		.permission = on_permission,
		.channel = on_channel,
		.port_cooldown = on_port_cooldown,
		.tombstone = on_tomb};
	struct tables_recovery result;

	w->n_rests = w->n_tombs = 0;
	fixture_take_over(w->f);
	assert_int_equal(tables_recover(w->f->t, &v, &result), 0);
}

// ---- ports and tombs ----------------------------------------------------------------------------

static void rests_are_told(void **state)
{
	struct world *w = *state;
	struct turn_store *s = &w->f->store;
	uint16_t v4 = w->f->locals[RELAY_V4].id, v6 = w->f->locals[RELAY_V6].id;

	take_over(w);
	assert_int_equal(w->n_rests + w->n_tombs, 0);
	s->port_cooldown(s->ctx, v4, 49152, 1060);
	s->port_cooldown(s->ctx, v6, 65535, 0x10000);			  // its low bits say never
	s->port_cooldown(s->ctx, w->f->locals[LISTENER].id, 50000, 1060); // no relay address
	s->port_cooldown(s->ctx, v4, 49152, 70000);
	take_over(w);
	assert_int_equal(w->n_rests, 2);
	assert_int_equal(w->relay_ids[0], v4);
	assert_int_equal(w->ports[0], 49152);
	assert_int_equal(w->rests_until_s[0], 70000 - 65536);
	assert_int_equal(w->relay_ids[1], v6);
	assert_int_equal(w->ports[1], 65535);
	assert_int_equal(w->rests_until_s[1], 1);
}

static void tomb_add(struct world *w, uint32_t n)
{
	struct turn_store *s = &w->f->store;
	struct turn_allocation_record rec = fixture_record(w->f, n);

	tp_store_be32(rec.txid, n);
	s->tombstone_add(s->ctx, &rec.client, rec.txid, 2000 + n);
}

static void assert_tombs(const struct world *w, uint32_t first, uint32_t n)
{
	assert_int_equal(w->n_tombs, n);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = w->tombs_until_s[k] - 2000;
		struct turn_allocation_record rec = fixture_record(w->f, i);

		assert_int_equal(i, first + k);
		assert_true(tp_addr_equal(&w->clients[k].remote, &rec.client.remote));
		assert_int_equal(w->clients[k].listener_id, rec.client.listener_id);
		assert_int_equal(tp_load_be32(w->txids[k]), i);
	}
}

// A ring: the next writer goes on where the last one was.
static void the_youngest_tombs_stay(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 100; i++)
		tomb_add(w, i);
	take_over(w);
	assert_tombs(w, 0, 100);
	for (uint32_t i = 100; i < 200; i++)
		tomb_add(w, i);
	take_over(w);
	assert_tombs(w, 200 - TOMBS, TOMBS);
}

// ---- why it ended -------------------------------------------------------------------------------

static void reasons_are_told(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t a = fixture_allocate(f, 0), b = fixture_allocate(f, 1), c = fixture_allocate(f, 2);

	tables_closed(f->t, a, 9); // still lives
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 1);
	assert_int_equal(f->ended_reason, 0);
	f->store.allocation_del(f->store.ctx, b);
	tables_closed(f->t, b, 3);
	fixture_grace(f);
	assert_int_equal(f->ended_reason, 3);
	f->store.allocation_del(f->store.ctx, c);
	tables_closed(f->t, c, 4);
	take_over(w);
	fixture_grace(f);
	assert_int_equal(f->n_ended, 3);
	assert_int_equal(f->ended_ref, c);
	assert_int_equal(f->ended_reason, 4);
	// The record's next owner begins without one.
	a = fixture_allocate(f, 3);
	f->store.allocation_del(f->store.ctx, a);
	fixture_grace(f);
	assert_int_equal(f->ended_reason, 0);
}

// No data plane, so nobody grants a grace period, and nobody needs one.
static void nothing_is_left_untold_at_the_end(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t a = fixture_allocate(f, i);

		fixture_bind(f, a, 0x4000, i);
		f->store.allocation_del(f->store.ctx, a);
		tables_closed(f->t, a, 2);
	}
	tables_end_all(f->t);
	assert_int_equal(f->n_ended, 3);
	assert_int_equal(f->ended_reason, 2);
	assert_int_equal(fixture_counts(f).entries_retired, 0);
}

// A million slots may become free at once.
static void slots_are_freed_in_portions(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	uint32_t refs[600];

	for (uint32_t i = 0; i < 600; i++)
		refs[i] = fixture_allocate(f, i);
	for (uint32_t i = 0; i < 600; i++)
		f->store.allocation_del(f->store.ctx, refs[i]);
	tables_advance(f->t, f->now_ns += 20 * TP_NS_PER_MS);
	shm_state_adopt(&f->state, tables_shm(f->t));
	for (uint32_t left = 600; left > 0; left -= left > 256 ? 256 : left) {
		assert_int_equal(fixture_counts(f).entries_retired, left);
		assert_int_equal(tables_deadline(f->t, f->now_ns), f->now_ns);
		tables_advance(f->t, f->now_ns);
	}
	assert_int_equal(fixture_counts(f).entries_retired, 0);
	assert_int_equal(f->n_ended, 600);
	assert_true(tables_deadline(f->t, f->now_ns) > f->now_ns);
}

// ---- their cost ---------------------------------------------------------------------------------

// One permission and one channel each, relay addresses as full as they can be, one worker.
static double octets_each(uint32_t n)
{
	const struct shm_tables_shape s = {.n_entries = 4 * n + 16,
		.n_next_hops = 4096,
		.n_port_indexes = n / 16384 + 2,
		.n_allocations = n,
		.n_workers = 1};
	uint64_t cells = (uint64_t)s.n_entries * sizeof(struct tp_cell);

	return (double)(shm_tables_size(&s) + tables_private_octets(&s) + cells) / n;
}

static void an_allocation_takes_less_than_a_kibibyte(void **state)
{
	(void)state;
	assert_true(octets_each(100000) < 1024);
	assert_true(octets_each(262143) < 1024);
	assert_true(octets_each(262145) < 1024); // the number of buckets has just doubled
	assert_true(octets_each(1000000) < 1016);
	assert_true(octets_each(1000000) > 4 * sizeof(struct tp_entry));
}

// Beside the arrays of fixed size an allocation costs the same however many there are.
static void the_cost_does_not_jump_with_the_size(void **state)
{
	(void)state;
	for (uint32_t n = 1u << 16; n < 1u << 20; n += 49152) {
		double two = octets_each(2 * n) * 2 * n, one = octets_each(n) * n;
		double ports = ((2 * n) / 16384 - n / 16384) * 65536.0 * 6;

		assert_in_range((two - one - ports) / n, 980, 992);
	}
}

// The reserved size is the file's size.
static void the_private_file_is_as_large_as_it_says(void **state)
{
	struct world *w = *state;
	char path[2 * SHM_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/turnpike-%s.private", w->f->place.directory,
		w->f->place.instance);
	assert_int_equal(stat(path, &st), 0);
	assert_in_range((uint64_t)st.st_size, tables_private_octets(&shape),
		tables_private_octets(&shape) + 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rests_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(the_youngest_tombs_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(reasons_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_left_untold_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(slots_are_freed_in_portions, setup, teardown),
		cmocka_unit_test(an_allocation_takes_less_than_a_kibibyte),
		cmocka_unit_test(the_cost_does_not_jump_with_the_size),
		cmocka_unit_test_setup_teardown(
			the_private_file_is_as_large_as_it_says, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
