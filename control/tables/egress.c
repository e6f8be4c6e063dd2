// SPDX-License-Identifier: BSD-3-Clause
// The way out of each entry: the next hop that its destination's route names, in a list of all
// entries of that next hop, or a stream client's connection. It is found when the entry is made,
// and again when a route changes, in portions.
#include "hop.h"

#include <errno.h>

#define RESOLVE_PORTION 2048u // entries per call of tables_advance

static void entry_attach(struct tables *t, uint32_t entry, uint32_t slot)
{
	struct hop *h = &t->hop.hops[slot];

	t->hop.links[entry] = (struct link){.prev = 0, .next = h->first};
	if (h->first != 0)
		t->hop.links[h->first].prev = entry;
	h->first = entry;
	h->references++;
}

void tables_egress_detach(struct tables *t, uint32_t entry, uint32_t slot)
{
	struct hop *h = &t->hop.hops[slot];
	struct link *l = &t->hop.links[entry];

	if (l->prev != 0)
		t->hop.links[l->prev].next = l->next;
	else
		h->first = l->next;
	if (l->next != 0)
		t->hop.links[l->next].prev = l->prev;
	*l = (struct link){0, 0};
	h->references--;
}

// The allocation whose peer the entry leads to, 0: it leads to the client.
static uint32_t peer_of(const struct tp_entry *e)
{
	return e->key.kind == TP_KIND_CHANNEL || e->key.kind == TP_KIND_PERMISSION ? e->allocation
										   : 0;
}

static int entry_hop(struct tables *t, const struct tp_entry *e, uint32_t *slot)
{
	struct tp_addr dst = tables_content_destination(e);

	dst.port_be = 0;
	return tables_hop_resolve(t, &dst, true, peer_of(e), slot);
}

int tables_hop_acquire(struct tables *t, uint32_t entry, struct tp_entry *content)
{
	uint32_t slot;
	int rc = entry_hop(t, content, &slot);

	if (content->key.kind == TP_KIND_ALLOCATION)
		t->hop.pending[entry] = 0;
	if (rc == -ENOSPC)
		return rc;
	atomic_init(&content->egress, slot);
	if (slot != 0)
		entry_attach(t, entry, slot);
	return 0;
}

void tables_hop_release(struct tables *t, uint32_t entry, uint32_t slot)
{
	if (slot == 0 || tp_egress_is_stream(slot))
		return;
	tables_egress_detach(t, entry, slot);
	if (t->hop.hops[slot].references == 0 && t->hop.hops[slot].lease_ns == 0)
		tables_hop_drop(t, slot);
}

void tables_hop_move(struct tables *t, uint32_t from, uint32_t to)
{
	uint32_t slot = atomic_load_explicit(&entry_of(t, from)->egress, memory_order_relaxed);

	// Recovery counts later.
	if (slot == 0 || slot >= t->shm.n_next_hops ||
		(t->hop.hops[slot].first != from && t->hop.links[from].prev == 0))
		return;
	tables_egress_detach(t, from, slot);
	entry_attach(t, to, slot);
}

// A stream client's entry: its egress is its connection.
static bool stream_settle(struct tp_entry *e)
{
	uint32_t egress = tp_connection_egress(e->stream.connection);

	if (e->header[0] != 0)
		return false;
	if (atomic_load_explicit(&e->egress, memory_order_relaxed) != egress)
		atomic_store_explicit(&e->egress, egress, memory_order_release);
	return true;
}

// Resolves the entry's next hop once more; `counted`: it is in the list of its present one.
static void entry_resolve(struct tables *t, uint32_t entry, bool counted)
{
	struct tp_entry *e = entry_of(t, entry);
	uint32_t was, now = 0;
	int rc = 0;

	if (stream_settle(e))
		return;
	if (tables_entry_needs_hop(e))
		rc = entry_hop(t, e, &now);
	// Room for the new one may have cost the old one.
	was = atomic_load_explicit(&e->egress, memory_order_relaxed);
	if (rc == -EAGAIN) {
		if (counted)
			return;
		now = was < t->shm.n_next_hops && t->hop.hops[was].used ? was : 0;
	}
	if (counted && now == was)
		return;
	if (now != was)
		atomic_store_explicit(&e->egress, now, memory_order_release);
	if (counted)
		tables_hop_release(t, entry, was);
	if (now != 0)
		entry_attach(t, entry, now);
}

void tables_hop_renew(struct tables *t, uint32_t entry)
{
	if (atomic_load_explicit(&entry_of(t, entry)->egress, memory_order_relaxed) == 0)
		entry_resolve(t, entry, true);
}

static void entry_visit(struct tables *t, uint32_t entry)
{
	entry_resolve(t, entry, true);
}

void tables_route_changed(struct tables *t, const struct tp_addr *prefix, unsigned len)
{
	t->hop.epoch++;
	if (!tables_destinations_visit(t, prefix, len, entry_visit))
		tables_routes_changed(t);
}

void tables_routes_changed(struct tables *t)
{
	t->hop.epoch++;
	if (t->hop.cursor != 0)
		t->hop.again = true;
	else
		t->hop.cursor = 1;
}

void tables_egress_advance(struct tables *t)
{
	uint32_t end = t->hop.cursor + RESOLVE_PORTION;

	if (t->hop.cursor == 0)
		return;
	if (end > t->shm.table.n_entries)
		end = t->shm.table.n_entries;
	for (; t->hop.cursor < end; t->hop.cursor++)
		if (t->slot_state[t->hop.cursor] == SLOT_LIVE)
			entry_resolve(t, t->hop.cursor, true);
	if (t->hop.cursor == t->shm.table.n_entries) {
		t->hop.cursor = t->hop.again ? 1 : 0;
		t->hop.again = false;
	}
}

void tables_hop_adopt(struct tables *t, uint32_t entry)
{
	if (tables_entry_needs_hop(entry_of(t, entry)))
		tables_destination_add(t, entry);
	entry_resolve(t, entry, false);
}
