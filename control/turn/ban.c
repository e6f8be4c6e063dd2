// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocation.h"
#include "credential.h"

// Ten years, which the boot clock's seconds hold.
#define LONGEST_S 315360000u

int turn_bans_init(struct turn_bans *b, const uint8_t map_key[16], struct ds_wheel *wheel)
{
	b->wheel = wheel;
	return ds_map_init(&b->by_name, map_key);
}

void turn_bans_fini(struct turn_bans *b)
{
	// Other timers of the wheel stand beside them.
	for (uint32_t i = 0; b->slots != NULL && i < TURN_BANS_MAX; i++) {
		if (b->slots[i].ban.kind != TURN_BAN_NONE)
			ds_wheel_stop(b->wheel, &b->slots[i].timer);
	}
	ds_map_fini(&b->by_name);
	free(b->slots);
	*b = (struct turn_bans){0};
}

static uint64_t name_hash(const struct turn_bans *b, enum turn_ban_kind kind, uint16_t realm_id,
	struct stun_text name)
{
	return ds_map_hash(&b->by_name, name.chars, name.len) ^ (uint64_t)realm_id << 8 ^ kind;
}

static struct turn_ban_slot *name_find(const struct turn_bans *b, enum turn_ban_kind kind,
	uint16_t realm_id, struct stun_text name)
{
	struct ds_map_node *n = ds_map_first(&b->by_name, name_hash(b, kind, realm_id, name));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_ban_slot *slot = DS_CONTAINER(n, struct turn_ban_slot, node);
		struct stun_text other = {slot->ban.name, slot->ban.name_len};

		if (slot->ban.kind == kind && slot->ban.realm_id == realm_id &&
			turn_text_equal(other, name))
			return slot;
	}
	return NULL;
}

static bool cidr_equal(const struct text_cidr *a, const struct text_cidr *b)
{
	return a->prefix_len == b->prefix_len && tp_addr_same_ip(&a->ip, &b->ip);
}

static struct turn_ban_slot *ban_find(const struct turn_bans *b, const struct turn_ban *ban)
{
	struct stun_text name = {ban->name, ban->name_len};

	if (b->n == 0)
		return NULL;
	if (ban->kind != TURN_BAN_PREFIX)
		return name_find(b, ban->kind, ban->realm_id, name);
	for (uint32_t i = 0; i < b->n_prefixes; i++) {
		struct turn_ban_slot *slot = &b->slots[b->prefixes[i]];

		if (cidr_equal(&slot->ban.prefix, &ban->prefix))
			return slot;
	}
	return NULL;
}

static uint32_t slot_index(const struct turn_bans *b, const struct turn_ban_slot *slot)
{
	return (uint32_t)(slot - b->slots);
}

static struct turn_ban_slot *slot_take(struct turn_bans *b, uint32_t wanted)
{
	if (b->slots == NULL)
		b->slots = calloc(TURN_BANS_MAX, sizeof(*b->slots));
	if (b->slots == NULL)
		return NULL;
	if (wanted < TURN_BANS_MAX && b->slots[wanted].ban.kind == TURN_BAN_NONE)
		return &b->slots[wanted];
	for (uint32_t i = 0; i < TURN_BANS_MAX; i++) {
		if (b->slots[i].ban.kind == TURN_BAN_NONE)
			return &b->slots[i];
	}
	return NULL;
}

static void slot_free(struct turn_bans *b, struct turn_ban_slot *slot)
{
	ds_wheel_stop(b->wheel, &slot->timer);
	if (slot->ban.kind != TURN_BAN_PREFIX) {
		ds_map_del(&b->by_name, &slot->node);
	} else {
		uint32_t i = 0;

		while (b->prefixes[i] != slot_index(b, slot))
			i++;
		b->prefixes[i] = b->prefixes[--b->n_prefixes];
	}
	slot->ban.kind = TURN_BAN_NONE;
	b->n--;
}

static int slot_fill(struct turn_bans *b, struct turn_ban_slot *slot, const struct turn_ban *ban)
{
	struct stun_text name = {ban->name, ban->name_len};

	if (ban->kind == TURN_BAN_PREFIX) {
		if (b->n_prefixes == TURN_BAN_PREFIXES_MAX)
			return -ENOSPC;
		b->prefixes[b->n_prefixes++] = (uint16_t)slot_index(b, slot);
	} else {
		ds_map_add(&b->by_name, &slot->node, name_hash(b, ban->kind, ban->realm_id, name));
	}
	slot->bans = b;
	slot->ban = *ban;
	ds_timer_init(&slot->timer, TURN_TIMER_BAN);
	b->n++;
	return 0;
}

