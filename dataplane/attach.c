// SPDX-License-Identifier: BSD-3-Clause
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <shm/futex.h>
#include <shm/guard.h>
#include <urcu-qsbr.h>

#include "clock.h"

static struct shm_file *file_of(struct attach *a, unsigned i)
{
	struct shm_file *const files[] = {&a->segment.tables.file, &a->segment.inject.file,
		&a->segment.state.file, &a->segment.punt.file};

	return files[i];
}

#define N_FILES	      4u
#define FATE_TICKS    5u // names are looked up less often than flags
#define MISSING_TICKS 500u
_Static_assert(N_FILES == TP_ARRAY_LEN(((struct attach *)0)->lost), "one flag per file");

// Swaps what workers see; when it returns none of them uses the old one.
static int publish(struct attach *a, const struct segment *segment, struct stage_locals *locals)
{
	struct view *fresh = malloc(sizeof(*fresh));
	struct view *old = a->current;

	if (fresh == NULL)
		return -ENOMEM;
	*fresh = (struct view){++a->serial, segment, locals};
	a->current = fresh;
	atomic_store_explicit(&a->slot, fresh, memory_order_release);
	if (old != NULL) {
		urcu_qsbr_synchronize_rcu();
		stage_locals_destroy((struct stage_locals *)old->locals);
		free(old);
	}
	return 0;
}

int attach_init(struct attach *a, const struct attach_settings *s)
{
	int err;

	memset(a, 0, sizeof(*a));
	a->settings = *s;
	a->place = *s->place;
	err = shm_guard_install();
	return err != 0 ? err : publish(a, NULL, NULL);
}

static void close_files(struct attach *a)
{
	for (unsigned i = 0; i < N_FILES; i++) {
		if (file_of(a, i)->base != NULL)
			shm_guard_remove(file_of(a, i)->base);
	}
	shm_punt_close(&a->segment.punt);
	shm_state_close(&a->segment.state);
	shm_inject_close(&a->segment.inject);
	shm_tables_close(&a->segment.tables);
	memset(&a->segment, 0, sizeof(a->segment));
	a->mapped = false;
}

static void describe_port(struct tp_port *t, const struct io_port *p)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->interface, p->device.interface, sizeof(t->interface));
	snprintf(t->device, sizeof(t->device), "%s", p->device.name);
	t->ifindex = p->link.ifindex;
	t->mtu = p->mtu;
	memcpy(t->mac, p->mac, sizeof(t->mac));
	t->n_queues = p->n_rx_queues;
	t->link_up = 1;
}

static bool same_ports(const struct attach *a, const struct shm_state *s)
{
	if (s->header->n_ports != a->settings.n_ports || s->header->tsc_hz != a->settings.tsc_hz)
		return false;
	for (unsigned i = 0; i < a->settings.n_ports; i++) {
		struct tp_port port, there = s->header->ports[i];

		describe_port(&port, &a->settings.ports[i]);
		there.link_up = port.link_up;
		there.rx_no_buffer = port.rx_no_buffer;
		there.rx_missed = port.rx_missed;
		there.rx_errors = port.rx_errors;
		there.tx_errors = port.tx_errors;
		if (memcmp(&port, &there, sizeof(port)) != 0)
			return false;
	}
	return true;
}

static int make_state(struct attach *a, struct shm_error *err)
{
	struct shm_state *s = &a->segment.state;
	int rc = shm_state_create(s, &a->place, &a->segment.tables, a->settings.n_workers, err);

	if (rc != 0)
		return rc;
	s->header->tsc_hz = a->settings.tsc_hz;
	s->header->n_ports = a->settings.n_ports;
	for (unsigned i = 0; i < a->settings.n_ports; i++)
		describe_port(&s->header->ports[i], &a->settings.ports[i]);
	s->n_ports = a->settings.n_ports;
	shm_state_adopt(s, &a->segment.tables);
	return shm_file_publish(&s->file, &a->place, err);
}

// Goes on with the counters of an earlier run where ports and tables are the same.
static int open_state(struct attach *a, struct shm_error *err)
{
	struct shm_state *s = &a->segment.state;
	int rc = shm_state_open(s, &a->place, &a->segment.tables, a->settings.n_workers, true, err);

	if (rc == 0 && !same_ports(a, s)) {
		shm_state_close(s);
		return make_state(a, err);
	}
	if (rc == 0)
		shm_state_adopt(s, &a->segment.tables);
	else if (shm_cause_is_stale(err->cause))
		rc = make_state(a, err);
	return rc;
}

