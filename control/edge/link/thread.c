// SPDX-License-Identifier: BSD-3-Clause
// A thread's ends of the rings.
#include "state.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <fdpass/wake.h>
#include <turnpike/stun.h>

#define PREFETCH_LINES 4u  // of a slot: its head and a short message
#define SHOWN_AT_ONCE  32u // messages that a worker on another core need not wait longer for
#define PAUSE_MIN_NS   100000u
#define PAUSE_MAX_NS   2000000u

int thread_init(struct edge_link_thread *t, struct edge_link *l, unsigned number)
{
	t->link = l;
	t->number = number;
	t->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (t->timer_fd < 0)
		return -errno;
	t->slots = calloc((size_t)l->settings.connections_max + 1, sizeof(*t->slots));
	return t->slots == NULL ? -ENOMEM : 0;
}

void thread_fini(struct edge_link_thread *t)
{
	if (t->timer_fd >= 0)
		close(t->timer_fd);
	free(t->slots);
}

int edge_link_thread_fd(const struct edge_link_thread *t)
{
	return t->timer_fd;
}

// ---- the view -----------------------------------------------------------------------------------

static struct out *out_to(struct edge_link_thread *t, struct view *v, unsigned worker)
{
	return &v->out[(size_t)t->number * v->n_workers + worker];
}

static void tell(struct edge_link_thread *t)
{
	if (!t->untold)
		return;
	t->untold = false;
	session_tell(t->link);
}

// A connection is reported before its first message is seen.
static void show(struct edge_link_thread *t, struct out *o)
{
	if (o->filled == 0)
		return;
	tell(t);
	atomic_store_explicit(o->ring.head,
		atomic_load_explicit(o->ring.head, memory_order_relaxed) + o->filled,
		memory_order_release);
	o->filled = 0;
}

static uint32_t out_free(const struct out *o)
{
	uint32_t free = tp_ring_free(&o->ring);

	return free > o->filled ? free - o->filled : 0;
}

// The slot behind those that are filled, or NULL.
static struct tp_ring_slot *out_reserve(struct out *o)
{
	struct tp_ring_slot *first = tp_ring_reserve(&o->ring);

	if (first == NULL || out_free(o) == 0)
		return NULL;
	return &o->ring.slots[(size_t)(first - o->ring.slots + o->filled) % o->ring.n_slots];
}

static void show_all(struct edge_link_thread *t, struct view *v)
{
	for (unsigned w = 0; v != NULL && t->number < v->n_threads && w < v->n_workers; w++)
		show(t, out_to(t, v, w));
}

// The view for the thread's use until the next call. One that the main thread takes away meanwhile
// is not unmapped before the next call. The rings to workers are in our own file: the next data
// plane takes what is in them.
static struct view *view_use(struct edge_link_thread *t)
{
	struct view *v = atomic_load(&t->link->view);
	struct view *seen = atomic_load_explicit(&t->seen, memory_order_relaxed);

	if (v == seen)
		return v != NULL && t->number < v->n_threads ? v : NULL;
	show_all(t, seen);
	while (v != seen) {
		atomic_store(&t->seen, v);
		seen = v;
		v = atomic_load(&t->link->view);
	}
	return v != NULL && t->number < v->n_threads ? v : NULL;
}

// ---- to workers ---------------------------------------------------------------------------------

