// SPDX-License-Identifier: BSD-3-Clause
// What a restart must not forget of what has ended: ports that rest, tombs, why allocations ended.
#include "tables.h"

void rest_port(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s)
{
	struct tables *t = ctx;
	const struct tp_local *l = local_of(t, relay_id, TP_ROLE_RELAY);
	uint16_t low = (uint16_t)until_s;

	if (l == NULL || l->port_index >= t->priv.n_port_indexes)
		return;
	atomic_store_explicit(&t->priv.rests[(size_t)l->port_index << 16 | port],
		low != 0 ? low : 1, memory_order_relaxed);
}

void rest_tomb(void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s)
{
	struct tables *t = ctx;
	struct tomb *tomb = &t->priv.tombs[t->tomb_next];

	// A writer killed here leaves an empty one.
	atomic_store_explicit(&tomb->until_s, 0, memory_order_release);
	tomb->remote = client->remote;
	tomb->listener_id = client->listener_id;
	memcpy(tomb->txid, txid, sizeof(tomb->txid));
	atomic_store_explicit(&tomb->until_s, until_s, memory_order_release);
	t->tomb_next = (t->tomb_next + 1) % t->priv.n_tombs;
}

static void ports_visit(const struct tables *t, const struct tables_visitor *v)
{
	for (uint32_t i = 0; i < t->n_locals; i++) {
		const struct tp_local *l = &t->locals[t->local_ids[i]];
		const _Atomic uint16_t *rests = &t->priv.rests[(size_t)l->port_index << 16];

		if (l->role != TP_ROLE_RELAY || l->port_index >= t->priv.n_port_indexes)
			continue;
		for (uint32_t port = 1; port < 65536; port++) {
			uint16_t until_s = atomic_load_explicit(&rests[port], memory_order_relaxed);

			if (until_s != 0)
				v->port_rest(v->ctx, t->local_ids[i], (uint16_t)port, until_s);
		}
	}
}

static uint32_t tomb_until_s(const struct tables *t, uint32_t i)
{
	return atomic_load_explicit(&t->priv.tombs[i].until_s, memory_order_acquire);
}

// The ring goes on behind the youngest, where the oldest is.
static uint32_t tombs_end(const struct tables *t)
{
	uint32_t youngest = t->priv.n_tombs - 1;

	for (uint32_t i = 0; i < t->priv.n_tombs; i++)
		if (tomb_until_s(t, i) >= tomb_until_s(t, youngest) && tomb_until_s(t, i) != 0)
			youngest = i;
	return (youngest + 1) % t->priv.n_tombs;
}

static void tombs_visit(const struct tables *t, const struct tables_visitor *v)
{
	for (uint32_t k = 0; k < t->priv.n_tombs; k++) {
		uint32_t i = (t->tomb_next + k) % t->priv.n_tombs;
		const struct tomb *tomb = &t->priv.tombs[i];
		struct turn_tuple client = {
			.remote = tomb->remote, .listener_id = tomb->listener_id};

		if (tomb_until_s(t, i) != 0)
			v->tomb(v->ctx, &client, tomb->txid, tomb_until_s(t, i));
	}
}

void rest_visit(struct tables *t, const struct tables_visitor *v)
{
	if (v->port_rest != NULL)
		ports_visit(t, v);
	t->tomb_next = tombs_end(t);
	if (v->tomb != NULL)
		tombs_visit(t, v);
}

void tables_closed(struct tables *t, uint32_t ref, uint8_t reason)
{
	if (ref != 0 && ref < t->shm.table.n_entries && t->slot_state[ref] == SLOT_ENDING &&
		entry_of(t, ref)->key.kind == TP_KIND_ALLOCATION)
		record_of(t, ref)->close_reason = reason;
}
