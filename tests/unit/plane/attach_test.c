// SPDX-License-Identifier: BSD-3-Clause
// The data plane's end of the segment against files as the control process makes them. No worker
// is registered: grace periods pass at once.
#include "attached.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <urcu-qsbr.h>

#include <shm/guard.h>
#include <worker/clock.h>

// cmocka takes SIGBUS for itself before each test.
static struct sigaction guard;

static const struct shm_tables_shape shape = {.n_entries = 1000,
	.n_next_hops = 16,
	.n_port_indexes = 1,
	.n_allocations = 100,
	.n_workers = 1};

static void set_listener(struct fixture *f, unsigned id, uint16_t port)
{
	struct tp_tables_header *h = f->tables.header;
	uint32_t seq = atomic_load(&h->config_seq);

	atomic_store(&h->config_seq, seq + 1);
	f->tables.locals[id] = (struct tp_local){.addr = tp_addr_ipv4(0xc0000201, port),
		.external = tp_addr_ipv4(0xc0000201, port),
		.role = TP_ROLE_LISTENER,
		.transport = TP_TRANSPORT_UDP};
	atomic_store(&h->config_seq, seq + 2);
}

static void make_tables(struct fixture *f)
{
	assert_int_equal(shm_tables_create(&f->tables, &f->place, &shape, &f->err), 0);
	set_listener(f, 1, 3478);
	assert_int_equal(shm_inject_create(&f->inject, &f->place, &f->tables, 1, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->inject.file, &f->place, &f->err), 0);
	assert_int_equal(shm_file_publish(&f->tables.file, &f->place, &f->err), 0);
}

static void test_attach(void **state)
{
	struct fixture *f = *state;
	struct tp_state_header *h;

	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
	assert_null(snapshot_read(&f->attach.slot)->locals);
	make_tables(f);
	atomic_store(&f->tables.header->gp_req, 0xfffffff0);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	assert_non_null(snapshot_read(&f->attach.slot)->locals);
	assert_ptr_equal(snapshot_read(&f->attach.slot)->segment, &f->attach.segment);
	assert_int_equal(f->attach.claimed.n, 1);
	assert_int_equal(f->attach.claimed.items[0].port_min, 3478);
	h = f->attach.segment.state.header;
	assert_int_equal(h->n_ports, 2);
	assert_int_equal(h->tsc_hz, 2300000000);
	assert_true(atomic_load(&h->started_ns) > 0);
	assert_string_equal(h->ports[0].interface, "eth0");
	assert_string_equal(h->ports[1].device, "net_null0");
	assert_int_equal(h->ports[0].ifindex, 7);
	assert_int_equal(atomic_load(&h->flags), TP_STATE_NO_HUGE);
	assert_int_equal(atomic_load(&h->gp_done), 0xfffffff0);
	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
}

static void test_change(void **state)
{
	struct fixture *f = *state;
	uint64_t serial;

	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	serial = snapshot_read(&f->attach.slot)->serial;
	set_listener(f, 2, 3479);
	assert_int_equal(attached_tick(f), ATTACH_CHANGED);
	assert_int_equal(f->attach.claimed.n, 2);
	assert_true(snapshot_read(&f->attach.slot)->serial > serial);

	// A writer that died half way: the previous state stays until one has finished.
	serial = snapshot_read(&f->attach.slot)->serial;
	atomic_fetch_add(&f->tables.header->config_seq, 1);
	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
	assert_int_equal(snapshot_read(&f->attach.slot)->serial, serial);
	atomic_fetch_add(&f->tables.header->config_seq, 1);
	assert_int_equal(attached_tick(f), ATTACH_CHANGED);
}

static void test_grace(void **state)
{
	struct fixture *f = *state;
	struct tp_state_header *h;

	make_tables(f);
	atomic_store(&f->tables.header->gp_req, 0xffffffff);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	h = f->attach.segment.state.header;
	// Nothing was asked for since.
	plane_attach_grace(&f->attach, TP_NS_PER_MS);
	assert_int_equal(atomic_load(&h->gp_done), 0xffffffff);
	atomic_fetch_add(&f->tables.header->gp_req, 1);
	plane_attach_grace(&f->attach, 10 * TP_NS_PER_S); // must not wait
	assert_int_equal(atomic_load(&h->gp_done), 0);
	assert_int_equal(atomic_load(&h->gp_open_ns), 0);
	assert_true(atomic_load(&h->gp_max_ns) > 0);
}