static void slot_prefetch_write(const struct tp_ring_producer *r, struct tp_ring_slot *slot)
{
	uint8_t *next = (uint8_t *)&r->slots[(size_t)(slot - r->slots + 1) % r->n_slots];

	for (unsigned line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(next + line * TP_CACHE_LINE, 1);
}

static unsigned worker_of(const struct view *v, uint32_t number)
{
	return (number * 0x9e3779b1u >> 16) % v->n_workers;
}

static int send(struct edge_link_thread *t, uint32_t hash, const struct tp_ring_slot *head,
	const void *data, size_t len)
{
	struct view *v = view_use(t);
	struct tp_ring_slot *slot;
	struct out *out;
	unsigned worker;
	uint32_t resets;

	if (len == 0 || len > TP_RING_DATA_MAX)
		return -EMSGSIZE;
	if (v == NULL)
		return -ENOTCONN;
	worker = worker_of(v, hash);
	out = out_to(t, v, worker);
	resets = out->ring.resets;
	slot = out_reserve(out);
	counter_add(&t->counters.resets, out->ring.resets - resets);
	t->sent_to |= 1ull << worker;
	if (slot == NULL) {
		counter_add(&t->counters.send_full, 1);
		return -ENOBUFS;
	}
	memcpy(slot, head, offsetof(struct tp_ring_slot, data));
	slot->len = (uint16_t)len;
	memcpy(slot->data, data, len);
	slot_prefetch_write(&out->ring, slot);
	if (++out->filled >= SHOWN_AT_ONCE)
		show(t, out);
	counter_add(&t->counters.sent, 1);
	return 0;
}

bool edge_link_room(struct edge_link_thread *t, uint64_t connection, unsigned *worker)
{
	struct view *v = view_use(t);
	uint32_t index;

	*worker = 0;
	if (connection_slot(t, connection, &index) == NULL)
		return true;
	if (v == NULL)
		return false;
	*worker = worker_of(v, index);
	return out_free(out_to(t, v, *worker)) > 0;
}

void edge_link_want(struct edge_link_thread *t, uint64_t workers)
{
	if (t->wanted == 0)
		t->pause_ns = PAUSE_MIN_NS;
	t->wanted = workers;
}

int edge_link_send(struct edge_link_thread *t, uint64_t connection, const void *data, size_t len)
{
	uint32_t index;
	const struct slot *s = connection_slot(t, connection, &index);
	struct tp_ring_slot head;

	if (s == NULL)
		return -ESTALE;
	memset(&head, 0, offsetof(struct tp_ring_slot, data));
	head.local_id = s->is.listener_id;
	head.egress = tp_connection_egress(connection);
	head.remote = s->is.remote;
	head.connection = connection;
	head.kind = TP_RING_MESSAGE;
	return send(t, index, &head, data, len);
}

static uint32_t addr_hash(const struct tp_addr *a)
{
	uint32_t words[4], h = a->port_be;

	memcpy(words, a->ip, sizeof(words));
	for (unsigned i = 0; i < 4; i++)
		h = (h ^ words[i]) * 0x85ebca6bu;
	return h ^ h >> 15;
}

int edge_link_send_datagram(struct edge_link_thread *t, uint16_t listener_id,
	const struct tp_addr *remote, const struct edge_link_way *way, const void *data, size_t len)
{
	const uint8_t *first = data;
	struct tp_ring_slot head;

	if (len > 0 && !tp_is_dtls(*first))
		return -EINVAL;
	memset(&head, 0, offsetof(struct tp_ring_slot, data));
	head.local_id = listener_id;
	head.remote = *remote;
	head.connection = way->next_hop;
	head.tag = way->tag;
	head.kind = TP_RING_DTLS;
	return send(t, addr_hash(remote), &head, data, len);
}

void edge_link_flush(struct edge_link_thread *t)
{
	struct view *v;

	tell(t);
	if (t->sent_to == 0)
		return;
	v = view_use(t);
	show_all(t, v);
	// Between the rings' heads and the flags: a worker sets its flag, then looks at the rings.
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned w = 0; v != NULL && w < v->n_workers; w++) {
		if ((t->sent_to >> w & 1) == 0 ||
			atomic_load_explicit(
				&v->stream.header->sides[w].sleeping, memory_order_relaxed) == 0)
			continue;
		// One timer wakes all.
		(void)fdpass_wake(t->link->waking.wake_fd);
		break;
	}
	t->sent_to = 0;
}

// ---- from workers -------------------------------------------------------------------------------

static bool addr_take(struct tp_addr *out, const struct tp_addr *in)
{
	*out = (struct tp_addr){.port_be = in->port_be, .family = in->family};
	if (in->family != TP_FAMILY_IPV4 && in->family != TP_FAMILY_IPV6)
		return false;
	memcpy(out->ip, in->ip, tp_family_ip_len(in->family));
	return true;
}

static void message_hand(struct edge_link_thread *t, const struct tp_ring_slot *head,
	const struct edge_link_receiver *r)
{
	struct edge_link_way way = {.next_hop = head->connection, .tag = head->tag};
	struct tp_addr remote;
	const struct slot *s;
	uint32_t index;

	if (head->kind == TP_RING_DTLS && addr_take(&remote, &head->remote)) {
		r->datagram(r->ctx, head->local_id, &remote, &way, t->message, head->len);
	} else if (head->kind != TP_RING_MESSAGE) {
		counter_add(&t->counters.bad, 1);
	} else if ((s = connection_slot(t, head->connection, &index)) == NULL) {
		counter_add(&t->counters.stale, 1);
	} else {
		r->message(r->ctx, s->owner, head->connection, t->message, head->len);
	}
}

