// SPDX-License-Identifier: BSD-3-Clause
#include "allocation.h"

#include "cap.h"
#include "channel.h"
#include "data.h"
#include "mobility.h"
#include "permission.h"
#include "secret.h"
#include "tuple.h"

struct turn_allocation *turn_allocation_by_tuple(
	const struct turn_server *s, const struct turn_tuple *client)
{
	struct ds_map_node *n =
		ds_map_first(&s->by_tuple, turn_tuple_hash(&s->by_tuple, client, NULL));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_allocation *a = DS_CONTAINER(n, struct turn_allocation, by_tuple);

		if (!a->held && turn_tuple_equal(&a->client, client))
			return a;
	}
	return turn_move_by_tuple(s, client);
}

struct turn_allocation *turn_allocation_held(
	const struct turn_server *s, const struct turn_tuple *client)
{
	struct ds_map_node *n =
		ds_map_first(&s->by_tuple, turn_tuple_hash(&s->by_tuple, client, NULL));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_allocation *a = DS_CONTAINER(n, struct turn_allocation, by_tuple);

		if (a->held && turn_tuple_equal(&a->client, client))
			return a;
	}
	return NULL;
}

struct turn_allocation *turn_allocation_of(
	struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client)
{
	struct turn_allocation *a = turn_allocation_by_tuple(s, client);

	if (a == NULL || a->timer.expires_s > turn_seconds(now_ns))
		return a;
	// Its timer is due, but turn_advance has not come to it yet.
	return turn_allocation_expire(s, now_ns, a) ? a : NULL;
}

// The store's own numbers, so strangers cannot choose them. Neighbours stay neighbours, for a
// restart that visits them in order; an allocation with its objects usually takes four.
static uint64_t ref_hash(uint32_t ref)
{
	return (uint64_t)(ref & 3) << 32 | ref >> 2;
}

struct turn_allocation *turn_allocation_by_ref(const struct turn_server *s, uint32_t ref)
{
	struct ds_map_node *n = ds_map_first(&s->by_ref, ref_hash(ref));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_allocation *a = DS_CONTAINER(n, struct turn_allocation, by_ref);

		if (a->ref == ref)
			return a;
	}
	return NULL;
}

struct turn_allocation *turn_allocation_new(struct turn_server *s)
{
	uint32_t index;
	struct turn_allocation *a = ds_pool_take(&s->allocation_pool, &index);

	if (a == NULL)
		return NULL;
	a->index = index;
	ds_timer_init(&a->timer, TURN_TIMER_ALLOCATION);
	ds_list_init(&a->permissions);
	ds_list_init(&a->data);
	return a;
}

static void account_return(struct turn_server *s, struct turn_allocation *a)
{
	if (a->account == NULL)
		return;
	while (a->n_counted > 0)
		turn_allocation_uncount(a);
	turn_account_return(&s->accounts, a->account);
	a->account = NULL;
}

bool turn_allocation_own(struct turn_server *s, struct turn_allocation *a,
	const struct turn_principal *principal, const struct turn_key *key, unsigned n)
{
	a->user = turn_identity_take(&s->identities, principal, key);
	a->account = turn_account_take(&s->accounts, principal);
	for (; a->account != NULL && a->n_counted < n; a->n_counted++)
		turn_account_open(a->account);
	return a->user != NULL && a->account != NULL;
}

void turn_allocation_uncount(struct turn_allocation *a)
{
	turn_account_close(a->account);
	a->n_counted--;
}

void turn_allocation_free(struct turn_server *s, struct turn_allocation *a)
{
	account_return(s, a);
	if (a->user != NULL)
		turn_identity_return(&s->identities, a->user);
	ds_pool_return(&s->allocation_pool, a->index);
}

// When the first of its slots ends.
static uint32_t allocation_expires_s(const struct turn_allocation *a)
{
	uint32_t first = UINT32_MAX;

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s != 0 && a->slot[i].expires_s < first)
			first = a->slot[i].expires_s;
	}
	return first;
}

void turn_allocation_link(struct turn_server *s, struct turn_allocation *a)
{
	ds_map_add(&s->by_tuple, &a->by_tuple, turn_tuple_hash(&s->by_tuple, &a->client, NULL));
	ds_map_add(&s->by_ref, &a->by_ref, ref_hash(a->ref));
	turn_mobility_link(s, a);
	ds_wheel_set(&s->wheel, &a->timer, allocation_expires_s(a));
	a->live = true;
	if (a->is_tcp)
		turn_data_begin(s, a);
	s->n_allocations++;
	a->user->realm->n_allocations++;
	turn_secret_hold(a->user->realm, a->user->secret_id);
	turn_entries_count(s, a->account, TURN_ENTRIES_ALLOCATION);
	turn_caps_open(s, a);
}

