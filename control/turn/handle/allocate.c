// SPDX-License-Identifier: BSD-3-Clause
// Allocate (RFC 8656 7.2).
#include "request.h"

#include "allocation.h"
#include "data.h"
#include "mobility.h"
#include "reservation.h"

#include <errno.h>

#define TRANSPORT_UDP	  17u
#define TRANSPORT_TCP	  6u
#define EVEN_PORT_RESERVE 0x80u // RFC 8656 18.7: the R bit

// The wishes of the request.
struct wish {
	uint32_t lifetime_s;
	uint8_t family;		  // that is allocated
	uint8_t additional;	  // that is allocated too, TP_FAMILY_NONE: no other
	uint8_t requested_family; // TP_FAMILY_NONE: none was named
	uint8_t flags;		  // TURN_RECORD_DECLINED_*
	enum turn_port_kind kind;
	bool is_tcp;			   // RFC 6062
	bool mobile;			   // RFC 8016
	struct turn_reservation *reserved; // that the request's token names; NULL: no token
};

// RFC 6062 5.1: of a client of TCP or TLS, for one port, with nothing that is about datagrams.
static unsigned tcp_check(struct turn_request *r, struct wish *wish)
{
	static const enum stun_attr senseless[] = {
		STUN_EVEN_PORT, STUN_RESERVATION_TOKEN, STUN_DONT_FRAGMENT};
	const struct turn_listener *l = turn_locals_listener(&r->s->locals, r->from->listener_id);

	if (!r->s->conf.tcp_relay)
		return 442;
	if (l->transport != TP_TRANSPORT_TCP && l->transport != TP_TRANSPORT_TLS)
		return 400;
	for (size_t i = 0; i < TP_ARRAY_LEN(senseless); i++) {
		if (stun_has(r->m, senseless[i]))
			return 400;
	}
	wish->is_tcp = true;
	return 0;
}

static unsigned transport_check(struct turn_request *r, struct wish *wish)
{
	uint8_t transport;

	if (!stun_get_u8(r->m, STUN_REQUESTED_TRANSPORT, &transport))
		return 400;
	if (transport == TRANSPORT_TCP)
		return tcp_check(r, wish);
	return transport == TRANSPORT_UDP ? 0 : 442;
}

// Clients of coturn's library use the numbers of a draft, and are answered with them.
static enum stun_attr additional_attr(const struct stun_message *m)
{
	return stun_has(m, STUN_ADDITIONAL_ADDRESS_FAMILY) ? STUN_ADDITIONAL_ADDRESS_FAMILY
							   : STUN_ADDITIONAL_FAMILY_DRAFT;
}

// The port that an earlier request reserved. Its address decides on the family.
static unsigned token_check(struct turn_request *r, struct wish *wish)
{
	const struct stun_message *m = r->m;

	if (stun_has(m, STUN_EVEN_PORT) || stun_has(m, STUN_REQUESTED_ADDRESS_FAMILY) ||
		stun_has(m, additional_attr(m)) || stun_is_malformed(m, STUN_RESERVATION_TOKEN))
		return 400;
	wish->reserved = turn_reservation_find(r);
	return wish->reserved != NULL ? 0 : turn_refuse(r, TURN_REFUSED_RESERVATION, 508);
}

static unsigned port_kind_check(const struct stun_message *m, struct wish *wish)
{
	uint8_t bits;

	if (!stun_has(m, STUN_EVEN_PORT))
		return 0;
	if (!stun_get_u8(m, STUN_EVEN_PORT, &bits))
		return 400;
	wish->kind = (bits & EVEN_PORT_RESERVE) != 0 ? TURN_PORT_PAIR : TURN_PORT_EVEN;
	return 0;
}

// Where the request names no family. That of a client counts where the relay has it.
static uint8_t default_family(const struct turn_request *r)
{
	uint8_t family = r->s->conf.default_family;

	if (family != TP_FAMILY_NONE)
		return family;
	family = r->from->remote.family;
	return turn_ports_have_family(&r->s->ports, family) ? family : TP_FAMILY_IPV4;
}

// The client gets one of both families, and is told why.
static void additional_decline(struct wish *wish, uint8_t flag)
{
	wish->additional = TP_FAMILY_NONE;
	wish->flags |= flag;
}

