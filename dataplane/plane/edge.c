// SPDX-License-Identifier: BSD-3-Clause
#include <plane/edge.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <fdpass/listen.h>
#include <log/log.h>
#include <turnpike/ctl.h>

int plane_edge_init(struct plane_edge *e, const char *run_directory, gid_t group, int wake_fd)
{
	memset(e, 0, sizeof(*e));
	e->wake_fd = wake_fd;
	e->client_fd = -1;
	e->listen_fd = fdpass_listen(e->path, sizeof(e->path), run_directory, TP_STREAM_SOCKET_NAME,
		SOCK_STREAM, group, 2);
	return e->listen_fd < 0 ? e->listen_fd : 0;
}

static void timers_close(struct plane_edge *e)
{
	for (unsigned i = 0; i < e->n_timers; i++)
		close(e->timers[i]);
	e->n_timers = 0;
}

static void rings_free(struct plane_edge *e)
{
	struct plane_edge_rings *r = e->rings;

	e->rings = NULL;
	if (r == NULL)
		return;
	if (r->rings.edge.file.base != NULL)
		shm_guard_remove(r->rings.edge.file.base);
	shm_streams_close(&r->rings.edge);
	shm_streams_close(&r->rings.stream);
	free(r);
}

void plane_edge_fini(struct plane_edge *e)
{
	rings_free(e);
	timers_close(e);
	if (e->client_fd >= 0)
		close(e->client_fd);
	if (e->listen_fd >= 0) {
		close(e->listen_fd);
		unlink(e->path);
	}
	e->listen_fd = e->client_fd = -1;
}

// False: the edge is gone.
static bool timers_take(struct plane_edge *e)
{
	for (unsigned i = 0; i < 2 * TP_EDGE_THREADS_MAX; i++) {
		char byte;
		int fd;
		ssize_t n = fdpass_receive(e->client_fd, &byte, 1, &fd, MSG_DONTWAIT);

		if (n == -EAGAIN || n == -EINTR)
			return true;
		if (n <= 0)
			return false;
		if (fd >= 0 && e->n_timers < TP_EDGE_THREADS_MAX)
			e->timers[e->n_timers++] = fd;
		else if (fd >= 0)
			close(fd);
	}
	return true;
}

static void client_adopt(struct plane_edge *e)
{
	const char byte = 0;
	int fd = accept4(e->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (fdpass_send(fd, &byte, 1, e->wake_fd, MSG_DONTWAIT) == 1)
		e->client_fd = fd;
	else
		close(fd);
}

static void refuse(struct plane_edge *e, const struct shm_error *err)
{
	if (err->cause == e->refused || err->cause == SHM_MISSING || err->cause == SHM_UNFINISHED ||
		err->cause == SHM_OTHER_PAIR)
		return;
	e->refused = err->cause;
	log_event(LOG_EV_SEGMENT_REFUSED,
		LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
}

// Goes on with the words of an earlier run where the shape is the same.
static int stream_open(struct edge_rings *r, const struct shm_place *place, uint64_t pair_id,
	unsigned n_workers, struct shm_error *err)
{
	uint32_t n_threads = r->edge.n_threads;
	int rc = shm_streams_open(
		&r->stream, place, SHM_STREAM, pair_id, n_workers, n_threads, true, err);

	if (rc == 0 || !shm_cause_is_stale(err->cause))
		return rc;
	rc = shm_streams_create(&r->stream, place, SHM_STREAM, pair_id, n_workers, n_threads, err);
	if (rc == 0)
		rc = shm_file_publish(&r->stream.file, place, err);
	if (rc != 0)
		shm_streams_close(&r->stream);
	return rc;
}

static void rings_open(
	struct plane_edge *e, const struct shm_place *place, uint64_t pair_id, unsigned n_workers)
{
	struct plane_edge_rings *r = calloc(1, sizeof(*r));
	struct shm_error err = {.cause = SHM_OK};
	struct shm_file *file;
	int rc;

	if (r == NULL)
		return;
	e->rings = r;
	rc = shm_streams_open(&r->rings.edge, place, SHM_EDGE, pair_id, 0, 0, false, &err);
	file = &r->rings.edge.file;
	if (rc == 0 && shm_guard_add(file->base, file->size, &r->lost) != 0) {
		shm_streams_close(&r->rings.edge);
		rc = -ENOSPC;
	}
	if (rc == 0)
		rc = stream_open(&r->rings, place, pair_id, n_workers, &err);
	if (rc != 0) {
		refuse(e, &err);
		rings_free(e);
		return;
	}
	e->refused = SHM_OK;
	r->pair_id = pair_id;
	r->rings.n_workers =
		r->rings.edge.n_workers < n_workers ? r->rings.edge.n_workers : n_workers;
	r->rings.n_threads =
		r->rings.edge.n_threads < e->n_timers ? r->rings.edge.n_threads : e->n_timers;
	memcpy(r->rings.timers, e->timers, sizeof(r->rings.timers));
}

static bool is_wrong(const struct plane_edge_rings *r, uint64_t pair_id)
{
	return r->pair_id != pair_id || atomic_load(&r->lost) ||
	       shm_file_fate(&r->rings.edge.file) > SHM_FATE_UNNAMED ||
	       shm_file_fate(&r->rings.stream.file) > SHM_FATE_UNNAMED;
}

static void up_log(struct plane_edge *e)
{
	bool up = e->rings != NULL;

	if (up == e->up)
		return;
	e->up = up;
	if (up)
		log_event(
			LOG_EV_EDGE_UP, LOG_FIELDS(log_u64("threads", e->rings->rings.n_threads)));
	else
		log_event(LOG_EV_EDGE_DOWN, LOG_FIELDS(log_str("remedy", "start turnpike-edge")));
}

void plane_edge_tick(struct plane_edge *e, const struct shm_place *place, uint64_t pair_id,
	unsigned n_workers, plane_edge_apply_fn apply, void *ctx)
{
	bool gone = e->client_fd >= 0 && !timers_take(e);

	if (e->rings != NULL && (gone || is_wrong(e->rings, pair_id))) {
		if (apply(ctx, NULL) != 0)
			return; // again at the next tick: the end of a socket stays
		rings_free(e);
	}
	if (gone) {
		close(e->client_fd);
		e->client_fd = -1;
		timers_close(e);
	}
	if (e->client_fd < 0)
		client_adopt(e);
	// An edge that connected while this process started has sent its timers already. The next
	// tick notices if it has gone.
	if (e->client_fd >= 0)
		(void)timers_take(e);
	// All timers come in one go; a part of them waits for the rest.
	if (e->rings == NULL && e->client_fd >= 0 && e->n_timers > 0 && pair_id != 0) {
		rings_open(e, place, pair_id, n_workers);
		if (e->rings != NULL && (e->n_timers < e->rings->rings.edge.n_threads ||
						apply(ctx, &e->rings->rings) != 0))
			rings_free(e);
	}
	up_log(e);
}
