// SPDX-License-Identifier: BSD-3-Clause
// The clients: their requests, and the answers to them.
#include "directory_sim.h"

#include <stdio.h>

// ---- answers ------------------------------------------------------------------------------------

static struct client *client_of(struct sim *s, const struct turn_tuple *to)
{
	struct client *c = &s->clients[tp_addr_port(&to->remote) - 1000];

	if (to->connection != c->tuple.connection || !tp_addr_equal(&to->remote, &c->tuple.remote))
		sim_fail(s, "an answer to nobody");
	return c;
}

static struct transaction *transaction_of(struct client *c, const uint8_t *txid)
{
	for (unsigned i = 0; i < TRANSACTIONS; i++) {
		if (memcmp(c->last[i].txid, txid, 12) == 0)
			return &c->last[i];
	}
	return NULL;
}

static void nonce_take(struct client *c, const struct turn_out *out)
{
	uint16_t len;
	const uint8_t *nonce = reply_attr(out->data, out->len, ATTR_NONCE, 0, &len);

	if (nonce == NULL || len >= sizeof(c->nonce))
		return;
	memcpy(c->nonce, nonce, len);
	c->nonce[len] = '\0';
}

// `now`: the transaction that this call handed in; NULL.
static void reply_check(struct sim *s, const struct turn_out *out, const struct transaction *now)
{
	struct client *c = client_of(s, &out->tuple);
	struct transaction *t = transaction_of(c, out->data + 8);
	unsigned code = reply_code(out->data, out->len);

	if (t == NULL || (t != now && !t->waits))
		sim_fail(s, "a second answer");
	if (t->waits) {
		t->waits = false;
		s->n_ended++;
	}
	if (!t->right && code != 401 && code != 438 && code != 500)
		sim_fail(s, "a wrong password passed");
	s->n_codes[code]++;
	s->n_replies++;
	nonce_take(c, out);
}

bool sim_outputs_take(struct sim *s, const struct transaction *now)
{
	struct turn_out out;
	bool answered = false;

	while (turn_next(s->server, &out)) {
		if (out.kind == TURN_OUT_LOOKUP)
			sim_question_note(s, out.lookup);
		if (out.kind != TURN_OUT_SEND)
			continue;
		answered = answered || (now != NULL && memcmp(out.data + 8, now->txid, 12) == 0);
		reply_check(s, &out, now);
	}
	return answered;
}

// ---- requests -----------------------------------------------------------------------------------

void sim_name_of(unsigned user, char name[32])
{
	snprintf(name, 32, user < STATICS ? "static%u" : "user%u", user);
}

static struct transaction *request_write(struct sim *s, unsigned client)
{
	static const uint16_t methods[] = {
		MSG_ALLOCATE, MSG_ALLOCATE, MSG_REFRESH, MSG_CREATE_PERMISSION};
	struct client *c = &s->clients[client];
	struct transaction *t = &c->last[c->next++ % TRANSACTIONS];
	// A third of all names are nobody's.
	unsigned user = sim_below(s, STATICS + USERS * 3 / 2);
	uint16_t method = methods[sim_below(s, TP_ARRAY_LEN(methods))];
	const struct tp_addr peer = tp_addr_ipv4(0x08080808, 4000);
	char name[32];
	uint8_t key[16];

	if (t->waits)
		return NULL;
	sim_name_of(user, name);
	t->right = sim_below(s, 4) != 0 && user < STATICS + USERS;
	msg_key(name, REALM, t->right ? name : "guessed", key);
	tp_store_be32(t->txid, ++c->n_txids);
	tp_store_be32(t->txid + 4, client);
	msg_start(&t->msg, method, t->txid);
	if (method == MSG_ALLOCATE)
		msg_u32(&t->msg, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (method == MSG_REFRESH)
		msg_u32(&t->msg, ATTR_LIFETIME, 600 * sim_below(s, 2));
	if (method == MSG_CREATE_PERMISSION)
		msg_xor_addr(&t->msg, ATTR_XOR_PEER_ADDRESS, &peer);
	msg_text(&t->msg, ATTR_USERNAME, name);
	msg_text(&t->msg, ATTR_REALM, REALM);
	msg_text(&t->msg, ATTR_NONCE, c->nonce);
	msg_integrity(&t->msg, key);
	return t;
}

static bool is_static(const struct transaction *t)
{
	return memmem(t->msg.octets, t->msg.len, "static", 6) != NULL;
}

static unsigned waiting_of(const struct client *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TRANSACTIONS; i++)
		n += c->last[i].waits;
	return n;
}

void sim_request_send(struct sim *s, unsigned client)
{
	const struct turn_counters before = *turn_get_counters(s->server), *after;
	struct client *c = &s->clients[client];
	struct transaction *t = sim_below(s, 3) == 0 ? &c->last[sim_below(s, TRANSACTIONS)]
						     : request_write(s, client);
	bool waited, answered;

	if (t == NULL || t->msg.len == 0)
		return;
	waited = t->waits;
	turn_input(s->server, s->now_ns, 0, &c->tuple, t->msg.octets, t->msg.len);
	s->n_requests++;
	answered = sim_outputs_take(s, t);
	after = turn_get_counters(s->server);
	if (c->is_stream && !c->is_open) {
		if (answered || after->streams_unknown != before.streams_unknown + 1)
			sim_fail(s, "a closed connection was heard");
		return;
	}
	if (answered && waited)
		sim_fail(s, "a duplicate did not join");
	if (answered || after->pending_full != before.pending_full ||
		after->pending_share != before.pending_share)
		return;
	if (is_static(t))
		sim_fail(s, "a user of the configuration waits");
	if (waited != (after->pending_joined == before.pending_joined + 1))
		sim_fail(s, "a request that waits was taken for a new one, or the reverse");
	if (waited)
		return;
	t->waits = true;
	t->since_ns = s->now_ns;
	s->n_waits++;
	if (waiting_of(c) > TURN_PENDING_CLIENT_MAX)
		sim_fail(s, "a client has more than its share");
}

void sim_stream_turn(struct sim *s, unsigned client)
{
	struct client *c = &s->clients[client];

	if (!c->is_stream)
		return;
	if (!c->is_open) {
		c->tuple.connection += 1;
		c->is_open = turn_stream_opened(s->server, s->now_ns, &c->tuple, false) == 0;
	} else {
		if (turn_stream_closed(s->server, s->now_ns, &c->tuple) != 0)
			sim_fail(s, "an open connection could not close");
		c->is_open = false;
		for (unsigned i = 0; i < TRANSACTIONS; i++) {
			s->n_ended += c->last[i].waits;
			c->last[i].waits = false;
		}
	}
	sim_outputs_take(s, NULL);
}
