// SPDX-License-Identifier: BSD-3-Clause
// Tells the control process which connections there are. Each slot remembers its last report. Those
// that differ from it are reported in the order in which they came to, so that a full socket, a
// reconnect and the ordinary course are one thing.
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <log/log.h>

struct listeners_message {
	struct tp_session_message head;
	struct tp_session_listener items[TP_SESSION_LISTENERS_MAX];
};

// From the control process.
union message {
	struct listeners_message listeners;
	struct {
		struct tp_session_message head;
		struct tp_session_order order;
		uint8_t data[TP_SESSION_DATA_MAX];
	} order;
};

struct relay_message {
	struct tp_session_message head;
	union {
		struct tp_session_relay relay;
		struct tp_session_peer peer;
		struct tp_session_used used;
	};
};

struct reports_message {
	struct tp_session_message head;
	struct tp_session_report items[TP_SESSION_REPORTS_MAX];
};

int session_init(struct edge_link *l)
{
	struct session *s = &l->session;

	s->fd = -1;
	s->last_dirty = &s->first_dirty;
	return -pthread_mutex_init(&s->mutex, NULL);
}

void session_fini(struct edge_link *l)
{
	if (l->session.fd >= 0)
		close(l->session.fd);
	l->session.fd = -1;
	if (l->session.last_dirty != NULL)
		pthread_mutex_destroy(&l->session.mutex);
}

static void dirty_put(struct session *s, struct slot *slot)
{
	if (slot->is_dirty)
		return;
	slot->is_dirty = true;
	slot->next_dirty = NULL;
	*s->last_dirty = slot;
	s->last_dirty = &slot->next_dirty;
}

static void dirty_drop_first(struct session *s)
{
	struct slot *slot = s->first_dirty;

	s->first_dirty = slot->next_dirty;
	if (s->first_dirty == NULL)
		s->last_dirty = &s->first_dirty;
	slot->is_dirty = false;
}

void session_mark(struct edge_link *l, struct slot *slot, const struct tp_session_report *is)
{
	struct session *s = &l->session;

	pthread_mutex_lock(&s->mutex);
	slot->is = *is;
	slot->is_used = true;
	dirty_put(s, slot);
	pthread_mutex_unlock(&s->mutex);
}

// Nothing has been told to the next control process.
static void forget_told(struct edge_link *l)
{
	struct session *s = &l->session;

	while (s->first_dirty != NULL)
		dirty_drop_first(s);
	for (unsigned t = 0; t < l->settings.n_threads; t++) {
		struct edge_link_thread *thread = &l->threads[t];

		for (uint32_t i = 1; i <= l->settings.connections_max; i++) {
			struct slot *slot = &thread->slots[i];

			// Slots are used from the first on.
			if (!slot->is_used)
				break;
			slot->told = (struct tp_session_report){0};
			if (slot->is.connection != 0)
				dirty_put(s, slot);
		}
	}
}

static void disconnect(struct edge_link *l)
{
	struct session *s = &l->session;
	bool was_up = atomic_load(&l->control_up);

	pthread_mutex_lock(&s->mutex);
	close(s->fd);
	s->fd = -1;
	s->synced = s->relay_told = s->again = false;
	s->listeners_came = false;
	pthread_mutex_unlock(&s->mutex);
	atomic_store(&l->control_up, false);
	if (was_up)
		log_event(LOG_EV_CONTROL_DOWN, NULL);
}

void session_connect(struct edge_link *l)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct epoll_event e = {.events = EPOLLIN};
	struct session *s = &l->session;
	int n, fd;

	if (s->fd >= 0)
		return;
	n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", l->settings.place->run_directory,
		TP_EDGE_SOCKET_NAME);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 ||
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
		close(fd);
		return;
	}
	pthread_mutex_lock(&s->mutex);
	s->fd = fd;
	forget_told(l);
	s->relay_told = l->settings.relay == NULL;
	pthread_mutex_unlock(&s->mutex);
	if (l->settings.relay != NULL)
		l->settings.relay->begin(l->settings.relay->ctx);
}

void session_again(struct edge_link *l)
{
	const struct edge_link_relay *r = l->settings.relay;
	struct session *s = &l->session;

	if (s->fd < 0)
		return;
	pthread_mutex_lock(&s->mutex);
	forget_told(l);
	s->again = true;
	s->synced = false;
	s->relay_told = r == NULL;
	pthread_mutex_unlock(&s->mutex);
	if (r != NULL)
		r->begin(r->ctx);
}

static bool listeners_take(struct edge_link *l, const struct listeners_message *m, size_t size)
{
	struct session *s = &l->session;

	if (m->head.n > TP_SESSION_LISTENERS_MAX ||
		size != sizeof(m->head) + m->head.n * sizeof(m->items[0]))
		return false;
	pthread_mutex_lock(&s->mutex);
	s->n_listeners = m->head.n;
	memcpy(s->listeners, m->items, m->head.n * sizeof(m->items[0]));
	s->pair_id = m->head.pair_id;
	s->listeners_came = true;
	pthread_mutex_unlock(&s->mutex);
	if (!atomic_exchange(&l->control_up, true))
		log_event(LOG_EV_CONTROL_UP, NULL);
	return true;
}

static bool order_take(struct edge_link *l, const union message *m, size_t size)
{
	const struct edge_link_relay *r = l->settings.relay;
	size_t least = sizeof(m->order.head) + sizeof(m->order.order);

	return r != NULL && m->order.head.n == 1 && size >= least &&
	       m->order.order.data_len <= TP_SESSION_DATA_MAX &&
	       size == least + m->order.order.data_len &&
	       r->order(r->ctx, &m->order.order, m->order.data);
}

