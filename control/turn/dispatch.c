// SPDX-License-Identifier: BSD-3-Clause
// From a message to its handler, and the checks on the way.
#include "request.h"

#include <openssl/crypto.h>

#include "allocation.h"
#include "data.h"
#include "mobility.h"
#include "renew.h"
#include "stream.h"

struct method {
	enum stun_method method;
	bool needs_auth;
	bool needs_allocation;
	unsigned (*handle)(struct turn_request *r, struct stun_writer *w);
};

static const struct method methods[] = {
	{STUN_BINDING, false, false, turn_handle_binding},
	{STUN_ALLOCATE, true, false, turn_handle_allocate},
	{STUN_REFRESH, true, true, turn_handle_refresh},
	{STUN_CREATE_PERMISSION, true, true, turn_handle_permission},
	{STUN_CHANNEL_BIND, true, true, turn_handle_channel},
	{STUN_CONNECT, true, true, turn_handle_connect},
	{STUN_CONNECTION_BIND, true, false, turn_handle_connection_bind},
};

static const struct method *method_find(uint16_t method)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(methods); i++) {
		if (methods[i].method == method)
			return &methods[i];
	}
	return NULL;
}

// A Refresh that names its allocation by a ticket (RFC 8016).
static bool is_mobile(const struct turn_request *r)
{
	return r->m->method == STUN_REFRESH && stun_has(r->m, STUN_MOBILITY_TICKET);
}

// Checks before the method's own rules, in the order of RFC 8489 6.3 and RFC 8656 5.
static unsigned request_check(struct turn_request *r, const struct method *method)
{
	bool needs_auth =
		method->needs_auth || (method->method == STUN_BINDING && r->s->conf.secure_stun);
	unsigned code = needs_auth ? turn_auth_check(r) : 0;

	if (code != 0)
		return code;
	if (r->m->n_unknown > 0)
		return 420;
	if (!method->needs_allocation)
		return 0;
	if (is_mobile(r)) {
		code = turn_mobility_check(r);
		if (code != 0)
			return code;
	}
	if (r->a == NULL)
		return 437;
	if (!turn_identity_is(r->a->user, &r->principal) && !turn_token_renews(r))
		return 441;
	return 0;
}

// Leaves the request until its user's key is known.
static void request_wait(struct turn_request *r)
{
	struct turn_counters *counters = &r->s->counters;
	struct turn_lookup_state *lookup;

	switch (turn_pending_add(&r->s->pending, r->from, r->m, r->realm, r->principal.name,
		tp_expiry_s(r->now_ns, TURN_LOOKUP_S), &lookup)) {
	case TURN_PENDING_ASK:
		counters->lookups++;
		r->realm->counters.lookups++;
		// Without memory for the question it fails at its deadline.
		(void)turn_outs_add(&r->s->outs, (struct turn_event){
							 .kind = TURN_OUT_LOOKUP,
							 .ticket = turn_pending_ticket(lookup),
						 });
		break;
	case TURN_PENDING_WAITS:
		break;
	case TURN_PENDING_JOINED:
		counters->pending_joined++;
		break;
	case TURN_PENDING_FULL:
		counters->pending_full++;
		break;
	case TURN_PENDING_SHARE:
		counters->pending_share++;
		break;
	}
}

// The allocation of the 5-tuple, or of the ticket; that of the data connection, which
// ConnectionBind is about.
static struct turn_allocation *owned_of(const struct turn_request *r)
{
	const struct turn_data *d;
	uint32_t id;

	if (r->moved != NULL)
		return r->moved;
	if (r->a != NULL || r->m->method != STUN_CONNECTION_BIND ||
		!stun_get_u32(r->m, STUN_CONNECTION_ID, &id))
		return r->a;
	d = turn_data_by_id(r->s, id);
	return d != NULL ? d->allocation : NULL;
}

// That of the allocation which the request is about, where the request names it: a new
// configuration may have given its listener or origin to another. Else the listener's or origin's.
static struct turn_realm *realm_of(
	const struct turn_request *r, const struct turn_listener *listener)
{
	struct turn_realms *realms = &r->s->realms;

	if (r->owned != NULL &&
		turn_text_equal(turn_text_of(r->m, STUN_REALM), r->owned->user->realm->name))
		return r->owned->user->realm;
	return turn_realm_choose(realms, &realms->items[listener->realm], r->m);
}