static void slot_prefetch(const struct tp_ring_consumer *r, const struct tp_ring_slot *slot)
{
	const uint8_t *next =
		(const uint8_t *)&r->slots[(size_t)(slot - r->slots + 1) % r->n_slots];

	for (unsigned line = 0; line < PREFETCH_LINES; line++)
		__builtin_prefetch(next + line * TP_CACHE_LINE);
}

// Copies the slot, gives it back, then looks at the copy.
static bool take(struct edge_link_thread *t, struct tp_ring_consumer *ring,
	const struct edge_link_receiver *r)
{
	uint32_t resets = ring->resets;
	const struct tp_ring_slot *slot = tp_ring_peek(ring);
	struct tp_ring_slot head;

	counter_add(&t->counters.resets, ring->resets - resets);
	if (slot == NULL)
		return false;
	memcpy(&head, slot, offsetof(struct tp_ring_slot, data));
	if (head.len > 0 && head.len <= TP_RING_DATA_MAX)
		memcpy(t->message, slot->data, head.len);
	slot_prefetch(ring, slot);
	tp_ring_release(ring);
	counter_add(&t->counters.received, 1);
	if (head.len == 0 || head.len > TP_RING_DATA_MAX)
		counter_add(&t->counters.bad, 1);
	else
		message_hand(t, &head, r);
	return true;
}

// A worker gives way to threads on its own core alone.
static void cpu_tell(const struct edge_link_thread *t)
{
	_Atomic uint32_t *cpu = &t->link->edge.header->sides[t->number].cpu;
	uint32_t now = (uint32_t)(sched_getcpu() + 1); // 0: unknown

	if (atomic_load_explicit(cpu, memory_order_relaxed) != now)
		atomic_store_explicit(cpu, now, memory_order_relaxed);
}

unsigned edge_link_poll(
	struct edge_link_thread *t, unsigned budget, const struct edge_link_receiver *r)
{
	struct view *v = view_use(t);
	unsigned n = 0, empty = 0;

	if (v != NULL)
		cpu_tell(t);
	while (v != NULL && n < budget && empty < v->n_workers) {
		unsigned w = t->next_worker % v->n_workers;

		if (take(t, &v->in[(size_t)t->number * v->n_workers + w], r)) {
			n++;
			empty = 0;
		} else {
			empty++;
		}
		t->next_worker = w + 1;
		// A call of the receiver may have found another view.
		v = n < budget ? view_use(t) : v;
	}
	return n;
}

// Whether the worker has messages for the thread, or room that it waits for.
static bool is_due(struct edge_link_thread *t, struct view *v, unsigned worker)
{
	const struct out *out;

	if (tp_ring_peek(&v->in[(size_t)t->number * v->n_workers + worker]) != NULL)
		return true;
	out = out_to(t, v, worker);
	return (t->wanted >> worker & 1) != 0 && out_free(out) >= out->ring.n_slots / 2;
}

// Nobody tells of room in a ring: the thread looks again after a pause, a longer one each time.
static void pause_begin(struct edge_link_thread *t)
{
	const struct itimerspec pause = {.it_value = {.tv_nsec = t->pause_ns}};

	(void)timerfd_settime(t->timer_fd, 0, &pause, NULL);
	t->pause_ns = t->pause_ns < PAUSE_MAX_NS ? 2 * t->pause_ns : PAUSE_MAX_NS;
}

bool edge_link_sleep(struct edge_link_thread *t)
{
	struct view *v = view_use(t);
	struct tp_streams_side *side;

	if (v == NULL)
		return true;
	// Before the flag: a worker that sees it sets the timer itself.
	if (t->wanted != 0)
		pause_begin(t);
	side = &t->link->edge.header->sides[t->number];
	atomic_store(&side->sleeping, 1);
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned w = 0; w < v->n_workers; w++) {
		if (!is_due(t, v, w))
			continue;
		atomic_store(&side->sleeping, 0);
		t->pause_ns = PAUSE_MIN_NS;
		return false;
	}
	return true;
}

void edge_link_wake(struct edge_link_thread *t)
{
	struct view *v = view_use(t);

	if (v != NULL)
		atomic_store(&t->link->edge.header->sides[t->number].sleeping, 0);
}
