// SPDX-License-Identifier: BSD-3-Clause
// A port that is closed while packets come: its steering program leaves before its sockets. The
// device is a ring, the interface is the loopback device of an own network namespace.
#include <io/eal.h>
#include <io/port.h>

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <log/log.h>
#include <net/if.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "../steer/netns.h"

#define MEMORY_MIB 32u

static struct eal_settings eal;
static unsigned core;
static struct rte_ring *wire;

static int ground_make(void **state)
{
	struct steer_fault fault = {.problem = ""};

	(void)state;
	log_level_set(LOG_LEVEL_WARNING);
	io_eal_cores_choose(&core, 1);
	eal = (struct eal_settings){.instance = "close-test",
		.cores = &core,
		.n_cores = 1,
		.memory_octets = MEMORY_MIB << 20,
		.no_huge = true};
	if (io_eal_start(&eal, &fault) != 0)
		fail_msg("%s", fault.problem);
	wire = rte_ring_create("wire", 64, SOCKET_ID_ANY, 0);
	return wire == NULL;
}

static int ground_leave(void **state)
{
	(void)state;
	rte_ring_free(wire);
	io_eal_stop(&eal);
	return 0;
}

static void program_attach(struct io_port *p)
{
	char path[64];
	int fd = steer_object_open(path, sizeof(path));
	struct bpf_object *object;

	assert_true(fd >= 0);
	object = bpf_object__open_file(path, NULL);
	close(fd);
	assert_non_null(object);
	assert_int_equal(bpf_object__load(object), 0);
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("lo"),
				 bpf_program__fd(bpf_object__next_program(object, NULL)), 0, NULL),
		0);
	assert_int_equal(steer_find(&p->steer, "lo", NULL), 0);
	bpf_object__close(object);
}

static bool is_attached(void)
{
	uint32_t id = 0;

	return bpf_xdp_query_id((int)if_nametoindex("lo"), 0, &id) == 0 && id != 0;
}

// Notes whether the program is attached when the device ends.
static int end_note(uint16_t port, enum rte_eth_event_type type, void *attached, void *result)
{
	(void)port;
	(void)type;
	(void)result;
	*(int *)attached = is_attached();
	return 0;
}

static void the_program_leaves_first(void **state)
{
	struct io_port p = {.lock_fd = -1, .probed = true};
	int attached = -1, id = rte_eth_from_ring(wire);

	(void)state;
	assert_true(id >= 0);
	p.id = (uint16_t)id;
	assert_int_equal(
		rte_eth_dev_callback_register(p.id, RTE_ETH_EVENT_DESTROY, end_note, &attached), 0);
	program_attach(&p);
	assert_true(is_attached());
	io_port_close(&p);
	assert_int_equal(attached, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_leaves_first),
	};

	if (!netns_enter())
		return EXIT_SKIPPED;
	return cmocka_run_group_tests(tests, ground_make, ground_leave);
}
