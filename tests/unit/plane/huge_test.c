// SPDX-License-Identifier: BSD-3-Clause
// Free huge pages by node, over a fake sysfs.
#include <io/huge.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB (1024ull * 1024)

static char root[] = "/tmp/turnpike-huge-XXXXXX";

static void put(const char *below, const char *size, unsigned pages)
{
	char command[512];

	snprintf(command, sizeof(command),
		"d=%s/%s/hugepages/hugepages-%s; mkdir -p $d && echo %u > $d/free_hugepages", root,
		below, size, pages);
	assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	put("kernel/mm", "2048kB", 60);
	put("kernel/mm", "1048576kB", 0);
	put("devices/system/node/node0", "2048kB", 10);
	put("devices/system/node/node1", "2048kB", 50);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void free_pages_by_node(void **state)
{
	(void)state;
	assert_int_equal(io_huge_free(root, -1), 120 * MIB);
	assert_int_equal(io_huge_free(root, 0), 20 * MIB);
	assert_int_equal(io_huge_free(root, 1), 100 * MIB);
	assert_int_equal(io_huge_free(root, 2), 0);
	assert_int_equal(io_huge_free("/nowhere", -1), 0);
}

static void pages_are_judged(void **state)
{
	static const struct {
		uint64_t need[3];
		enum io_huge huge;
		unsigned node;
	} rows[] = {
		{{20 * MIB, 100 * MIB, 0}, IO_HUGE_LOCAL, 0},
		{{21 * MIB, 0, 0}, IO_HUGE_ELSEWHERE, 0},
		{{0, 101 * MIB, 0}, IO_HUGE_ELSEWHERE, 1},
		{{60 * MIB, 61 * MIB, 0}, IO_HUGE_NONE, 0},
		// A machine of one node says nothing of nodes.
		{{0, 0, 110 * MIB}, IO_HUGE_LOCAL, 2},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		unsigned node;

		assert_int_equal(io_huge_judge(root, rows[i].need, 3, &node), rows[i].huge);
		if (rows[i].huge == IO_HUGE_ELSEWHERE)
			assert_int_equal(node, rows[i].node);
	}
}

static void a_node_without_pages_is_seen(void **state)
{
	(void)state;
	assert_false(io_huge_lacks_node(root, 8));
	put("devices/system/node/node3", "2048kB", 0);
	assert_false(io_huge_lacks_node(root, 3));
	assert_true(io_huge_lacks_node(root, 8));
	assert_false(io_huge_lacks_node("/nowhere", 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_pages_by_node),
		cmocka_unit_test(pages_are_judged),
		cmocka_unit_test(a_node_without_pages_is_seen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
