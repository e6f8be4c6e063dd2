// SPDX-License-Identifier: BSD-3-Clause
// Records of ended objects that a restart must not forget: ports in their cool-down, tombstones,
// reasons of ended allocations.
#include "tables.h"

void tables_port_cooldown(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s)
{
	struct tables *t = ctx;
	const struct tp_local *l = tables_local_of(t, relay_id, TP_ROLE_RELAY);
	uint16_t low = (uint16_t)until_s;

	if (l == NULL || l->port_index >= t->priv.n_port_indexes)
		return;
	atomic_store_explicit(&t->priv.cooldowns[(size_t)l->port_index << 16 | port],
		low != 0 ? low : 1, memory_order_relaxed);
}

void tables_tombstone_add(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s)
{
	struct tables *t = ctx;
	struct tombstone *tombstone = &t->priv.tombstones[t->tombstone_next];

	// A writer killed here leaves an empty slot.
	atomic_store_explicit(&tombstone->until_s, 0, memory_order_release);
	tombstone->remote = client->remote;
	tombstone->listener_id = client->listener_id;
	memcpy(tombstone->txid, txid, sizeof(tombstone->txid));
	atomic_store_explicit(&tombstone->until_s, until_s, memory_order_release);
	t->tombstone_next = (t->tombstone_next + 1) % t->priv.n_tombstones;
}

static void ports_visit(const struct tables *t, const struct tables_visitor *v)
{
	for (uint32_t i = 0; i < t->n_locals; i++) {
		const struct tp_local *l = &t->locals[t->local_ids[i]];
		const _Atomic uint16_t *cooldowns = &t->priv.cooldowns[(size_t)l->port_index << 16];

		if (l->role != TP_ROLE_RELAY || l->port_index >= t->priv.n_port_indexes)
			continue;
		for (uint32_t port = 1; port < 65536; port++) {
			uint16_t until_s =
				atomic_load_explicit(&cooldowns[port], memory_order_relaxed);

			if (until_s != 0)
				v->port_cooldown(v->ctx, t->local_ids[i], (uint16_t)port, until_s);
		}
	}
}

static uint32_t tombstone_until_s(const struct tables *t, uint32_t i)
{
	return atomic_load_explicit(&t->priv.tombstones[i].until_s, memory_order_acquire);
}

// The ring goes on behind the youngest, where the oldest is.
static uint32_t tombstones_end(const struct tables *t)
{
	uint32_t youngest = t->priv.n_tombstones - 1;

	for (uint32_t i = 0; i < t->priv.n_tombstones; i++)
		if (tombstone_until_s(t, i) >= tombstone_until_s(t, youngest) &&
			tombstone_until_s(t, i) != 0)
			youngest = i;
	return (youngest + 1) % t->priv.n_tombstones;
}

static void tombstones_visit(const struct tables *t, const struct tables_visitor *v)
{
	for (uint32_t k = 0; k < t->priv.n_tombstones; k++) {
		uint32_t i = (t->tombstone_next + k) % t->priv.n_tombstones;
		const struct tombstone *tombstone = &t->priv.tombstones[i];
		struct turn_tuple client = {
			.remote = tombstone->remote, .listener_id = tombstone->listener_id};

		if (tombstone_until_s(t, i) != 0)
			v->tombstone(v->ctx, &client, tombstone->txid, tombstone_until_s(t, i));
	}
}

void tables_cooldown_visit(struct tables *t, const struct tables_visitor *v)
{
	if (v->port_cooldown != NULL)
		ports_visit(t, v);
	t->tombstone_next = tombstones_end(t);
	if (v->tombstone != NULL)
		tombstones_visit(t, v);
}

void tables_closed(struct tables *t, uint32_t ref, uint8_t reason)
{
	if (ref != 0 && ref < t->shm.table.n_entries && t->slot_state[ref] >= SLOT_ENDING &&
		entry_of(t, ref)->key.kind == TP_KIND_ALLOCATION)
		record_of(t, ref)->close_reason = reason;
}
