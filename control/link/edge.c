// SPDX-License-Identifier: BSD-3-Clause
#include <link/edge.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fdpass/listen.h>
#include <log/log.h>
#include <turnpike/entry.h>

struct reports {
	struct tp_session_message head;
	struct tp_session_report items[TP_SESSION_REPORTS_MAX];
};

static int watch(const struct link_edge *e, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = e->tag};

	return epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int link_edge_init(struct link_edge *e, const char *run_directory, gid_t group, int epoll_fd,
	uint32_t tag, const struct link_edge_handler *handler)
{
	int rc;

	e->handler = *handler;
	e->epoll_fd = epoll_fd;
	e->tag = tag;
	e->fd = -1;
	e->listen_fd = fdpass_listen(e->path, sizeof(e->path), run_directory, TP_EDGE_SOCKET_NAME,
		SOCK_SEQPACKET, group, 2);
	if (e->listen_fd < 0)
		return e->listen_fd;
	rc = watch(e, e->listen_fd);
	if (rc < 0)
		link_edge_fini(e);
	return rc;
}

void link_edge_fini(struct link_edge *e)
{
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
	e->expires_s = 0;
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

// The address as this process makes them.
static bool report_right(struct tp_session_report *r)
{
	unsigned len = tp_family_ip_len(r->remote.family);

	if ((r->remote.family != TP_FAMILY_IPV4 && r->remote.family != TP_FAMILY_IPV6) ||
		r->remote.port_be == 0 || r->listener_id >= TP_LOCALS_MAX ||
		!tp_connection_valid(r->connection))
		return false;
	r->remote.reserved = 0;
	memset(r->remote.ip + len, 0, sizeof(r->remote.ip) - len);
	return true;
}

static bool message_right(const struct reports *m, size_t size)
{
	if (size < sizeof(m->head) || m->head.magic != TP_SESSION_MAGIC ||
		m->head.n > TP_SESSION_REPORTS_MAX ||
		size != sizeof(m->head) + m->head.n * sizeof(m->items[0]))
		return false;
	return m->head.kind == TP_SESSION_OPENED || m->head.kind == TP_SESSION_CLOSED ||
	       (m->head.kind == TP_SESSION_SYNCED && m->head.n == 0);
}

static bool message_take(struct link_edge *e, struct reports *m, size_t size)
{
	const struct link_edge_handler *h = &e->handler;

	if (!message_right(m, size))
		return false;
	if (m->head.kind == TP_SESSION_SYNCED) {
		e->is_synced = true;
		e->expires_s = m->head.expires_s;
		h->synced(h->ctx);
	}
	for (uint32_t i = 0; i < m->head.n; i++) {
		if (!report_right(&m->items[i]))
			return false;
		e->counters.reports++;
		if (m->head.kind == TP_SESSION_OPENED)
			h->opened(h->ctx, &m->items[i]);
		else
			h->closed(h->ctx, &m->items[i]);
	}
	return true;
}

void link_edge_read(struct link_edge *e, unsigned budget)
{
	struct reports m;

	for (unsigned n = 0; n < budget && e->listen_fd >= 0; n++) {
		ssize_t size;

		if (e->fd < 0)
			adopt(e);
		if (e->fd < 0)
			return;
		size = recv(e->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size > 0 && message_take(e, &m, (size_t)size))
			continue;
		e->counters.bad += size > 0;
		end(e);
	}
}
