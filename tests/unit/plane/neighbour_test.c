// SPDX-License-Identifier: BSD-3-Clause
// The requests to the kernel about neighbours, on a pair of virtual interfaces in an own namespace.
#include <plane/neighbour.h>

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct neighbour *nb;
static uint32_t ifindex;
static struct tp_next_hop_info infos[300];

static void command(const char *text)
{
	assert_int_equal(system(text), 0);
}

// The kernel's line about a neighbour, empty if it knows none.
static const char *entry(const char *ip)
{
	static char line[256];
	char text[128];
	FILE *f;

	snprintf(text, sizeof(text), "ip neigh show %s dev dpn0", ip);
	f = popen(text, "r");
	assert_non_null(f);
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	pclose(f);
	return line;
}

static bool managed(const char *ip)
{
	return strstr(entry(ip), "managed") != NULL;
}

static void want(unsigned slot, uint32_t ip, bool wanted)
{
	infos[slot].addr = tp_addr_ipv4(ip, 0);
	infos[slot].ifindex = ifindex;
	atomic_store(&infos[slot].wanted, wanted ? 1 : 0);
}

static void tick(uint64_t now_s)
{
	while (!plane_neighbour_tick(nb, infos, TP_ARRAY_LEN(infos), now_s * TP_NS_PER_S))
		;
}

static int setup(void **state)
{
	(void)state;
	command("ip link add dpn0 type veth peer name dpn1 && ip link set dpn0 up && "
		"ip link set dpn1 up && ip addr add 192.0.2.1/24 dev dpn0");
	ifindex = if_nametoindex("dpn0");
	nb = plane_neighbour_create(&ifindex, 1);
	memset(infos, 0, sizeof(infos));
	return nb != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	plane_neighbour_destroy(nb);
	command("ip link del dpn0");
	return 0;
}

static void test_manage(void **state)
{
	(void)state;
	want(3, 0xc0000202, true);
	want(4, 0xc0000203, false);
	tick(1);
	assert_true(managed("192.0.2.2"));
	assert_string_equal(entry("192.0.2.3"), "");
	// The slot is given to another neighbour.
	want(3, 0xc0000204, true);
	tick(2);
	assert_false(managed("192.0.2.2"));
	assert_true(managed("192.0.2.4"));
	// Somebody deletes it: asked for again in time.
	command("ip neigh del 192.0.2.4 dev dpn0");
	tick(3);
	assert_false(managed("192.0.2.4"));
	tick(60);
	assert_true(managed("192.0.2.4"));
	// The control process says that it is gone: asked for again at once.
	command("ip neigh del 192.0.2.4 dev dpn0");
	atomic_store(&infos[3].wanted, 2);
	tick(60);
	assert_true(managed("192.0.2.4"));
	want(3, 0xc0000204, false);
	tick(61);
	assert_false(managed("192.0.2.4"));
}

static void test_static(void **state)
{
	(void)state;
	command("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev dpn0 nud permanent");
	want(1, 0xc0000209, true);
	tick(1);
	assert_non_null(strstr(entry("192.0.2.9"), "02:00:00:00:00:09"));
	assert_non_null(strstr(entry("192.0.2.9"), "PERMANENT"));
	want(1, 0xc0000209, false);
	tick(2);
	assert_non_null(strstr(entry("192.0.2.9"), "PERMANENT"));
}

// Links that are none of our ports, families that are none, many at once.
static void test_bounds(void **state)
{
	(void)state;
	want(1, 0xc0000205, true);
	infos[1].ifindex = if_nametoindex("dpn1");
	want(2, 0xc0000206, true);
	infos[2].addr.family = 77;
	for (unsigned i = 10; i < 210; i++)
		want(i, 0xc0000200 + i, true);
	assert_false(plane_neighbour_tick(nb, infos, TP_ARRAY_LEN(infos), TP_NS_PER_S));
	assert_true(managed("192.0.2.10"));
	assert_false(managed("192.0.2.209"));
	tick(1);
	assert_true(managed("192.0.2.209"));
	assert_string_equal(entry("192.0.2.5"), "");
	assert_string_equal(entry("192.0.2.6"), "");
	// No tables any more: nothing is wanted.
	while (!plane_neighbour_tick(nb, NULL, 0, 2 * TP_NS_PER_S))
		;
	assert_false(managed("192.0.2.10"));
	assert_false(managed("192.0.2.209"));
}

static void test_destroy(void **state)
{
	(void)state;
	want(3, 0xc0000202, true);
	tick(1);
	assert_true(managed("192.0.2.2"));
	plane_neighbour_destroy(nb);
	assert_false(managed("192.0.2.2"));
	nb = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_manage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_static, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_destroy, setup, teardown),
	};

	if (unshare(CLONE_NEWNET) != 0 || system("ip link show lo >/dev/null") != 0) {
		fprintf(stderr, "skipped: needs root and ip(8)\n");
		return 77;
	}
	return cmocka_run_group_tests_name("plane neighbour", tests, NULL, NULL);
}
