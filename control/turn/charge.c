// SPDX-License-Identifier: BSD-3-Clause
// Allocations and the budgets of their users: charged, ended or capped.
#include "allocation.h"
#include "budget.h"
#include "cap.h"

bool turn_budgets_are_set(const struct turn_server *s)
{
	for (size_t i = 0; i < s->realms.n; i++) {
		if (s->realms.items[i].conf.budget.octets != 0)
			return true;
	}
	return false;
}

// Ends or caps a live allocation where the budget of its user is spent.
static void allocation_settle(
	struct turn_server *s, uint64_t now_ns, uint64_t wall_s, struct turn_allocation *a)
{
	bool spent = turn_budget_is_spent(s, a->account, wall_s);
	bool capped = spent && turn_cap_is_set(&a->account->realm->conf.budget.cap);

	if (spent && !capped) {
		turn_allocation_close(s, now_ns, a, TURN_CLOSE_BUDGET);
		return;
	}
	if (a->capped == capped && a->account->capped == capped)
		return;
	a->capped = a->account->capped = capped;
	turn_caps_change_of(s, a);
}

enum turn_charged turn_charge(struct turn_server *s, uint64_t now_ns, uint64_t wall_s, uint32_t ref,
	uint64_t octets, struct turn_budget_view *view)
{
	struct turn_allocation *a = turn_allocation_by_ref(s, ref);
	enum turn_charged charged;
	struct turn_account_key who;

	if (a == NULL)
		return TURN_CHARGED;
	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	who = turn_budget_user(a->account);
	charged = turn_budget_charge(s, wall_s, &who, octets, view);
	allocation_settle(s, now_ns, wall_s, a);
	return charged;
}

enum turn_charged turn_charge_ended(struct turn_server *s, uint64_t wall_s,
	const struct turn_allocation_record *rec, uint64_t octets, struct turn_budget_view *view)
{
	const struct turn_principal principal = {
		.realm = turn_realm_by_id(&s->realms, rec->realm_id),
		.name = {(const char *)rec->username, rec->username_len},
		.secret_id = rec->secret_id,
		.kind = (enum turn_identity_kind)rec->identity_kind,
	};
	struct turn_account_key who;

	if (principal.realm == NULL)
		return TURN_CHARGED;
	who = turn_account_key_of(&principal);
	return turn_budget_charge(s, wall_s, &who, octets, view);
}

bool turn_charge_next(const struct turn_server *s, uint32_t *cursor, unsigned *budget,
	uint32_t *ref, uint64_t *created_ns)
{
	while (*budget > 0 && *cursor < ds_pool_end(&s->allocation_pool)) {
		const struct turn_allocation *a = ds_pool_at(&s->allocation_pool, (*cursor)++);
		uint32_t n_entries = a->live ? a->n_permissions + 2 * a->n_channels : 0;

		--*budget;
		*budget -= n_entries < *budget ? n_entries : *budget;
		if (!a->live)
			continue;
		*ref = a->ref;
		*created_ns = a->created_ns;
		return true;
	}
	return false;
}
