// SPDX-License-Identifier: BSD-3-Clause
// A port follows its kernel interface while the host changes it.
#include <io/port.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/if_xdp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "../steer/netns.h"

static struct io_port port;
static bool up;

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	(void)state;
	run("ip link add p0 numrxqueues 4 numtxqueues 4 type veth peer name p1 numrxqueues 4 "
	    "numtxqueues 4");
	run("ethtool -L p0 rx 1 tx 1; ip link set p0 up; ip link set p1 up");
	memset(&port, 0, sizeof(port));
	strcpy(port.device.interface, "p0");
	port.n_rx_queues = 1;
	port.mtu_max = 1500;
	assert_int_equal(steer_link_read("p0", &port.link), 0);
	io_port_refresh(&port, &up);
	assert_int_equal(io_port_refresh(&port, &up), 0);
	assert_true(up);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return system("ip link del p0");
}

static void follow_the_link(void **state)
{
	(void)state;
	run("ip link set p1 down");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_LINK);
	assert_false(up);
	assert_int_equal(io_port_refresh(&port, &up), 0);
	run("ip link set p1 up");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_LINK);
	assert_true(up);
}

static void follow_the_address(void **state)
{
	static const uint8_t mac[] = {2, 0, 0, 0, 0xab, 0xcd};

	(void)state;
	run("ip link set p0 address 02:00:00:00:ab:cd");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_MAC);
	assert_memory_equal(port.mac, mac, 6);
	assert_int_equal(atomic_load(&port.mac_now), 0xcdab00000002);
	assert_int_equal(io_port_refresh(&port, &up), 0);
}

// Up to what the queues were made for.
static void follow_the_mtu(void **state)
{
	(void)state;
	run("ip link set p0 mtu 1400");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_MTU);
	assert_int_equal(atomic_load(&port.mtu), 1400);
	run("ip link set p0 mtu 2000");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_MTU);
	assert_int_equal(atomic_load(&port.mtu), 1500);
	assert_int_equal(port.link.mtu, 2000);
}

static void tell_new_queues(void **state)
{
	(void)state;
	assert_int_equal(io_port_unserved(&port), 0);
	run("ethtool -L p0 rx 3 tx 3");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_QUEUES);
	assert_int_equal(io_port_unserved(&port), 2);
	run("ethtool -L p0 rx 1 tx 1");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_QUEUES);
	assert_int_equal(io_port_unserved(&port), 0);
}

static void tell_another_interface(void **state)
{
	(void)state;
	run("ip link del p0");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_LINK);
	assert_false(up);
	run("ip link add p0 type veth peer name p1");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_REPLACED);
}

static int xsk_open(uint32_t ifindex)
{
	const struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = ifindex};
	struct xdp_umem_reg umem = {.len = 64 * 4096, .chunk_size = 4096};
	const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING};
	const int slots = 64;
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	void *memory =
		mmap(NULL, umem.len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(fd >= 0 && memory != MAP_FAILED);
	umem.addr = (uintptr_t)memory;
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)), 0);
	for (unsigned i = 0; i < TP_ARRAY_LEN(rings); i++)
		assert_int_equal(setsockopt(fd, SOL_XDP, rings[i], &slots, sizeof(slots)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

// A socket that has lost its interface says so; another interface may have come with its number.
static void tell_another_with_the_same_number(void **state)
{
	char again[160];

	(void)state;
	port.xsk_fds[0] = xsk_open(port.link.ifindex);
	port.n_xsk_fds = 1;
	assert_int_equal(io_port_refresh(&port, &up), 0);
	snprintf(again, sizeof(again),
		"ip link del p0; ip link add p0 index %u type veth peer name p1; "
		"ip link set p0 up; ip link set p1 up",
		port.link.ifindex);
	run(again);
	assert_int_equal(io_port_refresh(&port, &up) & IO_PORT_REPLACED, IO_PORT_REPLACED);
	assert_false(up);
	close(port.xsk_fds[0]);
}

static void follow_the_name(void **state)
{
	(void)state;
	run("ip link set p0 down; ip link set p0 name q0; ip link set q0 up");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_NAME);
	assert_true(up);
	assert_string_equal(io_port_interface(&port), "q0");
	// Another one with the old name is another's.
	run("ip link add p0 type veth peer name p2");
	assert_int_equal(io_port_refresh(&port, &up), 0);
	assert_true(up);
	run("ip link set q0 mtu 1400");
	assert_int_equal(io_port_refresh(&port, &up), IO_PORT_MTU);
	run("ip link del q0");
	assert_int_equal(io_port_refresh(&port, &up) & IO_PORT_REPLACED, IO_PORT_REPLACED);
}

// An error of the question is none of the interface: without a descriptor for a moment, or memory.
static void an_unanswered_question_changes_nothing(void **state)
{
	struct rlimit before, none;
	unsigned changed;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	changed = io_port_refresh(&port, &up);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(changed, 0);
	assert_true(up);
	// No number of an interface: the kernel refuses the question, and the name is ours.
	port.link.ifindex |= 1u << 31;
	assert_int_equal(io_port_refresh(&port, &up), 0);
	assert_true(up);
}

// In a child: the filter can't be taken off again.
static void forbidden_af_xdp_is_named(void **state)
{
	struct io_port *p = &port;
	struct steer_fault fault = {.problem = ""};
	bool leftover, named;
	int status;
	pid_t child;

	(void)state;
	p->device.driver = IO_AF_XDP;
	p->lock_directory = "/tmp";
	p->lock_fd = -1;
	child = fork();
	if (child == 0) {
		const struct scmp_arg_cmp xdp = {.op = SCMP_CMP_EQ, .datum_a = AF_XDP};
		scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

		// As systemd's RestrictAddressFamilies= answers.
		if (filter == NULL ||
			seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				xdp) != 0 ||
			seccomp_load(filter) != 0)
			_exit(2);
		named = io_port_prepare(p, 1, &leftover, &fault) == -EAFNOSUPPORT &&
			strstr(fault.problem, "AF_XDP sockets are refused") != NULL &&
			strstr(fault.remedy, "RestrictAddressFamilies=") != NULL;
		io_port_close(p);
		_exit(named ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(io_port_prepare(p, 1, &leftover, &fault), 0);
	io_port_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(follow_the_link, setup, teardown),
		cmocka_unit_test_setup_teardown(follow_the_address, setup, teardown),
		cmocka_unit_test_setup_teardown(follow_the_mtu, setup, teardown),
		cmocka_unit_test_setup_teardown(tell_new_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(tell_another_interface, setup, teardown),
		cmocka_unit_test_setup_teardown(tell_another_with_the_same_number, setup, teardown),
		cmocka_unit_test_setup_teardown(follow_the_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_unanswered_question_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(forbidden_af_xdp_is_named, setup, teardown),
	};

	if (!netns_enter())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
