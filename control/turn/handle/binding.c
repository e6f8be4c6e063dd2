// SPDX-License-Identifier: BSD-3-Clause
// Binding (RFC 8489 12): requests that the packet path does not answer itself, and those of a
// client that wants to know its NAT (RFC 5780).
#include "request.h"

#define CHANGE_IP   0x04u // RFC 5780 7.2
#define CHANGE_PORT 0x02u

static const enum stun_attr discovery_attrs[] = {
	STUN_CHANGE_REQUEST, STUN_PADDING, STUN_RESPONSE_PORT};

void turn_binding_screen(
	const struct turn_server *s, const struct turn_listener *listener, struct stun_message *m)
{
	if (m->method == STUN_BINDING && turn_locals_alternates(&s->locals, listener->id) != NULL)
		return;
	for (size_t i = 0; i < TP_ARRAY_LEN(discovery_attrs); i++) {
		enum stun_attr id = discovery_attrs[i];

		if (!stun_has(m, id))
			continue;
		m->attr[id] = (struct stun_value){0};
		if (m->n_unknown < STUN_UNKNOWN_MAX)
			m->unknown[m->n_unknown++] = stun_attr_table[id].type;
	}
}

// The listener that answers (RFC 5780 6.1, table 1).
static const struct turn_listener *origin_choose(
	const struct turn_request *r, const struct turn_alternates *others, uint32_t change)
{
	switch (change & (CHANGE_IP | CHANGE_PORT)) {
	case CHANGE_IP:
		return others->ip;
	case CHANGE_PORT:
		return others->port;
	case CHANGE_IP | CHANGE_PORT:
		return others->both;
	default:
		return turn_locals_listener(&r->s->locals, r->from->listener_id);
	}
}

// As much as makes the response no longer than the request, which a forged source address may have
// sent. In front of SOFTWARE, the integrity and FINGERPRINT.
static void padding_put(const struct turn_request *r, struct stun_writer *w)
{
	static const uint8_t zeros[TURN_RESPONSE_MAX];
	size_t behind = 4 + (stun_has(r->m, STUN_FINGERPRINT) ? 8 : 0) +
			(stun_has(r->m, STUN_TRANSMIT_COUNTER) ? 8 : 0);
	size_t limit = r->m->len < sizeof(zeros) ? r->m->len : sizeof(zeros);

	if (r->s->conf.software != NULL)
		behind += 4 + ((strlen(r->s->conf.software) + 3) & ~(size_t)3);
	if (r->authenticated)
		behind += 4 + (r->negotiated ? STUN_HMAC_SHA256_LEN : STUN_HMAC_SHA1_LEN);
	if (stun_writer_len(w) + behind <= limit)
		stun_put(w, stun_attr_table[STUN_PADDING].type, zeros,
			(limit - stun_writer_len(w) - behind) & ~(size_t)3);
}

static unsigned discovery_answer(
	struct turn_request *r, const struct turn_alternates *others, struct stun_writer *w)
{
	const struct stun_message *m = r->m;
	const struct turn_listener *origin;
	struct turn_tuple *to = &r->s->outs.to;
	uint32_t change = 0;
	uint16_t port;

	if (stun_is_malformed(m, STUN_CHANGE_REQUEST) || stun_is_malformed(m, STUN_RESPONSE_PORT) ||
		(stun_has(m, STUN_RESPONSE_PORT) && stun_has(m, STUN_PADDING)))
		return 400;
	if (stun_get_u16(m, STUN_RESPONSE_PORT, &port)) {
		if (port == 0)
			return 400;
		to->remote.port_be = tp_htons(port);
	}
	(void)stun_get_u32(m, STUN_CHANGE_REQUEST, &change);
	origin = origin_choose(r, others, change);
	to->listener_id = origin->id;
	stun_put_address(w, TP_ATTR_MAPPED_ADDRESS, &r->from->remote);
	stun_put_address(w, stun_attr_table[STUN_RESPONSE_ORIGIN].type, &origin->advertised);
	stun_put_address(w, stun_attr_table[STUN_OTHER_ADDRESS].type, &others->both->advertised);
	if (stun_has(m, STUN_PADDING))
		padding_put(r, w);
	r->s->counters.nat_discoveries++;
	return 0;
}

unsigned turn_handle_binding(struct turn_request *r, struct stun_writer *w)
{
	const struct turn_alternates *others =
		turn_locals_alternates(&r->s->locals, r->from->listener_id);

	stun_put_xor_address(w, TP_ATTR_XOR_MAPPED_ADDRESS, &r->from->remote);
	return others != NULL ? discovery_answer(r, others, w) : 0;
}
