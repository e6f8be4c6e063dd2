// SPDX-License-Identifier: BSD-3-Clause
#include "permission.h"

#include "channel.h"

struct key {
	struct tp_addr peer;
	uint32_t allocation;
};
TP_ASSERT_SIZE(struct key, 24);

static uint64_t key_hash(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer)
{
	struct key key = {.peer = *peer, .allocation = a->index};

	key.peer.port_be = 0;
	return ds_map_hash(&s->permissions, &key, sizeof(key));
}

static struct turn_permission *permission_walk(
	const struct turn_allocation *a, const struct tp_addr *peer)
{
	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		if (tp_addr_same_ip(&p->peer, peer))
			return p;
	}
	return NULL;
}

struct turn_permission *turn_permission_of(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer)
{
	struct ds_map_node *n;

	if (!a->hashed)
		return permission_walk(a, peer);
	n = ds_map_first(&s->permissions, key_hash(s, a, peer));
	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_permission *p = DS_CONTAINER(n, struct turn_permission, node);

		if (p->allocation == a && tp_addr_same_ip(&p->peer, peer))
			return p;
	}
	return NULL;
}

static void permission_hash(struct turn_server *s, struct turn_permission *p)
{
	ds_map_add(&s->permissions, &p->node, key_hash(s, p->allocation, &p->peer));
}

void turn_allocation_hash(struct turn_server *s, struct turn_allocation *a)
{
	a->hashed = true;
	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		permission_hash(s, p);
		for (struct ds_list *k = p->channels.next; k != &p->channels; k = k->next)
			turn_channel_hash(s, DS_CONTAINER(k, struct turn_channel, link));
	}
}

struct turn_permission *turn_permission_new(
	struct turn_server *s, struct turn_allocation *a, const struct tp_addr *peer)
{
	struct turn_permission *p;
	uint32_t index;

	if (a->n_permissions >= TURN_PERMISSIONS_MAX)
		return NULL;
	p = ds_pool_take(&s->permission_pool, &index);
	if (p == NULL)
		return NULL;
	p->index = index;
	p->allocation = a;
	p->peer = *peer;
	p->peer.port_be = 0;
	ds_timer_init(&p->timer, TURN_TIMER_PERMISSION);
	ds_list_init(&p->channels);
	ds_list_add(&a->permissions, &p->link);
	a->n_permissions++;
	if (a->hashed)
		permission_hash(s, p);
	else if (a->n_permissions > TURN_WALK_MAX)
		turn_allocation_hash(s, a);
	return p;
}

// Tells the store the permission's expiry of each channel to this peer.
static void channels_update(struct turn_server *s, struct turn_permission *p)
{
	for (struct ds_list *l = p->channels.next; l != &p->channels; l = l->next) {
		struct turn_channel *c = DS_CONTAINER(l, struct turn_channel, link);

		s->store.channel_refresh(
			s->store.ctx, c->ref, c->expires_s, turn_permission_expires_s(p));
	}
}

void turn_permission_adopt(
	struct turn_server *s, struct turn_permission *p, uint32_t expires_s, uint32_t ref)
{
	p->ref = ref;
	p->expires_s = expires_s;
	p->in_store = true;
	turn_entries_count(s, p->allocation->account,
		turn_entries_times(p->allocation, TURN_ENTRIES_PERMISSION));
	turn_mtu_renew(s, p);
	ds_wheel_set(&s->wheel, &p->timer, expires_s);
}

// Puts it into the store, so that nothing passes before its ports are known there. 0 or a negative
// errno.
static int store_add(struct turn_server *s, struct turn_permission *p, uint32_t expires_s,
	const struct turn_ports_allowed *ports, uint32_t *ref)
{
	const struct turn_store *store = &s->store;
	bool some = ports->allowed != NULL || ports->trial != NULL;
	int err = store->permission_add(
		store->ctx, p->allocation->ref, &p->peer, some ? 0 : expires_s, ref);

	p->has_ports = some;
	if (err != 0 || !some)
		return err;
	err = store->permission_ports(store->ctx, *ref, ports->allowed, ports->trial);
	if (err != 0)
		store->permission_del(store->ctx, *ref);
	else
		store->permission_refresh(store->ctx, *ref, expires_s);
	return err;
}

