// SPDX-License-Identifier: BSD-3-Clause
// The messages for clients: responses to requests, and those of TCP allocations that come later.
#include "request.h"

#include "data.h"

#define ATTR_THIRD_PARTY_AUTHORIZATION 0x802eu // RFC 7635 4

// The reason phrase of an error response, counted. A code without one would be a fault of ours: it
// becomes 500.
static const char *error_count(struct turn_counters *counters, unsigned *code)
{
	switch (*code) {
#define TURN_ERROR_CASE(number, reason)                                                            \
	case number:                                                                               \
		counters->error_##number++;                                                        \
		return reason;
		TURN_ERRORS(TURN_ERROR_CASE)
#undef TURN_ERROR_CASE
	default:
		*code = 500;
		return error_count(counters, code);
	}
}

void turn_response_start(const struct turn_request *r, struct stun_writer *w, enum stun_class class)
{
	struct turn_outs *o = &r->s->outs;

	o->to = *r->from;
	stun_writer_start(
		w, o->message, sizeof(o->message), stun_type_make(class, r->m->method), r->m->txid);
}

static void software_put(const struct turn_server *s, struct stun_writer *w)
{
	if (s->conf.software != NULL)
		stun_put_text(w, stun_attr_table[STUN_SOFTWARE].type, s->conf.software);
}

// RFC 7982: each request that comes is answered once, so the answer to the client's n-th copy is
// the n-th at most.
static void transmit_counter_put(const struct stun_message *m, struct stun_writer *w)
{
	struct stun_value asked = m->attr[STUN_TRANSMIT_COUNTER];
	uint8_t value[4] = {0};

	if (asked.octets == NULL || stun_is_malformed(m, STUN_TRANSMIT_COUNTER))
		return;
	value[2] = value[3] = asked.octets[2];
	stun_put(w, stun_attr_table[STUN_TRANSMIT_COUNTER].type, value, sizeof(value));
}

void turn_response_finish(const struct turn_request *r, struct stun_writer *w)
{
	software_put(r->s, w);
	transmit_counter_put(r->m, w);
	// RFC 8489 9.2.4: without PASSWORD-ALGORITHM in the request it is MESSAGE-INTEGRITY, also
	// when the request carried MESSAGE-INTEGRITY-SHA256.
	if (r->authenticated)
		stun_put_integrity(w, r->s->crypto, r->key.octets, r->key.len,
			r->negotiated ? STUN_HMAC_SHA256_LEN : STUN_HMAC_SHA1_LEN);
	if (stun_has(r->m, STUN_FINGERPRINT))
		stun_put_fingerprint(w);
	r->s->outs.message_len = stun_writer_len(w);
}

static void challenge_put(const struct turn_request *r, struct stun_writer *w)
{
	char nonce[TURN_NONCE_LEN];

	stun_put_text(w, stun_attr_table[STUN_REALM].type, r->realm->conf.name);
	if ((r->realm->nonce.features & TP_FEATURE_PASSWORD_ALGORITHMS) != 0)
		stun_put(w, TP_ATTR_PASSWORD_ALGORITHMS, TP_PASSWORD_ALGORITHMS,
			TP_PASSWORD_ALGORITHMS_LEN);
	turn_nonce_make(&r->s->nonces, &r->realm->nonce, r->now_s, &r->from->remote, nonce);
	stun_put(w, TP_ATTR_NONCE, nonce, sizeof(nonce));
}

// The cause of an error that has but one, where nothing closer was noted. A challenge is no
// refusal.
static enum turn_refusal_cause cause_of(unsigned code)
{
	switch (code) {
	case 400:
		return TURN_REFUSED_BAD_REQUEST;
	case 420:
		return TURN_REFUSED_UNKNOWN_ATTRIBUTE;
	case 405:
		return TURN_REFUSED_MOBILITY;
	case 437:
		return TURN_REFUSED_NO_ALLOCATION;
	case 440:
		return TURN_REFUSED_FAMILY;
	case 441:
		return TURN_REFUSED_OWNER;
	case 442:
		return TURN_REFUSED_TRANSPORT;
	case 443:
		return TURN_REFUSED_PEER_FAMILY;
	case 508:
		return TURN_REFUSED_MEMORY;
	default:
		return TURN_REFUSED_NOT;
	}
}

static void refusal_keep(struct turn_request *r, unsigned code)
{
	struct turn_outs *o = &r->s->outs;

	if (r->refusal.cause == TURN_REFUSED_NOT || code == 438)
		r->refusal.cause = cause_of(code);
	if (r->refusal.cause == TURN_REFUSED_NOT)
		return;
	r->refusal.code = code;
	r->refusal.method = r->m->method;
	r->refusal.realm_id = r->realm->conf.id;
	r->refusal.username = r->principal.name.chars;
	r->refusal.username_len = r->principal.name.len;
	o->refusal = r->refusal;
	o->refused = true;
}

