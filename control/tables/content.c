// SPDX-License-Identifier: BSD-3-Clause
// Contents of an entry, worked out from its allocation and the configuration: for a new entry, and
// again for an old one that a recovery scan verifies. Partner, generation, path MTU, limit and a
// next hop are no part of it; a stream client's egress is.
#include "tables.h"

#include <errno.h>

static struct tp_addr client_of(const struct tp_entry *allocation)
{
	struct tp_addr a = {.port_be = allocation->key.port_be, .family = allocation->key.family};

	memcpy(a.ip, allocation->key.ip, sizeof(a.ip));
	return a;
}

static struct tp_addr relayed_of(const struct tables *t, const struct tp_entry_relay *relay)
{
	struct tp_addr a = t->locals[relay->relay_id].addr;

	a.port_be = relay->port_be;
	return a;
}

int tables_content_relay_slot(
	const struct tables *t, const struct tp_entry *allocation, uint8_t family)
{
	for (int i = 0; i < (int)TURN_RELAY_SLOTS; i++) {
		uint16_t id = allocation->relay[i].relay_id;

		if (id != 0 && id < TP_LOCALS_MAX && t->locals[id].addr.family == family)
			return i;
	}
	return -EINVAL;
}

int tables_content_allocation(const struct tables *t, uint32_t slot, uint32_t record,
	const struct turn_allocation_record *rec, struct tp_entry *out)
{
	const struct tp_local *listener =
		tables_local_of(t, rec->client.listener_id, TP_ROLE_LISTENER);

	memset(out, 0, sizeof(*out));
	if (listener == NULL)
		return -EINVAL;
	out->key = tp_key_allocation(&rec->client.remote, rec->client.listener_id);
	out->allocation = slot;
	atomic_init(&out->partner, record);
	atomic_init(&out->expires_s, rec->relay[0].expires_s);
	atomic_init(&out->other_expires_s, rec->relay[1].expires_s);
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (rec->relay[i].expires_s == 0)
			continue;
		out->relay[i].relay_id = rec->relay[i].relay_id;
		out->relay[i].port_be = rec->relay[i].local.port_be;
	}
	if ((rec->flags & TURN_RECORD_DONT_FRAGMENT) != 0)
		out->leg_flags = TP_LEG_DONT_FRAGMENT;
	if (!tp_transport_is_stream(listener->transport))
		return rec->connection != 0 ? -EINVAL
					    : entry_template_allocation(
						      out, &listener->addr, &rec->client.remote);
	atomic_init(&out->egress, tp_connection_egress(rec->connection));
	return entry_template_stream_allocation(out, rec->connection);
}

static void relay_fill(const struct content_request *req, int slot, struct tp_entry *out)
{
	const struct tp_entry_relay *relay = &req->allocation->relay[slot];

	out->allocation = req->allocation_slot;
	out->leg_flags = req->allocation->leg_flags;
	out->relay_id = relay->relay_id;
	out->port_be = relay->port_be;
}

static void hairpin_fill(
	const struct tables *t, const struct content_request *req, struct tp_entry *out)
{
	uint16_t relay_id;

	if (!tables_local_is_own(t, &req->peer, &relay_id))
		return;
	out->flags = TP_ENTRY_HAIRPIN;
	out->hairpin_relay_id = relay_id;
}

int tables_content_permission(
	const struct tables *t, const struct content_request *req, struct tp_entry *out)
{
	int slot = tables_content_relay_slot(t, req->allocation, req->peer.family);
	struct tp_addr relayed;

	memset(out, 0, sizeof(*out));
	if (slot < 0)
		return slot;
	relayed = relayed_of(t, &req->allocation->relay[slot]);
	out->key = tp_key_permission(&req->peer, req->allocation_slot);
	atomic_init(&out->expires_s, req->expires_s);
	relay_fill(req, slot, out);
	hairpin_fill(t, req, out);
	out->realm_id = record_of(t, req->allocation_slot)->realm_id;
	return entry_template_permission(out, &relayed, &req->peer);
}

