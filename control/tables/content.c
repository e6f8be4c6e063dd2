// SPDX-License-Identifier: BSD-3-Clause
// What an entry holds, worked out from its allocation and the configuration: for a new entry, and
// again for an old one that a recovery scan verifies. Next hop, partner and generation are not of
// it.
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

int content_relay_slot(const struct tables *t, const struct tp_entry *allocation, uint8_t family)
{
	for (int i = 0; i < (int)TURN_RELAY_SLOTS; i++) {
		uint16_t id = allocation->relay[i].relay_id;

		if (id != 0 && id < TP_LOCALS_MAX && t->locals[id].addr.family == family)
			return i;
	}
	return -EINVAL;
}

int content_allocation(const struct tables *t, uint32_t slot, uint32_t record,
	const struct turn_allocation_record *rec, struct tp_entry *out)
{
	const struct tp_local *listener = local_of(t, rec->client.listener_id, TP_ROLE_LISTENER);

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
	return core_template_allocation(out, &listener->addr, &rec->client.remote);
}

static void relay_fill(const struct content_request *req, int slot, struct tp_entry *out)
{
	const struct tp_entry_relay *relay = &req->allocation->relay[slot];

	out->allocation = req->allocation_slot;
	out->relay_id = relay->relay_id;
	out->port_be = relay->port_be;
}

static void hairpin_fill(
	const struct tables *t, const struct content_request *req, struct tp_entry *out)
{
	uint16_t relay_id;

	if (!local_is_own(t, &req->peer, &relay_id))
		return;
	out->flags = TP_ENTRY_HAIRPIN;
	out->hairpin_relay_id = relay_id;
}

int content_permission(
	const struct tables *t, const struct content_request *req, struct tp_entry *out)
{
	int slot = content_relay_slot(t, req->allocation, req->peer.family);
	struct tp_addr relayed;

	memset(out, 0, sizeof(*out));
	if (slot < 0)
		return slot;
	relayed = relayed_of(t, &req->allocation->relay[slot]);
	out->key = tp_key_permission(&req->peer, req->allocation_slot);
	atomic_init(&out->expires_s, req->expires_s);
	relay_fill(req, slot, out);
	hairpin_fill(t, req, out);
	return core_template_permission(out, &relayed, &req->peer);
}

int content_channel(const struct tables *t, const struct content_request *req,
	struct tp_entry *channel, struct tp_entry *peer)
{
	const struct tp_key *key = &req->allocation->key;
	const struct tp_local *listener = local_of(t, key->local_id, TP_ROLE_LISTENER);
	int slot = content_relay_slot(t, req->allocation, req->peer.family);
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
	rc = core_template_channel(
		channel, &listener->addr, &client, req->number, &relayed, &req->peer);
	if (rc == 0)
		rc = core_template_peer(
			peer, &listener->addr, &client, req->number, &relayed, &req->peer);
	return rc;
}

struct tp_addr content_destination(const struct tp_entry *e)
{
	struct tp_addr a = {.family = TP_FAMILY_IPV4};

	if (e->header[0] >> 4 == 6) {
		a.family = TP_FAMILY_IPV6;
		memcpy(a.ip, e->header + 24, 16);
		memcpy(&a.port_be, e->header + CORE_IPV6_HEADER_LEN + 2, 2);
	} else {
		memcpy(a.ip, e->header + 16, 4);
		memcpy(&a.port_be, e->header + CORE_IPV4_HEADER_LEN + 2, 2);
	}
	return a;
}

bool content_same(const struct tp_entry *published, const struct tp_entry *content)
{
	struct tp_entry a = *published, b = *content;

	// What changes in place, and what is the slot's own.
	atomic_init(&a.expires_s, 0);
	atomic_init(&b.expires_s, 0);
	atomic_init(&a.other_expires_s, 0);
	atomic_init(&b.other_expires_s, 0);
	atomic_init(&a.next_hop, 0);
	atomic_init(&b.next_hop, 0);
	atomic_init(&a.partner, 0);
	atomic_init(&b.partner, 0);
	a.generation = b.generation = 0;
	return memcmp(&a, &b, sizeof(a)) == 0;
}