static bool comes_by_tls(const struct turn_request *r)
{
	const struct turn_listener *l = turn_locals_listener(&r->s->locals, r->from->listener_id);

	return l->transport == TP_TRANSPORT_TLS || l->transport == TP_TRANSPORT_DTLS;
}

const struct tp_addr *turn_alternate_choose(const struct turn_request *r)
{
	const struct turn_server *s = r->s;
	const struct turn_alternate_servers *servers =
		comes_by_tls(r) ? &s->conf.tls_alternates : &s->conf.alternates;

	// RFC 8489 10: a client that signs by SHA-256 knows ALTERNATE-DOMAIN, and where there is
	// none which name to look for. Others look for the address in the certificate.
	if (comes_by_tls(r) && !r->negotiated)
		return NULL;
	// In turn, so that each gets its share.
	for (size_t i = 0; i < servers->n; i++) {
		const struct tp_addr *alternate =
			&servers->items[(s->next_alternate + i) % servers->n];

		if (alternate->family == r->from->remote.family)
			return alternate;
	}
	return NULL;
}

// RFC 8489 10: integrity follows, as in every answer to a client that is known.
static void alternate_put(struct turn_request *r, struct stun_writer *w)
{
	stun_put_address(w, stun_attr_table[STUN_ALTERNATE_SERVER].type, turn_alternate_choose(r));
	if (comes_by_tls(r) && r->s->conf.alternate_domain != NULL)
		stun_put_text(w, stun_attr_table[STUN_ALTERNATE_DOMAIN].type,
			r->s->conf.alternate_domain);
	r->s->next_alternate++;
}

void turn_error_respond(struct turn_request *r, unsigned code)
{
	const char *reason = error_count(&r->s->counters, &code);
	struct stun_writer w;

	refusal_keep(r, code);
	r->realm->counters.refused++;
	turn_response_start(r, &w, STUN_ERROR);
	stun_put_error(&w, code, reason);
	if (code == 401 || code == 438)
		challenge_put(r, &w);
	if (code == 401 && r->realm->conf.token_server != NULL)
		stun_put_text(&w, ATTR_THIRD_PARTY_AUTHORIZATION, r->realm->conf.token_server);
	if (code == 300)
		alternate_put(r, &w);
	if (code == 420)
		stun_put_unknown(&w, r->m->unknown, r->m->n_unknown);
	turn_response_finish(r, &w);
}

// ---- data connections (RFC 6062) ----------------------------------------------------------------

static void unreachable_keep(struct turn_server *s, const struct turn_data *d)
{
	struct stun_text name = turn_identity_principal(d->allocation->user).name;

	s->outs.refusal = (struct turn_refusal){
		.cause = TURN_REFUSED_UNREACHABLE,
		.code = 447,
		.method = STUN_CONNECT,
		.realm_id = d->allocation->user->realm->conf.id,
		.username = name.chars,
		.username_len = name.len,
		.peer = d->peer,
	};
	s->outs.refused = true;
}

void turn_connect_answer(struct turn_server *s, const struct turn_data *d, unsigned code)
{
	struct turn_outs *o = &s->outs;
	const struct turn_key *key = &d->allocation->user->key;
	struct stun_writer w;

	o->to = d->allocation->client;
	stun_writer_start(&w, o->message, sizeof(o->message),
		stun_type_make(code == 0 ? STUN_SUCCESS : STUN_ERROR, STUN_CONNECT), d->note.txid);
	if (code == 0) {
		stun_put_u32(&w, stun_attr_table[STUN_CONNECTION_ID].type, d->note.id);
	} else {
		stun_put_error(&w, code, error_count(&s->counters, &code));
		d->allocation->user->realm->counters.refused++;
		unreachable_keep(s, d);
	}
	software_put(s, &w);
	stun_put_integrity(&w, s->crypto, key->octets, key->len,
		(d->note.flags & TURN_NOTE_SHA256) != 0 ? STUN_HMAC_SHA256_LEN
							: STUN_HMAC_SHA1_LEN);
	if ((d->note.flags & TURN_NOTE_FINGERPRINT) != 0)
		stun_put_fingerprint(&w);
	o->message_len = stun_writer_len(&w);
}

void turn_attempt_tell(struct turn_server *s, const struct turn_data *d)
{
	struct turn_outs *o = &s->outs;
	struct stun_writer w;
	uint8_t txid[12];

	for (size_t i = 0; i < sizeof(txid); i += 4)
		tp_store_be32(txid + i, turn_random_u32(&s->random));
	o->to = d->allocation->client;
	stun_writer_start(&w, o->message, sizeof(o->message),
		stun_type_make(STUN_INDICATION, STUN_CONNECTION_ATTEMPT), txid);
	stun_put_xor_address(&w, TP_ATTR_XOR_PEER_ADDRESS, &d->peer);
	stun_put_u32(&w, stun_attr_table[STUN_CONNECTION_ID].type, d->note.id);
	software_put(s, &w);
	o->message_len = stun_writer_len(&w);
}
