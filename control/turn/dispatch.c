// SPDX-License-Identifier: BSD-3-Clause
// From a message to its handler and from the handler's verdict to a response.
#include "request.h"

#include "alloc.h"

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
};

struct error {
	unsigned code;
	const char *reason; // of the IANA registry
	size_t counter;	    // offset in struct turn_counters
};

#define ERROR(code, reason)                                                                        \
	{                                                                                          \
		code, reason, offsetof(struct turn_counters, error_##code)                         \
	}

static const struct error errors[] = {
	ERROR(300, "Try Alternate"),
	ERROR(400, "Bad Request"),
	ERROR(401, "Unauthenticated"),
	ERROR(403, "Forbidden"),
	ERROR(405, "Mobility Forbidden"),
	ERROR(420, "Unknown Attribute"),
	ERROR(437, "Allocation Mismatch"),
	ERROR(438, "Stale Nonce"),
	ERROR(440, "Address Family not Supported"),
	ERROR(441, "Wrong Credentials"),
	ERROR(442, "Unsupported Transport Protocol"),
	ERROR(443, "Peer Address Family Mismatch"),
	ERROR(486, "Allocation Quota Reached"),
	ERROR(500, "Server Error"),
	ERROR(508, "Insufficient Capacity"),
};

static const struct error *error_find(unsigned code)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(errors); i++) {
		if (errors[i].code == code)
			return &errors[i];
	}
	return error_find(500);
}

static const struct method *method_find(uint16_t method)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(methods); i++) {
		if (methods[i].method == method)
			return &methods[i];
	}
	return NULL;
}

static void response_start(
	const struct turn_request *r, struct stun_writer *w, enum stun_class class)
{
	struct turn_outs *o = &r->s->outs;

	o->to = *r->from;
	stun_writer_start(
		w, o->message, sizeof(o->message), stun_type_make(class, r->m->method), r->m->txid);
}

static void response_finish(const struct turn_request *r, struct stun_writer *w)
{
	if (r->s->conf.software != NULL)
		stun_put_text(w, stun_attr_table[STUN_SOFTWARE].type, r->s->conf.software);
	// RFC 8489 9.2.4: without PASSWORD-ALGORITHM in the request it is MESSAGE-INTEGRITY, also
	// when the request carried MESSAGE-INTEGRITY-SHA256.
	if (r->authenticated)
		stun_put_integrity(w, r->s->crypto, r->key, sizeof(r->key), STUN_HMAC_SHA1_LEN);
	if (stun_has(r->m, STUN_FINGERPRINT))
		stun_put_fingerprint(w);
	r->s->outs.message_len = stun_writer_len(w);
}

static void challenge_put(const struct turn_request *r, struct stun_writer *w)
{
	char nonce[TURN_NONCE_LEN];

	stun_put_text(w, stun_attr_table[STUN_REALM].type, r->s->conf.realm);
	turn_nonce_make(&r->s->nonces, r->now_s, &r->from->remote, nonce);
	stun_put(w, TP_ATTR_NONCE, nonce, sizeof(nonce));
}

static void refusal_keep(struct turn_request *r, unsigned code)
{
	struct turn_outs *o = &r->s->outs;

	if (r->refusal.cause == TURN_REFUSED_NOT)
		return;
	r->refusal.code = code;
	r->refusal.method = r->m->method;
	r->refusal.username = r->username.chars;
	r->refusal.username_len = r->username.len;
	o->refusal = r->refusal;
	o->refused = true;
}

static void error_respond(struct turn_request *r, unsigned code)
{
	const struct error *e = error_find(code);
	struct stun_writer w;

	refusal_keep(r, code);
	++*(uint64_t *)(void *)((char *)&r->s->counters + e->counter);
	response_start(r, &w, STUN_ERROR);
	stun_put_error(&w, e->code, e->reason);
	if (code == 401 || code == 438)
		challenge_put(r, &w);
	if (code == 420)
		stun_put_unknown(&w, r->m->unknown, r->m->n_unknown);
	response_finish(r, &w);
}

// What is checked before the method's own rules, in the order of RFC 8489 6.3 and RFC 8656 5.
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
	if (r->a == NULL)
		return 437;
	if (!turn_text_equal(r->username, turn_identity_name(r->a->user)))
		return 441;
	return 0;
}

static void request_process(struct turn_request *r)
{
	const struct method *method = method_find(r->m->method);
	struct stun_writer w;
	unsigned code;

	if (method == NULL) {
		r->s->counters.unknown_method++;
		return;
	}
	r->s->counters.requests++;
	r->a = turn_allocation_of(r->s, r->now_ns, r->from);
	code = request_check(r, method);
	if (code == 0) {
		response_start(r, &w, STUN_SUCCESS);
		code = method->handle(r, &w);
	}
	if (code == 0)
		response_finish(r, &w);
	else
		error_respond(r, code);
}

// EVEN-PORT is understood as far as it asks for an even port; with its R bit it asks for the next
// one to be reserved too (RFC 8656 18.7), which this version does not know.
static void reservation_refuse(struct stun_message *m)
{
	uint8_t bits;

	if (!stun_get_u8(m, STUN_EVEN_PORT, &bits) || (bits & 0x80) == 0)
		return;
	if (m->n_unknown < STUN_UNKNOWN_MAX)
		m->unknown[m->n_unknown++] = stun_attr_table[STUN_EVEN_PORT].type;
}

void turn_input(struct turn_server *s, uint64_t now_ns, uint64_t wall_s,
	const struct turn_tuple *from, const uint8_t *msg, size_t len)
{
	struct stun_message m;
	struct turn_request r = {
		.s = s,
		.now_ns = now_ns,
		.now_s = turn_seconds(now_ns),
		.wall_s = wall_s,
		.from = from,
		.m = &m,
	};

	s->outs.message_len = 0;
	s->outs.refused = false;
	turn_wheel_start(&s->wheel, r.now_s);
	switch (stun_message_parse(&m, msg, len)) {
	case STUN_PARSE_OK:
		reservation_refuse(&m);
		break;
	case STUN_PARSE_BAD_FINGERPRINT:
		s->counters.bad_fingerprint++;
		return;
	default:
		s->counters.bad_message++;
		return;
	}
	switch (m.class) {
	case STUN_REQUEST:
		request_process(&r);
		break;
	case STUN_INDICATION:
		s->counters.indications_ignored++;
		break;
	default:
		s->counters.responses_ignored++;
		break;
	}
}
