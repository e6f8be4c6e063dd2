// SPDX-License-Identifier: BSD-3-Clause
// Takes over the objects that a recovery scan found in the store.
#include "allocation.h"

#include <errno.h>
#include <openssl/crypto.h>

#include "channel.h"
#include "mobility.h"
#include "credential.h"
#include "permission.h"
#include "stream.h"

void turn_restore_expect(struct turn_server *s, size_t allocations)
{
	ds_map_reserve(&s->by_tuple, allocations);
	ds_map_reserve(&s->by_ref, allocations);
}

// The configured relay address of a slot, by id and by the id's former address; -EINVAL.
static int relay_find(const struct turn_server *s, const struct turn_relay_slot *slot)
{
	for (size_t i = 0; i < s->conf.n_relays; i++) {
		const struct turn_relay_address *r = &s->conf.relays[i];

		if (r->id == slot->relay_id && tp_addr_same_ip(&r->local, &slot->local) &&
			tp_addr_same_ip(&r->advertised, &slot->advertised))
			return (int)i;
	}
	return -EINVAL;
}

static int slots_claim(
	struct turn_server *s, struct turn_allocation *a, const struct turn_allocation_record *rec)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_relay_slot *slot = &rec->relay[i];
		int relay, err;

		if (slot->expires_s == 0)
			continue;
		relay = relay_find(s, slot);
		if (relay < 0)
			return relay;
		err = turn_ports_claim(
			&s->ports, (uint16_t)relay, tp_addr_port(&slot->local), a->account);
		if (err != 0)
			return -EINVAL;
		a->slot[i] = (struct turn_slot){.expires_s = slot->expires_s,
			.relay = (uint16_t)relay,
			.port = tp_addr_port(&slot->local)};
		n++;
	}
	return n > 0 ? 0 : -EINVAL;
}

static void slots_unclaim(struct turn_server *s, struct turn_allocation *a)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s != 0)
			turn_ports_cancel(&s->ports, a->slot[i].relay, a->slot[i].port, a->account);
	}
}

static bool record_is_sane(const struct turn_server *s, const struct turn_allocation_record *rec)
{
	return turn_locals_listener(&s->locals, rec->client.listener_id) != NULL &&
	       rec->key_len > 0 && rec->key_len <= TURN_KEY_MAX &&
	       rec->username_len <= TURN_USERNAME_MAX && rec->identity_kind <= TURN_IDENTITY_TOKEN;
}

// A record without a kind: as the name would be taken today.
static enum turn_identity_kind kind_guess(const struct turn_realm *realm, struct stun_text name)
{
	struct stun_text rest_name;
	uint64_t expiry_s;

	if (turn_realm_user(realm, name) == NULL &&
		turn_credential_parse(name, turn_separator(&realm->conf), &expiry_s, &rest_name))
		return TURN_IDENTITY_REST;
	return TURN_IDENTITY_STATIC;
}

static bool owner_restore(struct turn_server *s, struct turn_allocation *a,
	const struct turn_allocation_record *rec, struct turn_realm *realm)
{
	struct turn_principal principal = {
		.realm = realm,
		.name = {(const char *)rec->username, rec->username_len},
		.secret_id = rec->secret_id,
		.kind = (enum turn_identity_kind)rec->identity_kind,
		.expires_s = rec->credential_expires_s,
	};
	struct turn_key key = {
		.algorithm = (enum turn_key_algorithm)rec->key_algorithm,
		.len = (uint8_t)rec->key_len,
	};
	unsigned n = (rec->relay[0].expires_s != 0) + (rec->relay[1].expires_s != 0);
	bool owned;

	if (principal.kind == TURN_IDENTITY_UNKNOWN)
		principal.kind = kind_guess(realm, principal.name);
	if (key.algorithm == TURN_KEY_NONE)
		key.algorithm = TURN_KEY_MD5;
	memcpy(key.octets, rec->key, key.len);
	owned = turn_allocation_own(s, a, &principal, &key, n);
	OPENSSL_cleanse(&key, sizeof(key));
	return owned;
}

// Closes nothing that stands without a connection.
static int stream_restore(struct turn_server *s, uint64_t now_ns, const struct turn_allocation *a)
{
	const struct turn_listener *l = turn_locals_listener(&s->locals, a->client.listener_id);

	return turn_listener_is_stream(l) ? turn_stream_restore(s, now_ns, &a->client) : 0;
}

