// SPDX-License-Identifier: BSD-3-Clause
// A new writer on files with damage that no order of stores explains: whole objects stay, damaged
// ones are cut out and counted.
#include "recovery.h"

#include "private.h"

static struct tp_bucket *bucket_holding(const struct shm_tables *s, uint32_t entry, unsigned *slot)
{
	for (uint32_t b = 0; b < s->table.n_buckets; b++)
		for (*slot = 0; *slot < TP_BUCKET_SLOTS; ++*slot)
			if (atomic_load(&s->buckets[b].idx[*slot]) == entry)
				return &s->buckets[b];
	fail_msg("entry %u is not published", entry);
	return NULL;
}

static void damaged_indexes_are_cut_out(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	const struct shm_tables *s = tables_shm(f->t);
	uint32_t a = fixture_allocate(f, 0), refs[12];
	unsigned slot;
	struct tp_bucket *b;

	for (uint32_t i = 0; i < 12; i++)
		refs[i] = fixture_permit(f, a, 256 * i);
	index_clear(f, refs[0], 0xfffffff0);
	index_clear(f, refs[1], refs[2]); // twice
	b = bucket_holding(s, refs[3], &slot);
	atomic_store(&b->sig[slot], (uint16_t)(atomic_load(&b->sig[slot]) ^ 1));
	s->entries[refs[4]].key.ip[2] ^= 1;
	s->entries[refs[5]].key.kind = 77;
	s->entries[refs[6]].header[7] ^= 1; // the key is right, the rest is put right
	recover(w);
	assert_int_equal(w->result.corrupt, 5);
	assert_int_equal(w->result.removed, 5);
	assert_int_equal(w->result.rebuilt, 1);
	recover_settled(w, 1, 7, 0);
}

// Publishes in the bucket a copy of an entry that stands in the same chain.
static void copy_publish(
	const struct shm_tables *s, struct tp_bucket *to, uint32_t entry, uint32_t copy)
{
	unsigned slot, from;
	const struct tp_bucket *b = bucket_holding(s, entry, &from);

	memcpy(&s->entries[copy], &s->entries[entry], sizeof(s->entries[copy]));
	for (slot = 0; slot < TP_BUCKET_SLOTS && atomic_load(&to->idx[slot]) != 0; slot++)
		;
	assert_true(slot < TP_BUCKET_SLOTS);
	atomic_store(&to->sig[slot], atomic_load(&b->sig[from]));
	atomic_store(&to->idx[slot], copy);
}

static void a_key_is_there_once(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	const struct shm_tables *s = tables_shm(f->t);
	uint32_t a = fixture_allocate(f, 0), refs[12];
	unsigned slot;

	for (uint32_t i = 0; i < 12; i++)
		refs[i] = fixture_permit(f, a, 256 * i);
	index_clear(f, refs[1], 0);
	copy_publish(s, bucket_holding(s, refs[0], &slot), refs[0], refs[1]);
	recover(w);
	assert_int_equal(w->result.corrupt, 1);
	assert_int_equal(w->result.removed, 1);
	recover_settled(w, 1, 11, 0);
}

// The bucket at the end of the chain, if it has more than one and room at its end.
static struct tp_bucket *chain_end(const struct shm_tables *s, uint32_t main)
{
	struct tp_bucket *b = &s->buckets[main];

	while (atomic_load(&b->next) != 0)
		b = &s->buckets[atomic_load(&b->next)];
	return b != &s->buckets[main] && atomic_load(&b->idx[TP_BUCKET_SLOTS - 1]) == 0 ? b : NULL;
}

static void a_key_is_once_in_a_chain(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	const struct shm_tables *s = tables_shm(f->t);
	uint32_t a = fixture_allocate(f, 0), spare = fixture_permit(f, a, 256 * 1000), main = 0;

	for (uint32_t i = 0; i < 200; i++)
		fixture_permit(f, a, 256 * i);
	index_clear(f, spare, 0);
	while (main < s->n_main_buckets && chain_end(s, main) == NULL)
		main++;
	assert_true(main < s->n_main_buckets);
	copy_publish(s, chain_end(s, main), atomic_load(&s->buckets[main].idx[TP_BUCKET_SLOTS - 1]),
		spare);
	recover(w);
	assert_int_equal(w->result.corrupt, 1);
	assert_int_equal(w->result.removed, 1);
	s = tables_shm(f->t); // another writer's by now
	assert_true(atomic_load(&s->buckets[main].idx[TP_BUCKET_SLOTS - 1]) != 0);
	recover_settled(w, 1, 200, 0);
}

