// SPDX-License-Identifier: BSD-3-Clause
// Takes over from another writer: whole objects are kept, the rest is unpublished, and every slot
// that is not referenced rests for a grace period, since the dead writer may have unpublished it
// just now. Each step is one that a reader may watch and that a kill may end: the next scan finds
// the same or less to do.
#include "recover.h"

#include <errno.h>
#include <stdlib.h>

// ---- the writer's own memory --------------------------------------------------------------------

// An allocation that ended but whose last packets were not counted yet: told when they are.
static bool allocation_is_closing(struct scan *s, uint32_t i)
{
	const struct tp_entry *e = entry_of(s->t, i);

	return e->key.kind == TP_KIND_ALLOCATION && e->allocation == i &&
	       tables_record_claim(s, i, RECORD_CLOSING);
}

static void pools_rebuild(struct scan *s)
{
	struct tables *t = s->t;
	uint32_t fresh = t->shm.table.n_entries;

	while (fresh > 1 && t->slot_state[fresh - 1] != SLOT_LIVE &&
		entry_of(t, fresh - 1)->generation == 0)
		fresh--;
	tables_cells_begin(t, fresh);
	for (uint32_t i = fresh - 1; i >= 1; i--) {
		if (t->slot_state[i] == SLOT_LIVE)
			continue;
		if (entry_of(t, i)->generation == 0) {
			tables_pool_give(&t->entries, i); // no reader ever saw it
			continue;
		}
		if (allocation_is_closing(s, i))
			t->slot_state[i] = tables_last_is_due(t, i) ? SLOT_AWAITED : SLOT_ENDING;
		tables_pool_retire(&t->entries, i, tables_grace_tag(t));
		s->result->retired++;
	}
	for (uint32_t b = t->shm.table.n_buckets - 1; b >= t->shm.n_main_buckets; b--)
		if (!s->linked[b])
			tables_pool_retire(&t->buckets, b, tables_grace_tag(t));
	for (uint32_t r = t->priv.n_records - 1; r >= 1; r--) {
		if (s->records[r])
			continue;
		t->priv.records[r].name_block = 0;
		tables_record_give(t, r);
	}
	for (uint32_t n = t->priv.n_names - 1; n >= 1; n--)
		if (!s->names[n])
			tables_pool_give(&t->names, n);
}

// The slot that holds the content from now on, 0 when it could not be had.
static uint32_t entry_settle(struct scan *s, uint32_t i, struct tp_entry *content)
{
	struct tables *t = s->t;
	uint16_t hairpin = entry_hairpin_id(entry_of(t, i));
	uint32_t fresh;

	tables_local_reference(t, hairpin);
	if (tables_content_same(entry_of(t, i), content))
		return i;
	s->result->rebuilt++;
	fresh = tables_entry_move(t, i, content);
	if (fresh == 0)
		tables_local_unreference(t, hairpin);
	return fresh;
}

static void channel_settle(struct scan *s, uint32_t i)
{
	struct tables *t = s->t;
	struct tp_entry channel_content, peer_content;
	uint32_t p = tables_channel_pair(t, i, &channel_content, &peer_content);
	uint32_t peer = entry_settle(s, p, &peer_content);
	uint32_t channel = peer != 0 ? entry_settle(s, i, &channel_content) : 0;

	if (channel == 0) {
		tables_entry_drop(s, i, false);
		tables_slot_retire(t, i);
		tables_entry_drop(s, peer != 0 ? peer : p, false);
		tables_slot_retire(t, peer != 0 ? peer : p);
		return;
	}
	tables_ring_add(t, entry_of(t, channel)->allocation, channel);
	t->n_channels++;
}

static void permission_settle(struct scan *s, uint32_t i)
{
	struct tables *t = s->t;
	struct tp_entry content;
	uint32_t permission =
		tables_permission_content(t, i, &content) ? entry_settle(s, i, &content) : 0;

	if (permission == 0) {
		tables_entry_drop(s, i, false);
		tables_slot_retire(t, i);
		return;
	}
	tables_ring_add(t, entry_of(t, permission)->allocation, permission);
	t->n_permissions++;
}

static void allocation_settle(struct tables *t, uint32_t i)
{
	const struct tp_entry *e = entry_of(t, i);

	t->links[i] = (struct link){.prev = i, .next = i};
	tables_local_reference(t, e->key.local_id);
	for (unsigned k = 0; k < TURN_RELAY_SLOTS; k++)
		tables_local_reference(t, e->relay[k].relay_id);
	t->n_allocations++;
}

