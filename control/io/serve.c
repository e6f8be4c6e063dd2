// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <log/log.h>

#include "clock.h"

struct serving {
	struct io_relay *r;
	uint64_t now_ns;
	uint64_t wall_s;
};

static void send_one(
	struct io_relay *r, uint64_t now_ns, uint32_t worker, const struct turn_out *out)
{
	// Without a route there is nobody to answer; a client that is still there asks again.
	uint32_t hop = tables_next_hop_lease(r->tables, now_ns, &out->tuple.remote);

	if (hop != 0)
		(void)io_rings_send(&r->rings, now_ns, worker, out->tuple.listener_id,
			&out->tuple.remote, hop, out->data, out->len);
}

void io_serve_outputs(struct io_relay *r, uint64_t now_ns, uint32_t worker)
{
	struct turn_out out;

	while (turn_next(r->turn, &out)) {
		switch (out.kind) {
		case TURN_OUT_SEND:
			send_one(r, now_ns, worker, &out);
			break;
		case TURN_OUT_ALLOCATION_OPENED:
			io_event_opened(r, out.record, out.ref);
			break;
		case TURN_OUT_ALLOCATION_CLOSED:
			io_dplink_capture_end(&r->plane.link, out.ref);
			tables_closed(r->tables, out.ref, (uint8_t)(1 + out.reason));
			break;
		case TURN_OUT_REFUSED:
			io_event_refused(&out);
			break;
		}
	}
}

static bool is_listener(const struct io_relay *r, uint16_t id)
{
	const struct tp_local *local = &tables_shm(r->tables)->locals[id];

	return local->role == TP_ROLE_LISTENER;
}

static void on_message(void *ctx, const struct io_message *m)
{
	const struct serving *s = ctx;
	struct turn_tuple from = {.remote = m->remote, .listener_id = m->local_id};

	if (!is_listener(s->r, m->local_id)) {
		s->r->rings.counters.bad++;
		return;
	}
	turn_input(s->r->turn, s->now_ns, s->wall_s, &from, m->data, m->len);
	io_serve_outputs(s->r, s->now_ns, m->worker);
}

unsigned io_serve_rings(struct io_relay *r, uint64_t now_ns, unsigned budget)
{
	struct serving s = {.r = r, .now_ns = now_ns, .wall_s = io_wall_s()};

	return io_rings_poll(&r->rings, now_ns, budget, on_message, &s);
}