int turn_restore_allocation(struct turn_server *s, uint64_t now_ns,
	const struct turn_allocation_record *rec, uint32_t ref)
{
	struct turn_realm *realm = turn_realm_by_id(&s->realms, rec->realm_id);
	struct turn_allocation *a;
	int err = -ENOMEM;

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	if (realm == NULL || !record_is_sane(s, rec) || turn_allocation_by_ref(s, ref) != NULL ||
		turn_allocation_by_tuple(s, &rec->client) != NULL)
		return -EINVAL;
	a = turn_allocation_new(s);
	if (a == NULL)
		return -ENOMEM;
	a->client = rec->client;
	a->client.connection = rec->connection;
	a->created_ns = rec->created_ns;
	a->lifetime_s = rec->lifetime_s;
	a->requested_family = rec->requested_family;
	a->flags = rec->flags;
	a->ticket = rec->ticket_id;
	a->is_tcp = rec->relayed_transport == TP_TRANSPORT_TCP;
	a->ref = ref;
	memcpy(a->txid, rec->txid, sizeof(a->txid));
	if (!owner_restore(s, a, rec, realm))
		goto free_allocation;
	err = slots_claim(s, a, rec);
	if (err == 0)
		err = stream_restore(s, now_ns, a);
	if (err != 0)
		goto unclaim;
	turn_allocation_link(s, a);
	s->restored = a;
	return 0;
unclaim:
	slots_unclaim(s, a);
free_allocation:
	turn_allocation_free(s, a);
	return err;
}

// Permissions and channels follow their allocation.
static struct turn_allocation *restored_find(struct turn_server *s, uint32_t ref)
{
	if (s->restored == NULL || !s->restored->live || s->restored->ref != ref)
		s->restored = turn_allocation_by_ref(s, ref);
	return s->restored;
}

int turn_restore_permission(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct tp_addr *peer, uint32_t expires_s, uint32_t ref)
{
	struct turn_allocation *a = restored_find(s, allocation);
	struct turn_permission *p;

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	if (a == NULL || turn_permission_of(s, a, peer) != NULL ||
		!turn_allocation_has_family(s, a, peer->family))
		return -EINVAL;
	p = turn_permission_new(s, a, peer);
	if (p == NULL)
		return -ENOMEM;
	turn_permission_adopt(s, p, expires_s, ref);
	// Under the policy of today.
	p->has_ports = true;
	if (turn_permission_renew_ports(s, p) == 0)
		return 0;
	turn_permission_forget(s, p);
	return -ENOSPC;
}

int turn_restore_channel(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	uint16_t number, const struct tp_addr *peer, uint32_t expires_s, uint32_t ref)
{
	struct turn_allocation *a = restored_find(s, allocation);
	struct turn_permission *p;
	struct turn_channel *c;

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	if (a == NULL || number < TP_CHANNEL_MIN || number > TP_CHANNEL_MAX_COMPAT ||
		!turn_allocation_has_family(s, a, peer->family) ||
		turn_channel_by_number(s, a, number) != NULL ||
		turn_channel_by_peer(s, a, peer) != NULL)
		return -EINVAL;
	// Without one in the store: its time was over, the channel's is not.
	p = turn_permission_of(s, a, peer);
	if (p == NULL)
		p = turn_permission_new(s, a, peer);
	if (p == NULL)
		return -ENOMEM;
	c = turn_channel_new(s, p, number, peer);
	if (c == NULL) {
		turn_permission_tidy(s, p);
		return -ENOMEM;
	}
	turn_channel_adopt(s, c, expires_s, ref);
	return 0;
}

void turn_restore_port_cooldown(
	struct turn_server *s, uint64_t now_ns, uint16_t relay_id, uint16_t port, uint16_t until_s)
{
	uint16_t left_s = (uint16_t)(until_s - turn_seconds(now_ns));

	if (left_s == 0 || left_s > TURN_PORT_COOLDOWN_S + 1)
		return;
	for (size_t i = 0; i < s->conf.n_relays; i++) {
		if (s->conf.relays[i].id != relay_id)
			continue;
		// Taken: by an allocation that lives.
		(void)turn_ports_restore_cooldown(
			&s->ports, (uint16_t)i, port, turn_seconds(now_ns) + left_s);
		return;
	}
}

void turn_restore_tombstone(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client,
	const uint8_t txid[12], uint32_t until_s)
{
	uint32_t now_s = turn_seconds(now_ns);

	if (until_s > now_s && until_s - now_s <= TURN_TOMBSTONE_S + 1)
		turn_tombstones_add_until(&s->tombstones, until_s, client, txid);
}
