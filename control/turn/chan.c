// SPDX-License-Identifier: BSD-3-Clause
#include "chan.h"

#include "perm.h"

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

	return turn_map_hash(&s->channels_by_number, &key, sizeof(key));
}

static uint64_t peer_hash(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer)
{
	struct key key = {.allocation = a->index, .peer = *peer};

	return turn_map_hash(&s->channels_by_peer, &key, sizeof(key));
}

// The channel of that number, or where `peer` is given, of that peer, of an allocation with few.
static struct turn_channel *channel_walk(
	const struct turn_allocation *a, uint16_t number, const struct tp_addr *peer)
{
	for (struct turn_list *l = a->permissions.next; l != &a->permissions; l = l->next) {
		struct turn_permission *p = TURN_CONTAINER(l, struct turn_permission, link);

		for (struct turn_list *k = p->channels.next; k != &p->channels; k = k->next) {
			struct turn_channel *c = TURN_CONTAINER(k, struct turn_channel, link);

			if (peer != NULL ? tp_addr_equal(&c->peer, peer) : c->number == number)
				return c;
		}
	}
	return NULL;
}

struct turn_channel *turn_channel_by_number(
	const struct turn_server *s, const struct turn_allocation *a, uint16_t number)
{
	struct turn_map_node *n;

	if (!a->hashed)
		return channel_walk(a, number, NULL);
	n = turn_map_first(&s->channels_by_number, number_hash(s, a, number));
	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_channel *c = TURN_CONTAINER(n, struct turn_channel, by_number);

		if (c->permission->allocation == a && c->number == number)
			return c;
	}
	return NULL;
}

struct turn_channel *turn_channel_by_peer(
	const struct turn_server *s, const struct turn_allocation *a, const struct tp_addr *peer)
{
	struct turn_map_node *n;

	if (!a->hashed)
		return channel_walk(a, 0, peer);
	n = turn_map_first(&s->channels_by_peer, peer_hash(s, a, peer));
	for (; n != NULL; n = turn_map_next(n)) {
		struct turn_channel *c = TURN_CONTAINER(n, struct turn_channel, by_peer);

		if (c->permission->allocation == a && tp_addr_equal(&c->peer, peer))
			return c;
	}
	return NULL;
}

void turn_channel_hash(struct turn_server *s, struct turn_channel *c)
{
	const struct turn_allocation *a = c->permission->allocation;

	turn_map_add(&s->channels_by_number, &c->by_number, number_hash(s, a, c->number));
	turn_map_add(&s->channels_by_peer, &c->by_peer, peer_hash(s, a, &c->peer));
}

struct turn_channel *turn_channel_new(struct turn_server *s, struct turn_permission *p,
	uint16_t number, const struct tp_addr *peer)
{
	struct turn_allocation *a = p->allocation;
	struct turn_channel *c;
	uint32_t index;

	if (a->n_channels >= TURN_CHANNELS_MAX)
		return NULL;
	c = turn_pool_take(&s->channel_pool, &index);
	if (c == NULL)
		return NULL;
	c->index = index;
	c->permission = p;
	c->peer = *peer;
	c->number = number;
	turn_timer_init(&c->timer, TURN_TIMER_CHANNEL);
	turn_list_add(&p->channels, &c->link);
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
	c->ref = ref;
	c->expires_s = expires_s;
	turn_wheel_set(&s->wheel, &c->timer, expires_s);
}

void turn_channel_extend(struct turn_server *s, struct turn_channel *c, uint32_t expires_s)
{
	c->expires_s = expires_s;
	s->store.channel_refresh(
		s->store.ctx, c->ref, expires_s, turn_permission_expires_s(c->permission));
	turn_wheel_set(&s->wheel, &c->timer, expires_s);
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
	turn_wheel_stop(&s->wheel, &c->timer);
	if (c->permission->allocation->hashed) {
		turn_map_del(&s->channels_by_number, &c->by_number);
		turn_map_del(&s->channels_by_peer, &c->by_peer);
	}
	turn_list_del(&c->link);
	c->permission->allocation->n_channels--;
	turn_pool_return(&s->channel_pool, c->index);
}
