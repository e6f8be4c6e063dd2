// SPDX-License-Identifier: BSD-3-Clause
#include <io/device.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct row {
	const char *device;
	const char *interface;
	const char *name; // NULL: refused
	const char *args;
	const char *kernel; // interface
	enum io_driver driver;
};

#define ARGS_500                                                                                   \
	"iface=x,"                                                                                 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"       \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
	"bbb"                                                                                      \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cc"                                                                                       \
	"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" \
	"dd"                                                                                       \
	"eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" \
	"ee"                                                                                       \
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" \
	"ff"

static const struct row rows[] = {
	{NULL, "eth0", "net_af_xdp_3", "iface=eth0", "eth0", IO_AF_XDP},
	{"net_af_xdp0,iface=eth0", NULL, "net_af_xdp0", "iface=eth0", "eth0", IO_AF_XDP},
	{"net_af_xdp0,iface=eth0,busy_budget=0", "eth0", "net_af_xdp0", "iface=eth0,busy_budget=0",
		"eth0", IO_AF_XDP},
	{"net_af_xdp0", "eth0", "net_af_xdp0", "iface=eth0", "eth0", IO_AF_XDP},
	{"net_af_packet0", "eth1", "net_af_packet0", "iface=eth1", "eth1", IO_AF_PACKET},
	{"net_pcap0,rx_pcap=a.pcap,infinite_rx=1", NULL, "net_pcap0",
		"rx_pcap=a.pcap,infinite_rx=1", "", IO_REPLAY},
	{"net_null0,no-rx=1", "dummy0", "net_null0", "no-rx=1", "dummy0", IO_REPLAY},
	{"net_memif0", NULL, "net_memif0", "", "", IO_REPLAY},
	{"net_tap0,iface=tap0", NULL, "net_tap0", "iface=tap0", "", IO_OTHER},
	{"0000:3b:00.0", "eth0", "0000:3b:00.0", "", "eth0", IO_PCI},
	{"3b:00.1,dv_flow_en=0", NULL, "3b:00.1", "dv_flow_en=0", "", IO_PCI},
	{"net_af_xdp0,iface=eth0", "eth1", NULL, NULL, NULL, 0},
	{"net_af_xdp0", NULL, NULL, NULL, NULL, 0},
	{"net_af_packet0", NULL, NULL, NULL, NULL, 0},
	{"net_af_xdp0,iface=eth0,xdp_prog=mine.o", NULL, NULL, NULL, NULL, 0},
	{"net_af_xdp0,iface=eth0,start_queue=1", NULL, NULL, NULL, NULL, 0},
	{"net_af_xdp0,iface=a-name-that-is-too-long", NULL, NULL, NULL, NULL, 0},
	{NULL, "a-name-that-is-too-long", NULL, NULL, NULL, 0},
	{"", "eth0", NULL, NULL, NULL, 0},
	{",iface=eth0", NULL, NULL, NULL, NULL, 0},
	{"net_pcap0," ARGS_500, NULL, NULL, NULL, NULL, 0},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct steer_fault fault = {.problem = ""};
		struct io_device d;
		int err = io_device_parse(&d, r->device, r->interface, 3, &fault);

		if (r->name == NULL) {
			if (err != -EINVAL || fault.problem[0] == '\0' || fault.remedy[0] == '\0')
				fail_msg("row %zu was taken", i);
			continue;
		}
		if (err != 0)
			fail_msg("row %zu: %s", i, fault.problem);
		assert_string_equal(d.name, r->name);
		assert_string_equal(d.args, r->args);
		assert_string_equal(d.interface, r->kernel);
		assert_int_equal(d.driver, r->driver);
	}
}

