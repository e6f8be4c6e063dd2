// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <load/population.h>

static const struct load_population some = {.client_ip = 0x0a4d0102,
	.n_client_ips = 3,
	.first_client = 70,
	.n_allocations = 10,
	.n_channels = 4};

static void clients_are_found_again(void **state)
{
	const uint32_t last = load_clients_max(&some) - 1;
	struct load_addr a;

	(void)state;
	assert_int_equal(last + 1, 3 * LOAD_PORTS);
	for (uint32_t i = 0; i <= last; i++)
		assert_int_equal(load_client_find(&some, load_client_at(&some, i)), i);
	a = load_client_at(&some, last - 70);
	assert_int_equal(a.port, LOAD_PORT_HIGH);
	a.port++;
	assert_int_equal(load_client_find(&some, a), UINT32_MAX);
	a = (struct load_addr){.ip = some.client_ip + 3, .port = LOAD_PORT_LOW};
	assert_int_equal(load_client_find(&some, a), UINT32_MAX);
	a = (struct load_addr){.ip = some.client_ip - 1, .port = LOAD_PORT_LOW};
	assert_int_equal(load_client_find(&some, a), UINT32_MAX);
	a = load_client_at(&some, 0);
	a.net.v6 = true;
	assert_int_equal(load_client_find(&some, a), UINT32_MAX);
}

static void channels_of_an_allocation_have_peers_of_their_own(void **state)
{
	(void)state;
	assert_int_equal(load_flows(&some), 40);
	for (uint32_t f = 0; f < 40; f++) {
		assert_int_equal(load_channel_at(&some, f), LOAD_CHANNEL_BASE + f % 4);
		assert_int_equal(load_peer_at(&some, f).port, LOAD_PORT_LOW + f);
	}
}

static void a_stride_visits_all(void **state)
{
	static uint8_t seen[5001];

	(void)state;
	for (uint32_t n = 1; n <= 5000; n += 1 + n / 7) {
		uint32_t step = load_stride(n), at = 0;

		for (uint32_t i = 0; i < n; i++)
			seen[i] = 0;
		for (uint32_t i = 0; i < n; i++, at = (at + step) % n)
			assert_int_equal(seen[at]++, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_are_found_again),
		cmocka_unit_test(channels_of_an_allocation_have_peers_of_their_own),
		cmocka_unit_test(a_stride_visits_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