static int open_punt(struct attach *a, struct shm_error *err)
{
	struct shm_punt *r = &a->segment.punt;
	unsigned n = a->settings.n_workers;
	int rc = shm_punt_open(r, &a->place, &a->segment.tables, n, true, err);

	if (rc == 0 || !shm_cause_is_stale(err->cause))
		return rc;
	rc = shm_punt_create(r, &a->place, &a->segment.tables, n, err);
	return rc == 0 ? shm_file_publish(&r->file, &a->place, err) : rc;
}

static int open_files(struct attach *a, struct shm_error *err)
{
	int rc = shm_place_find(&a->place, err);

	if (rc == 0)
		rc = shm_tables_open(&a->segment.tables, &a->place, false, err);
	if (rc == 0)
		rc = shm_inject_open(
			&a->segment.inject, &a->place, &a->segment.tables, 0, false, err);
	if (rc == 0)
		rc = open_state(a, err);
	if (rc == 0)
		rc = open_punt(a, err);
	for (unsigned i = 0; i < N_FILES && rc == 0; i++) {
		struct shm_file *f = file_of(a, i);

		atomic_store(&a->lost[i], false);
		rc = shm_guard_add(f->base, f->size, &a->lost[i]);
	}
	return rc;
}

// A new view with the tables' own idea of locals and path. -EAGAIN: a writer is half way.
static int read_config(struct attach *a)
{
	struct stage_locals *locals;
	int64_t seq = shm_tables_config(&a->segment.tables, &a->path, a->locals);
	int rc;

	if (seq < 0)
		return (int)seq;
	locals = stage_locals_create(a->locals, &a->path);
	if (locals == NULL)
		return -ENOMEM;
	rc = publish(a, &a->segment, locals);
	if (rc != 0) {
		stage_locals_destroy(locals);
		return rc;
	}
	own_from_locals(&a->own, a->locals, &a->path);
	a->config_seq = seq;
	return 0;
}

// Files that are not there yet are nothing to speak of, unless their maker runs: then it makes them
// where this process does not see them.
static enum attach_event judge_failure(struct attach *a, const struct shm_error *err)
{
	bool normal =
		err->cause == SHM_OK || err->cause == SHM_MISSING || err->cause == SHM_UNFINISHED;

	if (!shm_role_held(&a->place, SHM_ROLE_CONTROL))
		a->waited = 0;
	if (err->cause == a->refused || (normal && ++a->waited < MISSING_TICKS))
		return ATTACH_NOTHING;
	a->refused = err->cause;
	return ATTACH_REFUSED;
}

// The truth about the directory comes anew with each attempt: the control process may have chosen
// another one since.
static enum attach_event try_attach(struct attach *a, struct shm_error *err)
{
	struct tp_state_header *h;
	int rc;

	a->place = *a->settings.place;
	memset(err, 0, sizeof(*err));
	rc = open_files(a, err);
	if (rc == 0) {
		h = a->segment.state.header;
		atomic_store(&h->flags, a->settings.flags);
		atomic_store(&h->segments_lost, atomic_load(&h->segments_lost) > a->segments_lost
							? atomic_load(&h->segments_lost)
							: a->segments_lost);
		atomic_store(&h->gp_open_ns, 0);
		rc = read_config(a);
	}
	if (rc != 0) {
		close_files(a);
		return judge_failure(a, err);
	}
	a->mapped = true;
	a->refused = SHM_OK;
	a->waited = 0;
	return ATTACH_DONE;
}

static void detach(struct attach *a)
{
	// Without memory for a view the old one stays, its files too: tried again at the next tick.
	if (publish(a, NULL, NULL) == 0)
		close_files(a);
}

static enum attach_event watch(struct attach *a)
{
	struct tp_state_header *h = a->segment.state.header;
	enum shm_fate worst = SHM_FATE_SAME;
	bool look = ++a->ticks % FATE_TICKS == 0;
	uint32_t seq;

