// SPDX-License-Identifier: BSD-3-Clause
#include "tcp.h"

#define CONNECTION 0x100000001
#define PEER_IP	   0x08080808

void tcp_init(struct fixture *f)
{
	harness_init(&f->h);
	f->h.listeners[1].transport = TP_TRANSPORT_TCP;
	f->h.conf.nonce_lifetime_s = 3600;
	fixture_start(f);
}

void tcp_connection_open(struct fixture *f, struct client *c, uint16_t port, const char *user)
{
	client_init(c, 0xc6336401, port);
	if (user != NULL)
		client_user(c, user, "builder");
	c->tuple.listener_id = LISTENER6_ID;
	c->tuple.connection = CONNECTION + ((uint64_t)port << 32);
	assert_int_equal(turn_stream_opened(f->h.s, f->h.now_ns, &c->tuple, false), 0);
	client_challenge(&f->h, c);
}

struct tp_session_order tcp_last_order(const struct fixture *f)
{
	assert_true(f->h.n_orders > 0);
	return f->h.orders[f->h.n_orders - 1];
}

static struct tp_addr relayed_of(const struct fixture *f)
{
	return client_allocation(&f->h, &f->c)->rec.relay[0].local;
}

void tcp_allocate(struct fixture *f)
{
	struct tp_session_order o;

	tcp_init(f);
	tcp_connection_open(f, &f->c, 5000, NULL);
	assert_int_equal(client_allocate_tcp(&f->h, &f->c), 0);
	o = tcp_last_order(f);
	assert_true(f->h.n_orders == 1 && o.kind == TP_ORDER_LISTEN);
	assert_true(tp_addr_equal(&o.local, &f->c.relayed));
	assert_int_equal(f->h.record.relayed_transport, TP_TRANSPORT_TCP);
}

struct tp_addr tcp_peer(uint16_t port)
{
	return tp_addr_ipv4(PEER_IP, port);
}

unsigned tcp_connect(struct fixture *f, const struct tp_addr *peer)
{
	struct msg m;

	client_start(&f->c, &m, MSG_CONNECT);
	if (peer != NULL)
		msg_xor_addr(&m, ATTR_XOR_PEER_ADDRESS, peer);
	return client_finish(&f->h, &f->c, &m);
}

unsigned tcp_join(struct fixture *f, struct client *c, uint32_t id)
{
	struct msg m;

	client_start(c, &m, MSG_CONNECTION_BIND);
	msg_u32(&m, ATTR_CONNECTION_ID, id);
	return client_finish(&f->h, c, &m);
}

void tcp_report(struct fixture *f, struct tp_session_peer p)
{
	if (p.local.family == TP_FAMILY_NONE)
		p.local = relayed_of(f);
	f->h.reply_len = 0;
	f->h.refusal.cause = TURN_REFUSED_NOT;
	turn_peer_reported(f->h.s, f->h.now_ns, &p);
	harness_drain(&f->h);
}

void tcp_report_order(struct fixture *f, const struct tp_session_order *o, enum tp_peer_state state)
{
	struct tp_session_peer p = {.key = o->key,
		.local = o->local,
		.peer = o->peer,
		.state = state,
		.failed = state == TP_PEER_GONE ? 111 : 0};

	memcpy(p.note, o->note, sizeof(p.note));
	tcp_report(f, p);
}

void tcp_report_arrival(struct fixture *f, uint64_t key, const struct tp_addr *peer)
{
	tcp_report(
		f, (struct tp_session_peer){.key = key, .peer = *peer, .state = TP_PEER_ARRIVED});
}

void tcp_assert_answer(const struct fixture *f, unsigned code)
{
	assert_true(f->h.reply_len > 0);
	assert_memory_equal(f->h.reply + 8, f->c.txid, TXID_LEN);
	assert_int_equal(tp_load_be16(f->h.reply) & 0x3eef, MSG_CONNECT);
	assert_int_equal(reply_code(f->h.reply, f->h.reply_len), code);
	assert_true(reply_verifies(f->h.reply, f->h.reply_len, f->c.key));
	assert_true(f->h.to.connection == f->c.tuple.connection);
}
