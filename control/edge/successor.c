// SPDX-License-Identifier: BSD-3-Clause
// Takes over from the process before. If that one dies meanwhile, this one goes on with what it
// has.
#include "edge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <log/log.h>
#include <proc/clock.h>
#include <proc/start.h>

#define LEAVE_MS 60000u // the process before, for all that it does when it lets go

static void sockets_close(struct edge_before *b)
{
	for (size_t i = 0; i < b->n_sockets; i++) {
		if (b->sockets[i].fd >= 0)
			close(b->sockets[i].fd);
	}
	free(b->sockets);
	b->sockets = NULL;
	b->n_sockets = 0;
}

void edge_before_close(struct edge *e)
{
	sockets_close(&e->before);
	edge_before_channel_close(&e->before);
	edge_before_leave(e);
}

void edge_before_leave(struct edge *e)
{
	struct edge_before *b = &e->before;

	while (b->n_drains > 0)
		close(b->drains[--b->n_drains]);
}

static void drain_forget(struct edge_before *b, unsigned i)
{
	close(b->drains[i]);
	b->n_drains--;
	memmove(&b->drains[i], &b->drains[i + 1], (b->n_drains - i) * sizeof(b->drains[0]));
}

// The oldest makes way, and ends.
static void drain_add(struct edge_before *b, int fd)
{
	if (b->n_drains == TAKEOVER_DRAINS_MAX)
		drain_forget(b, 0);
	b->drains[b->n_drains++] = fd;
}

// ---- taking over --------------------------------------------------------------------------------

static int link_receive(struct edge_before *b, const struct takeover_record *r)
{
	struct takeover_link link;

	memcpy(&link, r->body, sizeof(link));
	// The control process would end the session at our first message, and with it all
	// connections.
	if (link.session != 0 && link.session != TP_SESSION_MAGIC)
		return -EPROTOTYPE;
	if (link.n_listeners > TP_SESSION_LISTENERS_MAX ||
		r->head.len != sizeof(link) + link.n_listeners * sizeof(b->parts.listeners[0]))
		return -EPROTO;
	b->parts = (struct edge_link_parts){.session_fd = -1,
		.waking_fd = -1,
		.wake_fd = -1,
		.dataplane = link.dataplane != 0,
		.n_threads = b->welcome.n_threads,
		.connections_max = b->welcome.connections_max,
		.pair_id = link.pair_id,
		.n_listeners = link.n_listeners};
	for (unsigned i = 0; i < TP_EDGE_THREADS_MAX; i++)
		b->parts.timer_fds[i] = -1;
	memcpy(b->parts.listeners, r->body + sizeof(link),
		link.n_listeners * sizeof(b->parts.listeners[0]));
	return 0;
}

static int descriptor_receive(struct edge *e, struct takeover_record *r)
{
	struct edge_link_parts *p = &e->before.parts;
	int *const places[TAKEOVER_DESCRIPTORS] = {
		[TAKEOVER_ROLE] = &e->role_fd,
		[TAKEOVER_SESSION] = &p->session_fd,
		[TAKEOVER_WAKING] = &p->waking_fd,
		[TAKEOVER_WAKE] = &p->wake_fd,
	};
	struct takeover_descriptor d;
	int *place;

	memcpy(&d, r->body, sizeof(d));
	if (d.kind >= TAKEOVER_DESCRIPTORS || d.index >= TP_EDGE_THREADS_MAX || r->fd < 0)
		return -EPROTO;
	if (d.kind == TAKEOVER_DRAINS) {
		drain_add(&e->before, r->fd);
		r->fd = -1;
		return 0;
	}
	place = d.kind == TAKEOVER_TIMER ? &p->timer_fds[d.index] : places[d.kind];
	if (*place >= 0)
		return -EPROTO;
	*place = r->fd;
	r->fd = -1;
	return 0;
}

static int relay_receive(struct edge *e, struct takeover_record *r)
{
	struct edge_relay_moved m;

	if (r->head.len != sizeof(m))
		return -EPROTO;
	memcpy(&m, r->body, sizeof(m));
	if (edge_relay_adopt(e->relay, &m, r->fd))
		r->fd = -1;
	return 0;
}

// Connections follow: the link has to be there.
static int link_begin(struct edge *e)
{
	int rc;

	if (e->before.linked)
		return 0;
	rc = edge_link_take(e->link, &e->before.parts);
	if (rc == 0)
		rc = serve_attach(e->serve, e->link);
	e->before.linked = rc == 0;
	return rc;
}

static int far_receive(struct edge *e, struct takeover_record *r)
{
	if (r->fd < 0 || e->before.far_fd >= 0)
		return -EPROTO;
	e->before.far_fd = r->fd;
	r->fd = -1;
	return 0;
}

static int connection_receive(struct edge *e, struct takeover_record *r)
{
	int rc = link_begin(e);

	if (rc < 0)
		return rc;
	if (r->fd < 0 || !serve_take(e->serve, r->body, r->head.len, r->fd, e->before.far_fd))
		return -EPROTO;
	r->fd = e->before.far_fd = -1;
	e->before.n_connections++;
	return 0;
}

