// SPDX-License-Identifier: BSD-3-Clause
// The TURN server's store.
//
// The orders, which a recovery relies on:
//   allocation  record filled; entry published; port words; record LIVE. The end: record CLOSING;
//               channels, permissions; port words cleared; entry unpublished
//               another user: record filled and LIVE; entry names it; old record given back
//   channel     PEER published, then CHANNEL: no client sends where no answer comes back. The end:
//               CHANNEL unpublished, then PEER
//   object      expiries first in the entry that leads to the other (refresh); a content that
//               changes is a new slot whose index replaces the old one in a single store
//               (tables_entry_move)
// Pools are reaped once at the start of each _add; nothing below waits or frees.
#include "tables.h"

#include <errno.h>

// ---- allocations ------------------------------------------------------------------------------

_Atomic uint32_t *tables_port_word(const struct tables *t, const struct tp_entry_relay *relay)
{
	const struct tp_local *l = &t->locals[relay->relay_id];

	return shm_tables_port(&t->shm, l->port_index, tp_ntohs(relay->port_be));
}

void tables_ports_set(struct tables *t, const struct tp_entry *e, uint32_t was, uint32_t value)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		_Atomic uint32_t *word;

		if (e->relay[i].relay_id == 0)
			continue;
		word = tables_port_word(t, &e->relay[i]);
		if (word != NULL && atomic_load_explicit(word, memory_order_relaxed) == was)
			atomic_store_explicit(word, value, memory_order_release);
	}
}

static int allocation_check(const struct tables *t, const struct turn_allocation_record *rec)
{
	struct tp_key key;
	bool any = false;

	if (tables_local_of(t, rec->client.listener_id, TP_ROLE_LISTENER) == NULL ||
		rec->key_len > TURN_KEY_MAX || rec->username_len > TURN_USERNAME_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_relay_slot *s = &rec->relay[i];
		const struct tp_local *l = tables_local_of(t, s->relay_id, TP_ROLE_RELAY);
		const _Atomic uint32_t *word;

		if (s->expires_s == 0)
			continue;
		if (l == NULL || !tp_addr_same_ip(&l->addr, &s->local) || s->local.port_be == 0)
			return -EINVAL;
		word = shm_tables_port(&t->shm, l->port_index, tp_addr_port(&s->local));
		if (word == NULL)
			return -EINVAL;
		if (atomic_load_explicit(word, memory_order_relaxed) != 0)
			return -EEXIST;
		any = true;
	}
	key = tp_key_allocation(&rec->client.remote, rec->client.listener_id);
	return !any ? -EINVAL : tables_key_exists(t, &key) ? -EEXIST : 0;
}

// Whether there are only those left that moves and owners need.
static bool records_are_taken(const struct tables *t, const struct turn_allocation_record *rec)
{
	return tables_pool_spare(&t->records) <= RECORDS_SPARE ||
	       (rec->username_len > RECORD_NAME_INLINE &&
		       tables_pool_spare(&t->names) <= RECORDS_SPARE);
}

static int allocation_add(void *ctx, const struct turn_allocation_record *rec, uint32_t *ref)
{
	struct tables *t = ctx;
	struct tp_entry content;
	uint32_t slot, record;
	int rc = allocation_check(t, rec);

	if (rc < 0)
		return rc;
	tables_room_make(t);
	slot = tables_slot_take(t);
	record = slot != 0 && !records_are_taken(t, rec) ? tables_record_take(t, slot, rec) : 0;
	if (record == 0) {
		if (slot != 0)
			tables_slot_give(t, slot);
		return tables_pool_empty(t);
	}
	rc = tables_content_allocation(t, slot, record, rec, &content);
	if (rc < 0)
		tables_slot_give(t, slot);
	else
		rc = tables_entry_add(t, slot, &content);
	if (rc < 0) {
		tables_record_give(t, record);
		return rc;
	}
	tables_ports_set(t, &content, 0, slot);
	atomic_store_explicit(&t->priv.records[record].state, RECORD_LIVE, memory_order_release);
	t->links[slot] = (struct link){.prev = slot, .next = slot};
	tables_local_reference(t, rec->client.listener_id);
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		tables_local_reference(t, content.relay[i].relay_id);
	t->n_allocations++;
	*ref = slot;
	return 0;
}

// The old record stays whole until the entry names the new one.
static void record_replace(struct tables *t, uint32_t ref, uint32_t fresh)
{
	uint32_t old = atomic_load_explicit(&entry_of(t, ref)->partner, memory_order_relaxed);

	tables_record_succeed(t, fresh, old);
	atomic_store_explicit(&entry_of(t, ref)->partner, fresh, memory_order_release);
	tables_record_give(t, old);
}

static int allocation_own(void *ctx, uint32_t ref, const struct turn_allocation_record *rec)
{
	struct tables *t = ctx;
	uint32_t fresh, second = 0, successor;

	if (!ref_is(t, ref, TP_KIND_ALLOCATION) || rec->key_len > TURN_KEY_MAX ||
		rec->username_len > TURN_USERNAME_MAX)
		return -EINVAL;
	successor = tables_move_successor(t, ref);
	fresh = tables_record_take(t, ref, rec);
	if (fresh != 0 && successor != 0)
		second = tables_record_take(t, successor, rec);
	if (fresh == 0 || (successor != 0 && second == 0)) {
		if (fresh != 0)
			tables_record_give(t, fresh);
		return tables_pool_empty(t);
	}
	if (successor != 0)
		record_replace(t, successor, second);
	record_replace(t, ref, fresh);
	return 0;
}

