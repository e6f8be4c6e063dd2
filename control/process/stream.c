// SPDX-License-Identifier: BSD-3-Clause
// Stream clients: the edge's reports to the TURN server, and messages that come before the report
// of their connection. A client of a stream does not send twice, so they are held for a while.
#include <process/process.h>

#include <stdlib.h>

#include <log/log.h>

#include <proc/clock.h>

#define REPORTS_MAX 256u // of one iteration
#define HOLD_NS	    (10 * TP_NS_PER_S)

static struct turn_tuple tuple_of(const struct tp_session_report *r)
{
	return (struct turn_tuple){
		.remote = r->remote, .connection = r->connection, .listener_id = r->listener_id};
}

// Gives back the messages that wait for this connection, or (NULL) all of them.
static void held_release(struct process *p, const struct turn_tuple *client)
{
	struct process_streams *s = &p->streams;
	struct link_message *ready[PROCESS_HELD_MAX];
	unsigned kept = 0, n = 0;

	for (unsigned i = 0; i < s->n_held; i++) {
		struct link_message *m = s->held[i].message;

		if (client != NULL && m->connection != client->connection) {
			s->held[kept++] = s->held[i];
			continue;
		}
		ready[n++] = m;
	}
	s->n_held = kept;
	// Serving may end the edge's session, which comes here again.
	for (unsigned i = 0; i < n; i++) {
		process_serve_message(p, proc_now_ns(), ready[i]);
		free(ready[i]);
	}
}

static void on_opened(void *ctx, const struct tp_session_report *r)
{
	struct process *p = ctx;
	struct turn_tuple client = tuple_of(r);

	(void)turn_stream_opened(
		p->core.turn, proc_now_ns(), &client, (r->flags & TP_REPORT_FRAMED) != 0);
	process_serve_outputs(p, proc_now_ns(), NULL);
	held_release(p, &client);
}

static void on_closed(void *ctx, const struct tp_session_report *r)
{
	struct process *p = ctx;
	struct turn_tuple client = tuple_of(r);

	(void)turn_stream_closed(p->core.turn, proc_now_ns(), &client);
	process_serve_outputs(p, proc_now_ns(), NULL);
}

static void on_relay(void *ctx, const struct tp_session_relay *r)
{
	struct process *p = ctx;

	if (r->state == TP_RELAY_FAILED)
		log_event(LOG_EV_RELAY_FAILED,
			LOG_FIELDS(log_addr("relayed", &r->local), log_errno(-(int)r->failed),
				log_str("remedy", "another program has the TCP port, or the edge "
						  "no more descriptors: see relay.ports")));
	turn_relay_reported(p->core.turn, proc_now_ns(), r);
	process_serve_outputs(p, proc_now_ns(), NULL);
}

static void on_peer(void *ctx, const struct tp_session_peer *peer)
{
	struct process *p = ctx;

	turn_peer_reported(p->core.turn, proc_now_ns(), peer);
	process_serve_outputs(p, proc_now_ns(), NULL);
	if (peer->state == TP_PEER_GONE && peer->failed == 0)
		log_event(LOG_EV_DATA_CONNECTION_ENDED,
			LOG_FIELDS(log_addr("relayed", &peer->local), log_addr("peer", &peer->peer),
				log_u64("to_peer_octets", peer->to_peer),
				log_u64("to_client_octets", peer->to_client)));
}

static void on_used(void *ctx, const struct tp_session_used *u)
{
	struct process *p = ctx;

	turn_cap_used(p->core.turn, proc_now_ns(), u);
	process_serve_outputs(p, proc_now_ns(), NULL);
}

static void on_synced(void *ctx, uint64_t peers_max)
{
	struct process *p = ctx;

	turn_edge_synced(p->core.turn, peers_max);
	process_serve_outputs(p, proc_now_ns(), NULL);
	held_release(ctx, NULL);
}

static void on_again(void *ctx)
{
	struct process *p = ctx;

	turn_streams_again(p->core.turn, proc_now_ns());
}

static void on_room(void *ctx, uint64_t peers_max)
{
	turn_edge_room(((struct process *)ctx)->core.turn, peers_max);
}

static void on_lost(void *ctx)
{
	struct process *p = ctx;

	turn_streams_lost(p->core.turn, proc_now_ns());
	held_release(p, NULL);
}

int process_streams_open(struct process *p)
{
	const struct link_edge_handler handler = {.ctx = p,
		.opened = on_opened,
		.closed = on_closed,
		.relay = on_relay,
		.peer = on_peer,
		.used = on_used,
		.synced = on_synced,
		.again = on_again,
		.room = on_room,
		.lost = on_lost};

	process_streams_tell(p);
	return link_edge_init(&p->streams.edge, p->link.place.run_directory, p->link.place.group,
		p->loop.epoll_fd, PROCESS_TAG_EDGE, &handler);
}

void process_streams_close(struct process *p)
{
	for (unsigned i = 0; i < p->streams.n_held; i++)
		free(p->streams.held[i].message);
	p->streams.n_held = 0;
	link_edge_fini(&p->streams.edge);
}

void process_streams_tell(struct process *p)
{
	static struct tp_session_listener listeners[TP_SESSION_LISTENERS_MAX];
	const struct turn_conf *t = &p->core.settings->turn;
	unsigned n = 0;

	for (size_t i = 0; i < t->n_listeners && n < TP_ARRAY_LEN(listeners); i++) {
		const struct turn_listener *l = &t->listeners[i];

		if (turn_listener_is_stream(l))
			listeners[n++] = (struct tp_session_listener){
				.addr = l->local, .id = l->id, .transport = l->transport};
	}
	link_edge_listeners(&p->streams.edge, tables_shm(p->link.tables)->pair_id, listeners, n);
}

void process_streams_order(struct process *p, const struct turn_out *out)
{
	struct tp_session_order order = *out->order;

	order.data_len = (uint16_t)out->len;
	link_edge_order(&p->streams.edge, &order, out->data);
}

void process_streams_read(struct process *p)
{
	p->streams.spent = !link_edge_read(&p->streams.edge, REPORTS_MAX);
}

bool process_streams_hold(struct process *p, uint64_t now_ns, const struct turn_tuple *from,
	const struct link_message *m)
{
	struct process_streams *s = &p->streams;
	struct link_message *copy;

	if (turn_stream_is_open(p->core.turn, from))
		return false;
	// The report was sent before the message.
	if (!s->spent)
		process_streams_read(p);
	if (turn_stream_is_open(p->core.turn, from) || s->edge.is_synced)
		return false;
	// The edge has not come back yet since this process began.
	if (s->n_held > 0 && now_ns > s->held[0].since_ns + HOLD_NS)
		held_release(p, NULL);
	copy = s->n_held < PROCESS_HELD_MAX ? malloc(sizeof(*copy)) : NULL;
	if (copy == NULL)
		return false;
	*copy = *m;
	s->held[s->n_held].message = copy;
	s->held[s->n_held++].since_ns = now_ns;
	return true;
}
