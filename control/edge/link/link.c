// SPDX-License-Identifier: BSD-3-Clause
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <shm/guard.h>

#define TRY_NS	    (100 * TP_NS_PER_MS)
// A process that has just gone is started again: its clients wait for each of these.
#define TRY_SOON_NS (10 * TP_NS_PER_MS)
#define SOON_NS	    (10 * TP_NS_PER_S)

static bool settings_right(const struct edge_link_settings *s)
{
	return s->n_workers > 0 && s->n_workers <= TP_WORKERS_MAX && s->n_threads > 0 &&
	       s->n_threads <= TP_EDGE_THREADS_MAX && s->connections_max > 0 &&
	       s->connections_max < TP_CONNECTION_SLOT_MAX;
}

static int threads_make(struct edge_link *l)
{
	size_t size = l->settings.n_threads * sizeof(*l->threads);
	int rc = 0;

	l->threads = aligned_alloc(64, size);
	if (l->threads == NULL)
		return -ENOMEM;
	memset(l->threads, 0, size);
	for (unsigned i = 0; i < l->settings.n_threads; i++)
		l->threads[i].timer_fd = -1;
	for (unsigned i = 0; i < l->settings.n_threads && rc == 0; i++)
		rc = thread_init(&l->threads[i], l, i);
	return rc;
}

struct edge_link *edge_link_create(const struct edge_link_settings *s)
{
	struct edge_link *l;
	int rc;

	if (!settings_right(s)) {
		errno = EINVAL;
		return NULL;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	l->settings = *s;
	l->session.fd = l->waking.fd = l->waking.wake_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = l->epoll_fd < 0 ? -errno : shm_guard_install();
	if (rc == 0)
		rc = session_init(l);
	if (rc == 0)
		rc = waking_init(l);
	if (rc == 0)
		rc = threads_make(l);
	if (rc == 0)
		return l;
	edge_link_destroy(l);
	errno = -rc;
	return NULL;
}

void edge_link_destroy(struct edge_link *l)
{
	if (l == NULL)
		return;
	files_fini(l);
	waking_fini(l);
	session_fini(l);
	for (unsigned i = 0; l->threads != NULL && i < l->settings.n_threads; i++)
		thread_fini(&l->threads[i]);
	free(l->threads);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l);
}

int edge_link_fd(const struct edge_link *l)
{
	return l->epoll_fd;
}

static bool is_whole(const struct edge_link *l)
{
	return l->session.fd >= 0 && l->waking.fd >= 0;
}

static uint64_t try_ns(const struct edge_link *l)
{
	return !is_whole(l) && l->now_ns < l->whole_ns + SOON_NS ? TRY_SOON_NS : TRY_NS;
}

void edge_link_tick(struct edge_link *l, uint64_t now_ns)
{
	if (is_whole(l))
		l->whole_ns = now_ns;
	l->now_ns = now_ns;
	session_read(l);
	waking_read(l);
	if (now_ns >= l->tried_ns + try_ns(l)) {
		l->tried_ns = now_ns;
		session_connect(l);
		waking_connect(l);
	}
	files_tick(l);
	session_tell_relay(l);
	session_tell(l);
}

unsigned edge_link_wait_ms(const struct edge_link *l)
{
	return (unsigned)(try_ns(l) / TP_NS_PER_MS);
}

struct edge_link_up edge_link_is_up(const struct edge_link *l)
{
	return (struct edge_link_up){
		.control = atomic_load(&l->control_up), .dataplane = atomic_load(&l->dataplane_up)};
}

uint16_t edge_link_listener(
	const struct edge_link *l, const struct tp_addr *local, uint8_t transport)
{
	struct session *s = &((struct edge_link *)(uintptr_t)l)->session;
	uint16_t id = 0;

	if (!atomic_load(&l->edge_made))
		return 0;
	pthread_mutex_lock(&s->mutex);
	for (unsigned i = 0; i < s->n_listeners && id == 0; i++) {
		if (s->listeners[i].transport == transport &&
			tp_addr_equal(&s->listeners[i].addr, local))
			id = s->listeners[i].id;
	}
	pthread_mutex_unlock(&s->mutex);
	return id;
}

struct edge_link_thread *edge_link_thread(struct edge_link *l, unsigned number)
{
	return &l->threads[number];
}

void edge_link_counters_add(const struct edge_link *l, struct edge_link_counters *c)
{
	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		const struct counters *from = &l->threads[i].counters;

#define ADD(name, text) c->name += atomic_load_explicit(&from->name, memory_order_relaxed);
		EDGE_LINK_COUNTERS(ADD)
#undef ADD
	}
}
