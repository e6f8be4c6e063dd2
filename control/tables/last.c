// SPDX-License-Identifier: BSD-3-Clause
// The last bytes of TCP allocations. The edge has their sockets and counts: it tells the sum when
// the last connection of an ended one is over, which may be after the grace period of its slot. The
// slot is kept until then, or for a while where no edge tells, and never while others have no room.
// A restart finds it by its record.
//
// Kept slots are in two lists, so that no time is stored for each: after WAIT_NS the older one is
// given up, and the younger one becomes the older.
#include "tables.h"

#define WAIT_NS (3 * TP_NS_PER_S)

enum { YOUNG, OLD };

bool tables_last_is_due(const struct tables *t, uint32_t slot)
{
	const struct record *r;

	if (entry_of(t, slot)->key.kind != TP_KIND_ALLOCATION)
		return false;
	r = record_of(t, slot);
	return r->relayed_transport == TP_TRANSPORT_TCP &&
	       atomic_load_explicit(&r->state, memory_order_relaxed) == RECORD_CLOSING;
}

void tables_last_keep(struct tables *t, uint32_t slot)
{
	uint32_t *head = &t->last.heads[YOUNG];

	t->slot_state[slot] = SLOT_KEPT;
	t->links[slot] = (struct link){.prev = 0, .next = *head};
	if (*head != 0)
		t->links[*head].prev = slot;
	*head = slot;
}

static void kept_free(struct tables *t, uint32_t slot)
{
	struct link *l = &t->links[slot];

	for (unsigned i = 0; i < TP_ARRAY_LEN(t->last.heads); i++) {
		if (t->last.heads[i] == slot)
			t->last.heads[i] = l->next;
	}
	if (l->prev != 0)
		t->links[l->prev].next = l->next;
	if (l->next != 0)
		t->links[l->next].prev = l->prev;
	*l = (struct link){0, 0};
	t->slot_state[slot] = SLOT_ENDING;
	tables_slot_free(t, slot);
}

static bool is_awaited(const struct tables *t, uint32_t ref, const struct tp_addr *local)
{
	const struct tp_entry_relay *relay;
	struct tp_addr at;

	if (ref == 0 || ref >= t->shm.table.n_entries ||
		(t->slot_state[ref] != SLOT_AWAITED && t->slot_state[ref] != SLOT_KEPT))
		return false;
	relay = &entry_of(t, ref)->relay[0];
	if (relay->relay_id >= TP_LOCALS_MAX)
		return false;
	at = t->locals[relay->relay_id].addr;
	at.port_be = relay->port_be;
	return tp_addr_equal(&at, local);
}

void tables_allocation_last(
	void *ctx, uint32_t ref, const struct tp_addr *local, uint64_t to_peer, uint64_t to_client)
{
	struct tables *t = ctx;

	if (!is_awaited(t, ref, local))
		return;
	tables_octets_raise(record_of(t, ref), to_peer, to_client);
	if (t->slot_state[ref] == SLOT_KEPT)
		kept_free(t, ref);
	else
		t->slot_state[ref] = SLOT_ENDING;
}

bool tables_last_give_up(struct tables *t)
{
	const struct last *l = &t->last;
	uint32_t slot = l->heads[OLD] != 0 ? l->heads[OLD] : l->heads[YOUNG];

	if (slot != 0)
		kept_free(t, slot);
	return slot != 0;
}

void tables_last_advance(struct tables *t, uint64_t now_ns)
{
	struct last *l = &t->last;

	if (now_ns - l->turned_ns < WAIT_NS)
		return;
	for (unsigned n = 0; l->heads[OLD] != 0 && n < REAP_PORTION; n++)
		kept_free(t, l->heads[OLD]);
	if (l->heads[OLD] != 0)
		return;
	l->heads[OLD] = l->heads[YOUNG];
	l->heads[YOUNG] = 0;
	l->turned_ns = now_ns;
}

uint64_t tables_last_deadline(const struct tables *t)
{
	const struct last *l = &t->last;

	return l->heads[YOUNG] != 0 || l->heads[OLD] != 0 ? l->turned_ns + WAIT_NS : UINT64_MAX;
}

void tables_last_end_all(struct tables *t)
{
	for (unsigned i = 0; i < TP_ARRAY_LEN(t->last.heads); i++) {
		while (t->last.heads[i] != 0)
			kept_free(t, t->last.heads[i]);
	}
}
