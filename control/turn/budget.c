// SPDX-License-Identifier: BSD-3-Clause
#include "budget.h"

#include <errno.h>
#include <stdlib.h>

#include "state.h"

#define NEAR_OF_N 10u // so many tenths less one are near the end

// ---- places -------------------------------------------------------------------------------------

int turn_budgets_init(struct turn_budgets *b, const uint8_t map_key[16])
{
	return ds_map_init(&b->by_user, map_key);
}

void turn_budgets_fini(struct turn_budgets *b)
{
	for (uint32_t i = 0; i < b->end; i++)
		free(b->places[i]);
	free(b->places);
	ds_map_fini(&b->by_user);
	*b = (struct turn_budgets){.places = NULL};
}

// ---- free places whose record is still on disk

static bool is_stale(const struct turn_budgets *b, uint32_t index)
{
	return (b->stale[index / 8] & 1u << index % 8) != 0;
}

static void stale_set(struct turn_budgets *b, uint32_t index, bool stale)
{
	uint8_t bit = (uint8_t)(1u << index % 8);

	b->stale[index / 8] =
		(uint8_t)(stale ? b->stale[index / 8] | bit : b->stale[index / 8] & ~bit);
}

static uint64_t who_hash(const struct turn_budgets *b, const struct turn_account_key *who)
{
	return turn_name_hash(&b->by_user, who->realm, who->kind, who->name) ^
	       (uint64_t)who->secret_id << 32;
}

static struct turn_budget *budget_find(
	const struct turn_budgets *b, const struct turn_account_key *who)
{
	struct ds_map_node *n = ds_map_first(&b->by_user, who_hash(b, who));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_budget *u = DS_CONTAINER(n, struct turn_budget, node);

		if (u->realm == who->realm && u->kind == who->kind &&
			u->secret_id == who->secret_id &&
			turn_text_equal(who->name, (struct stun_text){u->name, u->name_len}))
			return u;
	}
	return NULL;
}

static bool room_make(struct turn_budgets *b, uint32_t index)
{
	uint32_t room = b->room > 0 ? b->room : 64;
	struct turn_budget **places;

	while (room <= index)
		room *= 2;
	if (room == b->room)
		return true;
	places = realloc(b->places, room * sizeof(*places));
	if (places == NULL)
		return false;
	memset(places + b->room, 0, (room - b->room) * sizeof(*places));
	b->places = places;
	b->room = room;
	return true;
}

static uint32_t place_free(struct turn_budgets *b)
{
	uint32_t i = b->first;

	while (i < b->end && b->places[i] != NULL)
		i++;
	b->first = i;
	return i;
}

static struct turn_budget *budget_put(
	struct turn_budgets *b, uint32_t index, const struct turn_account_key *who, int *err)
{
	struct turn_budget *u;

	*err = -ENOSPC;
	if (index >= TURN_BUDGETS_MAX)
		return NULL;
	*err = -ENOMEM;
	if (!room_make(b, index))
		return NULL;
	u = calloc(1, sizeof(*u) + who->name.len);
	if (u == NULL)
		return NULL;
	u->realm = who->realm;
	u->secret_id = who->secret_id;
	u->kind = who->kind;
	u->name_len = (uint16_t)who->name.len;
	memcpy(u->name, who->name.chars, who->name.len);
	ds_map_add(&b->by_user, &u->node, who_hash(b, who));
	if (index >= b->end)
		b->end = index + 1;
	b->places[index] = u;
	stale_set(b, index, false);
	return u;
}

static void place_give(struct turn_budgets *b, uint32_t index)
{
	ds_map_del(&b->by_user, &b->places[index]->node);
	free(b->places[index]);
	b->places[index] = NULL;
	if (index < b->first)
		b->first = index;
}

// ---- counting -----------------------------------------------------------------------------------

static uint64_t octets_at(
	const struct turn_budget *u, const struct turn_budget_conf *conf, uint64_t wall_s)
{
	uint64_t since_s = turn_budget_since_s(conf, wall_s);
	bool over = u->since_s < since_s ||
		    (u->since_s > since_s && u->early_until_s != 0 && wall_s >= u->early_until_s);

	return over ? 0 : u->octets;
}

// The period of the clock, where the count's is over; or the end of the count whose begin is ahead.
static void period_settle(
	struct turn_budget *u, const struct turn_budget_conf *conf, uint64_t wall_s)
{
	uint64_t since_s = turn_budget_since_s(conf, wall_s);
	uint64_t until_s = turn_budget_until_s(conf, wall_s), early_until_s = 0;

	if (octets_at(u, conf, wall_s) == 0) {
		u->octets = 0;
		u->since_s = since_s;
	} else if (u->since_s > since_s) {
		early_until_s = u->early_until_s == 0 || u->early_until_s > until_s
					? until_s
					: u->early_until_s;
	}
	u->changed |= early_until_s != u->early_until_s;
	u->early_until_s = early_until_s;
}

static void view_make(const struct turn_budget *u, uint64_t wall_s, struct turn_budget_view *view)
{
	const struct turn_budget_conf *conf = &u->realm->conf.budget;
	uint64_t since_s = turn_budget_since_s(conf, wall_s);

	view->record = (struct turn_budget_record){
		.octets = octets_at(u, conf, wall_s),
		.since_s = since_s > u->since_s ? since_s : u->since_s,
		.early_until_s = u->early_until_s,
		.secret_id = u->secret_id,
		.realm_id = u->realm->conf.id,
		.kind = (uint8_t)u->kind,
		.name_len = u->name_len,
	};
	memcpy(view->record.name, u->name, u->name_len);
	view->limit = conf->octets;
	view->until_s = turn_budget_until_s(conf, wall_s);
}

