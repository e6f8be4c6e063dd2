// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <errno.h>
#include <stdio.h>

#include <log/log.h>
#include <shm/guard.h>

#include "clock.h"

#define TRY_NS	 (100 * TP_NS_PER_MS)
#define STALE_NS (2 * TP_NS_PER_S)

void io_plane_init(struct io_relay *r)
{
	snprintf(r->plane.link_path, sizeof(r->plane.link_path), "%s/%s", r->place.run_directory,
		TP_PUNT_SOCKET_NAME);
	io_dplink_init(&r->plane.link, r->plane.link_path, r->epoll_fd, IO_TAG_LINK, IO_TAG_KICK);
}

static void punt_drop(struct io_relay *r)
{
	if (r->plane.punt.file.base == NULL)
		return;
	io_rings_detach(&r->rings);
	shm_guard_remove(r->plane.punt.file.base);
	shm_punt_close(&r->plane.punt);
	atomic_store(&r->plane.punt_lost, false);
}

static void state_drop(struct io_relay *r)
{
	if (r->plane.state.file.base == NULL)
		return;
	tables_attach_state(r->tables, NULL);
	io_hops_attach_state(&r->hops, NULL);
	io_rates_reset(&r->rates);
	shm_guard_remove(r->plane.state.file.base);
	shm_state_close(&r->plane.state);
	atomic_store(&r->plane.state_lost, false);
}

void io_plane_files_drop(struct io_relay *r)
{
	punt_drop(r);
	state_drop(r);
	r->plane.tried_ns = 0;
}

void io_plane_fini(struct io_relay *r)
{
	io_plane_files_drop(r);
	io_dplink_fini(&r->plane.link);
}

static void state_map(struct io_relay *r)
{
	struct shm_state *s = &r->plane.state;
	struct shm_error err;

	if (shm_state_open(s, &r->place, tables_shm(r->tables), 0, false, &err) < 0)
		return;
	if (shm_guard_add(s->file.base, s->file.size, &r->plane.state_lost) < 0) {
		shm_state_close(s);
		return;
	}
	tables_attach_state(r->tables, s);
	io_hops_attach_state(&r->hops, s);
}

static void punt_map(struct io_relay *r)
{
	struct shm_punt *p = &r->plane.punt;
	struct shm_error err;

	if (shm_punt_open(p, &r->place, tables_shm(r->tables), 0, false, &err) < 0)
		return;
	if (shm_guard_add(p->file.base, p->file.size, &r->plane.punt_lost) < 0) {
		shm_punt_close(p);
		return;
	}
	io_rings_attach(&r->rings, &r->inject, p);
}

// A truncated file reads as zeros, a replaced one is nobody's any more.
static bool is_gone(const struct shm_file *f, const atomic_bool *lost)
{
	return f->base != NULL && (atomic_load(lost) || shm_file_fate(f) != SHM_FATE_SAME);
}

static void up_log(struct io_relay *r, bool up)
{
	if (r->plane.up == up)
		return;
	r->plane.up = up;
	if (up)
		log_event(LOG_EV_DATAPLANE_UP,
			LOG_FIELDS(log_u64("workers", r->plane.state.n_workers),
				log_u64("ports", r->plane.state.n_ports)));
	else
		log_event(LOG_EV_DATAPLANE_DOWN,
			LOG_FIELDS(log_str("remedy", "start turnpike-dataplane")));
}

void io_plane_tick(struct io_relay *r, uint64_t now_ns)
{
	struct io_plane *p = &r->plane;

	if (now_ns < p->tried_ns + TRY_NS)
		return;
	p->tried_ns = now_ns;
	if (is_gone(&p->state.file, &p->state_lost))
		state_drop(r);
	if (is_gone(&p->punt.file, &p->punt_lost))
		punt_drop(r);
	if (p->state.file.base == NULL)
		state_map(r);
	if (p->punt.file.base == NULL)
		punt_map(r);
	if (p->link.fd < 0)
		(void)io_dplink_connect(&p->link);
	up_log(r, io_dplink_is_up(&p->link) && p->state.file.base != NULL);
}

void io_plane_link_read(struct io_relay *r, uint64_t now_ns)
{
	int rc = io_dplink_read(&r->plane.link);

	if (rc < 0)
		up_log(r, false);
	// Whatever came of it, the files may have changed.
	if (rc != 0)
		r->plane.tried_ns = 0;
	io_plane_tick(r, now_ns);
}

bool io_plane_forwards(const struct io_relay *r, uint64_t now_ns)
{
	const struct io_plane *p = &r->plane;
	uint64_t beat_ns;

	if (!p->up || p->punt.file.base == NULL || p->state.file.base == NULL)
		return false;
	beat_ns = atomic_load_explicit(&p->state.header->file.heartbeat_ns, memory_order_relaxed);
	return beat_ns + STALE_NS > now_ns;
}