static void objects_settle(struct scan *s)
{
	struct tables *t = s->t;
	uint32_t n = t->shm.table.n_entries;

	for (uint32_t i = 1; i < n; i++)
		if (ref_is(t, i, TP_KIND_ALLOCATION))
			allocation_settle(t, i);
	// An object moved to a slot further on is in its ring already: links tell.
	for (uint32_t i = 1; i < n; i++) {
		if (ref_is(t, i, TP_KIND_PERMISSION) && t->links[i].next == 0)
			permission_settle(s, i);
		else if (ref_is(t, i, TP_KIND_CHANNEL) && t->links[i].next == 0)
			channel_settle(s, i);
	}
	tables_port_sets_recover(t);
	tables_hop_import(t);
	for (uint32_t i = 1; i < n; i++)
		if (t->slot_state[i] == SLOT_LIVE)
			tables_hop_adopt(t, i);
	tables_hop_settle(t);
	tables_local_settle(t);
}

// ---- handing back -----------------------------------------------------------------------------

static int object_visit(
	const struct tables *t, const struct tables_visitor *v, uint32_t allocation, uint32_t i)
{
	const struct tp_entry *e = entry_of(t, i);
	bool is_permission = e->key.kind == TP_KIND_PERMISSION;
	uint32_t expires_s = atomic_load_explicit(
		is_permission ? tables_permission_expiry(t, entry_of(t, i)) : &e->expires_s,
		memory_order_relaxed);
	struct tp_addr peer = tables_content_destination(e);

	return is_permission ? v->permission(v->ctx, allocation, &peer, expires_s, i)
			     : v->channel(v->ctx, allocation, e->key.selector, &peer, expires_s, i);
}

static void mtu_visit(
	const struct tables *t, const struct tables_visitor *v, uint32_t allocation, uint32_t i)
{
	const struct tp_entry *e = entry_of(t, i);
	uint16_t mtu = atomic_load_explicit(&e->path_mtu, memory_order_relaxed);
	struct tp_addr peer = tables_content_destination(e);

	if (mtu != 0 && v->path_mtu != NULL)
		v->path_mtu(v->ctx, allocation, i == allocation ? NULL : &peer, mtu);
}

static void objects_visit(struct scan *s, const struct tables_visitor *v, uint32_t allocation)
{
	struct tables *t = s->t;
	const uint8_t kinds[] = {TP_KIND_PERMISSION, TP_KIND_CHANNEL};

	for (unsigned k = 0; k < TP_ARRAY_LEN(kinds); k++) {
		for (uint32_t i = t->links[allocation].next, next; i != allocation; i = next) {
			next = t->links[i].next;
			if (entry_of(t, i)->key.kind != kinds[k])
				continue;
			if (object_visit(t, v, allocation, i) >= 0) {
				mtu_visit(t, v, allocation, i);
				continue;
			}
			s->result->removed += kinds[k] == TP_KIND_CHANNEL ? 2 : 1;
			tables_object_end(t, i);
		}
	}
}

static void allocations_visit(struct scan *s, const struct tables_visitor *v)
{
	struct tables *t = s->t;

	for (uint32_t i = 1; i < t->shm.table.n_entries; i++) {
		struct turn_allocation_record rec;
		int rc;

		if (!ref_is(t, i, TP_KIND_ALLOCATION))
			continue;
		tables_record_read(t, i, &rec);
		rc = v->allocation(v->ctx, &rec, i);
		explicit_bzero(&rec, sizeof(rec));
		if (rc < 0) {
			s->result->removed++;
			tables_allocation_end(t, i);
		} else {
			mtu_visit(t, v, i, i);
			objects_visit(s, v, i);
		}
	}
}

// The caller begins them anew; one that it does not is over.
static void moves_visit(const struct scan *s, const struct tables_visitor *v)
{
	for (uint32_t i = 0; i < s->n_moves && v->move != NULL; i++) {
		if (ref_is(s->t, s->moves[i].allocation, TP_KIND_ALLOCATION))
			(void)v->move(v->ctx, s->moves[i].allocation, &s->moves[i].client);
	}
}

int tables_recover(
	struct tables *t, const struct tables_visitor *visitor, struct tables_recovery *result)
{
	struct scan s = {.t = t, .result = result};
	int rc = -ENOMEM;

	memset(result, 0, sizeof(*result));
	s.linked = calloc(t->shm.table.n_buckets, 1);
	s.records = calloc(t->priv.n_records, 1);
	s.names = calloc(t->priv.n_names, 1);
	if (s.linked != NULL && s.records != NULL && s.names != NULL) {
		tables_scan_chains(t, s.linked, result);
		rc = tables_moves_settle(&s);
	}
	if (rc == 0) {
		tables_verify_allocations(&s);
		tables_verify_objects(&s);
		tables_reservations_verify(&s);
		pools_rebuild(&s);
		t->settled = true;
		objects_settle(&s);
		if (visitor->expect != NULL)
			visitor->expect(visitor->ctx, t->n_allocations);
		allocations_visit(&s, visitor);
		moves_visit(&s, visitor);
		tables_reservations_visit(t, visitor);
		tables_cooldown_visit(t, visitor);
		result->allocations = t->n_allocations;
		result->permissions = t->n_permissions;
		result->channels = t->n_channels;
	}
	free(s.linked);
	free(s.records);
	free(s.names);
	free(s.moves);
	return rc;
}
