// SPDX-License-Identifier: BSD-3-Clause
#include <link/edge.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fdpass/listen.h>
#include <log/log.h>
#include <turnpike/entry.h>

struct reports {
	struct tp_session_message head;
	union {
		struct tp_session_report items[TP_SESSION_REPORTS_MAX];
		struct tp_session_relay relays[TP_SESSION_REPORTS_MAX];
		struct tp_session_peer peers[TP_SESSION_REPORTS_MAX];
		struct tp_session_used used[TP_SESSION_REPORTS_MAX];
	};
};

// A message that waits, whole.
struct link_edge_order {
	struct link_edge_order *next;
	size_t size; // from `head` on
	struct tp_session_message head;
	struct tp_session_order order;
	uint8_t data[];
};
_Static_assert(offsetof(struct link_edge_order, data) == offsetof(struct link_edge_order, head) +
								 sizeof(struct tp_session_message) +
								 sizeof(struct tp_session_order),
	"the parts of a message follow each other");

static int watch(const struct link_edge *e, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = e->tag};

	return epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

// Whether the descriptor wakes the loop as soon as the edge has read.
static void watch_room(const struct link_edge *e, bool room)
{
	struct epoll_event event = {
		.events = EPOLLIN | (room ? (uint32_t)EPOLLOUT : 0), .data.u32 = e->tag};

	(void)epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, e->fd, &event);
}

int link_edge_init(struct link_edge *e, const char *run_directory, gid_t group, int epoll_fd,
	uint32_t tag, const struct link_edge_handler *handler)
{
	int rc;

	e->handler = *handler;
	e->epoll_fd = epoll_fd;
	e->tag = tag;
	e->fd = -1;
	e->last = &e->first;
	e->listen_fd = fdpass_listen(e->path, sizeof(e->path), run_directory, TP_EDGE_SOCKET_NAME,
		SOCK_SEQPACKET, group, 2);
	if (e->listen_fd < 0)
		return e->listen_fd;
	rc = watch(e, e->listen_fd);
	if (rc < 0)
		link_edge_fini(e);
	return rc;
}

static void orders_drop(struct link_edge *e)
{
	while (e->first != NULL) {
		struct link_edge_order *o = e->first;

		e->first = o->next;
		free(o);
	}
	e->last = &e->first;
	e->n_waiting = 0;
}

void link_edge_fini(struct link_edge *e)
{
	orders_drop(e);
	if (e->fd >= 0)
		close(e->fd);
	if (e->listen_fd >= 0) {
		close(e->listen_fd);
		unlink(e->path);
	}
	e->fd = e->listen_fd = -1;
}

static void end(struct link_edge *e)
{
	close(e->fd);
	e->fd = -1;
	e->is_synced = false;
	e->expires_s = e->last_expires_s = 0;
	orders_drop(e);
	log_event(LOG_EV_EDGE_DOWN, LOG_FIELDS(log_str("remedy", "start turnpike-edge")));
	e->handler.lost(e->handler.ctx);
}

