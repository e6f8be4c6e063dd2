// SPDX-License-Identifier: BSD-3-Clause
#include "channel.h"

#include "permission.h"

struct key {
	struct tp_addr peer; // zero for the number's map
	uint32_t allocation;
	uint32_t number; // zero for the peer's map
};
TP_ASSERT_SIZE(struct key, 28);

static uint64_t number_hash(
	const struct turn_server *s, const struct turn_allocation *a, uint16_t number)
{
	struct key key = {.allocation = a->index, .number = number};

	return ds_map_hash(&s->channels_by_number, &key, sizeof(key));
}

static uint64_t peer_hash(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer)
{
	struct key key = {.allocation = a->index, .peer = *peer};

	return ds_map_hash(&s->channels_by_peer, &key, sizeof(key));
}

// By its peer where one is given, else by its number.
static bool channel_is(const struct turn_channel *c, uint16_t number, const struct tp_addr *peer)
{
	return peer != NULL ? tp_addr_equal(&c->peer, peer) : c->number == number;
}

// The same of an allocation with few.
static struct turn_channel *channel_walk(
	const struct turn_allocation *a, uint16_t number, const struct tp_addr *peer)
{
	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		for (struct ds_list *k = p->channels.next; k != &p->channels; k = k->next) {
			struct turn_channel *c = DS_CONTAINER(k, struct turn_channel, link);

			if (channel_is(c, number, peer))
				return c;
		}
	}
	return NULL;
}

static struct turn_channel *channel_find(const struct turn_server *s,
	const struct turn_allocation *a, uint16_t number, const struct tp_addr *peer)
{
	struct ds_map_node *n;

	if (!a->hashed)
		return channel_walk(a, number, peer);
	n = peer != NULL ? ds_map_first(&s->channels_by_peer, peer_hash(s, a, peer))
			 : ds_map_first(&s->channels_by_number, number_hash(s, a, number));
	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_channel *c = peer != NULL
						 ? DS_CONTAINER(n, struct turn_channel, by_peer)
						 : DS_CONTAINER(n, struct turn_channel, by_number);

		if (c->permission->allocation == a && channel_is(c, number, peer))
			return c;
	}
	return NULL;
}

struct turn_channel *turn_channel_by_number(
	const struct turn_server *s, const struct turn_allocation *a, uint16_t number)
{
	return channel_find(s, a, number, NULL);
}

struct turn_channel *turn_channel_by_peer(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer)
{
	return channel_find(s, a, 0, peer);
}

void turn_channel_hash(struct turn_server *s, struct turn_channel *c)
{
	const struct turn_allocation *a = c->permission->allocation;

	ds_map_add(&s->channels_by_number, &c->by_number, number_hash(s, a, c->number));
	ds_map_add(&s->channels_by_peer, &c->by_peer, peer_hash(s, a, &c->peer));
}

struct turn_channel *turn_channel_new(struct turn_server *s, struct turn_permission *p,
	uint16_t number, const struct tp_addr *peer)
{
	struct turn_allocation *a = p->allocation;
	struct turn_channel *c;
	uint32_t index;

	if (a->n_channels >= TURN_CHANNELS_MAX)
		return NULL;
	c = ds_pool_take(&s->channel_pool, &index);
	if (c == NULL)
		return NULL;
	c->index = index;
	c->permission = p;
	c->peer = *peer;
	c->number = number;
	ds_timer_init(&c->timer, TURN_TIMER_CHANNEL);
	ds_list_add(&p->channels, &c->link);
	a->n_channels++;
	if (a->hashed)
		turn_channel_hash(s, c);
	else if (a->n_channels > TURN_WALK_MAX)
		turn_allocation_hash(s, a);
	return c;
}

void turn_channel_adopt(
	struct turn_server *s, struct turn_channel *c, uint32_t expires_s, uint32_t ref)
{
	turn_entries_count(s, c->permission->allocation->account,
		turn_entries_times(c->permission->allocation, TURN_ENTRIES_CHANNEL));
	turn_mtu_renew(s, c->permission);
	c->ref = ref;
	c->expires_s = expires_s;
	ds_wheel_set(&s->wheel, &c->timer, expires_s);
}

void turn_channel_extend(struct turn_server *s, struct turn_channel *c, uint32_t expires_s)
{
	c->expires_s = expires_s;
	s->store.channel_refresh(
		s->store.ctx, c->ref, expires_s, turn_permission_expires_s(c->permission));
	ds_wheel_set(&s->wheel, &c->timer, expires_s);
}

void turn_channel_end(struct turn_server *s, struct turn_channel *c)
{
	struct turn_permission *p = c->permission;

	s->store.channel_del(s->store.ctx, c->ref);
	turn_channel_forget(s, c);
	turn_permission_tidy(s, p);
}

void turn_channel_forget(struct turn_server *s, struct turn_channel *c)
{
	// Without an expiry it never was in the store.
	if (c->expires_s != 0)
		turn_entries_count(s, c->permission->allocation->account,
			-turn_entries_times(c->permission->allocation, TURN_ENTRIES_CHANNEL));
	ds_wheel_stop(&s->wheel, &c->timer);
	if (c->permission->allocation->hashed) {
		ds_map_del(&s->channels_by_number, &c->by_number);
		ds_map_del(&s->channels_by_peer, &c->by_peer);
	}
	ds_list_del(&c->link);
	c->permission->allocation->n_channels--;
	ds_pool_return(&s->channel_pool, c->index);
}