static unsigned family_check(const struct turn_request *r, struct wish *wish)
{
	const struct stun_message *m = r->m;
	const struct turn_ports *ports = &r->s->ports;
	enum stun_attr additional = additional_attr(m);
	uint8_t second;

	wish->family = default_family(r);
	if (stun_has(m, STUN_REQUESTED_ADDRESS_FAMILY)) {
		if (stun_has(m, additional) ||
			!stun_get_u8(m, STUN_REQUESTED_ADDRESS_FAMILY, &wish->family))
			return 400;
		wish->requested_family = wish->family;
	}
	if (stun_has(m, additional)) {
		if (!stun_get_u8(m, additional, &second) || second != TP_FAMILY_IPV6 ||
			wish->kind == TURN_PORT_PAIR)
			return 400;
		// RFC 8656 7.2: one of both is enough.
		wish->family = TP_FAMILY_IPV4;
		wish->additional = TP_FAMILY_IPV6;
		if (!turn_ports_have_family(ports, TP_FAMILY_IPV4))
			wish->family = TP_FAMILY_IPV6;
		if (wish->family == TP_FAMILY_IPV6 || wish->is_tcp ||
			!turn_ports_have_family(ports, TP_FAMILY_IPV6))
			additional_decline(wish, TURN_RECORD_DECLINED_440);
	}
	return turn_ports_have_family(ports, wish->family) ? 0 : 440;
}

static bool limit_is_reached(uint32_t limit, size_t n)
{
	return limit > 0 && n >= limit;
}

static unsigned capacity_check(struct turn_request *r, struct turn_account *account, uint32_t n)
{
	const struct turn_server *s = r->s;

	if (!turn_account_may_open(account, n))
		return turn_refuse(r, TURN_REFUSED_QUOTA, 486);
	if (turn_budget_is_spent(s, account, r->wall_s))
		return turn_refuse(r, TURN_REFUSED_BUDGET, 486);
	if (!turn_account_may_ask(account, r->now_ns))
		return turn_refuse(r, TURN_REFUSED_RATE, 486);
	if (!turn_entries_are_left(s, account, TURN_ENTRIES_ALLOCATION))
		return turn_refuse(r, TURN_REFUSED_SHARE, 508);
	if (limit_is_reached(s->conf.max_allocations, s->n_allocations) ||
		!turn_realm_may_open(r->realm, n))
		return turn_refuse(r, TURN_REFUSED_ALLOCATIONS, 508);
	return 0;
}

static unsigned wish_check(struct turn_request *r, struct wish *wish)
{
	int64_t lifetime_s;
	unsigned code;

	if (policy_client_is_tunnel(&r->from->remote))
		return turn_refuse(r, TURN_REFUSED_TUNNEL, 403);
	code = transport_check(r, wish);
	if (code != 0)
		return code;
	lifetime_s = turn_lifetime_of(r);
	if (lifetime_s < 0)
		return 400;
	// Zero means deletion in a Refresh only.
	wish->lifetime_s = lifetime_s > 0 ? (uint32_t)lifetime_s : r->s->conf.default_lifetime_s;
	code = turn_mobility_wish(r, &wish->mobile);
	if (code != 0)
		return code;
	// Wanted for an answer of 420, or none (RFC 8656 7.2): the packet path does it anyway.
	if (stun_is_malformed(r->m, STUN_DONT_FRAGMENT))
		return 400;
	if (stun_has(r->m, STUN_RESERVATION_TOKEN))
		return token_check(r, wish);
	code = port_kind_check(r->m, wish);
	return code == 0 ? family_check(r, wish) : code;
}

// RFC 8656 18.12: why the client has one of both families. The only one is in the first slot.
static void address_error_put(
	const struct turn_request *r, const struct turn_allocation *a, struct stun_writer *w)
{
	bool v4 = r->s->conf.relays[a->slot[0].relay].local.family == TP_FAMILY_IPV4;
	bool full = (a->flags & TURN_RECORD_DECLINED_508) != 0;
	const uint8_t value[] = {
		v4 ? TP_FAMILY_IPV6 : TP_FAMILY_IPV4, 0, full ? 5 : 4, full ? 8 : 40};

	if ((a->flags & (TURN_RECORD_DECLINED_440 | TURN_RECORD_DECLINED_508)) == 0)
		return;
	stun_put(w,
		stun_attr_table[stun_has(r->m, STUN_ADDITIONAL_ADDRESS_FAMILY)
					? STUN_ADDRESS_ERROR_CODE
					: STUN_ADDRESS_ERROR_DRAFT]
			.type,
		value, sizeof(value));
}