// A full socket of an edge that does not read: its session begins anew.
static bool listeners_send(const struct link_edge *e)
{
	size_t size =
		sizeof(e->listeners.head) + e->listeners.head.n * sizeof(e->listeners.items[0]);

	return send(e->fd, &e->listeners, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

void link_edge_listeners(struct link_edge *e, uint64_t pair_id,
	const struct tp_session_listener *listeners, unsigned n)
{
	if (n > TP_SESSION_LISTENERS_MAX)
		n = TP_SESSION_LISTENERS_MAX;
	e->listeners.head = (struct tp_session_message){.magic = TP_SESSION_MAGIC,
		.kind = TP_SESSION_LISTENERS,
		.n = n,
		.pair_id = pair_id};
	if (n > 0)
		memcpy(e->listeners.items, listeners, n * sizeof(*listeners));
	if (e->fd >= 0 && !listeners_send(e))
		end(e);
}

// ---- orders -------------------------------------------------------------------------------------

// False: the socket is full.
static bool order_send(struct link_edge *e, const struct link_edge_order *o)
{
	ssize_t n = send(e->fd, &o->head, o->size, MSG_DONTWAIT | MSG_NOSIGNAL);

	// The end of a broken one is read.
	return n >= 0 || (errno != EAGAIN && errno != EINTR);
}

static void orders_flush(struct link_edge *e)
{
	bool waited = e->first != NULL;

	while (e->fd >= 0 && e->first != NULL && order_send(e, e->first)) {
		struct link_edge_order *o = e->first;

		e->first = o->next;
		if (e->first == NULL)
			e->last = &e->first;
		e->n_waiting--;
		free(o);
	}
	if (waited && e->fd >= 0 && e->first == NULL)
		watch_room(e, false);
}

static struct link_edge_order *order_make(const struct tp_session_order *order, const void *data)
{
	struct link_edge_order *o = calloc(1, sizeof(*o) + order->data_len);

	if (o == NULL)
		return NULL;
	o->size = sizeof(o->head) + sizeof(o->order) + order->data_len;
	o->head = (struct tp_session_message){
		.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_ORDER, .n = 1};
	o->order = *order;
	if (order->data_len > 0)
		memcpy(o->data, data, order->data_len);
	return o;
}

void link_edge_order(struct link_edge *e, const struct tp_session_order *order, const void *data)
{
	struct link_edge_order *o;

	if (e->fd < 0)
		return;
	e->counters.orders++;
	o = e->n_waiting < LINK_EDGE_ORDERS_MAX ? order_make(order, data) : NULL;
	if (o == NULL) {
		// Its next session begins with a report of all that it has.
		e->counters.orders_lost++;
		end(e);
		return;
	}
	*e->last = o;
	e->last = &o->next;
	e->n_waiting++;
	if (e->n_waiting > 1)
		return;
	orders_flush(e);
	if (e->first != NULL)
		watch_room(e, true);
}

// ---- reports ------------------------------------------------------------------------------------

static void adopt(struct link_edge *e)
{
	int fd = accept4(e->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	e->fd = fd;
	if (e->listeners.head.magic == 0 || watch(e, fd) < 0 || !listeners_send(e)) {
		close(fd);
		e->fd = -1;
		return;
	}
	log_event(LOG_EV_EDGE_UP, NULL);
}

// Makes the address one as this process makes them.
static bool addr_right(struct tp_addr *a)
{
	unsigned len = tp_family_ip_len(a->family);

	if ((a->family != TP_FAMILY_IPV4 && a->family != TP_FAMILY_IPV6) || a->port_be == 0)
		return false;
	a->reserved = 0;
	memset(a->ip + len, 0, sizeof(a->ip) - len);
	return true;
}

static bool report_right(struct tp_session_report *r)
{
	return r->listener_id < TP_LOCALS_MAX && r->flags <= TP_REPORT_FRAMED &&
	       tp_connection_valid(r->connection) && addr_right(&r->remote);
}

static bool relay_right(struct tp_session_relay *r)
{
	return r->state >= TP_RELAY_LISTENS && r->state <= TP_RELAY_ENDED && addr_right(&r->local);
}

static bool peer_right(struct tp_session_peer *p)
{
	return p->state >= TP_PEER_CONNECTS && p->state <= TP_PEER_GONE && p->key != 0 &&
	       (p->state == TP_PEER_JOINED) == (p->connection != 0) && addr_right(&p->local) &&
	       addr_right(&p->peer);
}

static size_t item_size(uint32_t kind)
{
	switch (kind) {
	case TP_SESSION_OPENED:
	case TP_SESSION_CLOSED:
		return sizeof(struct tp_session_report);
	case TP_SESSION_RELAY:
		return sizeof(struct tp_session_relay);
	case TP_SESSION_PEER:
		return sizeof(struct tp_session_peer);
	case TP_SESSION_USED:
		return sizeof(struct tp_session_used);
	default:
		return 0;
	}
}

static bool message_right(const struct reports *m, size_t size)
{
	if (size < sizeof(m->head) || m->head.magic != TP_SESSION_MAGIC ||
		m->head.n > TP_SESSION_REPORTS_MAX ||
		size != sizeof(m->head) + m->head.n * item_size(m->head.kind))
		return false;
	return m->head.kind == TP_SESSION_SYNCED || m->head.kind == TP_SESSION_AGAIN
		       ? m->head.n == 0
		       : item_size(m->head.kind) > 0;
}

// False: the item is not one that an edge of ours sends.
static bool item_take(struct link_edge *e, struct reports *m, uint32_t i)
{
	const struct link_edge_handler *h = &e->handler;

	switch (m->head.kind) {
	case TP_SESSION_RELAY:
		if (!relay_right(&m->relays[i]))
			return false;
		h->relay(h->ctx, &m->relays[i]);
		return true;
	case TP_SESSION_PEER:
		if (!peer_right(&m->peers[i]))
			return false;
		h->peer(h->ctx, &m->peers[i]);
		return true;
	case TP_SESSION_USED:
		h->used(h->ctx, &m->used[i]);
		return true;
	default:
		break;
	}
	if (!report_right(&m->items[i]))
		return false;
	if (m->head.kind == TP_SESSION_OPENED)
		h->opened(h->ctx, &m->items[i]);
	else
		h->closed(h->ctx, &m->items[i]);
	return true;
}

// It comes again when the certificates change. The handler looks at all allocations for the first
// one: an edge that repeats it must not make that the work of this process.
static void synced_take(struct link_edge *e, const struct tp_session_message *head)
{
	const struct link_edge_handler *h = &e->handler;
	bool first = !e->is_synced;

	e->is_synced = true;
	e->expires_s = head->expires_s;
	e->last_expires_s = head->expires_s + head->expires_span_s;
	(first ? h->synced : h->room)(h->ctx, head->peers_max);
}

static bool message_take(struct link_edge *e, struct reports *m, size_t size)
{
	const struct link_edge_handler *h = &e->handler;

	if (!message_right(m, size))
		return false;
	if (m->head.kind == TP_SESSION_SYNCED)
		synced_take(e, &m->head);
	if (m->head.kind == TP_SESSION_AGAIN) {
		e->is_synced = false;
		h->again(h->ctx);
	}
	// An order that can't be queued ends the session meanwhile.
	for (uint32_t i = 0; i < m->head.n && e->fd >= 0; i++) {
		if (!item_take(e, m, i))
			return false;
		e->counters.reports++;
	}
	return true;
}

bool link_edge_read(struct link_edge *e, unsigned budget)
{
	struct reports m;

	orders_flush(e);
	for (unsigned n = 0; n < budget && e->listen_fd >= 0; n++) {
		ssize_t size;

		if (e->fd < 0)
			adopt(e);
		if (e->fd < 0)
			return true;
		size = recv(e->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (size <= 0 || !message_take(e, &m, (size_t)size)) {
			if (e->fd < 0)
				return false;
			e->counters.bad += size > 0;
			end(e);
		}
		// The end of a session, and a report of all once more, are the work of a turn.
		if (e->fd < 0 || m.head.kind == TP_SESSION_AGAIN)
			return false;
	}
	return true;
}