int turn_permission_renew_ports(struct turn_server *s, struct turn_permission *p)
{
	struct turn_ports_allowed ports;
	bool some;
	int err;

	if (!p->in_store)
		return 0;
	turn_peer_ports(s, p->allocation, &p->peer, &ports);
	some = ports.allowed != NULL || ports.trial != NULL;
	if (!some && !p->has_ports)
		return 0;
	err = s->store.permission_ports(s->store.ctx, p->ref, ports.allowed, ports.trial);
	if (err == 0)
		p->has_ports = some;
	return err;
}

struct turn_permission *turn_permission_ensure(struct turn_server *s, struct turn_allocation *a,
	const struct tp_addr *peer, uint32_t expires_s, bool *is_new)
{
	struct turn_permission *p = turn_permission_of(s, a, peer);
	struct turn_ports_allowed ports;
	uint32_t ref;

	*is_new = false;
	if (p == NULL)
		p = turn_permission_new(s, a, peer);
	if (p == NULL || p->in_store)
		return p;
	turn_peer_ports(s, a, peer, &ports);
	if (!turn_entries_are_left(
		    s, a->account, (uint32_t)turn_entries_times(a, TURN_ENTRIES_PERMISSION)) ||
		store_add(s, p, expires_s, &ports, &ref) != 0) {
		turn_permission_tidy(s, p);
		return NULL;
	}
	turn_permission_adopt(s, p, expires_s, ref);
	*is_new = true;
	channels_update(s, p);
	return p;
}

void turn_permission_extend(struct turn_server *s, struct turn_permission *p, uint32_t expires_s)
{
	if (expires_s <= p->expires_s)
		return;
	p->expires_s = expires_s;
	s->store.permission_refresh(s->store.ctx, p->ref, expires_s);
	ds_wheel_set(&s->wheel, &p->timer, expires_s);
	channels_update(s, p);
}

static void permission_free(struct turn_server *s, struct turn_permission *p)
{
	ds_wheel_stop(&s->wheel, &p->timer);
	if (p->allocation->hashed)
		ds_map_del(&s->permissions, &p->node);
	ds_list_del(&p->link);
	p->allocation->n_permissions--;
	ds_pool_return(&s->permission_pool, p->index);
}

void turn_permission_tidy(struct turn_server *s, struct turn_permission *p)
{
	if (!p->in_store && ds_list_is_empty(&p->channels))
		permission_free(s, p);
}

void turn_permission_end(struct turn_server *s, struct turn_permission *p)
{
	s->store.permission_del(s->store.ctx, p->ref);
	ds_wheel_stop(&s->wheel, &p->timer);
	p->in_store = false;
	turn_entries_count(s, p->allocation->account,
		-turn_entries_times(p->allocation, TURN_ENTRIES_PERMISSION));
	p->expires_s = 0;
	turn_permission_tidy(s, p);
}

void turn_permission_revoke(struct turn_server *s, struct turn_permission *p)
{
	bool in_store = p->in_store;
	struct ds_list *l = p->channels.next;

	// The last of its channels takes a permission along that is not in the store.
	while (l != &p->channels) {
		struct turn_channel *c = DS_CONTAINER(l, struct turn_channel, link);
		bool last = l->next == &p->channels;

		l = l->next;
		turn_channel_end(s, c);
		if (last)
			break;
	}
	if (in_store)
		turn_permission_end(s, p);
}

void turn_permission_forget(struct turn_server *s, struct turn_permission *p)
{
	struct ds_list *l, *next;

	for (l = p->channels.next; l != &p->channels; l = next) {
		next = l->next;
		turn_channel_forget(s, DS_CONTAINER(l, struct turn_channel, link));
	}
	if (p->in_store)
		turn_entries_count(s, p->allocation->account,
			-turn_entries_times(p->allocation, TURN_ENTRIES_PERMISSION));
	permission_free(s, p);
}
