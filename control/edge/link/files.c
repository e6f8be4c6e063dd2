// SPDX-License-Identifier: BSD-3-Clause
// Makes the edge's own file, and maps the data plane's while it is there. Threads use both through
// a view; one that has become wrong is taken from them first, and unmapped when the last has let
// go.
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <fdpass/wake.h>
#include <log/log.h>
#include <shm/guard.h>

static void view_free(struct view *v)
{
	if (v == NULL)
		return;
	if (v->stream.file.base != NULL) {
		shm_guard_remove(v->stream.file.base);
		shm_streams_close(&v->stream);
	}
	free(v->out);
	free(v->in);
	free(v);
}

void files_fini(struct edge_link *l)
{
	view_free(l->retiring);
	view_free(atomic_load(&l->view));
	l->retiring = NULL;
	atomic_store(&l->view, NULL);
	shm_streams_close(&l->edge);
}

// Says once why a file can't be had; that it is not there yet is no news.
static void refuse(struct edge_link *l, const struct shm_error *err)
{
	if (err->cause == l->refused || err->cause == SHM_MISSING || err->cause == SHM_UNFINISHED)
		return;
	l->refused = err->cause;
	log_event(LOG_EV_SEGMENT_REFUSED,
		LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
}

// A handle that was given out in an earlier file may be in the tables still.
static uint32_t first_generation(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

// Handles that the edge of before gave out since it noted the last.
#define UNNOTED 65536u

static void generations_note(struct edge_link *l)
{
	for (unsigned i = 0; i < l->settings.n_threads; i++)
		atomic_store(&l->edge.header->sides[i].generation,
			atomic_load(&l->threads[i].generation));
}

// The first file that this process has opened says where handles go on.
static void generations_take(struct edge_link *l)
{
	for (unsigned i = 0; i < l->settings.n_threads; i++)
		atomic_store(&l->threads[i].generation,
			atomic_load(&l->edge.header->sides[i].generation) + UNNOTED);
}

static int edge_make(struct edge_link *l, uint64_t pair_id, struct shm_error *err)
{
	int rc = shm_streams_create(&l->edge, &l->place, SHM_EDGE, pair_id, l->settings.n_workers,
		l->settings.n_threads, err);

	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < TP_STREAMS_SIDES; i++)
		atomic_store(&l->edge.header->sides[i].generation, first_generation());
	rc = shm_file_publish(&l->edge.file, &l->place, err);
	if (rc < 0)
		shm_streams_close(&l->edge);
	return rc;
}

static void edge_open(struct edge_link *l, uint64_t pair_id)
{
	struct shm_error err = {.cause = SHM_OK};
	int rc;

	l->place = *l->settings.place;
	rc = shm_place_find(&l->place, &err);
	if (rc == 0)
		rc = shm_streams_open(&l->edge, &l->place, SHM_EDGE, pair_id, l->settings.n_workers,
			l->settings.n_threads, true, &err);
	if (rc < 0 && l->place.directory[0] != '\0' && shm_cause_is_stale(err.cause))
		rc = edge_make(l, pair_id, &err);
	if (rc < 0) {
		refuse(l, &err);
		return;
	}
	l->edge_pair_id = pair_id;
	l->refused = SHM_OK;
	if (!atomic_load(&l->edge_made))
		generations_take(l);
	atomic_store(&l->edge_made, true);
}

static bool rings_make(struct view *v, const struct shm_streams *edge)
{
	size_t n;

	v->n_workers =
		v->stream.n_workers < edge->n_workers ? v->stream.n_workers : edge->n_workers;
	v->n_threads =
		v->stream.n_threads < edge->n_threads ? v->stream.n_threads : edge->n_threads;
	n = (size_t)v->n_workers * v->n_threads;
	v->out = calloc(n, sizeof(*v->out));
	v->in = calloc(n, sizeof(*v->in));
	if (v->out == NULL || v->in == NULL)
		return false;
	for (unsigned t = 0; t < v->n_threads; t++) {
		for (unsigned w = 0; w < v->n_workers; w++) {
			size_t i = (size_t)t * v->n_workers + w;

			v->out[i].ring = shm_streams_producer(edge, &v->stream, w, t);
			v->in[i] = shm_streams_consumer(edge, &v->stream, w, t);
		}
	}
	return true;
}

static void threads_wake(struct edge_link *l)
{
	for (unsigned i = 0; i < l->settings.n_threads; i++)
		(void)fdpass_wake(l->threads[i].timer_fd);
}

static void view_make(struct edge_link *l)
{
	struct view *v = calloc(1, sizeof(*v));
	struct shm_error err = {.cause = SHM_OK};

	if (v == NULL)
		return;
	if (shm_streams_open(
		    &v->stream, &l->place, SHM_STREAM, l->edge_pair_id, 0, 0, false, &err) < 0) {
		refuse(l, &err);
		free(v);
		return;
	}
	if (shm_guard_add(v->stream.file.base, v->stream.file.size, &v->lost) < 0) {
		shm_streams_close(&v->stream);
		free(v);
		return;
	}
	if (!rings_make(v, &l->edge)) {
		view_free(v);
		return;
	}
	atomic_store(&l->view, v);
	// Messages may wait for it.
	threads_wake(l);
}

static bool in_use(const struct edge_link *l, const struct view *v)
{
	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		if (atomic_load(&l->threads[i].seen) == v)
			return true;
	}
	return false;
}

// Each thread lets go at its next turn: those that wait are woken.
static void view_retire(struct edge_link *l)
{
	l->retiring = atomic_load(&l->view);
	atomic_store(&l->view, NULL);
	threads_wake(l);
}

static bool is_wrong(const struct edge_link *l, const struct view *v, bool other_pair)
{
	return other_pair || atomic_load(&v->lost) ||
	       shm_file_fate(&v->stream.file) > SHM_FATE_UNNAMED ||
	       shm_file_fate(&l->edge.file) > SHM_FATE_UNNAMED;
}

static void up_set(struct edge_link *l)
{
	bool up = l->waking.up && atomic_load(&l->view) != NULL;

	if (atomic_exchange(&l->dataplane_up, up) == up)
		return;
	if (up)
		log_event(LOG_EV_DATAPLANE_UP,
			LOG_FIELDS(log_u64("workers", atomic_load(&l->view)->n_workers)));
	else
		log_event(LOG_EV_DATAPLANE_DOWN,
			LOG_FIELDS(log_str("remedy", "start turnpike-dataplane")));
}

void files_tick(struct edge_link *l)
{
	struct view *v = atomic_load(&l->view);
	uint64_t pair_id = l->session.pair_id;
	bool other_pair = l->edge.file.base != NULL && pair_id != l->edge_pair_id;

	if (v != NULL && is_wrong(l, v, other_pair)) {
		view_retire(l);
		v = NULL;
	}
	if (l->retiring != NULL && !in_use(l, l->retiring)) {
		view_free(l->retiring);
		l->retiring = NULL;
	}
	if (v == NULL && l->retiring == NULL) {
		if (l->edge.file.base != NULL &&
			(other_pair || shm_file_fate(&l->edge.file) > SHM_FATE_UNNAMED))
			shm_streams_close(&l->edge);
		if (l->edge.file.base == NULL && pair_id != 0)
			edge_open(l, pair_id);
		if (l->edge.file.base != NULL)
			view_make(l);
	}
	if (l->edge.file.base != NULL)
		generations_note(l);
	up_set(l);
}