static int stream_templates(const struct content_request *req, const struct tp_addr *relayed,
	struct tp_entry *channel, struct tp_entry *peer)
{
	uint64_t connection = req->allocation->stream.connection;
	int rc = entry_template_stream_channel(channel, relayed, &req->peer);

	if (rc == 0)
		rc = entry_template_stream_peer(peer, connection, req->number, relayed, &req->peer);
	atomic_init(&peer->egress, tp_connection_egress(connection));
	return rc;
}

// The address of one that a reload removed stays for as long as an allocation names it.
static const struct tp_local *listener_of(const struct tables *t, const struct content_request *req)
{
	uint16_t id = req->allocation->key.local_id;
	const struct tp_local *l = tables_local_of(t, id, TP_ROLE_LISTENER);

	return l == NULL && req->removed ? tables_local_of(t, id, TP_ROLE_RETIRED) : l;
}

int tables_content_channel(const struct tables *t, const struct content_request *req,
	struct tp_entry *channel, struct tp_entry *peer)
{
	const struct tp_key *key = &req->allocation->key;
	const struct tp_local *listener = listener_of(t, req);
	int slot = tables_content_relay_slot(t, req->allocation, req->peer.family);
	struct tp_addr client = client_of(req->allocation), relayed;
	int rc;

	memset(channel, 0, sizeof(*channel));
	memset(peer, 0, sizeof(*peer));
	if (slot < 0 || listener == NULL)
		return -EINVAL;
	relayed = relayed_of(t, &req->allocation->relay[slot]);
	channel->key = tp_key_channel(&client, key->local_id, req->number);
	atomic_init(&channel->expires_s, req->expires_s);
	atomic_init(&channel->other_expires_s, req->other_expires_s);
	relay_fill(req, slot, channel);
	hairpin_fill(t, req, channel);
	peer->key = tp_key_peer(&req->peer, channel->relay_id, relayed.port_be);
	atomic_init(&peer->expires_s, req->other_expires_s);
	atomic_init(&peer->other_expires_s, req->expires_s);
	relay_fill(req, slot, peer);
	if (tp_transport_is_stream(listener->transport))
		return stream_templates(req, &relayed, channel, peer);
	rc = entry_template_channel(
		channel, &listener->addr, &client, req->number, &relayed, &req->peer);
	if (rc == 0)
		rc = entry_template_peer(
			peer, &listener->addr, &client, req->number, &relayed, &req->peer);
	return rc;
}

struct tp_addr tables_content_destination(const struct tp_entry *e)
{
	struct tp_addr a = {.family = TP_FAMILY_IPV4};

	if (e->header[0] >> 4 == 6) {
		a.family = TP_FAMILY_IPV6;
		memcpy(a.ip, e->header + 24, 16);
		memcpy(&a.port_be, e->header + WIRE_IPV6_HEADER_LEN + 2, 2);
	} else {
		memcpy(a.ip, e->header + 16, 4);
		memcpy(&a.port_be, e->header + WIRE_IPV4_HEADER_LEN + 2, 2);
	}
	return a;
}

bool tables_entry_needs_hop(const struct tp_entry *e)
{
	return (e->flags & TP_ENTRY_HAIRPIN) == 0 && e->header[0] != 0;
}

bool tables_content_same(const struct tp_entry *published, const struct tp_entry *content)
{
	struct tp_entry a = *published, b = *content;

	// Words that change in place, and the slot's own. A stream client's egress is the low half
	// of the connection, which is compared.
	atomic_init(&a.expires_s, 0);
	atomic_init(&b.expires_s, 0);
	atomic_init(&a.other_expires_s, 0);
	atomic_init(&b.other_expires_s, 0);
	atomic_init(&a.egress, 0);
	atomic_init(&b.egress, 0);
	atomic_init(&a.path_mtu, 0);
	atomic_init(&b.path_mtu, 0);
	tables_limit_init(&a, 0);
	tables_limit_init(&b, 0);
	atomic_init(&a.partner, 0);
	atomic_init(&b.partner, 0);
	a.generation = b.generation = 0;
	return memcmp(&a, &b, sizeof(a)) == 0;
}
