// SPDX-License-Identifier: BSD-3-Clause
// Allocate (RFC 8656 7.2).
#include "request.h"

#include "alloc.h"

#define TRANSPORT_UDP 17u

// What the request asks for.
struct wish {
	uint32_t lifetime_s;
	uint8_t family;		  // that is allocated
	uint8_t requested_family; // TP_FAMILY_NONE: none was named
	bool additional;	  // the other family too, which this version declines
	bool even;		  // an even port (EVEN-PORT without a reservation)
};

static unsigned transport_check(const struct stun_message *m)
{
	uint8_t transport;

	if (!stun_get_u8(m, STUN_REQUESTED_TRANSPORT, &transport))
		return 400;
	return transport == TRANSPORT_UDP ? 0 : 442;
}

static unsigned family_check(const struct turn_request *r, struct wish *wish)
{
	const struct stun_message *m = r->m;
	uint8_t additional;

	wish->family = TP_FAMILY_IPV4;
	wish->requested_family = TP_FAMILY_NONE;
	wish->additional = stun_has(m, STUN_ADDITIONAL_ADDRESS_FAMILY);
	if (wish->additional &&
		(!stun_get_u8(m, STUN_ADDITIONAL_ADDRESS_FAMILY, &additional) ||
			additional != TP_FAMILY_IPV6 || stun_has(m, STUN_REQUESTED_ADDRESS_FAMILY)))
		return 400;
	if (stun_has(m, STUN_REQUESTED_ADDRESS_FAMILY)) {
		if (!stun_get_u8(m, STUN_REQUESTED_ADDRESS_FAMILY, &wish->family))
			return 400;
		wish->requested_family = wish->family;
	}
	return turn_ports_have_family(&r->s->ports, wish->family) ? 0 : 440;
}

static unsigned capacity_check(struct turn_request *r)
{
	const struct turn_server *s = r->s;

	if (s->draining)
		return turn_refuse(r, TURN_REFUSED_DRAINING, 508);
	if (s->conf.user_quota > 0 &&
		turn_users_allocations(&s->users, r->username) >= s->conf.user_quota)
		return turn_refuse(r, TURN_REFUSED_QUOTA, 486);
	if (s->conf.max_allocations > 0 && s->n_allocations >= s->conf.max_allocations)
		return turn_refuse(r, TURN_REFUSED_ALLOCATIONS, 508);
	return 0;
}

static unsigned wish_check(struct turn_request *r, struct wish *wish)
{
	int64_t lifetime_s;
	unsigned code;
	uint8_t bits;

	if (policy_client_is_tunnel(&r->from->remote))
		return turn_refuse(r, TURN_REFUSED_TUNNEL, 403);
	code = transport_check(r->m);
	if (code != 0)
		return code;
	lifetime_s = turn_lifetime_of(r);
	if (lifetime_s < 0)
		return 400;
	// Zero means deletion in a Refresh only.
	wish->lifetime_s = lifetime_s > 0 ? (uint32_t)lifetime_s : r->s->conf.default_lifetime_s;
	wish->even = stun_has(r->m, STUN_EVEN_PORT);
	if (wish->even && !stun_get_u8(r->m, STUN_EVEN_PORT, &bits))
		return 400;
	code = family_check(r, wish);
	if (code != 0)
		return code;
	return capacity_check(r);
}

static void success_put(
	const struct turn_request *r, const struct turn_allocation *a, struct stun_writer *w)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		struct tp_addr relayed;

		if (a->slot[i].expires_s == 0)
			continue;
		relayed = turn_slot_advertised(r->s, &a->slot[i]);
		stun_put_xor_address(w, stun_attr_table[STUN_XOR_RELAYED_ADDRESS].type, &relayed);
	}
	stun_put_u32(w, TP_ATTR_LIFETIME, a->lifetime_s);
	stun_put_xor_address(w, TP_ATTR_XOR_MAPPED_ADDRESS, &r->from->remote);
}

// RFC 8656 18.12: the additional family is not supported. The other is what the client gets.
static void address_error_put(struct stun_writer *w)
{
	static const char value[] = {TP_FAMILY_IPV6, 0, 4, 40};

	stun_put(w, stun_attr_table[STUN_ADDRESS_ERROR_CODE].type, value, sizeof(value));
}

// Into the store and the tables; everything is undone when a step fails.
static unsigned allocation_open(
	struct turn_request *r, const struct wish *wish, struct turn_allocation *a)
{
	struct turn_server *s = r->s;
	struct turn_slot *slot = &a->slot[0];
	struct turn_allocation_record rec;
	int err;

	a->client = *r->from;
	a->created_ns = r->now_ns;
	a->lifetime_s = wish->lifetime_s;
	a->requested_family = wish->requested_family;
	memcpy(a->txid, r->m->txid, sizeof(a->txid));
	if (!turn_allocation_own(s, a, r->username, r->key))
		return 508;
	if (turn_ports_take(&s->ports, &s->random, wish->family, wish->even, &slot->relay,
		    &slot->port) != 0)
		return turn_refuse(r, TURN_REFUSED_PORTS, 508);
	slot->expires_s = tp_expiry_s(r->now_ns, wish->lifetime_s);
	turn_allocation_record(s, a, &rec);
	err = s->store.allocation_add(s->store.ctx, &rec, &a->ref);
	if (err != 0) {
		turn_ports_cancel(&s->ports, slot->relay, slot->port);
		return turn_refuse(r, TURN_REFUSED_TABLES, 508);
	}
	turn_allocation_link(s, a);
	s->counters.allocations_opened++;
	turn_outs_opened(s, a);
	return 0;
}

unsigned turn_handle_allocate(struct turn_request *r, struct stun_writer *w)
{
	struct turn_server *s = r->s;
	struct turn_allocation *a;
	struct wish wish;
	unsigned code;

	if (r->retransmission) {
		s->counters.retransmissions++;
		success_put(r, r->a, w);
		if (stun_has(r->m, STUN_ADDITIONAL_ADDRESS_FAMILY))
			address_error_put(w);
		return 0;
	}
	if (r->a != NULL || turn_tombs_have(&s->tombs, r->now_s, r->from, r->m->txid))
		return 437;
	code = wish_check(r, &wish);
	if (code != 0)
		return code;
	a = turn_allocation_new(s);
	if (a == NULL)
		return 508;
	code = allocation_open(r, &wish, a);
	if (code != 0) {
		turn_allocation_free(s, a);
		return code;
	}
	success_put(r, a, w);
	if (wish.additional)
		address_error_put(w);
	return 0;
}