static void partners_are_put_right(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	const struct shm_tables *s = tables_shm(f->t);
	uint32_t a = fixture_allocate(f, 0), channel[2], partner[2];

	for (uint32_t i = 0; i < 2; i++) {
		channel[i] = fixture_bind(f, a, (uint16_t)(0x4000 + i), i);
		partner[i] = s->entries[channel[i]].partner;
	}
	s->entries[channel[0]].partner = partner[1];
	s->entries[channel[1]].partner = 0xfffffff0;
	recover(w);
	s = tables_shm(f->t);
	assert_int_equal(w->result.removed, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(s->entries[channel[i]].partner, partner[i]);
	recover_settled(w, 1, 0, 2);
}

static void damaged_chains_are_cut(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	const struct shm_tables *s = tables_shm(f->t);
	uint32_t a = fixture_allocate(f, 0), cut = 0, first;

	for (uint32_t i = 0; i < 200; i++)
		fixture_permit(f, a, 256 * i);
	first = s->n_main_buckets;
	for (uint32_t b = first; b < s->table.n_buckets && cut < 3; b++) {
		if (atomic_load(&s->buckets[b].next) != 0 ||
			atomic_load(&s->buckets[b].idx[0]) == 0)
			continue;
		// Ends of chains: a loop, a link into the main buckets, one out of bounds.
		atomic_store(&s->buckets[b].next, cut == 0 ? b : cut == 1 ? 1 : 0x7fffffff);
		cut++;
	}
	assert_int_equal(cut, 3);
	recover(w);
	assert_int_equal(w->result.corrupt, 3);
	assert_int_equal(w->result.permissions, 200);
	recover_settled(w, 1, 200, 0);
}

static void empty_overflow_buckets_are_unlinked(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	const struct shm_tables *s = tables_shm(f->t);
	uint32_t a = fixture_allocate(f, 0), emptied = 0, kept = 0;

	for (uint32_t i = 0; i < 200; i++)
		fixture_permit(f, a, 256 * i);
	for (uint32_t b = s->n_main_buckets; b < s->table.n_buckets; b += 2) {
		for (unsigned k = 0; k < TP_BUCKET_SLOTS; k++) {
			uint32_t i = atomic_load(&s->buckets[b].idx[k]);

			if (i == a)
				break; // the allocation stays
			emptied += i != 0;
			atomic_store(&s->buckets[b].idx[k], 0);
		}
	}
	kept = fixture_counts(f).overflow_free;
	recover(w);
	assert_true(emptied > 20);
	assert_int_equal(w->result.corrupt, 0);
	assert_int_equal(w->result.permissions, 200 - emptied);
	recover_settled(w, 1, 200 - emptied, 0);
	assert_true(fixture_counts(f).overflow_free > kept);
}

static void damaged_records_take_their_allocation(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct private_file p;
	uint32_t refs[5];

	for (uint32_t i = 0; i < 5; i++)
		refs[i] = fixture_allocate(f, i);
	assert_int_equal(tables_private_open(&p, &f->place, tables_shm(f->t), &f->err), 0);
	p.records[fixture_entry(f, refs[0])->partner].key_len = 255;
	p.records[fixture_entry(f, refs[1])->partner].name_block = 1;
	p.records[fixture_entry(f, refs[2])->partner].generation++;
	tables_private_close(&p);
	atomic_store(&tables_shm(f->t)->entries[refs[3]].partner, 0xffffff);
	recover(w);
	assert_int_equal(w->result.allocations, 1);
	assert_int_equal(w->seen.refs[0], refs[4]);
	recover_settled(w, 1, 0, 0);
}

static void files_that_do_not_belong_together_are_refused(void **state)
{
	struct world *w = *state;
	struct fixture *f = w->f;
	struct tables_env env = fixture_env(f);
	struct shm_tables other;
	struct tables *t;

	assert_int_equal(shm_tables_create(&other, &f->place, &recovery_shape, &f->err), 0);
	assert_int_equal(shm_file_publish(&other.file, &f->place, &f->err), 0);
	assert_true(tables_open(&t, &f->place, &env, &f->err) < 0);
	assert_int_equal(f->err.cause, SHM_OTHER_PAIR);
	assert_true(shm_cause_is_stale(f->err.cause));
	shm_tables_close(&other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, recovery_setup, recovery_teardown)
	const struct CMUnitTest tests[] = {
		TEST(damaged_indexes_are_cut_out),
		TEST(a_key_is_there_once),
		TEST(a_key_is_once_in_a_chain),
		TEST(partners_are_put_right),
		TEST(damaged_chains_are_cut),
		TEST(empty_overflow_buckets_are_unlinked),
		TEST(damaged_records_take_their_allocation),
		TEST(files_that_do_not_belong_together_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