uint32_t turn_allocation_entries(const struct turn_allocation *a)
{
	uint32_t n = TURN_ENTRIES_ALLOCATION;

	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		n += p->in_store ? TURN_ENTRIES_PERMISSION : 0;
		for (struct ds_list *k = p->channels.next; k != &p->channels; k = k->next)
			n += TURN_ENTRIES_CHANNEL;
	}
	return n;
}

void turn_allocation_readdress(struct turn_server *s, struct turn_allocation *a,
	const struct turn_tuple *client, uint32_t ref)
{
	ds_map_del(&s->by_tuple, &a->by_tuple);
	ds_map_del(&s->by_ref, &a->by_ref);
	a->client = *client;
	a->ref = ref;
	a->held = false;
	a->leg = (struct turn_leg){0};
	ds_map_add(&s->by_tuple, &a->by_tuple, turn_tuple_hash(&s->by_tuple, &a->client, NULL));
	ds_map_add(&s->by_ref, &a->by_ref, ref_hash(a->ref));
}

// Whether the slot is in use, with an address of the family; TP_FAMILY_NONE: any.
static bool slot_has_family(
	const struct turn_server *s, const struct turn_slot *slot, uint8_t family)
{
	return slot->expires_s != 0 &&
	       (family == TP_FAMILY_NONE || s->conf.relays[slot->relay].local.family == family);
}

void turn_allocation_extend(
	struct turn_server *s, struct turn_allocation *a, uint8_t family, uint32_t expires_s)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (!slot_has_family(s, &a->slot[i], family))
			continue;
		a->slot[i].expires_s = expires_s;
		s->store.allocation_refresh(s->store.ctx, a->ref, i, expires_s);
	}
	ds_wheel_set(&s->wheel, &a->timer, allocation_expires_s(a));
}

void turn_port_give(struct turn_server *s, uint64_t now_ns, uint16_t relay, uint16_t port,
	struct turn_account *account)
{
	turn_ports_release(&s->ports, now_ns, relay, port, account);
	if (s->store.port_cooldown != NULL)
		s->store.port_cooldown(s->store.ctx, s->conf.relays[relay].id, port,
			tp_expiry_s(now_ns, TURN_PORT_COOLDOWN_S));
}

static void slots_release(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_slot *slot = &a->slot[i];

		if (slot->expires_s != 0)
			turn_port_give(s, now_ns, slot->relay, slot->port, a->account);
	}
}

static void tombstone_make(struct turn_server *s, uint64_t now_ns, const struct turn_allocation *a)
{
	turn_tombstones_add(&s->tombstones, now_ns, &a->client, a->txid);
	if (s->store.tombstone_add != NULL)
		s->store.tombstone_add(
			s->store.ctx, &a->client, a->txid, tp_expiry_s(now_ns, TURN_TOMBSTONE_S));
}

void turn_allocation_close(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a,
	enum turn_close_reason reason)
{
	struct ds_list *l, *next;

	if (a->move != NULL)
		turn_move_abandon(s, a);
	s->store.allocation_del(s->store.ctx, a->ref);
	for (l = a->permissions.next; l != &a->permissions; l = next) {
		next = l->next;
		turn_permission_forget(s, DS_CONTAINER(l, struct turn_permission, link));
	}
	if (a->is_tcp)
		turn_data_end(s, a);
	ds_wheel_stop(&s->wheel, &a->timer);
	ds_map_del(&s->by_tuple, &a->by_tuple);
	ds_map_del(&s->by_ref, &a->by_ref);
	turn_mobility_unlink(s, a);
	slots_release(s, now_ns, a);
	turn_entries_count(s, a->account, -(int)TURN_ENTRIES_ALLOCATION);
	turn_caps_close(s, a);
	account_return(s, a);
	tombstone_make(s, now_ns, a);
	a->live = false;
	s->n_allocations--;
	a->user->realm->n_allocations--;
	turn_caps_closed(s, a->user->realm);
	turn_secret_return(a->user->realm, a->user->secret_id);
	s->counters.allocations_closed++;
	a->user->realm->counters.allocations_closed++;
	// Without memory for the event nobody waits for the allocation.
	if (!turn_outs_add(&s->outs, (struct turn_event){
					     .allocation = a,
					     .kind = TURN_OUT_ALLOCATION_CLOSED,
					     .reason = reason,
				     }))
		turn_allocation_free(s, a);
}

