// SPDX-License-Identifier: BSD-3-Clause
// Packets that ports lost before a worker took them, beside those that workers dropped.
#include <operator/rates.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
	struct tp_state_header header;
	struct tp_worker_stats workers[2];
	struct shm_state state;
	struct operator_rates rates;
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
	struct operator_totals t;

	atomic_store(&w->workers[0].drops[TP_DROP_no_memory], 1);
	atomic_store(&w->workers[1].drops[TP_DROP_port_missed], 2);
	atomic_store(&w->header.ports[0].rx_missed, 10);
	atomic_store(&w->header.ports[1].rx_missed, 20);
	atomic_store(&w->header.ports[1].rx_no_buffer, 40);
	atomic_store(&w->header.ports[0].rx_errors, 80);
	// Counted by the worker as tx_full.
	atomic_store(&w->header.ports[0].tx_errors, 160);
	atomic_store(&w->header.ports[2].rx_missed, 320); // no such port
	operator_totals_take(&w->state, &t);
	assert_int_equal(t.drops[TP_DROP_port_missed], 32);
	assert_int_equal(t.drops[TP_DROP_no_memory], 41);
	assert_int_equal(t.drops[TP_DROP_port_error], 80);
	assert_int_equal(t.dropped, 32 + 41 + 80);
}

static void test_missed(void **state)
{
	struct world *w = *state;
	const struct operator_port_rates *port = &w->rates.ports[1];

	// Packets lost before the first look are not of this second.
	atomic_store(&w->header.ports[1].rx_missed, 1000);
	operator_rates_sample(&w->rates, &w->state, NULL, TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 0);
	assert_int_equal(port->missed_ns, 0);
	atomic_store(&w->header.ports[1].rx_missed, 1600);
	operator_rates_sample(&w->rates, &w->state, NULL, 3 * TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 300);
	assert_int_equal(port->missed_ns, 3 * TP_NS_PER_S);
	assert_int_equal(w->rates.drop_per_s[TP_DROP_port_missed], 300);
	operator_rates_sample(&w->rates, &w->state, NULL, 4 * TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 0);
	assert_int_equal(port->missed_ns, 3 * TP_NS_PER_S);
	assert_int_equal(w->rates.ports[0].missed_ns, 0);
	// Another file of state.
	atomic_store(&w->header.ports[1].rx_missed, 5);
	operator_rates_sample(&w->rates, &w->state, NULL, 5 * TP_NS_PER_S);
	assert_int_equal(port->missed_per_s, 0);
	assert_int_equal(port->missed_ns, 3 * TP_NS_PER_S);
}

// With few packets, wake-ups are most of a worker's cycles.
static void test_cycles(void **state)
{
	struct world *w = *state;

	operator_rates_sample(&w->rates, &w->state, NULL, TP_NS_PER_S);
	atomic_store(&w->workers[0].rx_packets, 4);
	atomic_store(&w->workers[0].busy_cycles, 48000000);
	atomic_store(&w->workers[1].rx_packets, 1000000);
	atomic_store(&w->workers[1].busy_cycles, 100000000);
	operator_rates_sample(&w->rates, &w->state, NULL, 2 * TP_NS_PER_S);
	assert_int_equal(w->rates.workers[0].cycles_per_packet, 0);
	assert_int_equal(w->rates.workers[1].cycles_per_packet, 100);
	assert_int_equal(w->rates.rx_per_s, 1000004);
	assert_int_equal(w->rates.seen_ns, 2 * TP_NS_PER_S);
	operator_rates_sample(&w->rates, &w->state, NULL, 3 * TP_NS_PER_S);
	assert_int_equal(w->rates.rx_per_s, 0);
	assert_int_equal(w->rates.seen_ns, 2 * TP_NS_PER_S);
}

// Four packets a second are four, by each tick: samples are 1.0 to 1.1 s apart.
static void test_few(void **state)
{
	struct world *w = *state;
	uint64_t now_ns = TP_NS_PER_S, packets = 0;

	operator_rates_sample(&w->rates, &w->state, NULL, now_ns);
	for (unsigned ms = 1000; ms <= 1100; ms += 10) {
		now_ns += ms * TP_NS_PER_MS;
		packets += 4;
		atomic_store(&w->workers[0].rx_packets, packets);
		atomic_store(&w->workers[0].tx_packets, packets);
		atomic_store(&w->workers[0].path_packets[TP_PATH_channel_to_peer], packets);
		atomic_store(&w->workers[0].drops[TP_DROP_no_route], packets);
		operator_rates_sample(&w->rates, &w->state, NULL, now_ns);
		assert_int_equal(w->rates.workers[0].rx_packets, 4);
		assert_int_equal(w->rates.workers[0].tx_packets, 4);
		assert_int_equal(w->rates.packets_per_s, 4);
		assert_int_equal(w->rates.drops_per_s, 4);
		assert_int_equal(w->rates.rx_per_s, 4);
	}
}

static void test_interface(void **state)
{
	struct world *w = *state;
	const uint64_t first[TP_PORTS_MAX] = {100, 5}, then[TP_PORTS_MAX] = {700, 5};

	operator_rates_sample(&w->rates, &w->state, first, TP_NS_PER_S);
	assert_int_equal(w->rates.ports[0].interface_per_s, 0);
	operator_rates_sample(&w->rates, &w->state, then, 3 * TP_NS_PER_S);
	assert_int_equal(w->rates.ports[0].interface_per_s, 300);
	assert_int_equal(w->rates.ports[1].interface_per_s, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_totals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cycles, setup, teardown),
		cmocka_unit_test_setup_teardown(test_few, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interface, setup, teardown),
	};

	return cmocka_run_group_tests_name("operator rates", tests, NULL, NULL);
}
