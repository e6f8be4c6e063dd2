// SPDX-License-Identifier: BSD-3-Clause
// Addresses of the configuration that no interface of the host has.
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	support_write("one.secret", "lab-secret\n", 0600);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	support_clean();
	return 0;
}

// The host has one address.
static bool has(void *ctx, const struct tp_addr *ip)
{
	return tp_addr_same_ip(ctx, ip);
}

static void assert_warned(const char *text, const char *const *keys)
{
	struct tp_addr own = tp_addr_ipv4(0x0a4d0001, 0);
	struct conf *c = support_load_good(CONF_FOR_CONTROL, text);
	struct conf_errors errs = {0};
	size_t n = 0;

	conf_host_judge(c, has, &own, &errs);
	for (; keys[n] != NULL; n++) {
		if (n >= errs.len)
			fail_msg("nothing is said of %s", keys[n]);
		assert_string_equal(errs.items[n].key, keys[n]);
		assert_true(errs.items[n].warning);
		assert_non_null(strstr(errs.items[n].problem, "no interface of this host has"));
		assert_true(strlen(errs.items[n].remedy) > 0);
	}
	assert_int_equal(errs.len, n);
	conf_errors_fini(&errs);
	conf_free(c);
}

static void absent_addresses_are_named(void **state)
{
	(void)state;
	assert_warned(SUPPORT_BASE SUPPORT_SECRET, (const char *const[]){NULL});
	// The relay address that follows from the listener is not named twice.
	assert_warned(SUPPORT_BASE "  - address: 10.77.0.9\n" SUPPORT_SECRET,
		(const char *const[]){"listeners[1].address", NULL});
	assert_warned(SUPPORT_BASE SUPPORT_SECRET
		"relay: {addresses: [10.77.0.1, 'fd77::9', 10.77.0.8]}\n",
		(const char *const[]){"relay.addresses[1]", "relay.addresses[2]", NULL});
}

// Nobody but the operator knows the addresses of a card that the kernel does not see.
static void a_device_without_interface_is_not_judged(void **state)
{
	(void)state;
	assert_warned("dataplane: {ports: [{device: net_null0}]}\n"
		      "listeners: [{address: 10.77.0.9}]\n" SUPPORT_SECRET,
		(const char *const[]){NULL});
}

static void the_kernel_knows_its_own(void **state)
{
	struct tp_addr loopback = tp_addr_ipv4(0x7f000001, 0),
		       strange = tp_addr_ipv4(0xc0000201, 9);

	(void)state;
	assert_true(conf_host_has(NULL, &loopback));
	assert_false(conf_host_has(NULL, &strange));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_addresses_are_named),
		cmocka_unit_test(a_device_without_interface_is_not_judged),
		cmocka_unit_test(the_kernel_knows_its_own),
	};

	return cmocka_run_group_tests_name("conf host", tests, setup, teardown);
}