static int end_receive(struct edge *e, struct takeover_record *r)
{
	struct takeover_end end;

	memcpy(&end, r->body, sizeof(end));
	serve_cookie_key_set(e->serve, end.cookie_key);
	explicit_bzero(&end, sizeof(end));
	explicit_bzero(r->body, sizeof(end));
	return link_begin(e);
}

// 1: it was the last one.
static int record_take(struct edge *e, struct takeover_record *r)
{
	int rc;

	switch (r->head.kind) {
	case TAKEOVER_LINK:
		return link_receive(&e->before, r);
	case TAKEOVER_DESCRIPTOR:
		return descriptor_receive(e, r);
	case TAKEOVER_RELAY:
		return relay_receive(e, r);
	case TAKEOVER_FAR:
		return far_receive(e, r);
	case TAKEOVER_CONNECTION:
		return connection_receive(e, r);
	case TAKEOVER_END:
		rc = end_receive(e, r);
		return rc == 0 ? 1 : rc;
	default:
		return -EPROTO;
	}
}

// Without the answer to TAKEN this process would not know whether it serves.
static int yours_receive(struct edge *e)
{
	struct takeover_record r;
	int rc;

	takeover_patience(e->before.fd, LEAVE_MS);
	(void)takeover_send(e->before.fd, TAKEOVER_TAKEN, NULL, 0, -1);
	rc = edge_before_expect(e, TAKEOVER_YOURS, &r);
	if (rc == 0)
		takeover_record_free(&r);
	takeover_patience(e->before.fd, TAKEOVER_STEP_MS);
	return rc;
}

static int all_receive(struct edge *e)
{
	struct takeover_record r;
	int rc = takeover_send(e->before.fd, TAKEOVER_GO, NULL, 0, -1);

	while (rc == 0) {
		rc = takeover_receive(e->before.fd, &r);
		if (rc < 0)
			break;
		rc = record_take(e, &r);
		takeover_record_free(&r);
	}
	if (rc == 1)
		rc = yours_receive(e);
	return rc < 0 && edge_before_refused(e) ? -ECANCELED : rc;
}

// As if it had died before: both of the others see its end, and are connected to anew.
static void parts_close(struct edge_link_parts *p)
{
	int *fds[] = {&p->session_fd, &p->waking_fd, &p->wake_fd};

	for (size_t i = 0; i < TP_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	for (unsigned i = 0; i < p->n_threads; i++) {
		if (p->timer_fds[i] >= 0)
			close(p->timer_fds[i]);
		p->timer_fds[i] = -1;
	}
}

static int role_take(struct edge *e)
{
	if (e->role_fd < 0)
		return edge_role_lock(e);
	shm_role_take(e->role_fd);
	return 0;
}

// The names are given up by now. Without them this process serves all the same.
static void names_take(struct edge *e)
{
	int rc = edge_next_rename(e), operator_rc = edge_operator_rename(e);

	rc = rc < 0 ? rc : operator_rc;
	if (rc < 0)
		log_event(LOG_EV_CONFIG_WARNING,
			LOG_FIELDS(log_str("key", "runtime_directory"),
				log_str("problem", "the sockets of operators and of the next "
						   "process can't have their names"),
				log_errno(-rc), log_str("remedy", "restart turnpike-edge")));
}

int edge_before_take(struct edge *e)
{
	struct edge_before *b = &e->before;
	int rc, status;

	if (b->fd < 0) {
		sockets_close(b);
		return 0;
	}
	rc = all_receive(e);
	b->died = edge_before_has_died(rc);
	if (rc < 0 && !b->died)
		return edge_before_failed(e, rc);
	status = role_take(e);
	if (status != 0)
		return status;
	names_take(e);
	edge_relay_taken(e->relay);
	// Ports that the configuration has no longer end here: nobody accepts from them.
	sockets_close(b);
	if (!b->died) {
		drain_add(b, b->fd);
		b->fd = -1;
	}
	edge_before_channel_close(b);
	if (b->linked)
		edge_link_taken(e->link, b->died);
	else if (b->parts.n_threads > 0)
		parts_close(&b->parts);
	log_event(LOG_EV_EDGE_TAKEN_OVER,
		LOG_FIELDS(log_str("part", "after"), log_u64("connections", b->n_connections),
			log_u64("sockets", b->welcome.n_sockets), log_bool("died", b->died)));
	return 0;
}

void edge_before_poll(struct edge *e)
{
	struct edge_before *b = &e->before;

	for (unsigned i = b->n_drains; i-- > 0;) {
		struct takeover_record r;
		int rc;

		if (!takeover_has_come(b->drains[i]))
			continue;
		rc = takeover_receive(b->drains[i], &r);
		if (rc == 0 && r.head.kind == TAKEOVER_CONNECTION)
			rc = connection_receive(e, &r);
		takeover_record_free(&r);
		if (rc < 0)
			drain_forget(b, i);
	}
}