#define READER_NS (10 * TP_NS_PER_S) // longer than any test: then it goes by itself

struct reader {
	pthread_t thread;
	atomic_int state; // 1: online, 2: it may go
};

static void *reader_run(void *arg)
{
	struct reader *r = arg;
	uint64_t end_ns = clock_boottime_ns() + READER_NS;

	urcu_qsbr_register_thread();
	atomic_store(&r->state, 1);
	while (atomic_load(&r->state) == 1 && clock_boottime_ns() < end_ns)
		sched_yield();
	urcu_qsbr_unregister_thread();
	return NULL;
}

// A worker that is stuck keeps the grace period open, and nothing else from going on.
static void test_stuck(void **state)
{
	struct fixture *f = *state;
	struct reader r = {.state = 0};
	struct tp_state_header *h;

	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	h = f->attach.segment.state.header;
	assert_int_equal(pthread_create(&r.thread, NULL, reader_run, &r), 0);
	while (atomic_load(&r.state) == 0)
		sched_yield();
	atomic_fetch_add(&f->tables.header->gp_req, 1);
	for (unsigned i = 0; i < 3; i++) {
		plane_attach_grace(&f->attach, TP_NS_PER_MS);
		assert_int_not_equal(
			atomic_load(&h->gp_done), atomic_load(&f->tables.header->gp_req));
		assert_true(atomic_load(&h->gp_open_ns) != 0);
		assert_int_equal(plane_attach_tick(&f->attach, &f->err), ATTACH_NOTHING);
	}
	atomic_store(&r.state, 2);
	pthread_join(r.thread, NULL);
	while (atomic_load(&h->gp_done) != atomic_load(&f->tables.header->gp_req))
		plane_attach_grace(&f->attach, TP_NS_PER_S);
	assert_int_equal(atomic_load(&h->gp_open_ns), 0);
}

#define LOOKS 3u // after which the worker goes on

struct watcher {
	struct reader *reader;
	unsigned looks;
};

static void look(void *ctx)
{
	struct watcher *w = ctx;

	if (++w->looks == LOOKS)
		atomic_store(&w->reader->state, 2);
}

// A new configuration waits for a worker that is stuck, and the workers are watched meanwhile.
static void test_watched(void **state)
{
	struct fixture *f = *state;
	struct reader r = {.state = 0};
	struct watcher w = {.reader = &r};

	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	f->attach.settings.meanwhile = look;
	f->attach.settings.ctx = &w;
	assert_int_equal(pthread_create(&r.thread, NULL, reader_run, &r), 0);
	while (atomic_load(&r.state) == 0)
		sched_yield();
	set_listener(f, 2, 3479);
	assert_int_equal(attached_tick(f), ATTACH_CHANGED);
	pthread_join(r.thread, NULL);
	assert_true(w.looks >= LOOKS);
}

