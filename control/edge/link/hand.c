// SPDX-License-Identifier: BSD-3-Clause
// The link passes from one process to the next: sockets, timers and handles go on, so neither of
// the other two processes notices.
#include "state.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <log/log.h>

// ---- the process before -------------------------------------------------------------------------

uint32_t edge_link_connections_max(const struct edge_link *l)
{
	return l->settings.connections_max;
}

static bool relay_is_told(const struct edge_link *l)
{
	const struct edge_link_relay *r = l->settings.relay;
	struct edge_link_report report;

	return r == NULL || !r->due(r->ctx, &report);
}

// As far as the socket takes it. Without a control process there is nothing to be told.
static bool all_tell(struct edge_link *l)
{
	struct session *s = &l->session;
	bool told;

	session_tell_relay(l);
	session_tell(l);
	pthread_mutex_lock(&s->mutex);
	told = s->fd < 0 || !s->listeners_came || (s->first_dirty == NULL && relay_is_told(l));
	pthread_mutex_unlock(&s->mutex);
	return told;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool edge_link_tell(struct edge_link *l, unsigned ms)
{
	uint64_t end_ms = now_ms() + ms;
	struct pollfd p = {.fd = l->session.fd, .events = POLLOUT};

	while (!all_tell(l)) {
		uint64_t now = now_ms();

		if (now >= end_ms || (p.revents & (POLLERR | POLLHUP)) != 0)
			return false;
		(void)poll(&p, 1, (int)(end_ms - now));
	}
	return true;
}

bool edge_link_hand(struct edge_link *l, struct edge_link_parts *out)
{
	struct session *s = &l->session;
	// The next process has no report of what it takes over.
	bool told = all_tell(l);

	*out = (struct edge_link_parts){.session_fd = -1,
		.waking_fd = l->waking.fd,
		.wake_fd = l->waking.wake_fd,
		.dataplane = l->waking.up,
		.n_threads = l->settings.n_threads,
		.connections_max = l->settings.connections_max};
	for (unsigned i = 0; i < l->settings.n_threads; i++)
		out->timer_fds[i] = l->threads[i].timer_fd;
	pthread_mutex_lock(&s->mutex);
	// One that has not begun begins anew.
	if (s->fd >= 0 && s->listeners_came) {
		out->session_fd = s->fd;
		out->pair_id = s->pair_id;
		out->n_listeners = s->n_listeners;
		memcpy(out->listeners, s->listeners, s->n_listeners * sizeof(s->listeners[0]));
	}
	pthread_mutex_unlock(&s->mutex);
	return told;
}

// Both processes have the socket: its events would go on here.
static void forget(struct edge_link *l, int *fd)
{
	if (*fd < 0)
		return;
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	close(*fd);
	*fd = -1;
}

void edge_link_leave(struct edge_link *l)
{
	pthread_mutex_lock(&l->session.mutex);
	forget(l, &l->session.fd);
	l->session.listeners_came = false;
	pthread_mutex_unlock(&l->session.mutex);
	forget(l, &l->waking.fd);
	l->waking.up = false;
	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		struct edge_link_thread *t = &l->threads[i];

		// Nobody waits for it any more.
		close(t->timer_fd);
		t->timer_fd = -1;
		atomic_store(&t->seen, NULL);
	}
	files_fini(l);
	atomic_store(&l->edge_made, false);
	atomic_store(&l->control_up, false);
	atomic_store(&l->dataplane_up, false);
}

// ---- the process after --------------------------------------------------------------------------

static bool watch(struct edge_link *l, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0;
}

static void fd_take(int *own, int fd)
{
	if (fd < 0)
		return;
	if (*own >= 0)
		close(*own);
	*own = fd;
}

static bool session_take(struct edge_link *l, const struct edge_link_parts *in)
{
	struct session *s = &l->session;

	if (in->session_fd < 0)
		return true;
	pthread_mutex_lock(&s->mutex);
	s->fd = in->session_fd;
	s->pair_id = in->pair_id;
	s->n_listeners = in->n_listeners;
	memcpy(s->listeners, in->listeners, in->n_listeners * sizeof(s->listeners[0]));
	s->listeners_came = s->synced = true;
	s->relay_told = true;
	pthread_mutex_unlock(&s->mutex);
	atomic_store(&l->control_up, true);
	log_event(LOG_EV_CONTROL_UP, NULL);
	return watch(l, s->fd);
}

int edge_link_take(struct edge_link *l, const struct edge_link_parts *in)
{
	bool right = in->n_threads == l->settings.n_threads &&
		     in->connections_max <= l->settings.connections_max &&
		     in->n_listeners <= TP_SESSION_LISTENERS_MAX && in->wake_fd >= 0;

	for (unsigned i = 0; i < l->settings.n_threads && right; i++)
		right = in->timer_fds[i] >= 0;
	if (!right)
		return -EINVAL;
	for (unsigned i = 0; i < l->settings.n_threads; i++)
		fd_take(&l->threads[i].timer_fd, in->timer_fds[i]);
	fd_take(&l->waking.wake_fd, in->wake_fd);
	l->waking.fd = in->waking_fd;
	l->waking.up = in->waking_fd >= 0 && in->dataplane;
	if (!session_take(l, in) || (in->waking_fd >= 0 && !watch(l, in->waking_fd)))
		return -errno;
	files_tick(l);
	return 0;
}

bool edge_link_adopt(struct edge_link_thread *t, uint64_t connection, uint16_t listener_id,
	const struct tp_addr *remote, uint16_t flags, void *owner)
{
	const struct tp_session_report is = {.connection = connection,
		.remote = *remote,
		.listener_id = listener_id,
		.flags = flags};
	struct session *session = &t->link->session;
	uint32_t egress = tp_connection_egress(connection), index = tp_egress_slot(egress);
	struct slot *s;

	if (!tp_connection_valid(connection) || tp_egress_thread(egress) != t->number ||
		index == 0 || index > t->link->settings.connections_max)
		return false;
	s = &t->slots[index];
	if (s->owner != NULL)
		return false;
	t->n_fresh = index > t->n_fresh ? index : t->n_fresh;
	s->owner = owner;
	s->generation = tp_connection_generation(connection);
	counter_add(&t->counters.opened, 1);
	if (session->fd < 0) {
		session_mark(t->link, s, &is);
		return true;
	}
	// The control process knows it.
	s->is = s->told = is;
	s->is_used = true;
	return true;
}

void edge_link_taken(struct edge_link *l, bool again)
{
	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		struct edge_link_thread *t = &l->threads[i];

		t->first_free = 0;
		for (uint32_t index = t->n_fresh; index > 0; index--) {
			struct slot *s = &t->slots[index];

			// The session looks at used slots from the first on.
			s->is_used = true;
			if (s->owner != NULL)
				continue;
			s->next_free = t->first_free;
			t->first_free = index;
		}
	}
	if (again)
		session_again(l);
}
