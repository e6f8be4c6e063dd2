// SPDX-License-Identifier: BSD-3-Clause
// Packet buffers by NUMA node, and the node of a port by a fake sysfs.
#include <proc/buffers.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <turnpike/limits.h>

static void ports_count_on_their_node(void **state)
{
	const struct proc_port_shape ports[] = {{1, 4, 1500}, {0, 1, 3000}, {1, 8, 0}, {-1, 0, 0}};
	const struct conf_dataplane d = {.workers = 2, .n_ports = TP_ARRAY_LEN(ports)};
	struct proc_buffers b;

	(void)state;
	proc_buffers_count(&b, &d, ports);
	assert_int_equal(b.mtu, 3000);
	assert_int_equal(b.of_node[0], (2 + 2) * TP_QUEUE_BUFFERS);
	assert_int_equal(b.of_node[1], (4 + 8) * TP_QUEUE_BUFFERS);
	for (unsigned n = 2; n < PROC_NODES_MAX; n++)
		assert_int_equal(b.of_node[n], 0);
}

static void each_node_has_the_least(void **state)
{
	const struct proc_port_shape ports[] = {{0, 1, 0}, {3, 1, 0}};
	struct conf_dataplane d = {.workers = 1, .n_ports = TP_ARRAY_LEN(ports)};
	struct proc_buffers b;

	(void)state;
	proc_buffers_count(&b, &d, ports);
	assert_int_equal(b.of_node[0], TP_BUFFERS_MIN);
	assert_int_equal(b.of_node[3], TP_BUFFERS_MIN);
	d.mbufs = 5000;
	proc_buffers_count(&b, &d, ports);
	assert_int_equal(b.of_node[0], 5000);
	assert_int_equal(b.of_node[1], 0);
	assert_int_equal(b.of_node[3], 5000);
	assert_int_equal(b.mtu, 1500);
}

static void unknown_nodes_are_the_first(void **state)
{
	(void)state;
	assert_int_equal(proc_buffers_slot(-1), 0);
	assert_int_equal(proc_buffers_slot(7), 7);
	assert_int_equal(proc_buffers_slot(8), 0);
}

static void nodes_come_from_sysfs(void **state)
{
	char root[] = "/tmp/turnpike-buffers-XXXXXX", command[512];

	(void)state;
	assert_non_null(mkdtemp(root));
	snprintf(command, sizeof(command),
		"cd %s && mkdir -p class/net/eth0/device class/net/eth1/device "
		"bus/pci/devices/0000:3b:00.0 && echo 1 > class/net/eth0/device/numa_node && "
		"echo -1 > class/net/eth1/device/numa_node && "
		"echo 3 > bus/pci/devices/0000:3b:00.0/numa_node",
		root);
	assert_int_equal(system(command), 0);
	assert_int_equal(proc_port_node(root, "eth0", NULL), 1);
	assert_int_equal(proc_port_node(root, "eth1", NULL), -1);
	assert_int_equal(proc_port_node(root, "veth0", "net_af_packet0,iface=veth0"), -1);
	assert_int_equal(proc_port_node(root, "tp0", "0000:3b:00.0,args=1"), 3);
	assert_int_equal(proc_port_node(root, NULL, NULL), -1);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_count_on_their_node),
		cmocka_unit_test(each_node_has_the_least),
		cmocka_unit_test(unknown_nodes_are_the_first),
		cmocka_unit_test(nodes_come_from_sysfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
