// SPDX-License-Identifier: BSD-3-Clause
#include "recovery.h"

const struct shm_tables_shape recovery_shape = {.n_entries = 512,
	.n_buckets = 8,
	.n_overflow = 64,
	.n_next_hops = 16,
	.n_port_indexes = 3,
	.n_port_sets = 4,
	.n_allocations = 60};

int recovery_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->f = fixture_make(&recovery_shape);
	*state = w;
	return 0;
}

int recovery_teardown(void **state)
{
	struct world *w = *state;

	fixture_free(w->f);
	free(w);
	return 0;
}

static int see_allocation(void *ctx, const struct turn_allocation_record *rec, uint32_t ref)
{
	struct seen *s = ctx;

	assert_true(s->n_allocations < SEEN_MAX);
	s->records[s->n_allocations] = *rec;
	s->refs[s->n_allocations++] = ref;
	return ref == s->refuse_allocation ? -EINVAL : 0;
}

static int see_permission(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct seen *s = ctx;

	s->order_broken |= allocation != s->refs[s->n_allocations - 1];
	assert_int_equal(peer->port_be, 0);
	assert_int_equal(expires_s, 1300);
	s->n_permissions++;
	return ref == s->refuse_permission ? -EINVAL : 0;
}

static int see_channel(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t ref)
{
	struct seen *s = ctx;

	s->order_broken |= allocation != s->refs[s->n_allocations - 1];
	assert_in_range(number, 0x4000, 0x4fff);
	assert_int_equal(expires_s, 1600);
	s->peer = *peer;
	s->channel = ref;
	s->n_channels++;
	return ref == s->refuse_channel ? -EINVAL : 0;
}

static void see_expect(void *ctx, uint32_t allocations)
{
	struct seen *s = ctx;

	s->order_broken |= s->n_allocations != 0;
	s->n_expected = allocations;
}

static void see_path_mtu(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu)
{
	struct seen *s = ctx;

	s->order_broken |= allocation == 0 || s->n_allocations == 0;
	if (peer == NULL)
		s->client_mtu = mtu;
	else
		s->peer_mtu = mtu;
}

static int see_move(void *ctx, uint32_t allocation, const struct turn_tuple *client)
{
	struct seen *s = ctx;

	s->n_moves++;
	s->moving = allocation;
	s->next = *client;
	return 0;
}

void recover(struct world *w)
{
	struct tables_visitor v = {.ctx = &w->seen,
		.expect = see_expect,
		.allocation = see_allocation,
		.permission = see_permission,
		.channel = see_channel,
		.move = see_move,
		.path_mtu = see_path_mtu};

	fixture_take_over(w->f);
	w->seen.n_moves = 0;
	w->seen.n_allocations = w->seen.n_permissions = w->seen.n_channels = 0;
	assert_int_equal(tables_recover(w->f->t, &v, &w->result), 0);
	assert_false(w->seen.order_broken);
	assert_int_equal(w->seen.n_expected, w->seen.n_allocations);
}

void recover_settled(struct world *w, unsigned allocations, unsigned permissions, unsigned channels)
{
	recover(w);
	assert_int_equal(w->result.removed, 0);
	assert_int_equal(w->result.corrupt, 0);
	assert_int_equal(w->result.rebuilt, 0);
	assert_int_equal(w->result.allocations, allocations);
	assert_int_equal(w->result.permissions, permissions);
	assert_int_equal(w->result.channels, channels);
	fixture_grace(w->f);
	assert_int_equal(
		fixture_counts(w->f).entries_free + allocations + permissions + 2 * channels, 511);
	assert_int_equal(fixture_counts(w->f).entries_retired, 0);
}

void index_clear(struct fixture *f, uint32_t entry, uint32_t value)
{
	const struct shm_tables *s = tables_shm(f->t);

	for (uint32_t b = 0; b < s->table.n_buckets; b++)
		for (unsigned k = 0; k < TP_BUCKET_SLOTS; k++)
			if (atomic_load(&s->buckets[b].idx[k]) == entry) {
				atomic_store(&s->buckets[b].idx[k], value);
				return;
			}
	fail_msg("entry %u is not published", entry);
}
