// SPDX-License-Identifier: BSD-3-Clause
// The data plane's end of the segment against files as the control process makes them. No worker
// is registered: grace periods pass at once.
#include "attach.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include <shm/guard.h>

#include "scratch_place.h"

// cmocka takes SIGBUS for itself before each test.
static struct sigaction guard;

static const struct shm_tables_shape shape = {.n_entries = 1000,
	.n_next_hops = 16,
	.n_port_indexes = 1,
	.n_allocations = 100,
	.n_workers = 1};

struct fixture {
	struct shm_place place;
	struct shm_tables tables; // the control process's
	struct shm_inject inject;
	struct shm_error err;
	struct io_port ports[2];
	struct attach attach;
	int role_fd;
};

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

static void close_tables(struct fixture *f)
{
	shm_inject_close(&f->inject);
	shm_tables_close(&f->tables);
}

static void begin(struct fixture *f)
{
	const struct attach_settings s = {.place = &f->place,
		.n_workers = 1,
		.ports = f->ports,
		.n_ports = 2,
		.tsc_hz = 2300000000,
		.flags = TP_STATE_NO_HUGE};

	assert_int_equal(attach_init(&f->attach, &s), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	scratch_place_make(&f->place);
	f->role_fd = shm_role_lock(&f->place, SHM_ROLE_CONTROL, &f->err);
	strcpy(f->ports[0].device.interface, "eth0");
	strcpy(f->ports[0].device.name, "net_af_xdp0");
	f->ports[0].link.ifindex = 7;
	f->ports[0].mtu = 1500;
	strcpy(f->ports[1].device.name, "net_null0");
	begin(f);
	*state = f;
	return f->role_fd >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	attach_fini(&f->attach);
	close_tables(f);
	close(f->role_fd);
	scratch_place_remove(&f->place);
	free(f);
	return 0;
}

static enum attach_event tick(struct fixture *f)
{
	enum attach_event event = ATTACH_NOTHING;

	for (unsigned i = 0; i < 10 && event == ATTACH_NOTHING; i++)
		event = attach_tick(&f->attach, &f->err);
	return event;
}

static void test_attach(void **state)
{
	struct fixture *f = *state;
	struct tp_state_header *h;

	assert_int_equal(tick(f), ATTACH_NOTHING);
	assert_null(view_read(&f->attach.slot)->locals);
	make_tables(f);
	atomic_store(&f->tables.header->gp_req, 0xfffffff0);
	assert_int_equal(tick(f), ATTACH_DONE);
	assert_non_null(view_read(&f->attach.slot)->locals);
	assert_ptr_equal(view_read(&f->attach.slot)->segment, &f->attach.segment);
	assert_int_equal(f->attach.own.n, 1);
	assert_int_equal(f->attach.own.items[0].port_min, 3478);
	h = f->attach.segment.state.header;
	assert_int_equal(h->n_ports, 2);
	assert_int_equal(h->tsc_hz, 2300000000);
	assert_string_equal(h->ports[0].interface, "eth0");
	assert_string_equal(h->ports[1].device, "net_null0");
	assert_int_equal(h->ports[0].ifindex, 7);
	assert_int_equal(atomic_load(&h->flags), TP_STATE_NO_HUGE);
	assert_int_equal(atomic_load(&h->gp_done), 0xfffffff0);
	assert_int_equal(tick(f), ATTACH_NOTHING);
}

static void test_change(void **state)
{
	struct fixture *f = *state;
	uint64_t serial;

	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	serial = view_read(&f->attach.slot)->serial;
	set_listener(f, 2, 3479);
	assert_int_equal(tick(f), ATTACH_CHANGED);
	assert_int_equal(f->attach.own.n, 2);
	assert_true(view_read(&f->attach.slot)->serial > serial);

	// A writer that died half way: what was there stays until one has finished.
	serial = view_read(&f->attach.slot)->serial;
	atomic_fetch_add(&f->tables.header->config_seq, 1);
	assert_int_equal(tick(f), ATTACH_NOTHING);
	assert_int_equal(view_read(&f->attach.slot)->serial, serial);
	atomic_fetch_add(&f->tables.header->config_seq, 1);
	assert_int_equal(tick(f), ATTACH_CHANGED);
}

static void test_grace(void **state)
{
	struct fixture *f = *state;
	struct tp_state_header *h;

	make_tables(f);
	atomic_store(&f->tables.header->gp_req, 0xffffffff);
	assert_int_equal(tick(f), ATTACH_DONE);
	h = f->attach.segment.state.header;
	attach_grace(&f->attach, TP_NS_PER_MS);
	assert_int_equal(atomic_load(&h->gp_done), 0xffffffff);
	atomic_fetch_add(&f->tables.header->gp_req, 1);
	attach_grace(&f->attach, 10 * TP_NS_PER_S); // must not wait
	assert_int_equal(atomic_load(&h->gp_done), 0);
	assert_int_equal(atomic_load(&h->gp_open_ns), 0);
	assert_true(atomic_load(&h->gp_max_ns) > 0);
}

// The data plane started again: counters go on; with other ports the file is made anew.
static void test_restart(void **state)
{
	const struct io_port_counters more = {
		.rx_missed = 5, .rx_no_buffer = 7, .rx_errors = 11, .tx_errors = 13};
	struct fixture *f = *state;
	struct tp_worker_stats *w;
	const struct tp_port *port;

	// Nowhere to count yet.
	assert_false(attach_count(&f->attach, 1, &more));
	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	w = &f->attach.segment.state.workers[0];
	atomic_store(&w->rx_packets, 42);
	assert_true(attach_count(&f->attach, 1, &more));
	assert_true(attach_count(&f->attach, 1, &more));
	attach_fini(&f->attach);
	begin(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	w = &f->attach.segment.state.workers[0];
	assert_int_equal(atomic_load(&w->rx_packets), 42);
	assert_true(attach_count(&f->attach, 1, &more));
	port = &f->attach.segment.state.header->ports[1];
	assert_int_equal(atomic_load(&port->rx_missed), 15);
	assert_int_equal(atomic_load(&port->rx_no_buffer), 21);
	assert_int_equal(atomic_load(&port->rx_errors), 33);
	assert_int_equal(atomic_load(&port->tx_errors), 39);
	assert_int_equal(atomic_load(&port[-1].rx_missed), 0);
	attach_fini(&f->attach);
	f->ports[0].mtu = 1400;
	begin(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	w = &f->attach.segment.state.workers[0];
	assert_int_equal(atomic_load(&w->rx_packets), 0);
	assert_int_equal(f->attach.segment.state.header->ports[0].mtu, 1400);
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
	assert_int_equal(tick(f), ATTACH_DONE);
	truncate_file(f, "tables");
	assert_int_equal(f->attach.segment.tables.entries[1].expires_s, 0);
	assert_int_equal(attach_tick(&f->attach, &f->err), ATTACH_LOST);
	assert_int_equal(f->attach.segments_lost, 1);
	assert_null(view_read(&f->attach.slot)->locals);
	tick(f);
	assert_null(view_read(&f->attach.slot)->locals);
	close_tables(f);
	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	assert_int_equal(atomic_load(&f->attach.segment.state.header->segments_lost), 1);
	assert_int_equal(atomic_load(&f->attach.segment.state.header->flags), TP_STATE_NO_HUGE);
}

static void test_truncated_own(void **state)
{
	struct fixture *f = *state;

	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	truncate_file(f, "state");
	// Noticed without being touched, too.
	assert_int_equal(tick(f), ATTACH_LOST);
	assert_int_equal(tick(f), ATTACH_DONE);
	assert_int_equal(f->attach.segment.state.header->n_ports, 2);
	truncate_file(f, "punt");
	assert_int_equal(tick(f), ATTACH_LOST);
	assert_int_equal(tick(f), ATTACH_DONE);
}

static void test_replaced(void **state)
{
	struct fixture *f = *state;
	uint64_t pair;

	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	pair = f->attach.segment.tables.pair_id;
	close_tables(f);
	make_tables(f);
	set_listener(f, 1, 5000);
	assert_int_equal(tick(f), ATTACH_REPLACED);
	assert_int_equal(tick(f), ATTACH_DONE);
	assert_true(f->attach.segment.tables.pair_id != pair);
	assert_int_equal(f->attach.own.items[0].port_min, 5000);
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
	assert_int_equal(attach_tick(&f->attach, &f->err), ATTACH_REFUSED);
	assert_true(strlen(f->err.text) > 0);
	assert_int_equal(tick(f), ATTACH_NOTHING); // said once
	layout = TP_LAYOUT_VERSION;
	assert_int_equal(pwrite(fd, &layout, sizeof(layout),
				 offsetof(struct tp_file_header, layout_version)),
		sizeof(layout));
	assert_int_equal(tick(f), ATTACH_DONE);
	close(fd);
}

// A control process runs, and its files are nowhere: said once, after 5 s.
static void test_nowhere(void **state)
{
	struct fixture *f = *state;
	unsigned told = 0, at = 0;

	for (unsigned i = 0; i < 2000; i++) {
		if (attach_tick(&f->attach, &f->err) == ATTACH_REFUSED && ++told == 1)
			at = i;
	}
	assert_int_equal(told, 1);
	assert_in_range(at, 400, 600);
	assert_true(strlen(f->err.text) > 0);
	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
}

// The last process of the instance takes the files away; before that they stay for the other one.
static void test_last_one_out(void **state)
{
	struct fixture *f = *state;
	char tables[2 * SHM_PATH_MAX], made[2 * SHM_PATH_MAX];

	snprintf(tables, sizeof(tables), "%s/turnpike-test.tables", f->place.directory);
	snprintf(made, sizeof(made), "%s/turnpike-test.state", f->place.directory);
	make_tables(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	attach_fini(&f->attach);
	assert_int_equal(access(tables, F_OK), 0);
	assert_int_equal(access(made, F_OK), 0);
	begin(f);
	assert_int_equal(tick(f), ATTACH_DONE);
	close(f->role_fd);
	attach_fini(&f->attach);
	assert_int_equal(access(tables, F_OK), -1);
	assert_int_equal(access(made, F_OK), -1);
	begin(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_attach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_one_out, setup, teardown),
	};

	if (shm_guard_install() != 0 || sigaction(SIGBUS, NULL, &guard) != 0)
		return 1;
	return cmocka_run_group_tests_name("plane attach", tests, NULL, NULL);
}
