// SPDX-License-Identifier: BSD-3-Clause
#include <plane/attach.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <shm/futex.h>
#include <shm/guard.h>

#include <proc/host.h>
#include <worker/clock.h>

static struct shm_file *file_of(struct attach *a, unsigned i)
{
	struct shm_file *const files[] = {&a->segment.tables.file, &a->segment.inject.file,
		&a->segment.state.file, &a->segment.punt.file};

	return files[i];
}

#define N_FILES	      4u
#define FATE_TICKS    5u // names are looked up less often than flags
#define MISSING_TICKS 500u
#define CELLS_TICKS   100u // between attempts to have memory
#define WAIT_NS	      (10 * TP_NS_PER_MS)
_Static_assert(N_FILES == TP_ARRAY_LEN(((struct attach *)0)->lost), "one flag per file");

// A worker that is stuck keeps this from ending, not the rest of the process from running.
static void wait_for_workers(struct attach *a)
{
	uint32_t number = plane_grace_begin(&a->grace);

	while (!plane_grace_wait(&a->grace, number, WAIT_NS)) {
		if (a->settings.meanwhile != NULL)
			a->settings.meanwhile(a->settings.ctx);
	}
}

// Swaps the workers' snapshot; on return no worker uses the old one.
static int publish(struct attach *a, const struct segment *segment, struct stage_locals *locals)
{
	struct snapshot *fresh = malloc(sizeof(*fresh));
	struct snapshot *old = a->current;

	if (fresh == NULL)
		return -ENOMEM;
	*fresh = (struct snapshot){.serial = ++a->serial,
		.segment = segment,
		.locals = locals,
		.edge = a->edge,
		.n_entries = segment != NULL ? segment->state.n_ready : 0};
	a->current = fresh;
	atomic_store_explicit(&a->slot, fresh, memory_order_release);
	if (old != NULL) {
		wait_for_workers(a);
		if (old->locals != locals)
			stage_locals_destroy((struct stage_locals *)old->locals);
		free(old);
	}
	return 0;
}

int plane_attach_init(struct attach *a, const struct attach_settings *s)
{
	int err;

	memset(a, 0, sizeof(*a));
	a->settings = *s;
	a->place = *s->place;
	a->started_ns = clock_boottime_ns();
	err = shm_guard_install();
	if (err == 0)
		err = plane_grace_init(&a->grace);
	return err != 0 ? err : publish(a, NULL, NULL);
}

static size_t caps_size(const struct attach *a)
{
	return ((size_t)a->segment.tables.n_limits + 1) * sizeof(*a->segment.caps);
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
	if (a->segment.caps != NULL)
		munmap(a->segment.caps, caps_size(a));
	shm_tables_close(&a->segment.tables);
	memset(&a->segment, 0, sizeof(a->segment));
	a->mapped = false;
	a->gp_runs = false;
}

static void describe_port(struct tp_port *t, const struct io_port *p)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->interface, io_port_interface(p), sizeof(t->interface));
	snprintf(t->device, sizeof(t->device), "%s", p->device.name);
	t->ifindex = p->link.ifindex;
	t->mtu = p->mtu;
	memcpy(t->mac, p->mac, sizeof(t->mac));
	t->n_queues = p->n_rx_queues;
	t->link_up = 1;
	t->xdp = io_port_xdp(p);
}

// Each process measures the frequency itself, so equal counters differ a little.
static bool same_counter(uint64_t hz, uint64_t before_hz)
{
	uint64_t apart = hz > before_hz ? hz - before_hz : before_hz - hz;

	return apart <= before_hz / 100;
}