static bool passes(uint64_t before, uint64_t after, uint64_t mark)
{
	return before < mark && after >= mark;
}

enum turn_charged turn_budget_charge(struct turn_server *s, uint64_t wall_s,
	const struct turn_account_key *who, uint64_t octets, struct turn_budget_view *view)
{
	const struct turn_budget_conf *conf = &who->realm->conf.budget;
	struct turn_budget *u;
	uint64_t before;
	int err;

	if (conf->octets == 0 || octets == 0)
		return TURN_CHARGED;
	u = budget_find(&s->budgets, who);
	if (u == NULL)
		u = budget_put(&s->budgets, place_free(&s->budgets), who, &err);
	if (u == NULL)
		return TURN_CHARGED_FULL;
	period_settle(u, conf, wall_s);
	before = u->octets;
	u->octets = octets < UINT64_MAX - before ? before + octets : UINT64_MAX;
	u->changed = true;
	view_make(u, wall_s, view);
	if (passes(before, u->octets, conf->octets))
		return TURN_CHARGED_SPENT;
	return passes(before, u->octets, conf->octets - conf->octets / NEAR_OF_N)
		       ? TURN_CHARGED_NEAR
		       : TURN_CHARGED;
}

struct turn_account_key turn_budget_user(const struct turn_account *account)
{
	return (struct turn_account_key){
		.realm = account->realm,
		.name = {account->name, account->name_len},
		.secret_id = account->secret_id,
		.kind = account->kind,
	};
}

bool turn_budget_is_spent(
	const struct turn_server *s, const struct turn_account *account, uint64_t wall_s)
{
	const struct turn_budget_conf *conf = &account->realm->conf.budget;
	const struct turn_account_key who = turn_budget_user(account);
	const struct turn_budget *u;

	if (conf->octets == 0)
		return false;
	u = budget_find(&s->budgets, &who);
	return u != NULL && octets_at(u, conf, wall_s) >= conf->octets;
}

// ---- the file -----------------------------------------------------------------------------------

int turn_budget_restore(struct turn_server *s, uint32_t index, const struct turn_budget_record *rec)
{
	struct turn_budgets *b = &s->budgets;
	const struct turn_account_key who = {
		.realm = turn_realm_by_id(&s->realms, rec->realm_id),
		.name = {rec->name, rec->name_len},
		.secret_id = rec->secret_id,
		.kind = (enum turn_identity_kind)rec->kind,
	};
	struct turn_budget *u;
	int err = 0;

	if (who.realm == NULL || rec->name_len > TURN_USERNAME_MAX ||
		rec->kind <= TURN_IDENTITY_UNKNOWN || rec->kind > TURN_IDENTITY_TOKEN ||
		(index < b->end && b->places[index] != NULL))
		return -EINVAL;
	// An old record that could not be cleared: the later period counts.
	u = budget_find(b, &who);
	if (u != NULL && u->since_s >= rec->since_s)
		return 0;
	if (u == NULL)
		u = budget_put(b, index, &who, &err);
	if (u == NULL)
		return err;
	u->changed = true;
	u->octets = rec->octets;
	u->since_s = rec->since_s;
	u->early_until_s = rec->early_until_s;
	return 0;
}

// Nothing is known of the user that counts.
static bool is_over(const struct turn_budget *u, uint64_t wall_s)
{
	return octets_at(u, &u->realm->conf.budget, wall_s) == 0;
}

bool turn_budget_changed(struct turn_server *s, uint64_t wall_s, uint32_t *cursor, unsigned *budget,
	uint32_t *index, struct turn_budget_record *rec)
{
	struct turn_budgets *b = &s->budgets;
	struct turn_budget_view view;

	while (*budget > 0 && b->end > *cursor) {
		struct turn_budget *u = b->places[*cursor];
		bool over = u != NULL && is_over(u, wall_s);

		--*budget;
		*index = (*cursor)++;
		if (u != NULL && !over)
			period_settle(u, &u->realm->conf.budget, wall_s);
		if (u != NULL ? !u->changed && !over : !is_stale(b, *index))
			continue;
		if (u == NULL || over) {
			if (over)
				place_give(b, *index);
			stale_set(b, *index, false);
			*rec = (struct turn_budget_record){.name_len = 0};
			return true;
		}
		view_make(u, wall_s, &view);
		*rec = view.record;
		u->changed = false;
		return true;
	}
	return false;
}

void turn_budget_not_written(struct turn_server *s, uint32_t index)
{
	struct turn_budgets *b = &s->budgets;

	if (index >= b->end)
		return;
	if (b->places[index] != NULL)
		b->places[index]->changed = true;
	else
		stale_set(b, index, true);
}

// ---- the operator's view ------------------------------------------------------------------------

bool turn_budget_next(const struct turn_server *s, uint64_t wall_s, uint32_t *cursor,
	struct turn_budget_view *view)
{
	const struct turn_budgets *b = &s->budgets;

	while (*cursor < b->end) {
		const struct turn_budget *u = b->places[(*cursor)++];

		if (u == NULL || is_over(u, wall_s))
			continue;
		view_make(u, wall_s, view);
		return true;
	}
	return false;
}

bool turn_budget_reset(struct turn_server *s, uint16_t realm_id, const char *name, size_t len,
	uint32_t *cursor, uint32_t *index)
{
	struct turn_budgets *b = &s->budgets;

	while (*cursor < b->end) {
		const struct turn_budget *u = b->places[*cursor];

		*index = (*cursor)++;
		if (u == NULL || u->octets == 0 || u->realm->conf.id != realm_id ||
			!turn_text_equal((struct stun_text){name, len},
				(struct stun_text){u->name, u->name_len}))
			continue;
		place_give(b, *index);
		return true;
	}
	return false;
}
