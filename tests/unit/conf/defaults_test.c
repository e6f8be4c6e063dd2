// SPDX-License-Identifier: BSD-3-Clause
// Without a file: the interface of the default route, its addresses, a secret made up.
#include "support.h"

#include "defaults.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static FILE *stream(const char *text)
{
	// fmemopen reads only, though it takes no const.
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(f);
	return f;
}

#define ROUTE_HEAD                                                                                 \
	"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

static void ipv4_route(void **state)
{
	static const struct {
		const char *text, *interface;
	} rows[] = {
		{ROUTE_HEAD "eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n",
			"eth0"},
		// The least metric wins.
		{ROUTE_HEAD "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
			    "eth1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n",
			"eth1"},
		{ROUTE_HEAD "eth1\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
			    "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n",
			"eth1"},
		// Half of the Internet is no default route; neither is one that is down or rejects.
		{ROUTE_HEAD "tun0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0\n", NULL},
		{ROUTE_HEAD "eth0\t00000000\t0102A8C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n", NULL},
		{ROUTE_HEAD "*\t00000000\t00000000\t0201\t0\t0\t0\t00000000\t0\t0\t0\n", NULL},
		{ROUTE_HEAD "eth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", NULL},
		{ROUTE_HEAD, NULL},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		FILE *f = stream(rows[i].text);
		char name[IFNAMSIZ] = "";

		assert_int_equal(
			conf_defaults_route_find(f, name), rows[i].interface ? 0 : -ENOENT);
		assert_string_equal(name, rows[i].interface ? rows[i].interface : "");
		fclose(f);
	}
}

#define ZERO "00000000000000000000000000000000"

static void ipv6_route(void **state)
{
	static const struct {
		const char *text, *interface;
	} rows[] = {
		{ZERO " 00 " ZERO " 00 fe800000000000000000000000000001 00000400 00000003 00000000 "
		      "00000003     eth0\n",
			"eth0"},
		{ZERO " 00 " ZERO " 00 " ZERO " ffffffff 00000001 00000000 00200200       lo\n",
			NULL},
		{ZERO " 00 " ZERO " 00 " ZERO " 00000400 00000001 00000000 00200203     eth0\n",
			NULL},
		{ZERO " 00 " ZERO " 00 " ZERO " 00000001 00000001 00000000 00000001       lo\n",
			NULL},
		{"20000000000000000000000000000000 03 " ZERO " 00 " ZERO
		 " 00000400 00000003 00000000 00000003     eth0\n",
			NULL},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		FILE *f = stream(rows[i].text);
		char name[IFNAMSIZ] = "";

		assert_int_equal(
			conf_defaults_route6_find(f, name), rows[i].interface ? 0 : -ENOENT);
		assert_string_equal(name, rows[i].interface ? rows[i].interface : "");
		fclose(f);
	}
}

static void ipv6_addresses(void **state)
{
	static const char text[] =
		"fd770000000000000000000000000001 02 40 00 80     nic0\n"
		"fe80000000000000a8bbccfffe000001 02 40 20 80     nic0\n" // link-local
		"20010db8000000000000000000000001 02 40 00 01     nic0\n" // temporary
		"20010db8000000000000000000000002 02 40 00 20     nic0\n" // deprecated
		"20010db8000000000000000000000003 02 40 00 40     nic0\n" // tentative
		"20010db8000000000000000000000004 02 40 00 88     nic0\n" // a duplicate
		"20010db8000000000000000000000005 03 40 00 80     nic1\n"
		"20010db8000000000000000000000006 02 40 00 00     nic0\n";
	struct tp_addr out[DEFAULTS_ADDRESSES_MAX];
	char ip[TEXT_ADDR_SIZE];
	FILE *f = stream(text);

	(void)state;
	assert_int_equal(conf_defaults_ipv6_collect(f, "nic0", out, 1), 3);
	assert_string_equal(text_ip_format(&out[1], ip), "fd77::1");
	assert_string_equal(text_ip_format(&out[2], ip), "2001:db8::6");
	fclose(f);
}

static void addresses_are_bounded(void **state)
{
	struct tp_addr out[DEFAULTS_ADDRESSES_MAX];
	char *text = malloc(100 * 64);
	size_t len = 0;
	FILE *f;

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < 100; i++)
		len += (size_t)sprintf(
			text + len, "2001000000000000000000000000%04x 02 40 00 80 nic0\n", i);
	f = stream(text);
	assert_int_equal(conf_defaults_ipv6_collect(f, "nic0", out, 0), DEFAULTS_ADDRESSES_MAX);
	fclose(f);
	free(text);
}

// "lo" is on every machine: the whole way through the kernel's answers.
// Clauses: 8656 7.2-7
static void whole_way(void **state)
{
	struct conf_request req = {.role = CONF_FOR_CONTROL, .interface = "lo"};
	struct conf_errors errs = {0};
	char ip[TEXT_ADDR_SIZE], first[128];
	struct conf *c;

	(void)state;
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_int_equal(errs.len, 0);
	assert_null(c->path);
	assert_string_equal(c->dataplane.ports[0].interface, "lo");
	assert_true(c->n_listeners > 0);
	assert_string_equal(text_addr_format(&c->listeners[0].addr, ip), "127.0.0.1:3478");
	assert_int_equal(c->relay.n_addresses, c->n_listeners);
	assert_int_equal(c->relay.port_min, 49152);
	assert_int_equal(c->n_users, 0);
	assert_int_equal(c->n_secrets, 1);
	assert_true(c->secret_generated);
	assert_int_equal(c->secrets[0].octets.len, 48);
	memcpy(first, c->secrets[0].octets.data, 48);
	assert_int_equal(strspn((const char *)c->secrets[0].octets.data, "0123456789abcdef"), 48);
	conf_free(c);
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_memory_not_equal(c->secrets[0].octets.data, first, 48);
	conf_free(c);
	req.role = CONF_FOR_DATAPLANE;
	assert_int_equal(conf_load(&req, &c, &errs), 0);
	assert_int_equal(c->n_secrets, 0);
	assert_false(c->secret_generated);
	conf_free(c);
	conf_errors_fini(&errs);
}

static void no_such_interface(void **state)
{
	struct conf_request req = {.role = CONF_FOR_CONTROL, .interface = "nowhere\n0"};
	struct conf_errors errs = {0};
	struct conf *c;

	(void)state;
	assert_int_equal(conf_load(&req, &c, &errs), -EINVAL);
	assert_int_equal(errs.len, 1);
	assert_string_equal(errs.items[0].problem, "interface \"nowhere\\n0\" does not exist");
	conf_errors_fini(&errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_route),
		cmocka_unit_test(ipv6_route),
		cmocka_unit_test(ipv6_addresses),
		cmocka_unit_test(addresses_are_bounded),
		cmocka_unit_test(whole_way),
		cmocka_unit_test(no_such_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