static bool same_ports(const struct attach *a, const struct shm_state *s)
{
	if (s->header->n_ports != a->settings.n_ports ||
		!same_counter(a->settings.tsc_hz, s->header->tsc_hz))
		return false;
	for (unsigned i = 0; i < a->settings.n_ports; i++) {
		struct tp_port port, there = s->header->ports[i];

		describe_port(&port, &a->settings.ports[i]);
		there.link_up = port.link_up;
		there.rx_no_buffer = port.rx_no_buffer;
		there.rx_missed = port.rx_missed;
		there.rx_errors = port.rx_errors;
		there.tx_errors = port.tx_errors;
		there.rx_unserved = port.rx_unserved;
		there.rx_ring_full = port.rx_ring_full;
		there.tx_invalid = port.tx_invalid;
		there.rx_fill_empty = port.rx_fill_empty;
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

_Static_assert(sizeof(struct stage_cap) == PROC_BUCKETS_BYTES, "as the plan counts them");

// All buckets are full. Pages that no slot uses are never touched.
static int caps_make(struct attach *a)
{
	void *p = mmap(NULL, caps_size(a), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	a->segment.caps = p;
	return 0;
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
	if (rc == 0)
		rc = caps_make(a);
	for (unsigned i = 0; i < N_FILES && rc == 0; i++) {
		struct shm_file *f = file_of(a, i);

		atomic_store(&a->lost[i], false);
		rc = shm_guard_add(f->base, f->size, &a->lost[i]);
	}
	return rc;
}

// A new snapshot with the tables' locals and path. -EAGAIN: a writer is half way.
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
	plane_claimed_from_locals(&a->claimed, a->locals, &a->path);
	a->config_seq = seq;
	return 0;
}

// Memory for the counters of entries that the control process will use soon. The workers know of
// them before it does.
static enum attach_event make_cells(struct attach *a, struct shm_error *err)
{
	struct shm_state *s = &a->segment.state;
	uint32_t wanted =
		atomic_load_explicit(&a->segment.tables.header->cells_wanted, memory_order_acquire);
	int rc = 0;

	// A writer was half way through the configuration, the last time.
	if (s->n_ready != shm_state_ready(s) && read_config(a) == 0)
		shm_state_tell(s);
	if (s->n_ready >= wanted || s->n_ready == s->n_entries || a->ticks < a->cells_ticks)
		return ATTACH_NOTHING;
	// A step at a time: this thread has other work.
	rc = shm_state_reserve(s, &a->place, s->n_ready + 1, err);
	if (rc == 0 && read_config(a) == 0)
		shm_state_tell(s);
	a->cells_ticks = rc == 0 ? a->ticks : a->ticks + CELLS_TICKS;
	plane_attach_flag(a, TP_STATE_CELLS_SHORT, rc != 0);
	return rc != 0 ? ATTACH_SHORT : ATTACH_NOTHING;
}

// Missing files are normal unless the process that creates them is running: then it creates them
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

// Re-resolves the directory on every attempt: the control process may have chosen another one
// since.
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
		atomic_store(&h->started_ns, a->started_ns);
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
	// Without memory for a snapshot the old one stays, its files too: tried again at the next
	// tick.
	if (publish(a, NULL, NULL) == 0)
		close_files(a);
}

static enum attach_event watch(struct attach *a, struct shm_error *err)
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
	if (worst > SHM_FATE_UNNAMED) {
		detach(a);
		return worst == SHM_FATE_TRUNCATED ? ATTACH_LOST : ATTACH_REPLACED;
	}
	if (look && (worst == SHM_FATE_UNNAMED) != a->unnamed) {
		a->unnamed = !a->unnamed;
		if (a->unnamed)
			return ATTACH_UNNAMED;
	}
	seq = atomic_load_explicit(&a->segment.tables.header->config_seq, memory_order_acquire);
	if (seq == (uint32_t)a->config_seq || read_config(a) != 0)
		return make_cells(a, err);
	return ATTACH_CHANGED;
}

enum attach_event plane_attach_tick(struct attach *a, struct shm_error *err)
{
	return a->mapped ? watch(a, err) : try_attach(a, err);
}

int plane_attach_edge(struct attach *a, const struct edge_rings *edge)
{
	const struct edge_rings *before = a->edge;
	int rc;

	a->edge = edge;
	rc = publish(a, a->current->segment, (struct stage_locals *)a->current->locals);
	if (rc != 0)
		a->edge = before;
	return rc;
}

static void grace_end(struct attach *a)
{
	struct tp_state_header *h = a->segment.state.header;
	uint64_t took =
		clock_boottime_ns() - atomic_load_explicit(&h->gp_open_ns, memory_order_relaxed);

	a->gp_runs = false;
	if (took > atomic_load_explicit(&h->gp_max_ns, memory_order_relaxed))
		atomic_store_explicit(&h->gp_max_ns, took, memory_order_relaxed);
	atomic_store_explicit(&h->gp_done, a->gp_wanted, memory_order_release);
	atomic_store_explicit(&h->gp_open_ns, 0, memory_order_relaxed);
}

void plane_attach_grace(struct attach *a, uint64_t timeout_ns)
{
	struct tp_state_header *h = a->segment.state.header;
	const _Atomic uint32_t *req;
	uint32_t wanted;

	if (!a->mapped) {
		struct timespec t = {.tv_nsec = (long)timeout_ns};

		nanosleep(&t, NULL);
		return;
	}
	req = &a->segment.tables.header->gp_req;
	wanted = atomic_load_explicit(req, memory_order_acquire);
	if (!a->gp_runs && wanted == atomic_load_explicit(&h->gp_done, memory_order_relaxed)) {
		shm_futex_wait(req, wanted, timeout_ns);
		wanted = atomic_load_explicit(req, memory_order_acquire);
		if (wanted == atomic_load_explicit(&h->gp_done, memory_order_relaxed))
			return;
	}
	if (!a->gp_runs) {
		atomic_store_explicit(&h->gp_open_ns, clock_boottime_ns(), memory_order_relaxed);
		a->gp_wanted = wanted;
		a->gp_number = plane_grace_begin(&a->grace);
		a->gp_runs = true;
	}
	if (plane_grace_wait(&a->grace, a->gp_number, timeout_ns))
		grace_end(a);
}

void plane_attach_fini(struct attach *a)
{
	for (unsigned i = 0; a->mapped && i < a->segment.state.n_workers; i++)
		atomic_store(&a->segment.state.workers[i].online, 0);
	plane_grace_fini(&a->grace);
	close_files(a);
	if (a->current != NULL)
		stage_locals_destroy((struct stage_locals *)a->current->locals);
	free(a->current);
	a->current = NULL;
}