// False: no control process of ours sends this.
static bool message_take(struct edge_link *l, const union message *m, size_t size)
{
	const struct tp_session_message *head = &m->listeners.head;

	if (size < sizeof(*head) || size > sizeof(*m) || head->magic != TP_SESSION_MAGIC)
		return false;
	if (head->kind == TP_SESSION_LISTENERS)
		return listeners_take(l, &m->listeners, size);
	return head->kind == TP_SESSION_ORDER && order_take(l, m, size);
}

void session_read(struct edge_link *l)
{
	union message m;

	while (l->session.fd >= 0) {
		ssize_t n = recv(l->session.fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || !message_take(l, &m, (size_t)n))
			disconnect(l);
	}
}

static bool tell(struct session *s, const struct reports_message *m)
{
	size_t size = sizeof(m->head) + m->head.n * sizeof(m->items[0]);

	return send(s->fd, m, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

// The next thing to be told about a slot: the end of the connection told, then the one that there
// is. 0: nothing is.
static uint32_t due(const struct slot *slot)
{
	if (slot->told.connection == slot->is.connection)
		return 0;
	return slot->told.connection != 0 ? TP_SESSION_CLOSED : TP_SESSION_OPENED;
}

// Fills the message with the first reports that are due, as far as they are of one kind. Returns
// the slots looked at; the last of them may have a report of the other kind to follow.
static unsigned reports_gather(const struct session *s, struct reports_message *m)
{
	unsigned n = 0;

	m->head.n = 0;
	for (const struct slot *slot = s->first_dirty; slot != NULL; slot = slot->next_dirty) {
		uint32_t kind = due(slot);

		if (kind != 0 && m->head.n > 0 && kind != m->head.kind)
			break;
		n++;
		if (kind == 0)
			continue;
		m->head.kind = kind;
		m->items[m->head.n++] = kind == TP_SESSION_CLOSED ? slot->told : slot->is;
		if (m->head.n == TP_SESSION_REPORTS_MAX ||
			(kind == TP_SESSION_CLOSED && slot->is.connection != 0))
			break;
	}
	return n;
}

// Reports that came together leave in one message.
static void reports_send(struct session *s)
{
	struct reports_message m = {.head = {.magic = TP_SESSION_MAGIC, .kind = TP_SESSION_AGAIN}};

	if (s->again)
		s->again = !tell(s, &m);
	while (s->first_dirty != NULL && !s->again) {
		unsigned n = reports_gather(s, &m);

		if (m.head.n > 0 && !tell(s, &m))
			return;
		for (unsigned i = 0; i < n; i++) {
			struct slot *slot = s->first_dirty;

			if (due(slot) == TP_SESSION_CLOSED)
				slot->told = (struct tp_session_report){0};
			else if (due(slot) == TP_SESSION_OPENED)
				slot->told = slot->is;
			if (due(slot) == 0)
				dirty_drop_first(s);
		}
	}
}

void edge_link_expires(struct edge_link *l, uint64_t first_s, uint64_t last_s)
{
	struct session *s = &l->session;

	pthread_mutex_lock(&s->mutex);
	if (s->expires_s != first_s || s->last_expires_s != last_s)
		s->synced = false;
	s->expires_s = first_s;
	s->last_expires_s = last_s;
	pthread_mutex_unlock(&s->mutex);
}

static bool tell_relay(struct session *s, const struct edge_link_report *r)
{
	struct relay_message m = {.head = {.magic = TP_SESSION_MAGIC, .kind = r->kind, .n = 1}};
	size_t size = sizeof(m.head);

	if (r->kind == TP_SESSION_RELAY) {
		m.relay = r->relay;
		size += sizeof(m.relay);
	} else if (r->kind == TP_SESSION_PEER) {
		m.peer = r->peer;
		size += sizeof(m.peer);
	} else {
		m.used = r->used;
		size += sizeof(m.used);
	}
	return send(s->fd, &m, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

void session_tell_relay(struct edge_link *l)
{
	const struct edge_link_relay *r = l->settings.relay;
	struct session *s = &l->session;
	struct edge_link_report report;
	bool full;

	if (r == NULL || s->fd < 0 || !s->listeners_came)
		return;
	// The connections that they name come first.
	session_tell(l);
	pthread_mutex_lock(&s->mutex);
	full = s->again;
	pthread_mutex_unlock(&s->mutex);
	while (!full && r->due(r->ctx, &report)) {
		full = !tell_relay(s, &report);
		if (!full)
			r->told(r->ctx);
	}
	pthread_mutex_lock(&s->mutex);
	s->relay_told |= !full;
	pthread_mutex_unlock(&s->mutex);
}

void session_tell(struct edge_link *l)
{
	const struct edge_link_relay *r = l->settings.relay;
	struct session *s = &l->session;
	struct reports_message m = {.head = {.magic = TP_SESSION_MAGIC,
					    .kind = TP_SESSION_SYNCED,
					    .peers_max = r == NULL ? 0 : r->peers_max}};

	pthread_mutex_lock(&s->mutex);
	m.head.expires_s = s->expires_s;
	m.head.expires_span_s = (uint32_t)(s->last_expires_s - s->expires_s < UINT32_MAX
						   ? s->last_expires_s - s->expires_s
						   : UINT32_MAX);
	if (s->fd >= 0 && s->listeners_came) {
		reports_send(s);
		if (s->first_dirty == NULL && s->relay_told && !s->again && !s->synced)
			s->synced = tell(s, &m);
	}
	pthread_mutex_unlock(&s->mutex);
}