static void success_put(
	const struct turn_request *r, const struct turn_allocation *a, struct stun_writer *w)
{
	const struct turn_reservation *reserved = turn_reservation_of(r, a);

	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		struct tp_addr relayed;

		if (a->slot[i].expires_s == 0)
			continue;
		relayed = turn_slot_advertised(r->s, &a->slot[i]);
		stun_put_xor_address(w, stun_attr_table[STUN_XOR_RELAYED_ADDRESS].type, &relayed);
	}
	address_error_put(r, a, w);
	stun_put_u32(w, TP_ATTR_LIFETIME, a->lifetime_s);
	if (reserved != NULL)
		stun_put(w, stun_attr_table[STUN_RESERVATION_TOKEN].type, reserved->token,
			sizeof(reserved->token));
	stun_put_xor_address(w, TP_ATTR_XOR_MAPPED_ADDRESS, &r->from->remote);
	turn_mobility_put(r, w);
}

// The user, within the limits. Each relayed address is an allocation in the quota; a reserved port
// is one already, and one that is to be reserved is one more.
static unsigned owner_set(struct turn_request *r, struct wish *wish, struct turn_allocation *a)
{
	struct turn_server *s = r->s;
	struct turn_account *account = turn_account_take(&s->accounts, &r->principal);
	uint32_t n = wish->kind == TURN_PORT_PAIR ? 2 : 1;
	unsigned code = account != NULL ? capacity_check(r, account, n) : 508;

	if (code == 0 && wish->additional != TP_FAMILY_NONE &&
		!(turn_account_may_open(account, 2) && turn_realm_may_open(r->realm, 2)))
		additional_decline(wish, TURN_RECORD_DECLINED_508);
	n = wish->additional != TP_FAMILY_NONE ? 2 : 1;
	if (code == 0 && !turn_allocation_own(s, a, &r->principal, &r->key, n))
		code = 508;
	if (account != NULL)
		turn_account_return(&s->accounts, account);
	return code;
}

static int slot_get(struct turn_request *r, const struct wish *wish, struct turn_allocation *a,
	uint8_t family, struct turn_slot *slot)
{
	struct turn_server *s = r->s;
	int err = turn_ports_take(
		&s->ports, &s->random, a->account, family, wish->kind, &slot->relay, &slot->port);

	if (err == 0)
		slot->expires_s = tp_expiry_s(r->now_ns, wish->lifetime_s);
	return err;
}

// One of both families is enough; it goes into the first slot. 0 or an error code.
static unsigned ports_get(struct turn_request *r, struct wish *wish, struct turn_allocation *a)
{
	struct turn_slot *slot = &a->slot[0];
	int err, additional_err;

	if (wish->reserved != NULL) {
		slot->relay = wish->reserved->relay;
		slot->port = wish->reserved->port;
		slot->expires_s = tp_expiry_s(r->now_ns, wish->lifetime_s);
		return 0;
	}
	err = slot_get(r, wish, a, wish->family, slot);
	if (wish->additional != TP_FAMILY_NONE) {
		additional_err = slot_get(r, wish, a, wish->additional, err == 0 ? slot + 1 : slot);
		if ((err == 0) != (additional_err == 0)) {
			additional_decline(wish, TURN_RECORD_DECLINED_508);
			turn_allocation_uncount(a);
		}
		if (additional_err == 0)
			return 0;
	}
	if (err == 0)
		return 0;
	return turn_refuse(r, err == -EDQUOT ? TURN_REFUSED_PORTS_SHARE : TURN_REFUSED_PORTS, 508);
}

// The port of a reservation stays reserved.
static void ports_put_back(
	struct turn_server *s, const struct wish *wish, const struct turn_allocation *a)
{
	for (unsigned i = 0; wish->reserved == NULL && i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s != 0)
			turn_ports_cancel(&s->ports, a->slot[i].relay, a->slot[i].port, a->account);
	}
}

// Into the store and the tables; everything is undone when a step fails.
static unsigned allocation_publish(
	struct turn_request *r, const struct wish *wish, struct turn_allocation *a)
{
	struct turn_server *s = r->s;
	const struct turn_slot *slot = &a->slot[0];
	struct turn_reservation *next = NULL;
	struct turn_allocation_record rec;