// The allocations and the realm that the request is about.
static void request_place(
	struct turn_request *r, struct stun_message *m, const struct turn_listener *listener)
{
	r->a = turn_allocation_of(r->s, r->now_ns, r->from);
	r->moved = is_mobile(r) ? turn_mobility_owned(r) : NULL;
	r->owned = owned_of(r);
	r->realm = realm_of(r, listener);
	if (r->realm->conf.token_server == NULL)
		stun_message_disown(m, STUN_ACCESS_TOKEN);
}

static void request_process(struct turn_request *r, const struct method *method)
{
	struct stun_writer w;
	unsigned code;

	code = request_check(r, method);
	if (code == TURN_WAIT) {
		request_wait(r);
		return;
	}
	if (code == 0) {
		turn_response_start(r, &w, STUN_SUCCESS);
		code = method->handle(r, &w);
	}
	if (code == 0)
		turn_response_finish(r, &w);
	else if (code != TURN_LATE)
		turn_error_respond(r, code);
	OPENSSL_cleanse(&r->key, sizeof(r->key));
}

static void request_take(
	struct turn_request *r, struct stun_message *m, const struct turn_listener *listener)
{
	const struct method *method = method_find(r->m->method);

	if (method == NULL) {
		r->s->counters.unknown_method++;
		return;
	}
	r->s->counters.requests++;
	request_place(r, m, listener);
	r->realm->counters.requests++;
	if (turn_pending_has(&r->s->pending, r->from, r->m->txid)) {
		r->s->counters.pending_joined++;
		return;
	}
	request_process(r, method);
}

static bool message_parse(struct turn_server *s, const struct turn_listener *listener,
	struct stun_message *m, const uint8_t *msg, size_t len)
{
	switch (stun_message_parse(m, msg, len)) {
	case STUN_PARSE_OK:
		turn_binding_screen(s, listener, m);
		return true;
	case STUN_PARSE_BAD_FINGERPRINT:
		s->counters.bad_fingerprint++;
		return false;
	default:
		s->counters.bad_message++;
		return false;
	}
}

// The listener of a message, where it may have come by it; NULL.
static const struct turn_listener *listener_of(
	const struct turn_server *s, const struct turn_tuple *from)
{
	const struct turn_listener *listener = turn_locals_listener(&s->locals, from->listener_id);
	bool is_open;

	if (listener == NULL)
		return NULL;
	is_open = turn_listener_is_stream(listener) ? turn_stream_is_open(s, from)
						    : from->connection == 0;
	return is_open ? listener : NULL;
}

void turn_input(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_tuple *from, const uint8_t *msg, size_t len)
{
	const struct turn_listener *listener = listener_of(s, from);
	struct stun_message m;
	struct turn_request r = {
		.s = s,
		.now_ns = now_ns,
		.now_s = turn_seconds(now_ns),
		.wall_s = wall_s,
		.from = from,
		.m = &m,
	};

	s->wall_s = wall_s;
	s->outs.message_len = 0;
	s->outs.join.kind = 0;
	s->outs.refused = false;
	ds_wheel_start(&s->wheel, r.now_s);
	if (turn_bans_hold_client(&s->bans, &from->remote)) {
		s->counters.banned++;
		return;
	}
	if (listener == NULL) {
		s->counters.streams_unknown++;
		return;
	}
	if (!message_parse(s, listener, &m, msg, len))
		return;
	switch (m.class) {
	case STUN_REQUEST:
		request_take(&r, &m, listener);
		break;
	case STUN_INDICATION:
		s->counters.indications_ignored++;
		break;
	default:
		s->counters.responses_ignored++;
		break;
	}
}

void turn_request_resume(struct turn_server *s, uint64_t now_ns, struct turn_pending_request *p)
{
	const struct turn_listener *listener =
		turn_locals_listener(&s->locals, p->from.listener_id);
	struct stun_message m;
	struct turn_request r = {
		.s = s,
		.now_ns = now_ns,
		.now_s = turn_seconds(now_ns),
		.wall_s = s->wall_s,
		.from = &p->from,
		.m = &m,
		.answer = &p->answer,
	};

	// It parsed when it came; a new configuration may have taken its listener away.
	if (listener == NULL || !message_parse(s, listener, &m, p->octets, p->len))
		return;
	if (turn_bans_hold_client(&s->bans, &p->from.remote)) {
		s->counters.banned++;
		return;
	}
	request_place(&r, &m, listener);
	request_process(&r, method_find(m.method));
}
