// SPDX-License-Identifier: BSD-3-Clause
#include "tables.h"

#include <turnpike/siphash.h>

// Tells an external address from another without its octets: a record names two.
static uint32_t advertised_tag(const struct tables *t, const struct tp_addr *addr)
{
	struct tp_addr ip = *addr;

	ip.port_be = 0;
	return (uint32_t)tp_siphash13(t->priv.header->secrets.reservation_key, &ip, sizeof(ip));
}

uint32_t record_take(struct tables *t, uint32_t entry, const struct turn_allocation_record *rec)
{
	uint32_t number, block = 0;
	struct record *r;

	while (t->records.n_free == 0 && grace_reap(t, REAP_PORTION) != 0)
		;
	number = pool_take(&t->records);
	if (number == 0)
		return 0;
	if (rec->username_len > RECORD_NAME_INLINE) {
		block = pool_take(&t->names);
		if (block == 0) {
			pool_give(&t->records, number);
			return 0;
		}
	}
	r = &t->priv.records[number];
	memset((uint8_t *)r + sizeof(r->state), 0, sizeof(*r) - sizeof(r->state));
	r->entry = entry;
	r->generation = entry_of(t, entry)->generation + 1; // what filling it will make it
	r->lifetime_s = rec->lifetime_s;
	r->created_ns = rec->created_ns;
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		r->advertised_tags[i] = advertised_tag(t, &rec->relay[i].advertised);
	memcpy(r->txid, rec->txid, sizeof(r->txid));
	r->requested_family = rec->requested_family;
	r->key_len = (uint8_t)rec->key_len;
	memcpy(r->key, rec->key, rec->key_len);
	r->username_len = rec->username_len;
	r->name_block = block;
	memcpy(block != 0 ? t->priv.names + (size_t)block * NAME_BLOCK_SIZE : r->username,
		rec->username, rec->username_len);
	return number;
}

void record_give(struct tables *t, uint32_t number)
{
	struct record *r = &t->priv.records[number];

	atomic_store_explicit(&r->state, RECORD_FREE, memory_order_release);
	explicit_bzero(r->key, sizeof(r->key));
	if (r->name_block != 0)
		pool_give(&t->names, r->name_block);
	r->name_block = 0;
	pool_give(&t->records, number);
}

static void slot_read(const struct tables *t, const struct tp_entry *e, const struct record *r,
	unsigned i, struct turn_relay_slot *out)
{
	uint16_t id = e->relay[i].relay_id;

	if (id == 0 || id >= TP_LOCALS_MAX)
		return;
	out->local = t->locals[id].addr;
	out->local.port_be = e->relay[i].port_be;
	// Not known any more when the mapping has changed: then the address is of no use either.
	if (r->advertised_tags[i] == advertised_tag(t, &t->locals[id].external)) {
		out->advertised = t->locals[id].external;
		out->advertised.port_be = e->relay[i].port_be;
	}
	out->relay_id = id;
	out->expires_s = atomic_load_explicit(
		i == 0 ? &e->expires_s : &e->other_expires_s, memory_order_relaxed);
}

void record_read(const struct tables *t, uint32_t allocation, struct turn_allocation_record *rec)
{
	const struct tp_entry *e = entry_of(t, allocation);
	const struct record *r = record_of(t, allocation);

	memset(rec, 0, sizeof(*rec));
	memcpy(rec->client.remote.ip, e->key.ip, sizeof(e->key.ip));
	rec->client.remote.port_be = e->key.port_be;
	rec->client.remote.family = e->key.family;
	rec->client.listener_id = e->key.local_id;
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		slot_read(t, e, r, i, &rec->relay[i]);
	rec->created_ns = r->created_ns;
	rec->lifetime_s = r->lifetime_s;
	memcpy(rec->txid, r->txid, sizeof(rec->txid));
	rec->requested_family = r->requested_family;
	rec->key_len = r->key_len;
	memcpy(rec->key, r->key, r->key_len);
	rec->username_len = r->username_len;
	memcpy(rec->username,
		r->name_block != 0 ? t->priv.names + (size_t)r->name_block * NAME_BLOCK_SIZE
				   : r->username,
		r->username_len);
}
