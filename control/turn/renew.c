// SPDX-License-Identifier: BSD-3-Clause
// A Refresh with a token of its own (RFC 7635): the client was given a new one, with another MAC
// key and perhaps under another key of the authorization server. The nonce shows that it is at the
// allocation's 5-tuple; from then on the allocation is the new token's.
#include "allocation.h"

#include <openssl/crypto.h>

#include "cap.h"
#include "renew.h"

bool turn_token_renews(const struct turn_request *r)
{
	// A ticket comes from another 5-tuple: there the user must be the same.
	return r->m->method == STUN_REFRESH && r->owned != NULL && r->moved == NULL &&
	       r->owned->user->kind == TURN_IDENTITY_TOKEN && r->owned->user->realm == r->realm &&
	       stun_has(r->m, STUN_ACCESS_TOKEN);
}

static void account_change(
	struct turn_server *s, struct turn_allocation *a, struct turn_account *account)
{
	struct turn_account *old = a->account;
	int n = turn_entries_times(a, turn_allocation_entries(a));

	turn_entries_count(s, old, -n);
	turn_entries_count(s, account, n);
	for (unsigned i = 0; i < a->n_counted; i++) {
		turn_account_close(old);
		turn_account_open(account);
	}
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s == 0)
			continue;
		turn_ports_count(&s->ports, old, a->slot[i].relay, -1);
		turn_ports_count(&s->ports, account, a->slot[i].relay, 1);
	}
	old->n_data -= a->n_data;
	account->n_data += a->n_data;
	a->account = account;
	turn_account_hold(account);
	turn_caps_move(s, a, old);
	turn_account_return(&s->accounts, old);
}

// In the store, then here.
static unsigned user_change(struct turn_request *r, struct turn_identity *user)
{
	struct turn_identity *old = r->a->user;
	struct turn_allocation_record rec;
	int rc;

	r->a->user = user;
	turn_allocation_record(r->s, r->a, &rec);
	rc = r->s->store.allocation_own(r->s->store.ctx, r->a->ref, &rec);
	OPENSSL_cleanse(rec.key, sizeof(rec.key));
	if (rc < 0) {
		r->a->user = old;
		return 508;
	}
	turn_secret_return(old->realm, old->secret_id);
	turn_secret_hold(user->realm, user->secret_id);
	turn_identity_return(&r->s->identities, old);
	r->s->counters.tokens_renewed++;
	return 0;
}

static unsigned owner_change(
	struct turn_request *r, struct turn_identity *user, struct turn_account *account)
{
	struct turn_allocation *a = r->a;
	unsigned code;

	if (user == NULL || account == NULL)
		return 508;
	if (account != a->account && !turn_account_may_open(account, a->n_counted))
		return 486;
	code = user_change(r, user);
	if (code == 0 && account != a->account)
		account_change(r->s, a, account);
	return code;
}

unsigned turn_token_renew(struct turn_request *r)
{
	struct turn_server *s = r->s;
	struct turn_identity *user, *was = r->a->user;
	struct turn_account *account;
	unsigned code = 0;

	if (!turn_token_renews(r) || r->principal.kind != TURN_IDENTITY_TOKEN)
		return 0;
	user = turn_identity_take(&s->identities, &r->principal, &r->key);
	account = turn_account_take(&s->accounts, &r->principal);
	if (user != was)
		code = owner_change(r, user, account);
	// The allocation has a reference of its own to each that it took.
	if (user != NULL && (user == was || code != 0))
		turn_identity_return(&s->identities, user);
	if (account != NULL)
		turn_account_return(&s->accounts, account);
	return code;
}
