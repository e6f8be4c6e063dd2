// SPDX-License-Identifier: BSD-3-Clause
// What ports lost before a worker took it, beside what workers dropped.
#include <rates.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
	struct tp_state_header header;
	struct tp_worker_stats workers[2];
	struct shm_state state;
	struct io_rates rates;
};

static int setup(void **state)
{
	struct world *w = aligned_alloc(64, sizeof(*w));

	if (w == NULL)
		return -1;
	memset(w, 0, sizeof(*w));
	w->state = (struct shm_state){
		.header = &w->header, .workers = w->workers, .n_workers = 2, .n_ports = 2};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void test_totals(void **state)
{
	struct world *w = *state;
	struct io_totals t;

	atomic_store(&w->workers[0].drops[TP_DROP_no_memory], 1);
	atomic_store(&w->workers[1].drops[TP_DROP_port_missed], 2);
	atomic_store(&w->header.ports[0].rx_missed, 10);
	atomic_store(&w->header.ports[1].rx_missed, 20);
	atomic_store(&w->header.ports[1].rx_no_buffer, 40);
	atomic_store(&w->header.ports[0].rx_errors, 80);
	// Counted by the worker as tx_full.
	atomic_store(&w->header.ports[0].tx_errors, 160);
	atomic_store(&w->header.ports[2].rx_missed, 320); // no such port
	io_totals_take(&w->state, &t);
	assert_int_equal(t.drops[TP_DROP_port_missed], 32);
	assert_int_equal(t.drops[TP_DROP_no_memory], 41);
	assert_int_equal(t.drops[TP_DROP_port_error], 80);
	assert_int_equal(t.dropped, 32 + 41 + 80);
}

static void test_missed(void **state)
{
	struct world *w = *state;
	const struct io_port_rates *port = &w->rates.ports[1];

	// What was lost before we looked is not of this second.
	atomic_store(&w->header.ports[1].rx_missed, 1000);
	io_rates_sample(&w->rates, &w->state, TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 0);
	assert_int_equal(port->missed_ns, 0);
	atomic_store(&w->header.ports[1].rx_missed, 1600);
	io_rates_sample(&w->rates, &w->state, 3 * TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 300);
	assert_int_equal(port->missed_ns, 3 * TP_NS_PER_S);
	assert_int_equal(w->rates.drop_per_s[TP_DROP_port_missed], 300);
	io_rates_sample(&w->rates, &w->state, 4 * TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 0);
	assert_int_equal(port->missed_ns, 3 * TP_NS_PER_S);
	assert_int_equal(w->rates.ports[0].missed_ns, 0);
	// Another file of state.
	atomic_store(&w->header.ports[1].rx_missed, 5);
	io_rates_sample(&w->rates, &w->state, 5 * TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 0);
	assert_int_equal(port->missed_ns, 3 * TP_NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_totals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed, setup, teardown),
	};

	return cmocka_run_group_tests_name("io rates", tests, NULL, NULL);
}
