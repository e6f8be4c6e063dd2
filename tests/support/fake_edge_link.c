// SPDX-License-Identifier: BSD-3-Clause
#include "fake_edge_link.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LISTENERS 16u

// A queue without bounds: tests are short.
struct item {
	struct item *next;
	struct fake_edge_message m;
};

struct queue {
	struct item *first;
	struct item **last;
};

struct slot {
	void *owner; // NULL: free
	uint32_t generation;
	uint16_t listener_id;
	uint16_t flags;
	struct tp_addr remote;
};

struct edge_link_thread {
	struct edge_link *link;
	unsigned number;
	int fd;
	struct slot *slots;
	struct queue in;
	uint64_t wanted;
};

struct edge_link {
	struct edge_link_settings settings;
	struct edge_link_up up;
	struct fake_listener {
		struct tp_addr local;
		uint16_t id;
		uint8_t transport;
	} listeners[LISTENERS];
	unsigned n_listeners;
	unsigned n_owners_asked;
	unsigned room;
	uint64_t full;
	int fd;
	struct queue out;
	struct edge_link_counters counters;
	struct edge_link_thread threads[TP_EDGE_THREADS_MAX];
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_put(struct queue *q, const struct fake_edge_message *m)
{
	struct item *i = calloc(1, sizeof(*i));

	if (i == NULL)
		abort();
	i->m = *m;
	*q->last = i;
	q->last = &i->next;
}

static bool queue_take(struct queue *q, struct fake_edge_message *m)
{
	struct item *i = q->first;

	if (i == NULL)
		return false;
	*m = i->m;
	q->first = i->next;
	if (q->first == NULL)
		q->last = &q->first;
	free(i);
	return true;
}

static void queue_fini(struct queue *q)
{
	struct fake_edge_message m;

	while (queue_take(q, &m))
		;
}

struct edge_link *edge_link_create(const struct edge_link_settings *s)
{
	struct edge_link *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->settings = *s;
	l->up = (struct edge_link_up){true, true};
	l->room = UINT32_MAX;
	l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	queue_init(&l->out);
	for (unsigned i = 0; i < s->n_threads; i++) {
		struct edge_link_thread *t = &l->threads[i];

		t->link = l;
		t->number = i;
		t->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		t->slots = calloc(s->connections_max + 1, sizeof(*t->slots));
		queue_init(&t->in);
		if (t->slots == NULL)
			abort();
	}
	return l;
}

void edge_link_destroy(struct edge_link *l)
{
	if (l == NULL)
		return;
	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		queue_fini(&l->threads[i].in);
		close(l->threads[i].fd);
		free(l->threads[i].slots);
	}
	queue_fini(&l->out);
	close(l->fd);
	free(l);
}

int edge_link_fd(const struct edge_link *l)
{
	return l->fd;
}

void edge_link_tick(struct edge_link *l, uint64_t now_ns)
{
	(void)l;
	(void)now_ns;
}

unsigned edge_link_wait_ms(const struct edge_link *l)
{
	(void)l;
	return 100;
}

uint16_t edge_link_listener(
	const struct edge_link *l, const struct tp_addr *local, uint8_t transport)
{
	for (unsigned i = 0; i < l->n_listeners; i++) {
		if (l->listeners[i].transport == transport &&
			tp_addr_equal(&l->listeners[i].local, local))
			return l->listeners[i].id;
	}
	return 0;
}

struct edge_link_up edge_link_is_up(const struct edge_link *l)
{
	return l->up;
}

struct edge_link_thread *edge_link_thread(struct edge_link *l, unsigned number)
{
	return &l->threads[number];
}

int edge_link_thread_fd(const struct edge_link_thread *t)
{
	return t->fd;
}

static struct slot *slot_of(struct edge_link_thread *t, uint64_t connection)
{
	uint32_t egress = tp_connection_egress(connection);
	struct slot *s;

	if (!tp_connection_valid(connection) || tp_egress_thread(egress) != t->number ||
		tp_egress_slot(egress) > t->link->settings.connections_max)
		return NULL;
	s = &t->slots[tp_egress_slot(egress)];
	return s->owner != NULL && s->generation == tp_connection_generation(connection) ? s : NULL;
}

uint64_t edge_link_open(struct edge_link_thread *t, uint16_t listener_id,
	const struct tp_addr *remote, uint16_t flags, void *owner)
{
	if (listener_id == 0 || remote->port_be == 0 || owner == NULL)
		return 0;
	for (uint32_t i = 1; i <= t->link->settings.connections_max; i++) {
		struct slot *s = &t->slots[i];

		if (s->owner != NULL)
			continue;
		s->owner = owner;
		s->generation++;
		s->listener_id = listener_id;
		s->flags = flags;
		s->remote = *remote;
		t->link->counters.opened++;
		return tp_connection(t->number, i, s->generation);
	}
	t->link->counters.refused++;
	return 0;
}

uint16_t edge_link_listener_of(struct edge_link_thread *t, uint64_t connection)
{
	const struct slot *s = slot_of(t, connection);

	return s != NULL ? s->listener_id : 0;
}

void *edge_link_owner_of(struct edge_link_thread *t, uint64_t connection)
{
	const struct slot *s = slot_of(t, connection);

	t->link->n_owners_asked++;
	return s != NULL ? s->owner : NULL;
}

unsigned fake_edge_owners_asked(const struct edge_link *l)
{
	return l->n_owners_asked;
}