static void test_arguments(void **state)
{
	struct io_device d = {.args = "a=1,bc=2,c="};
	char value[8];

	(void)state;
	assert_true(io_device_get(&d, "a", value, sizeof(value)));
	assert_string_equal(value, "1");
	assert_true(io_device_get(&d, "bc", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_false(io_device_get(&d, "b", value, sizeof(value)));
	assert_int_equal(io_device_add(&d, "a", "9"), 0);
	assert_int_equal(io_device_add(&d, "d", "4"), 0);
	assert_string_equal(d.args, "a=1,bc=2,c=,d=4");
	memset(d.args, 'x', sizeof(d.args) - 4);
	d.args[sizeof(d.args) - 4] = '\0';
	assert_int_equal(io_device_add(&d, "e", "5"), -E2BIG);
	assert_int_equal(strlen(d.args), sizeof(d.args) - 4);
}

static void test_twin(void **state)
{
	static const struct {
		const char *device;
		const char *interface;
		const char *kernel;
		bool taken;
	} cases[] = {
		{"0000:3b:00.0", NULL, "tp0", true},
		{"net_memif0", NULL, "tp0", true},
		{"net_af_xdp0,iface=eth0", NULL, "tp0", false},
		{"net_af_packet0,iface=eth0", NULL, "tp0", false},
		{"0000:3b:00.0", "eth0", "tp0", false},
		{"0000:3b:00.0", NULL, "a-name-that-is-too-long", false},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(cases); i++) {
		struct steer_fault fault = {.problem = ""};
		struct io_device d;

		assert_int_equal(
			io_device_parse(&d, cases[i].device, cases[i].interface, 0, &fault), 0);
		if (cases[i].taken) {
			assert_int_equal(io_device_set_twin(&d, cases[i].kernel, 0, &fault), 0);
			assert_true(d.twin);
			assert_string_equal(d.interface, cases[i].kernel);
		} else {
			assert_int_equal(
				io_device_set_twin(&d, cases[i].kernel, 0, &fault), -EINVAL);
			assert_true(fault.problem[0] != '\0' && fault.remedy[0] != '\0');
			assert_false(d.twin);
		}
	}
}

static void test_bond(void **state)
{
	struct steer_fault fault;
	struct io_device d;
	char name[64];

	(void)state;
	assert_int_equal(io_device_parse(&d,
				 "net_bonding0,mode=1,slave=0000:3b:00.0,slave=net_ring0,member=x",
				 NULL, 0, &fault),
		0);
	assert_true(io_device_member(&d, 0, name, sizeof(name)));
	assert_string_equal(name, "0000:3b:00.0");
	assert_true(io_device_is_pci(name));
	assert_true(io_device_member(&d, 1, name, sizeof(name)));
	assert_string_equal(name, "net_ring0");
	assert_true(io_device_member(&d, 2, name, sizeof(name)));
	assert_string_equal(name, "x");
	assert_false(io_device_member(&d, 3, name, sizeof(name)));
	assert_int_equal(io_device_parse(&d, "net_null0,slave=a", NULL, 0, &fault), 0);
	assert_false(io_device_member(&d, 0, name, sizeof(name)));
}

static void test_xdp(void **state)
{
	struct steer_fault fault;
	struct io_device d;

	(void)state;
	assert_int_equal(io_device_parse(&d, NULL, "eth0", 0, &fault), 0);
	assert_int_equal(d.xdp, IO_XDP_AUTO);
	assert_int_equal(io_device_set_xdp(&d, IO_XDP_GENERIC, 0, &fault), 0);
	assert_int_equal(d.xdp, IO_XDP_GENERIC);
	assert_int_equal(io_device_parse(&d, "0000:3b:00.0", NULL, 2, &fault), 0);
	assert_int_equal(io_device_set_xdp(&d, IO_XDP_AUTO, 2, &fault), 0);
	assert_int_equal(io_device_set_xdp(&d, IO_XDP_NATIVE, 2, &fault), -EINVAL);
	assert_non_null(strstr(fault.problem, "ports[2]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_xdp),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_bond),
	};

	return cmocka_run_group_tests_name("io device", tests, NULL, NULL);
}
