// SPDX-License-Identifier: BSD-3-Clause
// Private records: the part of an allocation that survives a restart of the process and that the
// data plane never sees.
#include "tables.h"

#include <turnpike/siphash.h>

// Tells an external address from another in four bytes: a record names two.
static uint32_t advertised_tag(const struct tables *t, const struct tp_addr *addr)
{
	struct tp_addr ip = *addr;

	ip.port_be = 0;
	return (uint32_t)tp_siphash13(t->priv.header->secrets.advertised_key, &ip, sizeof(ip));
}

uint32_t tables_record_take(
	struct tables *t, uint32_t entry, const struct turn_allocation_record *rec)
{
	uint32_t number, block = 0;
	struct record *r;

	number = tables_pool_take(&t->records);
	if (number == 0)
		return 0;
	if (rec->username_len > RECORD_NAME_INLINE) {
		block = tables_pool_take(&t->names);
		if (block == 0) {
			tables_pool_give(&t->records, number);
			return 0;
		}
	}
	r = &t->priv.records[number];
	memset((uint8_t *)r + sizeof(r->state), 0, sizeof(*r) - sizeof(r->state));
	r->entry = entry;
	r->generation = entry_of(t, entry)->generation + 1; // its value once filled
	r->lifetime_s = rec->lifetime_s;
	r->created_ns = rec->created_ns;
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		r->advertised_tags[i] = advertised_tag(t, &rec->relay[i].advertised);
	memcpy(r->txid, rec->txid, sizeof(r->txid));
	r->requested_family = rec->requested_family;
	r->client_transport = rec->client_transport;
	r->relayed_transport = rec->relayed_transport;
	r->flags = rec->flags;
	r->realm_id = rec->realm_id;
	r->identity_kind = rec->identity_kind;
	r->secret_id = rec->secret_id;
	r->connection = rec->connection;
	r->ticket_id = rec->ticket_id;
	r->credential_expires_s = rec->credential_expires_s;
	r->key_algorithm = rec->key_algorithm;
	r->key_len = (uint8_t)rec->key_len;
	memcpy(r->key, rec->key, rec->key_len);
	r->username_len = rec->username_len;
	r->name_block = block;
	memcpy(block != 0 ? t->priv.names + (size_t)block * NAME_BLOCK_SIZE : r->username,
		rec->username, rec->username_len);
	return number;
}

void tables_record_succeed(struct tables *t, uint32_t number, uint32_t old)
{
	struct record *r = &t->priv.records[number];
	const struct record *was = &t->priv.records[old];

	r->generation = was->generation;
	r->ticket_id = was->ticket_id;
	r->connection = was->connection;
	r->client_transport = was->client_transport;
	r->charged_kib = was->charged_kib;
	r->other = was->other;
	r->used = was->used;
	r->close_reason = was->close_reason;
	memcpy(r->advertised_tags, was->advertised_tags, sizeof(r->advertised_tags));
	atomic_store_explicit(&r->state, atomic_load_explicit(&was->state, memory_order_relaxed),
		memory_order_release);
}

void tables_record_give(struct tables *t, uint32_t number)
{
	struct record *r = &t->priv.records[number];

	atomic_store_explicit(&r->state, RECORD_FREE, memory_order_release);
	explicit_bzero(r->key, sizeof(r->key));
	if (r->name_block != 0)
		tables_pool_give(&t->names, r->name_block);
	r->name_block = 0;
	tables_pool_give(&t->records, number);
}

uint32_t tables_record_user(const struct tables *t, uint32_t allocation, uint32_t n)
{
	const struct record *r = record_of(t, allocation);
	const uint8_t *name = r->name_block != 0
				      ? t->priv.names + (size_t)r->name_block * NAME_BLOCK_SIZE
				      : r->username;
	uint64_t hash = tp_siphash13(t->hop.key, name, r->username_len);

	return (uint32_t)(hash + r->realm_id * 0x9e3779b9u + r->identity_kind * 0x85ebca6bu) &
	       (n - 1);
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

void tables_record_read(
	const struct tables *t, uint32_t allocation, struct turn_allocation_record *rec)
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
	rec->client_transport = r->client_transport;
	rec->relayed_transport = r->relayed_transport;
	rec->flags = r->flags;
	rec->realm_id = r->realm_id;
	rec->identity_kind = r->identity_kind;
	rec->secret_id = r->secret_id;
	rec->connection = r->connection;
	rec->ticket_id = r->ticket_id;
	rec->credential_expires_s = r->credential_expires_s;
	rec->key_algorithm = r->key_algorithm;
	rec->key_len = r->key_len;
	memcpy(rec->key, r->key, r->key_len);
	rec->username_len = r->username_len;
	memcpy(rec->username,
		r->name_block != 0 ? t->priv.names + (size_t)r->name_block * NAME_BLOCK_SIZE
				   : r->username,
		r->username_len);
}
