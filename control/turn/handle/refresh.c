// SPDX-License-Identifier: BSD-3-Clause
// Refresh (RFC 8656 8.2).
#include "request.h"

#include "allocation.h"
#include "mobility.h"
#include "renew.h"

// An allocation that ends with its credential gets no more than the rest of it.
static uint32_t lifetime_cap(const struct turn_request *r, uint32_t lifetime_s)
{
	const struct turn_principal *p = &r->principal;
	uint64_t left_s = p->expires_s > r->wall_s ? p->expires_s - r->wall_s : 0;

	if (!turn_principal_ends(p) || left_s >= lifetime_s)
		return lifetime_s;
	return left_s > 0 ? (uint32_t)left_s : 1;
}

int64_t turn_lifetime_of(const struct turn_request *r)
{
	const struct turn_conf *conf = &r->s->conf;
	uint32_t asked_s;

	if (!stun_has(r->m, STUN_LIFETIME))
		return lifetime_cap(r, conf->default_lifetime_s);
	if (!stun_get_u32(r->m, STUN_LIFETIME, &asked_s))
		return -1;
	// Zero means deletion in a Refresh only.
	if (asked_s == 0 && r->m->method != STUN_ALLOCATE)
		return 0;
	if (asked_s > conf->max_lifetime_s)
		asked_s = conf->max_lifetime_s;
	return lifetime_cap(
		r, asked_s > conf->default_lifetime_s ? asked_s : conf->default_lifetime_s);
}

unsigned turn_handle_refresh(struct turn_request *r, struct stun_writer *w)
{
	int64_t lifetime_s = turn_lifetime_of(r);
	uint8_t family = TP_FAMILY_NONE;
	unsigned code;

	if (lifetime_s < 0 || stun_is_malformed(r->m, STUN_REQUESTED_ADDRESS_FAMILY))
		return 400;
	if (stun_get_u8(r->m, STUN_REQUESTED_ADDRESS_FAMILY, &family) &&
		(family == TP_FAMILY_NONE || !turn_allocation_has_family(r->s, r->a, family)))
		return 443;
	if (lifetime_s > 0) {
		code = turn_token_renew(r);
		if (code == 0 && r->moved != NULL)
			code = turn_mobility_move(r);
		if (code != 0)
			return code;
	}
	stun_put_u32(w, TP_ATTR_LIFETIME, (uint32_t)lifetime_s);
	if (lifetime_s == 0) {
		turn_allocation_end_family(r->s, r->now_ns, r->a, family, TURN_CLOSE_REFRESH);
		return 0;
	}
	turn_allocation_extend(r->s, r->a, family, tp_expiry_s(r->now_ns, (uint32_t)lifetime_s));
	if (r->moved != NULL)
		turn_mobility_put(r, w);
	return 0;
}