	for (unsigned i = 0; i < N_FILES; i++) {
		enum shm_fate fate = SHM_FATE_SAME;

		if (atomic_load(&a->lost[i]))
			fate = SHM_FATE_TRUNCATED;
		else if (look)
			fate = shm_file_fate(file_of(a, i));
		worst = fate > worst ? fate : worst;
	}
	if (worst == SHM_FATE_TRUNCATED) {
		a->segments_lost++;
		atomic_store(&h->segments_lost, atomic_load(&h->segments_lost) + 1);
		atomic_fetch_or(&h->flags, TP_STATE_SEGMENT_LOST);
	}
	if (worst != SHM_FATE_SAME) {
		detach(a);
		return worst == SHM_FATE_TRUNCATED ? ATTACH_LOST : ATTACH_REPLACED;
	}
	seq = atomic_load_explicit(&a->segment.tables.header->config_seq, memory_order_acquire);
	if (seq == (uint32_t)a->config_seq || read_config(a) != 0)
		return ATTACH_NOTHING;
	return ATTACH_CHANGED;
}

enum attach_event attach_tick(struct attach *a, struct shm_error *err)
{
	return a->mapped ? watch(a) : try_attach(a, err);
}

void attach_grace(struct attach *a, uint64_t timeout_ns)
{
	struct tp_state_header *h = a->segment.state.header;
	const _Atomic uint32_t *req;
	uint32_t wanted;
	uint64_t start, took;

	if (!a->mapped) {
		struct timespec t = {.tv_nsec = (long)timeout_ns};

		nanosleep(&t, NULL);
		return;
	}
	req = &a->segment.tables.header->gp_req;
	wanted = atomic_load_explicit(req, memory_order_acquire);
	if (wanted == atomic_load_explicit(&h->gp_done, memory_order_relaxed)) {
		shm_futex_wait(req, wanted, timeout_ns);
		wanted = atomic_load_explicit(req, memory_order_acquire);
		if (wanted == atomic_load_explicit(&h->gp_done, memory_order_relaxed))
			return;
	}
	start = clock_boottime_ns();
	atomic_store_explicit(&h->gp_open_ns, start, memory_order_relaxed);
	urcu_qsbr_synchronize_rcu();
	took = clock_boottime_ns() - start;
	if (took > atomic_load_explicit(&h->gp_max_ns, memory_order_relaxed))
		atomic_store_explicit(&h->gp_max_ns, took, memory_order_relaxed);
	atomic_store_explicit(&h->gp_done, wanted, memory_order_release);
	atomic_store_explicit(&h->gp_open_ns, 0, memory_order_relaxed);
}

void attach_heartbeat(struct attach *a, uint64_t now_ns)
{
	if (a->mapped) {
		atomic_store_explicit(
			&a->segment.state.header->file.heartbeat_ns, now_ns, memory_order_relaxed);
		atomic_store_explicit(
			&a->segment.punt.header->file.heartbeat_ns, now_ns, memory_order_relaxed);
	}
}

void attach_link(struct attach *a, unsigned port, bool up)
{
	if (a->mapped)
		atomic_store_explicit(&a->segment.state.header->ports[port].link_up, up ? 1 : 0,
			memory_order_relaxed);
}

bool attach_count(struct attach *a, unsigned port, const struct io_port_counters *more)
{
	struct tp_port *t;

	if (!a->mapped)
		return false;
	t = &a->segment.state.header->ports[port];
	atomic_fetch_add_explicit(
		&t->rx_no_buffer, (uint32_t)more->rx_no_buffer, memory_order_relaxed);
	tp_count(&t->rx_missed, more->rx_missed);
	tp_count(&t->rx_errors, more->rx_errors);
	tp_count(&t->tx_errors, more->tx_errors);
	return true;
}

void attach_fini(struct attach *a)
{
	static const enum shm_kind all[] = {
		SHM_TABLES, SHM_INJECT, SHM_PRIVATE, SHM_STATE, SHM_PUNT};
	struct shm_error err;

	for (unsigned i = 0; a->mapped && i < a->segment.state.n_workers; i++)
		atomic_store(&a->segment.state.workers[i].online, 0);
	close_files(a);
	if (a->current != NULL)
		stage_locals_destroy((struct stage_locals *)a->current->locals);
	free(a->current);
	a->current = NULL;
	a->place = *a->settings.place;
	if (shm_place_find(&a->place, &err) != 0 || shm_role_held(&a->place, SHM_ROLE_CONTROL))
		return;
	for (unsigned i = 0; i < TP_ARRAY_LEN(all); i++)
		shm_file_remove(&a->place, all[i], &err);
}