bool edge_link_adopt(struct edge_link_thread *t, uint64_t connection, uint16_t listener_id,
	const struct tp_addr *remote, uint16_t flags, void *owner)
{
	uint32_t egress = tp_connection_egress(connection);
	struct slot *s;

	if (!tp_connection_valid(connection) || tp_egress_thread(egress) != t->number ||
		tp_egress_slot(egress) > t->link->settings.connections_max)
		return false;
	s = &t->slots[tp_egress_slot(egress)];
	if (s->owner != NULL)
		return false;
	*s = (struct slot){.owner = owner,
		.generation = tp_connection_generation(connection),
		.listener_id = listener_id,
		.flags = flags,
		.remote = *remote};
	return true;
}

uint16_t fake_edge_flags(struct edge_link_thread *t, uint64_t connection)
{
	const struct slot *s = slot_of(t, connection);

	return s != NULL ? s->flags : UINT16_MAX;
}

void edge_link_close(struct edge_link_thread *t, uint64_t connection)
{
	struct slot *s = slot_of(t, connection);

	if (s == NULL)
		return;
	s->owner = NULL;
	t->link->counters.closed++;
}

static unsigned worker_of(const struct edge_link *l, uint64_t connection)
{
	return l->up.dataplane
		       ? tp_egress_slot(tp_connection_egress(connection)) % l->settings.n_workers
		       : 0;
}

static bool is_full(const struct edge_link *l, uint64_t connection)
{
	return l->room == 0 || (l->full >> worker_of(l, connection) & 1) != 0;
}

static int send(
	struct edge_link *l, const struct fake_edge_message *head, const void *data, size_t len)
{
	struct fake_edge_message m = *head;

	if (len == 0 || len > TP_RING_DATA_MAX)
		return -EMSGSIZE;
	if (!l->up.dataplane)
		return -ENOTCONN;
	if (is_full(l, head->connection)) {
		l->counters.send_full++;
		return -ENOBUFS;
	}
	if (l->room != UINT32_MAX)
		l->room--;
	m.len = len;
	memcpy(m.data, data, len);
	queue_put(&l->out, &m);
	l->counters.sent++;
	return 0;
}

int edge_link_send(struct edge_link_thread *t, uint64_t connection, const void *data, size_t len)
{
	const struct slot *s = slot_of(t, connection);
	struct fake_edge_message m = {.connection = connection};

	if (s == NULL)
		return -ESTALE;
	m.listener_id = s->listener_id;
	m.remote = s->remote;
	return send(t->link, &m, data, len);
}

bool edge_link_room(struct edge_link_thread *t, uint64_t connection, unsigned *worker)
{
	*worker = 0;
	if (slot_of(t, connection) == NULL)
		return true;
	*worker = worker_of(t->link, connection);
	return t->link->up.dataplane && !is_full(t->link, connection);
}

void edge_link_want(struct edge_link_thread *t, uint64_t workers)
{
	t->wanted = workers;
}

uint64_t fake_edge_wanted(const struct edge_link_thread *t)
{
	return t->wanted;
}

int edge_link_send_datagram(struct edge_link_thread *t, uint16_t listener_id,
	const struct tp_addr *remote, const struct edge_link_way *way, const void *data, size_t len)
{
	struct fake_edge_message m = {.listener_id = listener_id, .remote = *remote, .way = *way};
	const uint8_t *first = data;

	if (len > 0 && (*first < 20 || *first > 63))
		return -EINVAL;
	return send(t->link, &m, data, len);
}

unsigned edge_link_poll(
	struct edge_link_thread *t, unsigned budget, const struct edge_link_receiver *r)
{
	struct fake_edge_message m;
	unsigned n = 0;
	uint64_t count;

	if (read(t->fd, &count, sizeof(count)) < 0)
		count = 0;
	for (; n < budget && queue_take(&t->in, &m); n++) {
		const struct slot *s = slot_of(t, m.connection);

		t->link->counters.received++;
		if (m.connection == 0)
			r->datagram(r->ctx, m.listener_id, &m.remote, &m.way, m.data, m.len);
		else if (s == NULL)
			t->link->counters.stale++;
		else
			r->message(r->ctx, s->owner, m.connection, m.data, m.len);
	}
	return n;
}

void edge_link_flush(struct edge_link_thread *t)
{
	(void)t;
}

bool edge_link_sleep(struct edge_link_thread *t)
{
	return t->in.first == NULL && (t->wanted == 0 || t->link->room == 0);
}

void edge_link_wake(struct edge_link_thread *t)
{
	(void)t;
}

void edge_link_counters_add(const struct edge_link *l, struct edge_link_counters *c)
{
#define ADD(name, text) c->name += l->counters.name;
	EDGE_LINK_COUNTERS(ADD)
#undef ADD
}

// ---- the test's side ----------------------------------------------------------------------------

void fake_edge_listener(
	struct edge_link *l, uint16_t id, const struct tp_addr *local, uint8_t transport)
{
	if (l->n_listeners == LISTENERS)
		abort();
	l->listeners[l->n_listeners].local = *local;
	l->listeners[l->n_listeners].id = id;
	l->listeners[l->n_listeners++].transport = transport;
}

void fake_edge_set_up(struct edge_link *l, struct edge_link_up up)
{
	l->up = up;
}

void fake_edge_set_room(struct edge_link *l, unsigned n)
{
	l->room = n;
}

void fake_edge_set_full(struct edge_link *l, uint64_t workers)
{
	l->full = workers;
}

bool fake_edge_take(struct edge_link *l, struct fake_edge_message *m)
{
	return queue_take(&l->out, m);
}

void fake_edge_put(struct edge_link_thread *t, const struct fake_edge_message *m)
{
	const uint64_t one = 1;

	queue_put(&t->in, m);
	if (write(t->fd, &one, sizeof(one)) < 0)
		abort();
}

unsigned fake_edge_open(const struct edge_link *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		for (uint32_t s = 1; s <= l->settings.connections_max; s++)
			n += l->threads[i].slots[s].owner != NULL;
	}
	return n;
}
