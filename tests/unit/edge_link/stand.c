// SPDX-License-Identifier: BSD-3-Clause
#include "stand.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <cmocka.h>
#include <fdpass/fdpass.h>
#include <turnpike/ctl.h>

#include "scratch_place.h"

int stand_owner;

static int listen_at(const struct stand *s, const char *name, int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", s->place.run_directory, name);

	assert_true(n > 0 && (size_t)n < sizeof(a.sun_path));
	unlink(a.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void stand_make(struct stand *s)
{
	memset(s, 0, sizeof(*s));
	s->listen_fd = s->control_fd = s->wake_listen_fd = s->wake_fd = s->wake_timer = -1;
	s->now_ns = TP_NS_PER_S;
	scratch_place_make(&s->place);
}

void stand_remove(struct stand *s)
{
	stand_edge_kill(s);
	stand_control_kill(s);
	stand_dataplane_kill(s);
	scratch_place_remove(&s->place);
}

void stand_edge(struct stand *s, unsigned n_workers, unsigned n_threads, uint32_t connections)
{
	const struct edge_link_settings settings = {.place = &s->place,
		.n_workers = n_workers,
		.n_threads = n_threads,
		.connections_max = connections,
		.relay = s->relay};

	stand_edge_kill(s);
	s->link = edge_link_create(&settings);
	assert_non_null(s->link);
}

void stand_edge_kill(struct stand *s)
{
	edge_link_destroy(s->link);
	s->link = NULL;
}

void stand_control(struct stand *s)
{
	s->listen_fd = listen_at(s, TP_EDGE_SOCKET_NAME, SOCK_SEQPACKET);
}

void stand_control_kill(struct stand *s)
{
	shut(&s->control_fd);
	shut(&s->listen_fd);
}

struct tp_addr stand_local(void)
{
	return tp_addr_ipv4(0x0a000001, 3478);
}

void stand_listeners(struct stand *s, uint64_t pair_id, uint16_t id)
{
	struct {
		struct tp_session_message head;
		struct tp_session_listener item;
	} m = {.head = {.magic = TP_SESSION_MAGIC,
		       .kind = TP_SESSION_LISTENERS,
		       .n = 1,
		       .pair_id = pair_id},
		.item = {.addr = stand_local(), .id = id, .transport = TP_TRANSPORT_TCP}};

	assert_int_equal(send(s->control_fd, &m, sizeof(m), 0), sizeof(m));
}

void stand_dataplane(struct stand *s, unsigned n_workers)
{
	uint32_t n_threads;

	s->wake_listen_fd = listen_at(s, TP_STREAM_SOCKET_NAME, SOCK_STREAM);
	s->wake_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	assert_int_equal(
		shm_streams_open(&s->edge, &s->place, SHM_EDGE, STAND_PAIR, 0, 0, false, &s->err),
		0);
	n_threads = s->edge.n_threads;
	if (shm_streams_open(&s->stream, &s->place, SHM_STREAM, STAND_PAIR, n_workers, n_threads,
		    true, &s->err) == 0)
		return;
	assert_int_equal(shm_streams_create(&s->stream, &s->place, SHM_STREAM, STAND_PAIR,
				 n_workers, n_threads, &s->err),
		0);
	assert_int_equal(shm_file_publish(&s->stream.file, &s->place, &s->err), 0);
}

void stand_dataplane_kill(struct stand *s)
{
	shut(&s->wake_fd);
	shut(&s->wake_listen_fd);
	shut(&s->wake_timer);
	for (unsigned i = 0; i < s->n_timers; i++)
		shut(&s->thread_timers[i]);
	s->n_timers = 0;
	shm_streams_close(&s->stream);
	shm_streams_close(&s->edge);
}

static void timers_take(struct stand *s)
{
	char byte;
	int fd;

	while (s->wake_fd >= 0 && s->n_timers < TP_EDGE_THREADS_MAX &&
		fdpass_receive(s->wake_fd, &byte, 1, &fd, MSG_DONTWAIT) == 1) {
		assert_true(fd >= 0);
		s->thread_timers[s->n_timers++] = fd;
	}
}

static void accept_both(struct stand *s)
{
	const char byte = 0;
	int fd;

	if (s->listen_fd >= 0 && (fd = accept(s->listen_fd, NULL, NULL)) >= 0) {
		shut(&s->control_fd);
		s->control_fd = fd;
	}
	if (s->wake_listen_fd >= 0 && (fd = accept(s->wake_listen_fd, NULL, NULL)) >= 0) {
		shut(&s->wake_fd);
		s->wake_fd = fd;
		assert_int_equal(fdpass_send(fd, &byte, 1, s->wake_timer, 0), 1);
	}
	timers_take(s);
}

void stand_turn(struct stand *s)
{
	for (unsigned i = 0; i < 3; i++) {
		s->now_ns += TP_NS_PER_S;
		if (s->link != NULL)
			edge_link_tick(s->link, s->now_ns);
		accept_both(s);
	}
}

bool stand_told(struct stand *s, struct stand_message *m)
{
	ssize_t n = recv(s->control_fd, m, sizeof(*m), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	assert_true((size_t)n >= sizeof(m->head));
	assert_true(m->head.magic == TP_SESSION_MAGIC);
	assert_int_equal(n, sizeof(m->head) + m->head.n * sizeof(m->items[0]));
	return true;
}

struct tp_session_message stand_assert_synced(struct stand *s)
{
	struct stand_message m, none;

	assert_true(stand_told(s, &m));
	assert_int_equal(m.head.kind, TP_SESSION_SYNCED);
	assert_false(stand_told(s, &none));
	return m.head;
}

int stand_setup(void **state)
{
	struct stand *s = calloc(1, sizeof(*s));

	stand_make(s);
	*state = s;
	return 0;
}

int stand_teardown(void **state)
{
	stand_remove(*state);
	free(*state);
	return 0;
}

struct tp_addr stand_remote(uint16_t port)
{
	return tp_addr_ipv4(0x0a000002, port);
}

uint64_t stand_open(struct stand *s, unsigned thread, uint16_t port)
{
	struct tp_addr r = stand_remote(port);

	return edge_link_open(edge_link_thread(s->link, thread), LISTENER, &r, 0, &stand_owner);
}

void stand_start(struct stand *s, unsigned n_workers)
{
	struct stand_message m;

	stand_control(s);
	stand_edge(s, n_workers, 1, 4);
	stand_turn(s);
	stand_listeners(s, STAND_PAIR, LISTENER);
	stand_turn(s);
	stand_dataplane(s, n_workers);
	stand_turn(s);
	assert_true(edge_link_is_up(s->link).control && edge_link_is_up(s->link).dataplane);
	assert_true(stand_told(s, &m) && m.head.kind == TP_SESSION_SYNCED);
}

void stand_assert_told(
	struct stand *s, enum tp_session_kind kind, uint64_t connection, uint16_t port)
{
	struct stand_message m;
	struct tp_addr r = stand_remote(port);

	edge_link_flush(edge_link_thread(s->link, 0));
	assert_true(stand_told(s, &m));
	assert_int_equal(m.head.kind, kind);
	assert_int_equal(m.head.n, 1);
	assert_true(m.items[0].connection == connection);
	assert_int_equal(m.items[0].listener_id, LISTENER);
	assert_true(tp_addr_equal(&m.items[0].remote, &r));
}

void stand_worker_put(struct stand *s, unsigned worker, const struct tp_ring_slot *m)
{
	struct tp_ring_producer r = shm_streams_producer(&s->stream, &s->edge, worker, 0);
	struct tp_ring_slot *slot = tp_ring_reserve(&r);

	assert_non_null(slot);
	*slot = *m;
	tp_ring_publish(&r);
}

bool stand_worker_take(struct stand *s, unsigned worker, struct tp_ring_slot *m)
{
	struct tp_ring_consumer r = shm_streams_consumer(&s->stream, &s->edge, worker, 0);
	const struct tp_ring_slot *slot = tp_ring_peek(&r);

	if (slot == NULL)
		return false;
	*m = *slot;
	tp_ring_release(&r);
	return true;
}
