// SPDX-License-Identifier: BSD-3-Clause
// Counters are the data plane's and never go back; the usage of a slot's present life is their gain
// since its base.
#include "tables.h"

#include <errno.h>

static struct usage_base cells_sum(const struct tables *t, uint32_t slot)
{
	struct usage_base sum = {0, 0};

	if (t->state == NULL || slot >= shm_state_ready(t->state))
		return t->priv.bases[slot];
	for (uint32_t w = 0; w < t->state->n_workers; w++) {
		const struct tp_cell *cell = shm_state_cell(t->state, w, slot);

		sum.packets += atomic_load_explicit(&cell->packets, memory_order_relaxed);
		sum.octets += atomic_load_explicit(&cell->octets, memory_order_relaxed);
	}
	return sum;
}

// Adds the slot's usage since its base, in the direction of its kind. False when the counters went
// back: a truncated file, or a data plane that is not ours to trust. Nothing is taken away for it.
static bool usage_add(const struct tables *t, uint32_t slot, const struct usage_base *now,
	struct tables_usage *usage)
{
	const struct usage_base *base = &t->priv.bases[slot];
	uint8_t kind = entry_of(t, slot)->key.kind;

	if (now->packets < base->packets || now->octets < base->octets)
		return false;
	if (kind == TP_KIND_CHANNEL || kind == TP_KIND_PERMISSION) {
		usage->to_peer_packets += now->packets - base->packets;
		usage->to_peer_octets += now->octets - base->octets;
	} else {
		usage->to_client_packets += now->packets - base->packets;
		usage->to_client_octets += now->octets - base->octets;
	}
	return true;
}

void tables_usage_begin(struct tables *t, uint32_t slot)
{
	t->priv.bases[slot] = cells_sum(t, slot);
}

void tables_usage_fold(struct tables *t, uint32_t slot)
{
	struct usage_base now = cells_sum(t, slot);

	if (usage_add(t, slot, &now, &record_of(t, entry_of(t, slot)->allocation)->used))
		t->priv.bases[slot] = now;
}

// Nothing of a TCP allocation passes the packet path, so these are all of its bytes. They survive
// in the record, and an edge that says less has begun anew.
void tables_octets_raise(struct record *r, uint64_t to_peer, uint64_t to_client)
{
	struct tables_usage *used = &r->used;

	if (used->to_peer_octets < to_peer)
		used->to_peer_octets = to_peer;
	if (used->to_client_octets < to_client)
		used->to_client_octets = to_client;
}

void tables_allocation_octets(void *ctx, uint32_t ref, uint64_t to_peer, uint64_t to_client)
{
	struct tables *t = ctx;

	if (ref_is(t, ref, TP_KIND_ALLOCATION))
		tables_octets_raise(record_of(t, ref), to_peer, to_client);
}

void tables_attach_state(struct tables *t, const struct shm_state *state)
{
	uint64_t id = state != NULL ? state->header->file.created_ns : 0;

	// The last look at the old one's counters.
	for (uint32_t i = 1; i < t->shm.table.n_entries && t->state != NULL; i++)
		if (t->slot_state[i] != SLOT_IDLE)
			tables_usage_fold(t, i);
	if (state != NULL && id != t->priv.header->state_id) {
		// Its counters began at zero.
		memset(t->priv.bases, 0, t->shm.table.n_entries * sizeof(*t->priv.bases));
		t->priv.header->state_id = id;
	}
	t->state = NULL;
	if (state != NULL) {
		t->state_view = *state;
		t->state = &t->state_view;
	}
	tables_cells_look(t);
}

static void usage_now(const struct tables *t, uint32_t slot, struct tables_usage *usage)
{
	struct usage_base now = cells_sum(t, slot);

	usage_add(t, slot, &now, usage);
}

static void object_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage)
{
	usage_now(t, ref, usage);
	if (entry_of(t, ref)->key.kind == TP_KIND_CHANNEL)
		usage_now(t, atomic_load_explicit(&entry_of(t, ref)->partner, memory_order_relaxed),
			usage);
}

int tables_object_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage)
{
	memset(usage, 0, sizeof(*usage));
	if (!ref_is(t, ref, TP_KIND_PERMISSION) && !ref_is(t, ref, TP_KIND_CHANNEL))
		return -ENOENT;
	object_usage(t, ref, usage);
	return 0;
}

int tables_allocation_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage)
{
	uint32_t successor;

	memset(usage, 0, sizeof(*usage));
	if (!ref_is(t, ref, TP_KIND_ALLOCATION))
		return -ENOENT;
	*usage = record_of(t, ref)->used;
	usage_now(t, ref, usage);
	for (uint32_t i = t->links[ref].next; i != ref; i = t->links[i].next)
		object_usage(t, i, usage);
	successor = tables_move_successor(t, ref);
	if (successor == 0)
		return 0;
	for (uint32_t i = t->links[successor].next; i != successor; i = t->links[i].next)
		usage_now(t, i, usage);
	return 0;
}

uint64_t tables_uncharged(const struct record *r, const struct tables_usage *usage, bool all)
{
	uint64_t octets = usage->to_peer_octets + usage->to_client_octets;
	uint32_t kib = (uint32_t)(octets >> 10) - r->charged_kib;

	// Counters that went back, of a file that was truncated, give nothing back. Those that are
	// charged every few seconds don't gain 2 TiB.
	if ((int32_t)kib < 0)
		return 0;
	return ((uint64_t)kib << 10) + (all ? octets & 1023 : 0);
}

// The record says it, so that a restarted process charges nothing twice.
uint64_t tables_charge(struct tables *t, uint32_t ref)
{
	struct tables_usage usage;
	uint64_t octets;

	if (tables_allocation_usage(t, ref, &usage) < 0)
		return 0;
	octets = tables_uncharged(record_of(t, ref), &usage, false);
	record_of(t, ref)->charged_kib += (uint32_t)(octets >> 10);
	return octets;
}

void tables_charge_skip(struct tables *t, uint32_t ref)
{
	struct tables_usage usage;

	if (tables_allocation_usage(t, ref, &usage) < 0)
		return;
	record_of(t, ref)->charged_kib =
		(uint32_t)((usage.to_peer_octets + usage.to_client_octets) >> 10);
}

bool tables_counters_are_there(const struct tables *t)
{
	return t->state != NULL;
}

bool tables_is_charging(const struct tables *t)
{
	return t->priv.header->charging != 0;
}

void tables_charging_set(struct tables *t, bool charging)
{
	t->priv.header->charging = charging;
}
