// SPDX-License-Identifier: BSD-3-Clause
#include "client.h"

#include <stdlib.h>

#define SENDS_MAX 7u // RFC 8489 6.2.1: Rc

void client_init(struct world *w, unsigned client)
{
	struct world_client *c = &w->clients[client];
	uint8_t ip6[16] = {0x2a, 9, [15] = (uint8_t)client};

	c->user = client % WORLD_USERS;
	c->tuple.listener_id = 1 + client % 2;
	c->tuple.remote = client % 2 == 0
				  ? tp_addr_ipv4(0x09090900 + client / 4, (uint16_t)(4000 + client))
				  : tp_addr_ipv6(ip6, 4000);
}

static struct tp_addr peer_choose(struct world *w, bool nonsense)
{
	static const uint8_t public6[16] = {0x2a, 7, [15] = 7};
	uint16_t port = (uint16_t)(49998 + world_below(w, 4));

	switch (world_below(w, nonsense ? 10 : 6)) {
	case 0:
		return tp_addr_ipv6(public6, port);
	case 1:
		return tp_addr_ipv4(0x05050502 + 7 * world_below(w, 2), 50000 + (port & 1));
	case 6:
		return tp_addr_ipv4(0x05050501, 3478);
	case 7:
		return tp_addr_ipv4(0x0a000001, port);
	case 8:
		return tp_addr_ipv4(0x08080808, 0);
	default:
		return tp_addr_ipv4(0x08080800 + world_below(w, 4), port);
	}
}

// Mostly sensible requests, in some cases nonsense.
static void request_invent(struct world *w, unsigned client, struct model_request *r)
{
	struct world_client *c = &w->clients[client];
	bool confused = world_below(w, 8) == 0; // takes itself for allocated or not, wrongly
	bool nonsense = world_below(w, 6) == 0;

	*r = (struct model_request){.client = client,
		.is_signed = c->has_nonce,
		.password_ok = true,
		.user = c->user,
		.nonce_is_ours = true,
		.nonce_at_s = c->nonce_at_s,
		.transport = 17,
		.lifetime_s = MODEL_NO_LIFETIME};
	tp_store_be32(r->txid, ++c->txid);
	tp_store_be32(r->txid + 8, client);
	switch (world_below(w, c->believes_allocated != confused ? 16 : 2)) {
	case 0:
	case 1:
		r->method = c->believes_allocated != confused ? MSG_REFRESH : MSG_ALLOCATE;
		break;
	case 2:
		r->method = MSG_REFRESH;
		r->lifetime_s = 0;
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		r->method = MSG_CREATE_PERMISSION;
		r->n_peers = 1 + world_below(w, MODEL_PEERS);
		break;
	default:
		r->method = MSG_CHANNEL_BIND;
		r->n_peers = 1;
		r->number = (uint16_t)(0x4000 + world_below(w, 8));
		break;
	}
	for (unsigned i = 0; i < r->n_peers; i++)
		r->peers[i] = peer_choose(w, nonsense);
	if ((r->method == MSG_ALLOCATE || r->method == MSG_REFRESH) && r->lifetime_s != 0 &&
		world_below(w, 2) == 0)
		r->lifetime_s = 300 + world_below(w, 4000);
	if (r->method == MSG_ALLOCATE && world_below(w, 3) == 0)
		r->family = (uint8_t)(1 + world_below(w, 2));
}

static void request_spoil(struct world *w, struct model_request *r)
{
	switch (world_below(w, 60)) {
	case 0:
		r->password_ok = false;
		break;
	case 1:
	case 2:
		r->user = world_below(w, WORLD_USERS);
		break;
	case 3:
		r->nonce_is_ours = false;
		break;
	case 4:
		r->unknown_attr = true;
		break;
	case 5:
		r->transport = (uint8_t)(6 * world_below(w, 2));
		break;
	case 6:
		r->family = (uint8_t)(1 + world_below(w, 3));
		break;
	case 7:
		r->number = (uint16_t)(0x3ff0 + world_below(w, 0x2000));
		break;
	case 8:
		r->n_peers = 0;
		break;
	case 9:
		r->is_signed = false;
		break;
	default:
		break;
	}
	if (r->method == MSG_REFRESH && r->family > TP_FAMILY_IPV6)
		r->family = 0;
}

