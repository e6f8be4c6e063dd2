// SPDX-License-Identifier: BSD-3-Clause
#include <link/link.h>

#include <errno.h>
#include <stdio.h>

#include <log/log.h>
#include <shm/guard.h>
#include <turnpike/ctl.h>

#define TRY_NS	 (100 * TP_NS_PER_MS)
#define STALE_NS (2 * TP_NS_PER_S)

void link_init(struct link *l, int epoll_fd, uint32_t socket_tag, uint32_t kick_tag)
{
	snprintf(l->socket_path, sizeof(l->socket_path), "%s/%s", l->place.run_directory,
		TP_PUNT_SOCKET_NAME);
	link_socket_init(&l->socket, l->socket_path, &l->place, epoll_fd, socket_tag, kick_tag);
}

static void punt_drop(struct link *l)
{
	if (l->punt.file.base == NULL)
		return;
	link_rings_detach(&l->rings);
	shm_guard_remove(l->punt.file.base);
	shm_punt_close(&l->punt);
	atomic_store(&l->punt_lost, false);
}

static void state_drop(struct link *l)
{
	if (l->state.file.base == NULL)
		return;
	tables_attach_state(l->tables, NULL);
	link_hops_attach_state(&l->hops, NULL);
	shm_guard_remove(l->state.file.base);
	shm_state_close(&l->state);
	atomic_store(&l->state_lost, false);
}

void link_files_drop(struct link *l)
{
	punt_drop(l);
	state_drop(l);
	l->tried_ns = 0;
}

void link_fini(struct link *l)
{
	link_files_drop(l);
	link_socket_fini(&l->socket);
}

// A file that is not there yet, or of the data plane before, is replaced by itself.
static void failure_log(enum shm_cause *told, const struct shm_error *err)
{
	if (err->cause != *told && !shm_cause_is_stale(err->cause))
		log_event(LOG_EV_SEGMENT_REFUSED,
			LOG_FIELDS(log_str("problem", err->text), log_str("remedy", err->remedy)));
	*told = err->cause;
}

static void state_map(struct link *l)
{
	struct shm_state *s = &l->state;
	struct shm_error err = {.cause = SHM_OK};

	if (shm_state_open(s, &l->place, tables_shm(l->tables), 0, false, &err) < 0) {
		failure_log(&l->state_told, &err);
		return;
	}
	l->state_told = SHM_OK;
	if (shm_guard_add(s->file.base, s->file.size, &l->state_lost) < 0) {
		shm_state_close(s);
		return;
	}
	tables_attach_state(l->tables, s);
	link_hops_attach_state(&l->hops, s);
}

static void punt_map(struct link *l)
{
	struct shm_punt *p = &l->punt;
	struct shm_error err = {.cause = SHM_OK};

	if (shm_punt_open(p, &l->place, tables_shm(l->tables), 0, false, &err) < 0) {
		failure_log(&l->punt_told, &err);
		return;
	}
	l->punt_told = SHM_OK;
	if (shm_guard_add(p->file.base, p->file.size, &l->punt_lost) < 0) {
		shm_punt_close(p);
		return;
	}
	link_rings_attach(&l->rings, &l->inject, p);
}

// A truncated file reads as zeros; a replaced one has no other user.
static bool is_gone(const struct shm_file *f, const atomic_bool *lost)
{
	return f->base != NULL && (atomic_load(lost) || shm_file_fate(f) > SHM_FATE_UNNAMED);
}

static void up_log(struct link *l, bool up, uint64_t now_ns)
{
	if (l->up == up)
		return;
	l->up = up;
	l->up_ns = now_ns;
	if (up)
		log_event(LOG_EV_DATAPLANE_UP, LOG_FIELDS(log_u64("workers", l->state.n_workers),
						       log_u64("ports", l->state.n_ports)));
	else
		log_event(LOG_EV_DATAPLANE_DOWN,
			LOG_FIELDS(log_str("remedy", "start turnpike-dataplane")));
}

// Our own files: a name that is gone is given back, or reported once.
static void own_watch(struct link *l)
{
	bool unnamed = l->tables != NULL && l->inject.file.base != NULL &&
		       (tables_fate(l->tables) != SHM_FATE_SAME ||
			       shm_file_fate(&l->inject.file) != SHM_FATE_SAME);

	if (unnamed && !l->unnamed)
		log_event(LOG_EV_SEGMENT_LOST,
			LOG_FIELDS(
				log_str("problem", "the name of a file is gone or another file's; "
						   "calls go on"),
				log_str("remedy", "keep both processes running for as long as "
						  "calls matter; find what removes files there")));
	l->unnamed = unnamed;
}

void link_tick(struct link *l, uint64_t now_ns)
{
	if (now_ns < l->tried_ns + TRY_NS)
		return;
	l->tried_ns = now_ns;
	own_watch(l);
	if (is_gone(&l->state.file, &l->state_lost))
		state_drop(l);
	if (is_gone(&l->punt.file, &l->punt_lost))
		punt_drop(l);
	if (l->state.file.base == NULL)
		state_map(l);
	if (l->punt.file.base == NULL)
		punt_map(l);
	if (l->socket.fd < 0)
		(void)link_socket_connect(&l->socket);
	up_log(l, link_socket_is_up(&l->socket) && l->state.file.base != NULL, now_ns);
}

void link_read(struct link *l, uint64_t now_ns)
{
	int rc = link_socket_read(&l->socket);

	if (rc < 0)
		up_log(l, false, now_ns);
	// Either way, recheck the files.
	if (rc != 0)
		l->tried_ns = 0;
	link_tick(l, now_ns);
}

bool link_forwards(const struct link *l, uint64_t now_ns)
{
	uint64_t beat_ns;

	if (!l->up || l->punt.file.base == NULL || l->state.file.base == NULL)
		return false;
	beat_ns = atomic_load_explicit(&l->state.header->file.heartbeat_ns, memory_order_relaxed);
	return beat_ns + STALE_NS > now_ns;
}