static void allocation_expiry_set(struct tables *t, uint32_t ref, unsigned slot, uint32_t expires_s)
{
	struct tp_entry *e = entry_of(t, ref);

	atomic_store_explicit(
		slot == 0 ? &e->expires_s : &e->other_expires_s, expires_s, memory_order_relaxed);
}

static void allocation_refresh(void *ctx, uint32_t ref, unsigned slot, uint32_t expires_s)
{
	struct tables *t = ctx;
	struct tp_entry *e;
	uint32_t successor;

	if (!ref_is(t, ref, TP_KIND_ALLOCATION) || slot >= TURN_RELAY_SLOTS)
		return;
	successor = tables_move_successor(t, ref);
	if (successor != 0)
		allocation_expiry_set(t, successor, slot, expires_s);
	allocation_expiry_set(t, ref, slot, expires_s);
	e = entry_of(t, ref);
	if (expires_s == 0 && e->relay[slot].relay_id != 0) {
		_Atomic uint32_t *word = tables_port_word(t, &e->relay[slot]);

		// Half of a dual allocation ends (RFC 8656 7.3).
		if (word != NULL && atomic_load_explicit(word, memory_order_relaxed) == ref)
			atomic_store_explicit(word, 0, memory_order_release);
	}
}

void tables_allocation_end(struct tables *t, uint32_t ref)
{
	struct tp_entry *e = entry_of(t, ref);

	tables_move_cancel(t, ref);
	atomic_store_explicit(&record_of(t, ref)->state, RECORD_CLOSING, memory_order_release);
	for (uint32_t i = t->links[ref].next, next; i != ref; i = next) {
		next = t->links[i].next;
		if (entry_of(t, i)->key.kind == TP_KIND_CHANNEL)
			tables_object_end(t, i);
	}
	while (t->links[ref].next != ref)
		tables_object_end(t, t->links[ref].next);
	tables_ports_set(t, e, ref, 0);
	tables_local_unreference(t, e->key.local_id);
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		tables_local_unreference(t, e->relay[i].relay_id);
	t->n_allocations--;
	tables_entry_end(t, ref);
}

static void allocation_del(void *ctx, uint32_t ref)
{
	if (ref_is(ctx, ref, TP_KIND_ALLOCATION))
		tables_allocation_end(ctx, ref);
}

// ---- the store ----------------------------------------------------------------------------------

// Aligned stores into published entries, one by one: each is right by itself.
static void path_mtu(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu)
{
	struct tables *t = ctx;

	if (!ref_is(t, allocation, TP_KIND_ALLOCATION))
		return;
	if (peer == NULL)
		atomic_store_explicit(
			&entry_of(t, allocation)->path_mtu, mtu, memory_order_relaxed);
	for (uint32_t i = t->links[allocation].next; i != allocation; i = t->links[i].next) {
		struct tp_entry *e = entry_of(t, i);
		struct tp_addr to;

		if (peer == NULL && e->key.kind != TP_KIND_CHANNEL)
			continue;
		if (peer == NULL) {
			e = entry_of(t, atomic_load_explicit(&e->partner, memory_order_relaxed));
		} else {
			to = tables_content_destination(e);
			if (!tp_addr_same_ip(&to, peer))
				continue;
		}
		atomic_store_explicit(&e->path_mtu, mtu, memory_order_relaxed);
	}
}

static void path_mtu_least(void *ctx, uint16_t mtu)
{
	atomic_store_explicit(&entry_of(ctx, 0)->path_mtu, mtu, memory_order_release);
}

struct turn_store tables_store(struct tables *t)
{
	return (struct turn_store){
		.ctx = t,
		.allocation_add = allocation_add,
		.allocation_own = allocation_own,
		.allocation_refresh = allocation_refresh,
		.allocation_del = allocation_del,
		.permission_add = tables_permission_add,
		.permission_refresh = tables_permission_refresh,
		.permission_del = tables_permission_del,
		.permission_ports = tables_permission_ports,
		.channel_add = tables_channel_add,
		.channel_refresh = tables_channel_refresh,
		.channel_del = tables_channel_del,
		.move_begin = tables_move_begin,
		.move_cancel = tables_move_cancel,
		.move_finish = tables_move_finish,
		.move_ref = tables_move_ref,
		.reconnect = tables_reconnect,
		.ticket_set = tables_ticket_set,
		.path_mtu = path_mtu,
		.path_mtu_least = path_mtu_least,
		.port_cooldown = tables_port_cooldown,
		.tombstone_add = tables_tombstone_add,
		.reservation_add = tables_reservation_add,
		.reservation_use = tables_reservation_use,
		.reservation_del = tables_reservation_del,
		.limit_add = tables_limit_add,
		.limit_set = tables_limit_set,
		.limit_del = tables_limit_del,
		.limit_octets = tables_limit_octets,
		.allocation_limit = tables_allocation_limit,
		.allocation_octets = tables_allocation_octets,
		.allocation_last = tables_allocation_last,
	};
}
