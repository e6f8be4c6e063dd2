// SPDX-License-Identifier: BSD-3-Clause
#include "alloc.h"

#include "chan.h"
#include "perm.h"
#include "tuple.h"

struct turn_allocation *turn_allocation_by_tuple(
	const struct turn_server *s, const struct turn_tuple *client)
{
	struct turn_map_node *n =
		turn_map_first(&s->by_tuple, turn_tuple_hash(&s->by_tuple, client, NULL));

	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_allocation *a = TURN_CONTAINER(n, struct turn_allocation, by_tuple);

		if (turn_tuple_equal(&a->client, client))
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
	turn_allocation_close(s, now_ns, a, TURN_CLOSE_EXPIRED);
	return NULL;
}

// The store's own numbers: nobody chooses them. Neighbours stay neighbours, for a restart that goes
// through them in order; an allocation takes four of them as a rule, with what it has.
static uint64_t ref_hash(uint32_t ref)
{
	return (uint64_t)(ref & 3) << 32 | ref >> 2;
}

struct turn_allocation *turn_allocation_by_ref(const struct turn_server *s, uint32_t ref)
{
	struct turn_map_node *n = turn_map_first(&s->by_ref, ref_hash(ref));

	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_allocation *a = TURN_CONTAINER(n, struct turn_allocation, by_ref);

		if (a->ref == ref)
			return a;
	}
	return NULL;
}

struct turn_allocation *turn_allocation_new(struct turn_server *s)
{
	uint32_t index;
	struct turn_allocation *a = turn_pool_take(&s->allocation_pool, &index);

	if (a == NULL)
		return NULL;
	a->index = index;
	turn_timer_init(&a->timer, TURN_TIMER_ALLOCATION);
	turn_list_init(&a->permissions);
	return a;
}

static void quota_return(struct turn_server *s, struct turn_allocation *a)
{
	if (a->quota != NULL)
		turn_quota_return(&s->users, a->quota);
	a->quota = NULL;
}

bool turn_allocation_own(struct turn_server *s, struct turn_allocation *a, struct stun_text user,
	const uint8_t key[STUN_KEY_MD5_LEN])
{
	a->user = turn_identity_take(&s->users, user, key);
	// Without a limit nobody asks how many a user has.
	if (s->conf.user_quota == 0)
		return a->user != NULL;
	a->quota = turn_quota_take(&s->users, user);
	return a->user != NULL && a->quota != NULL;
}

void turn_allocation_free(struct turn_server *s, struct turn_allocation *a)
{
	quota_return(s, a);
	if (a->user != NULL)
		turn_identity_return(&s->users, a->user);
	turn_pool_return(&s->allocation_pool, a->index);
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
	turn_map_add(&s->by_tuple, &a->by_tuple, turn_tuple_hash(&s->by_tuple, &a->client, NULL));
	turn_map_add(&s->by_ref, &a->by_ref, ref_hash(a->ref));
	turn_wheel_set(&s->wheel, &a->timer, allocation_expires_s(a));
	a->live = true;
	s->n_allocations++;
}

void turn_allocation_extend(struct turn_server *s, struct turn_allocation *a, uint32_t expires_s)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s == 0)
			continue;
		a->slot[i].expires_s = expires_s;
		s->store.allocation_refresh(s->store.ctx, a->ref, i, expires_s);
	}
	turn_wheel_set(&s->wheel, &a->timer, allocation_expires_s(a));
}

static void slots_release(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a)
{
	uint32_t until_s = tp_expiry_s(now_ns, TURN_PORT_REST_S);

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		const struct turn_slot *slot = &a->slot[i];

		if (slot->expires_s == 0)
			continue;
		turn_ports_release(&s->ports, now_ns, slot->relay, slot->port);
		if (s->store.port_rest != NULL)
			s->store.port_rest(
				s->store.ctx, s->conf.relays[slot->relay].id, slot->port, until_s);
	}
}

static void tomb_make(struct turn_server *s, uint64_t now_ns, const struct turn_allocation *a)
{
	turn_tombs_add(&s->tombs, now_ns, &a->client, a->txid);
	if (s->store.tomb_add != NULL)
		s->store.tomb_add(
			s->store.ctx, &a->client, a->txid, tp_expiry_s(now_ns, TURN_TOMB_S));
}

void turn_allocation_close(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a,
	enum turn_close_reason reason)
{
	struct turn_list *l, *next;

	s->store.allocation_del(s->store.ctx, a->ref);
	for (l = a->permissions.next; l != &a->permissions; l = next) {
		next = l->next;
		turn_permission_forget(s, TURN_CONTAINER(l, struct turn_permission, link));
	}
	turn_wheel_stop(&s->wheel, &a->timer);
	turn_map_del(&s->by_tuple, &a->by_tuple);
	turn_map_del(&s->by_ref, &a->by_ref);
	slots_release(s, now_ns, a);
	quota_return(s, a);
	tomb_make(s, now_ns, a);
	a->live = false;
	s->n_allocations--;
	s->counters.allocations_closed++;
	turn_outs_closed(s, a, reason);
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
		if (a->slot[i].expires_s != 0 &&
			s->conf.relays[a->slot[i].relay].local.family == family)
			return true;
	}
	return false;
}

void turn_allocation_record(const struct turn_server *s, const struct turn_allocation *a,
	struct turn_allocation_record *rec)
{
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
	memcpy(rec->txid, a->txid, sizeof(rec->txid));
	rec->key_len = sizeof(a->user->key);
	memcpy(rec->key, a->user->key, sizeof(a->user->key));
	rec->username_len = a->user->name_len;
	memcpy(rec->username, a->user->name, a->user->name_len);
}
