// SPDX-License-Identifier: BSD-3-Clause
// The store's objects: permissions, and channels of two entries each. store.c has the orders.
#include "tables.h"

#include <errno.h>

void tables_object_end(struct tables *t, uint32_t ref)
{
	uint32_t twin = tables_move_twin(t, ref);

	if (twin != 0)
		tables_move_twin_end(t, twin);
	tables_ring_remove(t, ref);
	if (entry_of(t, ref)->key.kind == TP_KIND_CHANNEL) {
		uint32_t peer =
			atomic_load_explicit(&entry_of(t, ref)->partner, memory_order_relaxed);

		t->n_channels--;
		tables_entry_end(t, ref);
		tables_entry_end(t, peer);
	} else {
		t->n_permissions--;
		tables_ports_release(t, ref);
		tables_entry_end(t, ref);
	}
}

_Atomic uint32_t *tables_permission_expiry(const struct tables *t, struct tp_entry *e)
{
	return record_of(t, e->allocation)->relayed_transport == TP_TRANSPORT_TCP ||
			       atomic_load_explicit(&e->partner, memory_order_relaxed) != 0
		       ? &e->other_expires_s
		       : &e->expires_s;
}

static uint32_t limit_of(const struct tables *t, uint32_t allocation)
{
	return atomic_load_explicit(&entry_of(t, allocation)->limit, memory_order_relaxed);
}

// A new object of an allocation that is moving has a twin; without room for both there is none.
static int object_twin(struct tables *t, uint32_t allocation, uint32_t ref)
{
	uint32_t successor = tables_move_successor(t, allocation);
	int rc = successor != 0 ? tables_move_twin_add(t, successor, ref) : 0;

	if (rc < 0)
		tables_object_end(t, ref);
	return rc;
}

int tables_permission_add(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t *ref)
{
	struct tables *t = ctx;
	struct content_request req = {.allocation_slot = allocation, .peer = *peer};
	struct tp_entry content;
	uint32_t slot;
	int rc;

	if (!ref_is(t, allocation, TP_KIND_ALLOCATION))
		return -EINVAL;
	req.allocation = entry_of(t, allocation);
	rc = tables_content_permission(t, &req, &content);
	if (rc < 0)
		return rc;
	atomic_init(tables_permission_expiry(t, &content), expires_s);
	tables_limit_init(&content, limit_of(t, allocation));
	if (tables_key_exists(t, &content.key))
		return -EEXIST;
	tables_room_make(t);
	slot = tables_slot_take(t);
	if (slot == 0)
		return tables_pool_empty(t);
	rc = tables_entry_add(t, slot, &content);
	if (rc < 0)
		return rc;
	tables_ring_add(t, allocation, slot);
	t->n_permissions++;
	*ref = slot;
	return object_twin(t, allocation, slot);
}

static void permission_expiry_set(struct tables *t, uint32_t ref, uint32_t expires_s)
{
	atomic_store_explicit(
		tables_permission_expiry(t, entry_of(t, ref)), expires_s, memory_order_relaxed);
	tables_hop_renew(t, ref);
}

void tables_permission_refresh(void *ctx, uint32_t ref, uint32_t expires_s)
{
	struct tables *t = ctx;

	uint32_t twin;

	if (!ref_is(t, ref, TP_KIND_PERMISSION))
		return;
	permission_expiry_set(t, ref, expires_s);
	twin = tables_move_twin(t, ref);
	if (twin != 0)
		permission_expiry_set(t, twin, expires_s);
}

void tables_permission_del(void *ctx, uint32_t ref)
{
	if (ref_is(ctx, ref, TP_KIND_PERMISSION))
		tables_object_end(ctx, ref);
}

// Two slots, filled and published; on failure nothing is left of either.
static int channel_publish(
	struct tables *t, struct tp_entry *channel, struct tp_entry *peer, uint32_t *ref)
{
	uint32_t c, p;
	int rc;

	tables_room_make(t);
	c = tables_slot_take(t);
	p = c != 0 ? tables_slot_take(t) : 0;
	if (p == 0) {
		if (c != 0)
			tables_slot_give(t, c);
		return tables_pool_empty(t);
	}
	atomic_init(&channel->partner, p);
	atomic_init(&peer->partner, c);
	rc = tables_entry_add(t, p, peer);
	if (rc < 0) {
		tables_slot_give(t, c);
		return rc;
	}
	rc = tables_entry_add(t, c, channel);
	if (rc < 0)
		tables_entry_end(t, p);
	*ref = c;
	return rc;
}

int tables_channel_add(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t permission_expires_s, uint32_t *ref)
{
	struct tables *t = ctx;
	struct content_request req = {.allocation_slot = allocation,
		.number = number,
		.peer = *peer,
		.expires_s = expires_s,
		.other_expires_s = permission_expires_s};
	struct tp_entry channel_content, peer_content;
	int rc;

	if (!ref_is(t, allocation, TP_KIND_ALLOCATION))
		return -EINVAL;
	req.allocation = entry_of(t, allocation);
	rc = tables_content_channel(t, &req, &channel_content, &peer_content);
	if (rc < 0)
		return rc;
	if (tables_key_exists(t, &channel_content.key) || tables_key_exists(t, &peer_content.key))
		return -EEXIST;
	tables_limit_init(&channel_content, limit_of(t, allocation));
	tables_limit_init(&peer_content, limit_of(t, allocation));
	rc = channel_publish(t, &channel_content, &peer_content, ref);
	if (rc < 0)
		return rc;
	tables_ring_add(t, allocation, *ref);
	t->n_channels++;
	return object_twin(t, allocation, *ref);
}

// In the CHANNEL entry.
static void channel_expiry_set(
	struct tables *t, uint32_t ref, uint32_t expires_s, uint32_t permission_expires_s)
{
	struct tp_entry *c = entry_of(t, ref);

	atomic_store_explicit(&c->expires_s, expires_s, memory_order_relaxed);
	atomic_store_explicit(&c->other_expires_s, permission_expires_s, memory_order_relaxed);
	tables_hop_renew(t, ref);
}

void tables_channel_refresh(
	void *ctx, uint32_t ref, uint32_t expires_s, uint32_t permission_expires_s)
{
	struct tables *t = ctx;
	struct tp_entry *p;
	uint32_t twin;

	if (!ref_is(t, ref, TP_KIND_CHANNEL))
		return;
	p = entry_of(t, atomic_load_explicit(&entry_of(t, ref)->partner, memory_order_relaxed));
	atomic_store_explicit(&p->expires_s, permission_expires_s, memory_order_relaxed);
	atomic_store_explicit(&p->other_expires_s, expires_s, memory_order_relaxed);
	channel_expiry_set(t, ref, expires_s, permission_expires_s);
	twin = tables_move_twin(t, ref);
	if (twin != 0)
		channel_expiry_set(t, twin, expires_s, permission_expires_s);
}

void tables_channel_del(void *ctx, uint32_t ref)
{
	if (ref_is(ctx, ref, TP_KIND_CHANNEL))
		tables_object_end(ctx, ref);
}
