// SPDX-License-Identifier: BSD-3-Clause
#include <process/process.h>

#include <log/log.h>

#include <proc/clock.h>

struct serving {
	struct process *p;
	uint64_t now_ns;
	uint64_t wall_s;
};

static void send_one(struct process *p, uint64_t now_ns, const struct link_origin *origin,
	const struct turn_out *out)
{
	uint32_t hop;

	if (out->tuple.connection != 0) {
		(void)link_rings_send_stream(&p->link.rings, now_ns, origin, out->tuple.listener_id,
			&out->tuple.remote, out->tuple.connection, out->data, out->len);
		return;
	}
	// Without a route there is nobody to answer; a client that is still there asks again.
	hop = tables_next_hop_lease(p->link.tables, now_ns, &out->tuple.remote);

	if (hop == 0) {
		p->link.rings.counters.no_route++;
		return;
	}
	(void)link_rings_send(&p->link.rings, now_ns, origin, out->tuple.listener_id,
		&out->tuple.remote, hop, out->data, out->len);
}

// A question that can't be asked is answered at once.
static void lookup_ask(struct process *p, uint64_t now_ns, const struct turn_lookup *lookup)
{
	static const struct turn_answer failed = {.status = TURN_ANSWER_FAILED};
	uint64_t ticket = lookup->ticket;

	if (lookup_client_ask(&p->lookup, now_ns, lookup) < 0)
		(void)turn_answer(p->core.turn, now_ns, ticket, &failed);
}

void process_serve_outputs(struct process *p, uint64_t now_ns, const struct link_origin *origin)
{
	static const struct link_origin own = {.cls = TP_PUNT_LIVE};
	uint64_t sent = p->link.rings.counters.sent;
	struct turn_out out;

	while (turn_next(p->core.turn, &out)) {
		switch (out.kind) {
		case TURN_OUT_SEND:
			send_one(p, now_ns, origin != NULL ? origin : &own, &out);
			break;
		case TURN_OUT_ALLOCATION_OPENED:
			process_event_opened(out.record, out.ref);
			break;
		case TURN_OUT_ALLOCATION_MOVED:
			link_socket_capture_end(&p->link.socket, out.previous);
			process_event_moved(out.record, out.ref, out.previous);
			break;
		case TURN_OUT_ALLOCATION_CLOSED:
			link_socket_capture_end(&p->link.socket, out.ref);
			tables_closed(p->link.tables, out.ref, (uint8_t)(1 + out.reason));
			break;
		case TURN_OUT_REFUSED:
			process_event_refused(&out);
			break;
		case TURN_OUT_ORDER:
			process_streams_order(p, &out);
			break;
		case TURN_OUT_LOOKUP:
			lookup_ask(p, now_ns, out.lookup);
			break;
		}
	}
	if (p->link.rings.counters.sent != sent)
		link_socket_wake(&p->link.socket);
}

static bool is_listener(const struct process *p, uint16_t id)
{
	const struct tp_local *local = &tables_shm(p->link.tables)->locals[id];

	return local->role == TP_ROLE_LISTENER;
}

static void report_log(struct process *p, const struct turn_report *r)
{
	struct turn_allocation_view view;

	if (r->type == TP_REPORT_BLACK_HOLE)
		log_event(LOG_EV_MTU_BLACK_HOLE,
			LOG_FIELDS(log_addr("remote", &r->remote), log_u64("mtu", r->mtu)));
	else if (r->type == TP_REPORT_SCAN &&
		 turn_allocation_find(p->core.turn, r->allocation, &view) == 0)
		process_event_scan(view.record, view.ref, &r->remote);
}

static void on_report(const struct serving *s, const struct link_message *m)
{
	struct tp_ring_report about;
	struct turn_report r;

	if (m->len != sizeof(about)) {
		s->p->link.rings.counters.bad++;
		return;
	}
	memcpy(&about, m->data, sizeof(about));
	r = (struct turn_report){
		.allocation = about.allocation,
		.remote = m->remote,
		.local_id = m->local_id,
		.port = tp_ntohs(about.port_be),
		.mtu = about.mtu,
		.value = about.value,
		.type = about.type,
		.code = about.code,
	};
	if (turn_report(s->p->core.turn, s->now_ns, &r))
		report_log(s->p, &r);
}

static void on_message(void *ctx, const struct link_message *m)
{
	const struct serving *s = ctx;
	struct turn_tuple from = {
		.remote = m->remote, .connection = m->connection, .listener_id = m->local_id};
	const struct link_origin origin = {.worker = m->worker, .cls = m->cls};

	if (m->kind == TP_RING_REPORT) {
		on_report(s, m);
		process_serve_outputs(s->p, s->now_ns, &origin);
		return;
	}
	if (!is_listener(s->p, m->local_id)) {
		s->p->link.rings.counters.bad++;
		return;
	}
	if (m->connection != 0 && process_streams_hold(s->p, s->now_ns, &from, m))
		return;
	turn_input(s->p->core.turn, s->now_ns, s->wall_s, &from, m->data, m->len);
	process_serve_outputs(s->p, s->now_ns, &origin);
}

void process_serve_message(struct process *p, uint64_t now_ns, const struct link_message *m)
{
	struct turn_tuple from = {
		.remote = m->remote, .connection = m->connection, .listener_id = m->local_id};
	const struct link_origin origin = {.worker = m->worker, .cls = m->cls};

	turn_input(p->core.turn, now_ns, proc_wall_s(), &from, m->data, m->len);
	process_serve_outputs(p, now_ns, &origin);
}

unsigned process_serve_rings(struct process *p, uint64_t now_ns, unsigned budget)
{
	struct serving s = {.p = p, .now_ns = now_ns, .wall_s = proc_wall_s()};

	return link_rings_poll(&p->link.rings, now_ns, budget, on_message, &s);
}

// ---- the directory ------------------------------------------------------------------------------

struct answering {
	struct process *p;
	uint64_t now_ns;
};

static void on_answer(void *ctx, uint64_t ticket, const struct turn_answer *answer)
{
	const struct answering *a = ctx;

	(void)turn_answer(a->p->core.turn, a->now_ns, ticket, answer);
	process_serve_outputs(a->p, a->now_ns, NULL);
}

void process_serve_answers(struct process *p, uint64_t now_ns)
{
	struct answering a = {.p = p, .now_ns = now_ns};

	lookup_client_read(&p->lookup, on_answer, &a);
}

void process_serve_aim(struct process *p)
{
	lookup_client_aim(&p->lookup, p->core.settings->conf->directory.n_sources > 0
					      ? p->link.place.run_directory
					      : NULL);
	process_keys_aim(p);
}
