// SPDX-License-Identifier: BSD-3-Clause
// Neighbours on a link that have not answered yet. Peers choose them, so each allocation and each
// user may have but so many, and all of them together a share of the slots.
#include "hop.h"

void tables_pending_begin(struct tables *t, uint32_t slot, uint32_t allocation)
{
	struct hop *h = &t->hop.hops[slot];

	h->pending = true;
	h->allocation = allocation;
	h->generation = entry_of(t, allocation)->generation;
	h->user = (uint16_t)tables_record_user(t, allocation, PENDING_USERS);
	t->hop.pending[allocation]++;
	t->hop.pending_users[h->user]++;
	t->hop.n_pending++;
}

void tables_pending_end(struct tables *t, uint32_t slot)
{
	struct hop *h = &t->hop.hops[slot];

	if (!h->pending)
		return;
	// The slot may be another allocation's by now.
	if (entry_of(t, h->allocation)->generation == h->generation)
		t->hop.pending[h->allocation]--;
	t->hop.pending_users[h->user]--;
	t->hop.n_pending--;
	t->hop.n_failed -= h->failed;
	h->pending = h->failed = false;
}

bool tables_pending_has_room(const struct tables *t, uint32_t allocation)
{
	uint32_t user = tables_record_user(t, allocation, PENDING_USERS);

	return t->hop.pending[allocation] < PENDING_PER_ALLOCATION &&
	       t->hop.pending_users[user] < PENDING_PER_USER &&
	       t->hop.n_pending < t->hop.pool.capacity / PENDING_SHARE;
}

void tables_next_hop_failed(struct tables *t, uint32_t slot)
{
	struct hop *h = &t->hop.hops[slot < t->shm.n_next_hops ? slot : 0];

	if (!h->pending || h->failed)
		return;
	h->failed = true;
	t->hop.n_failed++;
}
