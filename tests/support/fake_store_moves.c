// SPDX-License-Identifier: BSD-3-Clause
// Moves and tickets of the fake store.
#include "fake_store_parts.h"

#include <errno.h>

static uint32_t ref_moved(uint32_t ref)
{
	return ref + 0x100000;
}

static int move_begin(
	void *ctx, uint32_t allocation, const struct turn_tuple *client, uint32_t *successor)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, allocation);

	f->calls++;
	fake_require(a->successor == 0, "a second move", allocation);
	if (fake_tuple_is_taken(f, client))
		return -EEXIST;
	if (f->live_moves >= f->max_moves)
		return -ENOSPC;
	a->successor = *successor = ref_moved(allocation);
	a->next = *client;
	f->live_moves++;
	return 0;
}

static void move_cancel(void *ctx, uint32_t allocation)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, allocation);

	f->calls++;
	fake_require(a->successor != 0, "no move to cancel", allocation);
	a->successor = 0;
	f->live_moves--;
}

static uint32_t move_ref(void *ctx, uint32_t ref)
{
	(void)ctx;
	return ref_moved(ref);
}

static void move_finish(void *ctx, uint32_t allocation)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, allocation);

	f->calls++;
	fake_require(a->successor != 0, "no move to finish", allocation);
	a->ref = a->successor;
	a->rec.client = a->next;
	a->rec.connection = a->next.connection;
	a->path_mtu = 0;
	a->successor = 0;
	f->live_moves--;
	for (size_t i = 0; i < f->n_permissions; i++) {
		struct fake_permission *p = &f->permissions[i];

		if (p->live && p->allocation == allocation) {
			p->allocation = a->ref;
			p->ref = ref_moved(p->ref);
		}
	}
	for (size_t i = 0; i < f->n_channels; i++) {
		struct fake_channel *c = &f->channels[i];

		if (c->live && c->allocation == allocation) {
			c->allocation = a->ref;
			c->ref = ref_moved(c->ref);
		}
	}
}

static void reconnect(void *ctx, uint32_t allocation, uint64_t connection)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, allocation);

	f->calls++;
	a->rec.client.connection = connection;
	a->rec.connection = connection;
}

static void ticket_set(void *ctx, uint32_t allocation, uint64_t ticket_id, const uint8_t txid[12])
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, allocation);

	f->calls++;
	a->rec.ticket_id = ticket_id;
	memcpy(a->rec.txid, txid, sizeof(a->rec.txid));
}

void fake_moves_fill(struct turn_store *store)
{
	store->move_begin = move_begin;
	store->move_cancel = move_cancel;
	store->move_finish = move_finish;
	store->move_ref = move_ref;
	store->reconnect = reconnect;
	store->ticket_set = ticket_set;
}