static bool ban_is_sane(const struct turn_server *s, const struct turn_ban *ban)
{
	if (ban->kind == TURN_BAN_PREFIX)
		return ban->prefix.ip.family == TP_FAMILY_IPV4 ||
		       ban->prefix.ip.family == TP_FAMILY_IPV6;
	return (ban->kind == TURN_BAN_USER || ban->kind == TURN_BAN_CREDENTIAL) &&
	       ban->name_len > 0 && ban->name_len <= TURN_USERNAME_MAX &&
	       turn_realm_by_id(&s->realms, ban->realm_id) != NULL;
}

int turn_ban_add(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_ban *ban, uint32_t *index)
{
	struct turn_bans *b = &s->bans;
	struct turn_ban_slot *slot;
	uint64_t left_s;
	int err;

	if (!ban_is_sane(s, ban) || ban->until_s <= wall_s)
		return -EINVAL;
	slot = ban_find(b, ban);
	if (slot == NULL) {
		slot = slot_take(b, *index);
		err = slot != NULL ? slot_fill(b, slot, ban) : -ENOSPC;
		if (err != 0)
			return err;
	}
	slot->ban.until_s = ban->until_s;
	left_s = ban->until_s - wall_s;
	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	ds_wheel_set(&s->wheel, &slot->timer,
		tp_expiry_s(now_ns, left_s < LONGEST_S ? (uint32_t)left_s : LONGEST_S));
	*index = slot_index(b, slot);
	s->sweep = (struct turn_sweep){.under_way = true};
	return 0;
}

int turn_ban_remove(struct turn_server *s, const struct turn_ban *ban, uint32_t *index)
{
	struct turn_ban_slot *slot = ban_find(&s->bans, ban);

	if (slot == NULL)
		return -ENOENT;
	*index = slot_index(&s->bans, slot);
	slot_free(&s->bans, slot);
	return 0;
}

void turn_ban_expire(struct turn_ban_slot *slot)
{
	slot_free(slot->bans, slot);
}

bool turn_ban_next(const struct turn_server *s, uint32_t *cursor, struct turn_ban *ban)
{
	while (s->bans.slots != NULL && *cursor < TURN_BANS_MAX) {
		const struct turn_ban_slot *slot = &s->bans.slots[(*cursor)++];

		if (slot->ban.kind == TURN_BAN_NONE)
			continue;
		*ban = slot->ban;
		return true;
	}
	return false;
}

// The part of a user's name by which people know the user.
static struct stun_text user_name(const struct turn_principal *p)
{
	struct stun_text name;
	uint64_t expiry_s;

	if (p->kind == TURN_IDENTITY_REST &&
		turn_credential_parse(p->name, turn_separator(&p->realm->conf), &expiry_s, &name) &&
		name.len > 0)
		return name;
	return p->name;
}

// A token is named by its key id and number.
static struct stun_text credential_name(const struct turn_principal *p, char buf[TURN_USERNAME_MAX])
{
	int n;

	if (p->kind != TURN_IDENTITY_TOKEN)
		return p->name;
	n = snprintf(
		buf, TURN_USERNAME_MAX, "%.*s#%08x", (int)p->name.len, p->name.chars, p->secret_id);
	return (struct stun_text){
		buf, n < (int)TURN_USERNAME_MAX ? (size_t)n : TURN_USERNAME_MAX - 1};
}

int turn_ban_of_credential(
	const struct turn_server *s, uint32_t ref, uint64_t wall_s, struct turn_ban *ban)
{
	const struct turn_allocation *a = turn_allocation_by_ref(s, ref);
	char buf[TURN_USERNAME_MAX];
	struct turn_principal p;
	struct stun_text name;

	if (a == NULL || a->user->expires_s <= wall_s)
		return -ENOENT;
	p = turn_identity_principal(a->user);
	name = credential_name(&p, buf);
	*ban = (struct turn_ban){
		.kind = TURN_BAN_CREDENTIAL,
		.realm_id = p.realm->conf.id,
		.name_len = (uint16_t)name.len,
		.until_s = p.expires_s,
	};
	memcpy(ban->name, name.chars, name.len);
	return 0;
}

bool turn_bans_hold_user(const struct turn_bans *b, const struct turn_principal *p)
{
	uint16_t realm_id = p->realm->conf.id;
	char buf[TURN_USERNAME_MAX];

	if (b->n == b->n_prefixes)
		return false;
	return name_find(b, TURN_BAN_CREDENTIAL, realm_id, credential_name(p, buf)) != NULL ||
	       name_find(b, TURN_BAN_USER, realm_id, user_name(p)) != NULL;
}

bool turn_bans_hold_client(const struct turn_bans *b, const struct tp_addr *client)
{
	for (uint32_t i = 0; i < b->n_prefixes; i++) {
		if (text_cidr_contains(&b->slots[b->prefixes[i]].ban.prefix, client))
			return true;
	}
	return false;
}

bool turn_bans_hold(const struct turn_bans *b, const struct turn_allocation *a)
{
	struct turn_principal p;

	if (b->n == 0)
		return false;
	p = turn_identity_principal(a->user);
	return turn_bans_hold_user(b, &p) || turn_bans_hold_client(b, &a->client.remote);
}