	if (wish->kind == TURN_PORT_PAIR) {
		next = turn_reservation_make(r, a, slot->relay, slot->port + 1);
		if (next == NULL) {
			turn_ports_cancel(&s->ports, slot->relay, slot->port + 1, a->account);
			return turn_refuse(r, TURN_REFUSED_TABLES, 508);
		}
	}
	turn_mobility_give_way(s, r->now_ns, &a->client);
	turn_allocation_record(s, a, &rec);
	if (s->store.allocation_add(s->store.ctx, &rec, &a->ref) == 0) {
		s->counters.reservations_made += next != NULL;
		return 0;
	}
	if (next != NULL) {
		turn_reservation_cancel(s, next);
		turn_ports_cancel(&s->ports, slot->relay, slot->port + 1, a->account);
	}
	return turn_refuse(r, TURN_REFUSED_TABLES, 508);
}

static unsigned allocation_open(
	struct turn_request *r, struct wish *wish, struct turn_allocation *a)
{
	struct turn_server *s = r->s;
	unsigned code;

	a->client = *r->from;
	a->created_ns = r->now_ns;
	a->lifetime_s = wish->lifetime_s;
	a->requested_family = wish->requested_family;
	a->is_tcp = wish->is_tcp;
	memcpy(a->txid, r->m->txid, sizeof(a->txid));
	// The connections of a TCP allocation would not move.
	if (wish->mobile && !wish->is_tcp)
		turn_mobility_start(s, a);
	code = owner_set(r, wish, a);
	if (code != 0)
		return code;
	code = ports_get(r, wish, a);
	if (code != 0)
		return code;
	a->flags |= wish->flags;
	code = allocation_publish(r, wish, a);
	if (code != 0) {
		ports_put_back(s, wish, a);
		return code;
	}
	turn_allocation_link(s, a);
	if (a->is_tcp)
		turn_data_listen(s, a);
	s->counters.allocations_opened++;
	r->realm->counters.allocations_opened++;
	(void)turn_outs_add(
		&s->outs, (struct turn_event){.allocation = a, .kind = TURN_OUT_ALLOCATION_OPENED});
	return 0;
}

// A reservation that becomes an allocation leaves the quota first.
static unsigned allocation_settle(
	struct turn_request *r, struct wish *wish, struct turn_allocation *a)
{
	unsigned code;

	if (wish->reserved != NULL)
		turn_reservation_lift(wish->reserved);
	code = allocation_open(r, wish, a);
	if (wish->reserved == NULL)
		return code;
	if (code == 0)
		turn_reservation_use(r->s, wish->reserved, a);
	else
		turn_reservation_lower(wish->reserved);
	return code;
}

// Where the relay, not the user, has no room for an allocation: another relay may have.
static bool is_for_another(const struct turn_request *r)
{
	switch (r->refusal.cause) {
	case TURN_REFUSED_DRAINING:
	case TURN_REFUSED_ALLOCATIONS:
	case TURN_REFUSED_PORTS:
	case TURN_REFUSED_PORTS_SHARE:
	case TURN_REFUSED_TABLES:
		return true;
	default:
		return false;
	}
}

static unsigned allocate(struct turn_request *r, struct stun_writer *w)
{
	struct turn_server *s = r->s;
	struct turn_allocation *a;
	struct wish wish = {0};
	unsigned code;

	if (r->retransmission) {
		s->counters.retransmissions++;
		success_put(r, r->a, w);
		return 0;
	}
	if (r->a != NULL || turn_tombstones_have(&s->tombstones, r->now_s, r->from, r->m->txid))
		return 437;
	code = wish_check(r, &wish);
	if (code != 0)
		return code;
	if (s->conf.draining && wish.reserved == NULL)
		return turn_refuse(r, TURN_REFUSED_DRAINING, 508);
	a = turn_allocation_new(s);
	if (a == NULL)
		return 508;
	code = allocation_settle(r, &wish, a);
	if (code != 0) {
		turn_allocation_free(s, a);
		return code;
	}
	r->a = a;
	success_put(r, a, w);
	return 0;
}

unsigned turn_handle_allocate(struct turn_request *r, struct stun_writer *w)
{
	unsigned code = allocate(r, w);

	// A reserved port is here and nowhere else.
	if (code == 508 && is_for_another(r) && !stun_has(r->m, STUN_RESERVATION_TOKEN) &&
		turn_alternate_choose(r) != NULL)
		return 300;
	return code;
}
