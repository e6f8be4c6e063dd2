// SPDX-License-Identifier: BSD-3-Clause
#include "mobile.h"

#include <mobility.h>
#include <ticket.h>

void mobile_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	harness_init(&w->f.h);
	w->f.h.conf.mobility = true;
	w->f.h.conf.nonce_lifetime_s = 3600;
	memset(w->f.h.conf.ticket_key, 0x5a, sizeof(w->f.h.conf.ticket_key));
	w->f.h.realms[0].user_quota = 1;
	fixture_start(&w->f);
	client_init(&w->b, 0xc6336402, 40000);
}

void mobile_ticket_take(struct world *w)
{
	const struct harness *h = &w->f.h;
	const uint8_t *ticket = reply_attr(h->reply, h->reply_len, ATTR_TICKET, 0, &w->ticket_len);

	if (ticket == NULL)
		w->ticket_len = 0;
	else
		memcpy(w->ticket, ticket, w->ticket_len);
}

unsigned mobile_ask(struct world *w, struct client *c, const void *ticket, size_t len)
{
	struct msg m;
	unsigned code;

	client_challenge(&w->f.h, c);
	client_start(c, &m, MSG_ALLOCATE);
	msg_u32(&m, ATTR_REQUESTED_TRANSPORT, 17u << 24);
	msg_attr(&m, ATTR_TICKET, ticket, len);
	code = client_finish(&w->f.h, c, &m);
	if (code == 0)
		mobile_ticket_take(w);
	return code;
}

unsigned mobile_move(struct world *w, struct client *c, uint32_t lifetime_s)
{
	struct msg m;
	unsigned code;

	client_start(c, &m, MSG_REFRESH);
	msg_u32(&m, ATTR_LIFETIME, lifetime_s);
	msg_attr(&m, ATTR_TICKET, w->ticket, w->ticket_len);
	code = client_finish(&w->f.h, c, &m);
	if (code == 0)
		mobile_ticket_take(w);
	return code;
}

unsigned mobile_challenge_move(struct world *w, struct client *c)
{
	client_challenge(&w->f.h, c);
	return mobile_move(w, c, 600);
}

struct tp_addr mobile_peer(uint16_t port)
{
	return tp_addr_ipv4(MOBILE_PEER, port);
}

void mobile_allocate(struct world *w)
{
	struct tp_addr one = mobile_peer(1000), two = mobile_peer(2000);

	mobile_init(w);
	assert_int_equal(mobile_ask(w, &w->f.c, NULL, 0), 0);
	assert_int_equal(w->ticket_len, TURN_TICKET_LEN);
	assert_int_equal(client_permit(&w->f.h, &w->f.c, &one), 0);
	assert_int_equal(client_bind(&w->f.h, &w->f.c, 0x4000, &one), 0);
	assert_int_equal(client_bind(&w->f.h, &w->f.c, 0x4001, &two), 0);
}

bool mobile_report(struct world *w, const struct client *c, uint32_t ref)
{
	const struct turn_report r = {.allocation = ref,
		.remote = c->tuple.remote,
		.local_id = c->tuple.listener_id,
		.type = TP_REPORT_MOVED};
	bool known = turn_report(w->f.h.s, w->f.h.now_ns, &r);

	harness_drain(&w->f.h);
	return known;
}

uint32_t mobile_successor(const struct world *w, const struct client *c)
{
	return client_allocation(&w->f.h, c)->successor;
}

void mobile_end(struct world *w, const struct client *c)
{
	struct turn_server *s = w->f.h.s;
	struct client fresh;

	if (c != NULL)
		assert_int_equal(client_refresh(&w->f.h, (struct client *)c, 0), 0);
	assert_int_equal(w->f.h.store.live_allocations, 0);
	assert_int_equal(w->f.h.store.live_permissions, 0);
	assert_int_equal(w->f.h.store.live_channels, 0);
	assert_int_equal(w->f.h.store.live_moves, 0);
	assert_int_equal(s->n_entries, 0);
	assert_int_equal(s->move_pool.n_taken, 0);
	assert_int_equal(s->moves_by_tuple.n, 0);
	assert_int_equal(s->by_ticket.n, 0);
	client_init(&fresh, 0xc6336499, 9999);
	assert_int_equal(client_allocate(&w->f.h, &fresh, 0), 0);
	harness_stop(&w->f.h);
}

void mobile_reconfigure(struct world *w, struct turn_listener *listeners, size_t n)
{
	w->f.h.conf.listeners = listeners;
	w->f.h.conf.n_listeners = n;
	assert_int_equal(turn_reconfigure(w->f.h.s, &w->f.h.conf), 0);
}

void mobile_sweep(struct world *w)
{
	while (turn_deadline(w->f.h.s) == 0) {
		turn_advance(w->f.h.s, w->f.h.now_ns, 4);
		harness_drain(&w->f.h);
	}
}