// One of two relayed addresses, with the permissions and channels of its family.
static void slot_end(
	struct turn_server *s, uint64_t now_ns, struct turn_allocation *a, unsigned number)
{
	struct turn_slot *slot = &a->slot[number];
	uint8_t family = s->conf.relays[slot->relay].local.family;
	struct ds_list *l = a->permissions.next;

	while (l != &a->permissions) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		l = l->next;
		if (p->peer.family == family)
			turn_permission_revoke(s, p);
	}
	s->store.allocation_refresh(s->store.ctx, a->ref, number, 0);
	turn_port_give(s, now_ns, slot->relay, slot->port, a->account);
	*slot = (struct turn_slot){0};
	turn_allocation_uncount(a);
	ds_wheel_set(&s->wheel, &a->timer, allocation_expires_s(a));
}

void turn_allocation_end_family(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a,
	uint8_t family, enum turn_close_reason reason)
{
	bool is_left = false;

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		is_left |= a->slot[i].expires_s != 0 && !slot_has_family(s, &a->slot[i], family);
	if (!is_left) {
		turn_allocation_close(s, now_ns, a, reason);
		return;
	}
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (slot_has_family(s, &a->slot[i], family))
			slot_end(s, now_ns, a, i);
	}
}

bool turn_allocation_expire(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a)
{
	uint32_t now_s = turn_seconds(now_ns);
	bool is_left = false;

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++)
		is_left |= a->slot[i].expires_s > now_s;
	if (!is_left) {
		turn_allocation_close(s, now_ns, a, TURN_CLOSE_EXPIRED);
		return false;
	}
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s != 0 && a->slot[i].expires_s <= now_s)
			slot_end(s, now_ns, a, i);
	}
	return true;
}

struct tp_addr turn_slot_local(const struct turn_server *s, const struct turn_slot *slot)
{
	struct tp_addr addr = s->conf.relays[slot->relay].local;

	addr.port_be = tp_htons(slot->port);
	return addr;
}

struct tp_addr turn_slot_advertised(const struct turn_server *s, const struct turn_slot *slot)
{
	struct tp_addr addr = s->conf.relays[slot->relay].advertised;

	addr.port_be = tp_htons(slot->port);
	return addr;
}

bool turn_allocation_has_family(
	const struct turn_server *s, const struct turn_allocation *a, uint8_t family)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (slot_has_family(s, &a->slot[i], family))
			return true;
	}
	return false;
}

void turn_allocation_record(const struct turn_server *s, const struct turn_allocation *a,
	struct turn_allocation_record *rec)
{
	// A new configuration may have taken the listener away.
	const struct turn_listener *listener =
		turn_locals_listener(&s->locals, a->client.listener_id);

	// The name is as long as it says.
	memset(rec, 0, offsetof(struct turn_allocation_record, username));
	rec->client = a->client;
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_slot *slot = &a->slot[i];

		if (slot->expires_s == 0)
			continue;
		rec->relay[i].local = turn_slot_local(s, slot);
		rec->relay[i].advertised = turn_slot_advertised(s, slot);
		rec->relay[i].expires_s = slot->expires_s;
		rec->relay[i].relay_id = s->conf.relays[slot->relay].id;
	}
	rec->created_ns = a->created_ns;
	rec->lifetime_s = a->lifetime_s;
	rec->requested_family = a->requested_family;
	rec->flags = a->flags;
	rec->ticket_id = a->ticket;
	memcpy(rec->txid, a->txid, sizeof(rec->txid));
	rec->client_transport = listener != NULL ? listener->transport : TP_TRANSPORT_UDP;
	rec->relayed_transport = a->is_tcp ? TP_TRANSPORT_TCP : TP_TRANSPORT_UDP;
	rec->connection = a->client.connection;
	rec->realm_id = a->user->realm->conf.id;
	rec->identity_kind = (uint8_t)a->user->kind;
	rec->secret_id = a->user->secret_id;
	rec->credential_expires_s = a->user->expires_s;
	rec->key_algorithm = (uint8_t)a->user->key.algorithm;
	rec->key_len = a->user->key.len;
	memcpy(rec->key, a->user->key.octets, a->user->key.len);
	rec->username_len = a->user->name_len;
	memcpy(rec->username, a->user->name, a->user->name_len);
}