// The data plane started again: counters go on, though it has measured the frequency anew; with
// other ports the file is made anew.
static void test_restart(void **state)
{
	const struct io_port_counters more = {
		.rx_missed = 5,
		.rx_no_buffer = 7,
		.rx_errors = 11,
		.tx_errors = 13,
		.rx_unserved = 17,
		.rx_ring_full = 19,
		.tx_invalid = 23,
		.rx_fill_empty = 29,
	};
	struct fixture *f = *state;
	struct tp_worker_stats *w;
	const struct tp_port *port;

	// Nowhere to count yet.
	assert_false(plane_attach_count(&f->attach, 1, &more));
	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	w = &f->attach.segment.state.workers[0];
	atomic_store(&w->rx_packets, 42);
	assert_true(plane_attach_count(&f->attach, 1, &more));
	assert_true(plane_attach_count(&f->attach, 1, &more));
	plane_attach_fini(&f->attach);
	f->tsc_hz += f->tsc_hz / 200;
	attached_begin(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	w = &f->attach.segment.state.workers[0];
	assert_int_equal(atomic_load(&w->rx_packets), 42);
	assert_true(plane_attach_count(&f->attach, 1, &more));
	port = &f->attach.segment.state.header->ports[1];
	assert_int_equal(atomic_load(&port->rx_missed), 15);
	assert_int_equal(atomic_load(&port->rx_no_buffer), 21);
	assert_int_equal(atomic_load(&port->rx_errors), 33);
	assert_int_equal(atomic_load(&port->tx_errors), 39);
	assert_int_equal(atomic_load(&port->rx_unserved), 51);
	assert_int_equal(atomic_load(&port->rx_ring_full), 57);
	assert_int_equal(atomic_load(&port->tx_invalid), 69);
	assert_int_equal(atomic_load(&port->rx_fill_empty), 87);
	assert_int_equal(atomic_load(&port[-1].rx_missed), 0);
	plane_attach_fini(&f->attach);
	f->ports[0].mtu = 1400;
	attached_begin(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	w = &f->attach.segment.state.workers[0];
	assert_int_equal(atomic_load(&w->rx_packets), 0);
	assert_int_equal(f->attach.segment.state.header->ports[0].mtu, 1400);
}

// News of a port and of the host reach the state file, and stay for the next one.
static void test_news(void **state)
{
	struct fixture *f = *state;
	const struct tp_state_header *h;

	plane_attach_flag(&f->attach, TP_STATE_GUARD_OFF, true);
	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	h = f->attach.segment.state.header;
	assert_true((atomic_load(&h->flags) & TP_STATE_GUARD_OFF) != 0);
	plane_attach_flag(&f->attach, TP_STATE_STEERING_OFF, true);
	plane_attach_flag(&f->attach, TP_STATE_GUARD_OFF, false);
	assert_true((atomic_load(&h->flags) & TP_STATE_GUARD_OFF) == 0);
	assert_true((atomic_load(&h->flags) & TP_STATE_STEERING_OFF) != 0);
	f->ports[1].mac[5] ^= 1;
	atomic_store(&f->ports[1].mtu, 1300);
	plane_attach_port(&f->attach, 1);
	assert_memory_equal(h->ports[1].mac, f->ports[1].mac, 6);
	assert_int_equal(h->ports[1].mtu, 1300);
}

// Truncated under a reader: it reads zeros, says so, and comes back with good files.
static void truncate_file(struct fixture *f, const char *kind)
{
	char path[2 * SHM_PATH_MAX];

	snprintf(path, sizeof(path), "%s/turnpike-test.%s", f->place.directory, kind);
	assert_int_equal(sigaction(SIGBUS, &guard, NULL), 0);
	assert_int_equal(truncate(path, 0), 0);
}

static void test_truncated_tables(void **state)
{
	struct fixture *f = *state;

	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	truncate_file(f, "tables");
	assert_int_equal(f->attach.segment.tables.entries[1].expires_s, 0);
	assert_int_equal(plane_attach_tick(&f->attach, &f->err), ATTACH_LOST);
	assert_int_equal(f->attach.segments_lost, 1);
	assert_null(snapshot_read(&f->attach.slot)->locals);
	attached_tick(f);
	assert_null(snapshot_read(&f->attach.slot)->locals);
	attached_tables_close(f);
	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	assert_int_equal(atomic_load(&f->attach.segment.state.header->segments_lost), 1);
	assert_int_equal(atomic_load(&f->attach.segment.state.header->flags), TP_STATE_NO_HUGE);
}

static void test_truncated_own(void **state)
{
	struct fixture *f = *state;

	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	truncate_file(f, "state");
	// Noticed without being touched, too.
	assert_int_equal(attached_tick(f), ATTACH_LOST);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	assert_int_equal(f->attach.segment.state.header->n_ports, 2);
	truncate_file(f, "punt");
	assert_int_equal(attached_tick(f), ATTACH_LOST);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
}

static void test_replaced(void **state)
{
	struct fixture *f = *state;
	uint64_t pair;

	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	pair = f->attach.segment.tables.pair_id;
	attached_tables_close(f);
	make_tables(f);
	set_listener(f, 1, 5000);
	assert_int_equal(attached_tick(f), ATTACH_REPLACED);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	assert_true(f->attach.segment.tables.pair_id != pair);
	assert_int_equal(f->attach.claimed.items[0].port_min, 5000);
}

// Some cleaner took names away: packets go on. The data plane's own name comes back.
static void test_unnamed(void **state)
{
	struct fixture *f = *state;
	char path[2 * SHM_PATH_MAX];

	make_tables(f);
	set_listener(f, 1, 5000);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	snprintf(path, sizeof(path), "%s/turnpike-test.state", f->place.directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/turnpike-test.tables", f->place.directory);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(attached_tick(f), ATTACH_UNNAMED);
	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
	assert_true(f->attach.mapped);
	set_listener(f, 2, 6000);
	assert_int_equal(attached_tick(f), ATTACH_CHANGED);
	// The writer gives it back; the next time is reported again.
	assert_int_equal(shm_file_fate(&f->tables.file), SHM_FATE_SAME);
	assert_int_equal(attached_tick(f), ATTACH_NOTHING);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(attached_tick(f), ATTACH_UNNAMED);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	char path[2 * SHM_PATH_MAX];
	uint32_t layout = TP_LAYOUT_VERSION + 1;
	int fd;

	make_tables(f);
	snprintf(path, sizeof(path), "%s/turnpike-test.tables", f->place.directory);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, &layout, sizeof(layout),
				 offsetof(struct tp_file_header, layout_version)),
		sizeof(layout));
	assert_int_equal(plane_attach_tick(&f->attach, &f->err), ATTACH_REFUSED);
	assert_true(strlen(f->err.text) > 0);
	assert_int_equal(attached_tick(f), ATTACH_NOTHING); // said once
	layout = TP_LAYOUT_VERSION;
	assert_int_equal(pwrite(fd, &layout, sizeof(layout),
				 offsetof(struct tp_file_header, layout_version)),
		sizeof(layout));
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	close(fd);
}

// A control process runs, and its files are nowhere: said once, after 5 s.
static void test_nowhere(void **state)
{
	struct fixture *f = *state;
	unsigned told = 0, at = 0;

	for (unsigned i = 0; i < 2000; i++) {
		if (plane_attach_tick(&f->attach, &f->err) == ATTACH_REFUSED && ++told == 1)
			at = i;
	}
	assert_int_equal(told, 1);
	assert_in_range(at, 400, 600);
	assert_true(strlen(f->err.text) > 0);
	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
}

// Files are not the attachment's to remove, whether the other process runs or not.
static void test_files_stay(void **state)
{
	struct fixture *f = *state;
	char tables[2 * SHM_PATH_MAX], made[2 * SHM_PATH_MAX];

	snprintf(tables, sizeof(tables), "%s/turnpike-test.tables", f->place.directory);
	snprintf(made, sizeof(made), "%s/turnpike-test.state", f->place.directory);
	make_tables(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	plane_attach_fini(&f->attach);
	assert_int_equal(access(tables, F_OK), 0);
	assert_int_equal(access(made, F_OK), 0);
	attached_begin(f);
	assert_int_equal(attached_tick(f), ATTACH_DONE);
	close(f->role_fd);
	plane_attach_fini(&f->attach);
	assert_int_equal(access(tables, F_OK), 0);
	assert_int_equal(access(made, F_OK), 0);
	attached_begin(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_attach, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_change, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_grace, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_stuck, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_watched, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_news, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_restart, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(
			test_truncated_tables, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(
			test_truncated_own, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_replaced, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_unnamed, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_refused, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_nowhere, attached_setup, attached_teardown),
		cmocka_unit_test_setup_teardown(test_files_stay, attached_setup, attached_teardown),
	};

	if (shm_guard_install() != 0 || sigaction(SIGBUS, NULL, &guard) != 0)
		return 1;
	return cmocka_run_group_tests_name("plane attach", tests, NULL, NULL);
}
