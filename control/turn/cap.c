// SPDX-License-Identifier: BSD-3-Clause
#include "cap.h"

#include "data.h"

// Gives the slot its rates, or gives it back when it is not `needed`. Without room there is
// no limit: the store has room for all.
static void limit_settle(
	struct turn_server *s, uint32_t *number, const struct turn_limit *limit, bool needed)
{
	const struct turn_store *store = &s->store;

	if (needed && *number == 0)
		*number = store->limit_add(store->ctx, limit);
	else if (needed)
		store->limit_set(store->ctx, *number, limit);
	else if (*number != 0)
		store->limit_del(store->ctx, *number);
	if (!needed)
		*number = 0;
}

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

	limit_settle(s, &s->all_limit, &limit, turn_cap_is_set(&limit.cap));
}

static void realm_settle(struct turn_server *s, struct turn_realm *realm)
{
	const struct turn_limit limit = {
		.cap = realm->conf.realm_cap,
		.parent = s->all_limit,
		.sessions = (uint32_t)realm->n_allocations,
		.realm_id = realm->conf.id,
		.kind = TP_LIMIT_REALM,
	};

	limit_settle(s, &realm->limit, &limit, turn_cap_is_set(&limit.cap));
}

// The narrowest of the limits wider than a user's.
static uint32_t realm_limit(const struct turn_server *s, const struct turn_realm *realm)
{
	return realm->limit != 0 ? realm->limit : s->all_limit;
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

	limit_settle(
		s, &account->limit, &limit, account->n_sessions > 0 && turn_cap_is_set(&limit.cap));
}

static void allocation_settle(struct turn_server *s, struct turn_allocation *a)
{
	const struct turn_realm *realm = a->account->realm;
	const struct turn_limit limit = {
		.cap = realm->conf.allocation_cap,
		.parent = a->account->limit != 0 ? a->account->limit : realm_limit(s, realm),
		.sessions = 1,
		.realm_id = realm->conf.id,
		.kind = TP_LIMIT_ALLOCATION,
	};

	limit_settle(s, &a->limit, &limit, turn_cap_is_set(&limit.cap) || limit.parent != 0);
	s->store.allocation_limit(s->store.ctx, a->ref, a->limit);
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

void turn_caps_open(struct turn_server *s, struct turn_allocation *a)
{
	if (!store_has_limits(s))
		return;
	a->account->n_sessions++;
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
	turn_caps_change_of(s, a);
	// Last: until here the allocation's limit was below its.
	account_settle(s, old);
}

void turn_caps_close(struct turn_server *s, struct turn_allocation *a)
{
	static const struct turn_limit none = {.kind = TP_LIMIT_FREE};

	if (!store_has_limits(s))
		return;
	limit_settle(s, &a->limit, &none, false);
	a->account->n_sessions--;
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

static void cap_put(struct tp_session_cap **next, uint32_t number, const struct turn_cap *cap)
{
	if (number == 0 || cap->bits_per_s == 0)
		return;
	**next = (struct tp_session_cap){
		.bits_per_s = cap->bits_per_s, .burst_bits = cap->burst_bits, .id = number};
	++*next;
}

void turn_caps_list(const struct turn_server *s, const struct turn_allocation *a,
	struct tp_session_cap caps[TP_SESSION_CAPS_MAX])
{
	const struct turn_realm *realm = a->account->realm;
	const struct turn_cap user = turn_account_cap(a->account);
	struct tp_session_cap *next = caps;

	memset(caps, 0, TP_SESSION_CAPS_MAX * sizeof(*caps));
	cap_put(&next, a->limit, &realm->conf.allocation_cap);
	cap_put(&next, a->account->limit, &user);
	cap_put(&next, realm->limit, &realm->conf.realm_cap);
	cap_put(&next, s->all_limit, &s->conf.all_cap);
}
