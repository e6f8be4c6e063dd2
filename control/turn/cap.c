// SPDX-License-Identifier: BSD-3-Clause
#include "cap.h"

#include "data.h"

static bool store_has_limits(const struct turn_server *s)
{
	return s->store.limit_add != NULL;
}

static void all_settle(struct turn_server *s)
{
	const struct turn_limit limit = {
		.cap = s->conf.all_cap,
		.sessions = (uint32_t)s->n_allocations,
		.kind = TP_LIMIT_ALL,
	};

	turn_level_settle(s, &s->all_level, &limit, turn_cap_is_set(&limit.cap));
}

static void realm_settle(struct turn_server *s, struct turn_realm *realm)
{
	const struct turn_limit limit = {
		.cap = realm->conf.realm_cap,
		.parent = s->all_level.limit,
		.sessions = (uint32_t)realm->n_allocations,
		.realm_id = realm->conf.id,
		.kind = TP_LIMIT_REALM,
	};

	turn_level_settle(s, &realm->level, &limit, turn_cap_is_set(&limit.cap));
}

// The narrowest of the limits wider than a user's.
static uint32_t realm_limit(const struct turn_server *s, const struct turn_realm *realm)
{
	return realm->level.limit != 0 ? realm->level.limit : s->all_level.limit;
}

struct turn_cap turn_account_cap(const struct turn_account *account)
{
	const struct turn_realm_conf *conf = &account->realm->conf;
	struct turn_cap cap = conf->user_cap;

	// Of a budget that a reload has taken away nothing stays.
	if (account->capped && conf->budget.octets != 0 && turn_cap_is_set(&conf->budget.cap) &&
		(cap.bits_per_s == 0 || cap.bits_per_s > conf->budget.cap.bits_per_s)) {
		cap.bits_per_s = conf->budget.cap.bits_per_s;
		cap.burst_bits = conf->budget.cap.burst_bits;
	}
	return cap;
}

static void account_settle(struct turn_server *s, struct turn_account *account)
{
	const struct turn_limit limit = {
		.cap = turn_account_cap(account),
		.parent = realm_limit(s, account->realm),
		.sessions = account->n_sessions,
		.realm_id = account->realm->conf.id,
		.kind = TP_LIMIT_USER,
	};

	turn_level_settle(
		s, &account->level, &limit, account->n_sessions > 0 && turn_cap_is_set(&limit.cap));
}

static void allocation_settle(struct turn_server *s, struct turn_allocation *a)
{
	const struct turn_realm *realm = a->account->realm;
	const struct turn_limit limit = {
		.cap = realm->conf.allocation_cap,
		.parent = a->account->level.limit != 0 ? a->account->level.limit
						       : realm_limit(s, realm),
		.sessions = 1,
		.realm_id = realm->conf.id,
		.kind = TP_LIMIT_ALLOCATION,
	};

	turn_limit_settle(s, &a->limit, &limit, turn_cap_is_set(&limit.cap) || limit.parent != 0);
	// Without a slot of its own it has no share, but wider caps hold.
	s->store.allocation_limit(s->store.ctx, a->ref, a->limit != 0 ? a->limit : limit.parent);
}

static void both_settle(struct turn_server *s, struct turn_allocation *a)
{
	account_settle(s, a->account);
	allocation_settle(s, a);
}

void turn_caps_change_of(struct turn_server *s, struct turn_allocation *a)
{
	if (!store_has_limits(s))
		return;
	both_settle(s, a);
	if (a->is_tcp)
		turn_data_listen(s, a);
}

// Of those that are below the same caps.
static void streams_count(struct turn_server *s, const struct turn_allocation *a, int n)
{
	if (!a->is_tcp)
		return;
	a->account->level.n_streams += (uint32_t)n;
	a->account->realm->level.n_streams += (uint32_t)n;
	s->all_level.n_streams += (uint32_t)n;
}

void turn_caps_open(struct turn_server *s, struct turn_allocation *a)
{
	if (!store_has_limits(s))
		return;
	a->account->n_sessions++;
	streams_count(s, a, 1);
	all_settle(s);
	realm_settle(s, a->account->realm);
	both_settle(s, a);
}

void turn_caps_move(struct turn_server *s, struct turn_allocation *a, struct turn_account *old)
{
	if (!store_has_limits(s))
		return;
	old->n_sessions--;
	a->account->n_sessions++;
	old->level.n_streams -= a->is_tcp;
	a->account->level.n_streams += a->is_tcp;
	turn_caps_change_of(s, a);
	// Last: until here the allocation's limit was below its.
	account_settle(s, old);
}

void turn_caps_close(struct turn_server *s, struct turn_allocation *a)
{
	static const struct turn_limit none = {.kind = TP_LIMIT_FREE};

	if (!store_has_limits(s))
		return;
	turn_limit_settle(s, &a->limit, &none, false);
	a->account->n_sessions--;
	streams_count(s, a, -1);
	account_settle(s, a->account);
}

void turn_caps_closed(struct turn_server *s, struct turn_realm *realm)
{
	if (!store_has_limits(s))
		return;
	all_settle(s);
	realm_settle(s, realm);
}

void turn_caps_change(struct turn_server *s)
{
	if (!store_has_limits(s))
		return;
	all_settle(s);
	for (size_t i = 0; i < s->realms.n; i++)
		realm_settle(s, &s->realms.items[i]);
}

// ---- data connections ---------------------------------------------------------------------------

static void cap_put(struct tp_session_cap **next, struct tp_session_cap cap)
{
	if (cap.id != 0)
		*(*next)++ = cap;
}

void turn_caps_list(const struct turn_server *s, const struct turn_allocation *a,
	struct tp_session_cap caps[TP_SESSION_CAPS_MAX])
{
	const struct turn_realm *realm = a->account->realm;
	const struct turn_level own = {.limit = a->limit};
	const struct turn_cap user = turn_account_cap(a->account);
	struct tp_session_cap *next = caps;

	memset(caps, 0, TP_SESSION_CAPS_MAX * sizeof(*caps));
	cap_put(&next, turn_level_cap(&own, &realm->conf.allocation_cap));
	cap_put(&next, turn_level_cap(&a->account->level, &user));
	cap_put(&next, turn_level_cap(&realm->level, &realm->conf.realm_cap));
	cap_put(&next, turn_level_cap(&s->all_level, &s->conf.all_cap));
}
