// SPDX-License-Identifier: BSD-3-Clause
#include "mtu_share.h"

#include <string.h>

#define SITE_LEN 6u

int turn_mtu_shares_init(struct turn_mtu_shares *s, const uint8_t key[16])
{
	ds_pool_init(&s->pool, sizeof(struct turn_mtu_owner));
	for (uint32_t n = 0; n <= TURN_MTU_SHARE; n++)
		ds_list_init(&s->with[n]);
	return ds_map_init(&s->by_prefix, key);
}

void turn_mtu_shares_fini(struct turn_mtu_shares *s)
{
	ds_map_fini(&s->by_prefix);
	ds_pool_fini(&s->pool);
}

static struct tp_addr prefix_of(const struct tp_addr *client)
{
	struct tp_addr prefix = *client;

	prefix.port_be = 0;
	if (prefix.family == TP_FAMILY_IPV6)
		memset(prefix.ip + SITE_LEN, 0, sizeof(prefix.ip) - SITE_LEN);
	return prefix;
}

static uint64_t hash_of(const struct turn_mtu_shares *s, const struct tp_addr *prefix)
{
	return ds_map_hash(&s->by_prefix, prefix, sizeof(*prefix));
}

struct turn_mtu_owner *turn_mtu_owner_of(
	const struct turn_mtu_shares *s, const struct tp_addr *client)
{
	struct tp_addr prefix = prefix_of(client);

	for (struct ds_map_node *n = ds_map_first(&s->by_prefix, hash_of(s, &prefix)); n != NULL;
		n = ds_map_next(n)) {
		struct turn_mtu_owner *owner = DS_CONTAINER(n, struct turn_mtu_owner, node);

		if (tp_addr_equal(&owner->prefix, &prefix))
			return owner;
	}
	return NULL;
}

static struct turn_mtu_owner *owner_make(struct turn_mtu_shares *s, const struct tp_addr *client)
{
	struct turn_mtu_owner *owner;
	uint32_t index;

	owner = ds_pool_take(&s->pool, &index);
	if (owner == NULL)
		return NULL;
	owner->index = index;
	owner->prefix = prefix_of(client);
	ds_list_init(&owner->link);
	ds_list_init(&owner->owns);
	ds_map_add(&s->by_prefix, &owner->node, hash_of(s, &owner->prefix));
	return owner;
}

static void count_set(struct turn_mtu_shares *s, struct turn_mtu_owner *owner, uint32_t n)
{
	owner->n = n;
	ds_list_del(&owner->link);
	ds_list_add(&s->with[n], &owner->link);
	if (n > s->most)
		s->most = n;
	// One step at most: the owner of most has one less now.
	else if (s->most > n && ds_list_is_empty(&s->with[s->most]))
		s->most = n;
}

struct turn_mtu_owner *turn_mtu_give(
	struct turn_mtu_shares *s, const struct tp_addr *client, struct ds_list *one)
{
	struct turn_mtu_owner *owner = turn_mtu_owner_of(s, client);

	if (owner == NULL)
		owner = owner_make(s, client);
	if (owner == NULL)
		return NULL;
	ds_list_add(&owner->owns, one);
	count_set(s, owner, owner->n + 1);
	return owner;
}

void turn_mtu_take(struct turn_mtu_shares *s, struct turn_mtu_owner *owner, struct ds_list *one)
{
	ds_list_del(one);
	count_set(s, owner, owner->n - 1);
	if (owner->n > 0)
		return;
	ds_list_del(&owner->link);
	ds_map_del(&s->by_prefix, &owner->node);
	ds_pool_return(&s->pool, owner->index);
}

struct ds_list *turn_mtu_of_most(const struct turn_mtu_shares *s)
{
	return DS_CONTAINER(s->with[s->most].next, struct turn_mtu_owner, link)->owns.next;
}