static void request_write(const struct world *w, const struct model_request *r, struct msg *m)
{
	const struct world_user *u = &w->users[r->user];
	uint8_t key[16];

	memcpy(key, u->key, sizeof(key));
	key[0] ^= !r->password_ok;
	msg_start(m, r->method, r->txid);
	if (r->method == MSG_ALLOCATE && r->transport != 0)
		msg_u32(m, ATTR_REQUESTED_TRANSPORT, (uint32_t)r->transport << 24);
	if (r->number != 0)
		msg_u32(m, ATTR_CHANNEL_NUMBER, (uint32_t)r->number << 16);
	for (unsigned i = 0; i < r->n_peers; i++)
		msg_xor_addr(m, ATTR_XOR_PEER_ADDRESS, &r->peers[i]);
	if (r->lifetime_s != MODEL_NO_LIFETIME)
		msg_u32(m, ATTR_LIFETIME, r->lifetime_s);
	if (r->family != 0)
		msg_u32(m, ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)r->family << 24);
	if (r->unknown_attr)
		msg_attr(m, 0x0021, NULL, 0);
	if (!r->is_signed)
		return;
	msg_text(m, ATTR_USERNAME, u->name);
	msg_text(m, ATTR_REALM, WORLD_REALM);
	msg_text(m, ATTR_NONCE,
		r->nonce_is_ours ? w->clients[r->client].nonce : "obMatJos2AAAAnotofthisserver");
	msg_integrity(m, key);
	if (r->client % 3 == 0)
		msg_fingerprint(m);
}

static void transaction_start(struct world *w, unsigned client)
{
	struct world_client *c = &w->clients[client];
	struct msg m;

	c->pending = calloc(1, sizeof(*c->pending));
	if (c->pending == NULL)
		abort();
	c->pending->client = client;
	c->sent = 0;
	request_invent(w, client, &c->pending->request);
	request_spoil(w, &c->pending->request);
	request_write(w, &c->pending->request, &m);
	if (m.len > sizeof(c->pending->msg.octets))
		abort();
	memcpy(c->pending->msg.octets, m.octets, m.len);
	c->pending->msg.len = m.len;
}

static void transaction_end(struct world *w, uint64_t now_ns, unsigned client)
{
	static const uint32_t pauses_s[] = {1, 5, 20, 60, 200, 400};

	free(w->clients[client].pending);
	w->clients[client].pending = NULL;
	w->clients[client].timer = world_later(w, now_ns, EVENT_CLIENT_TIMER, client,
		pauses_s[world_below(w, TP_ARRAY_LEN(pauses_s))]);
}

// Sends, and sends again within 1, 2, 4 ... s while there is no answer.
void world_client_act(struct world *w, uint64_t now_ns, const struct event *e)
{
	struct world_client *c = &w->clients[e->client];

	if (e->order != c->timer)
		return;
	if (c->pending == NULL)
		transaction_start(w, e->client);
	if (c->sent == SENDS_MAX) {
		// Its fate is unknown.
		c->has_nonce = false;
		transaction_end(w, now_ns, e->client);
		return;
	}
	world_send(w, now_ns, c->pending, EVENT_TO_SERVER);
	c->timer = world_later(w, now_ns, EVENT_CLIENT_TIMER, e->client, 1u << c->sent++);
}

static void nonce_take(struct world_client *c, const struct datagram *d)
{
	uint16_t len;
	const uint8_t *nonce = reply_attr(d->msg.octets, d->msg.len, ATTR_NONCE, 0, &len);

	if (nonce == NULL || len >= sizeof(c->nonce))
		abort();
	memcpy(c->nonce, nonce, len);
	c->nonce[len] = '\0';
	c->nonce_at_s = d->server_s;
	c->has_nonce = true;
}

static void belief_change(struct world_client *c, const struct model_request *r, unsigned code)
{
	if (r->method == MSG_ALLOCATE && (code == 0 || code == 437))
		c->believes_allocated = true;
	if (r->method == MSG_REFRESH && code == 0)
		c->believes_allocated = r->lifetime_s != 0;
	if (r->method != MSG_ALLOCATE && code == 437)
		c->believes_allocated = false;
	// Somebody whose credential ended takes the next one's.
	if (code == 401 && r->is_signed && r->password_ok)
		c->user = (c->user + 1) % WORLD_USERS;
}

void world_reply_handle(struct world *w, uint64_t now_ns, const struct datagram *d)
{
	struct world_client *c = &w->clients[d->client];
	const struct model_request *r;
	unsigned code = reply_code(d->msg.octets, d->msg.len);
	uint8_t key[16];

	if (c->pending == NULL || memcmp(d->msg.octets + 8, c->pending->request.txid, 12) != 0)
		return;
	r = &c->pending->request;
	memcpy(key, w->users[r->user].key, sizeof(key));
	if (code != 401 && code != 438 && !reply_verifies(d->msg.octets, d->msg.len, key))
		abort();
	if (r->is_signed && r->client % 3 == 0 && !reply_fingerprint_ok(d->msg.octets, d->msg.len))
		abort();
	if (code == 401 || code == 438)
		nonce_take(c, d);
	belief_change(c, r, code);
	transaction_end(w, now_ns, d->client);
}
