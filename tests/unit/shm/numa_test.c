// SPDX-License-Identifier: BSD-3-Clause
// Nodes as a made-up sysfs tells them, and a file's wish as the kernel tells it. The machine has
// node 0, and that is all that can be counted on.
#include <shm/numa.h>
#include <shm/segment.h>

#include <numaif.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "scratch_place.h"

#define NODES_ABSENT (UINT64_C(1) << 63)

static const struct shm_tables_shape shape = {.n_entries = 1000,
	.n_next_hops = 16,
	.n_port_indexes = 1,
	.n_allocations = 100,
	.n_workers = 1};

// Contents of sysfs.
static const struct {
	const char *path;
	const char *text;
} files[] = {
	{"class/net/near0/device/numa_node", "0\n"},
	{"class/net/far0/device/numa_node", "1\n"},
	{"class/net/single0/device/numa_node", "-1\n"},
	{"class/net/odd0/device/numa_node", "64\n"},
	{"class/net/worse0/device/numa_node", "one\n"},
	{"bus/pci/devices/0000:03:00.1/numa_node", "5\n"},
};

static char sysfs[] = "/tmp/turnpike-sysfs-XXXXXX";

static void file_make(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", sysfs, path);
	for (char *p = strchr(full + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int group_setup(void **state)
{
	(void)state;
	if (mkdtemp(sysfs) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		file_make(files[i].path, files[i].text);
	return 0;
}

static int group_teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", sysfs);
	return system(command);
}

static void devices_have_nodes(void **state)
{
	(void)state;
	assert_int_equal(shm_numa_of_interface(sysfs, "near0"), 0);
	assert_int_equal(shm_numa_of_interface(sysfs, "far0"), 1);
	assert_int_equal(shm_numa_of_interface(sysfs, "single0"), -1);
	assert_int_equal(shm_numa_of_interface(sysfs, "odd0"), -1);
	assert_int_equal(shm_numa_of_interface(sysfs, "worse0"), -1);
	assert_int_equal(shm_numa_of_interface(sysfs, "none0"), -1);
	assert_int_equal(shm_numa_of_pci(sysfs, "0000:03:00.1"), 5);
	assert_int_equal(shm_numa_of_pci(sysfs, "0000:03:00.1,rxq_cqe_comp_en=0"), 5);
	assert_int_equal(shm_numa_of_pci(sysfs, "0000:03:00.0"), -1);
}

static void ports_add_their_nodes(void **state)
{
	struct shm_place *p = *state;

	assert_true(p->nodes == 0);
	assert_int_equal(shm_place_add_node(p, sysfs, "none0", NULL), -1);
	assert_int_equal(shm_place_add_node(p, sysfs, NULL, NULL), -1);
	assert_true(p->nodes == 0);
	assert_int_equal(shm_place_add_node(p, sysfs, "far0", NULL), 1);
	assert_int_equal(shm_place_add_node(p, sysfs, "far0", "0000:03:00.1"), 1);
	assert_true(p->nodes == 2);
	assert_int_equal(shm_place_add_node(p, sysfs, "tap0", "0000:03:00.1"), 5);
	assert_true(p->nodes == 0x22);
}

// The policy of the mapping that begins there, as the kernel shows it: "default", "prefer:0".
static void policy_read(const void *base, char policy[64])
{
	FILE *f = fopen("/proc/self/numa_maps", "re");
	unsigned long at;
	char line[512];

	policy[0] = '\0';
	if (f == NULL)
		skip(); // a kernel without NUMA
	while (policy[0] == '\0' && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "%lx %63s", &at, policy) == 2 && at != (unsigned long)base)
			policy[0] = '\0';
	fclose(f);
}

static void made_with(struct shm_place *p, uint64_t nodes, const char *want, bool placed)
{
	struct shm_error err;
	struct shm_tables t;
	char policy[64];

	p->nodes = nodes;
	assert_int_equal(shm_tables_create(&t, p, &shape, &err), 0);
	policy_read(t.file.base, policy);
	// "prefer=static:0" and "prefer (many):0" are other kernels' words.
	assert_int_equal(strncmp(policy, want, strlen(want)), 0);
	assert_int_equal(t.file.placed, placed);
	shm_tables_close(&t);
}

static void files_keep_their_wish(void **state)
{
	struct shm_place *p = *state;

	made_with(p, 0, "default", false);
	made_with(p, 1, "prefer", true);
	// Not had: made all the same.
	made_with(p, NODES_ABSENT, "default", false);
}

// Pages of hugetlbfs come from where the thread's policy says. Afterwards it is as before.
static void the_thread_wishes_meanwhile(void **state)
{
	struct shm_place *p = *state;
	struct shm_numa_wish w;
	struct shm_error err;
	struct shm_tables t;
	int mode;

	assert_int_equal(shm_tables_create(&t, p, &shape, &err), 0);
	if (get_mempolicy(&mode, NULL, 0, NULL, 0) != 0)
		skip(); // a kernel without NUMA
	assert_true(shm_numa_wish_begin(&w, t.file.fd, t.file.size, 1));
	assert_int_equal(get_mempolicy(&mode, NULL, 0, NULL, 0), 0);
	assert_int_equal(mode, MPOL_PREFERRED);
	shm_numa_wish_end(&w);
	assert_int_equal(get_mempolicy(&mode, NULL, 0, NULL, 0), 0);
	assert_int_equal(mode, MPOL_DEFAULT);
	assert_false(shm_numa_wish_begin(&w, t.file.fd, t.file.size, NODES_ABSENT));
	shm_numa_wish_end(&w);
	assert_int_equal(get_mempolicy(&mode, NULL, 0, NULL, 0), 0);
	assert_int_equal(mode, MPOL_DEFAULT);
	shm_tables_close(&t);
}

// A thread's policy of several nodes, or of one, comes back as it was.
static void the_policy_before_comes_back(void **state)
{
	struct shm_place *p = *state;
	unsigned long one = 1, nodes[SHM_NUMA_KERNEL_NODES_MAX / (8 * sizeof(unsigned long))];
	struct shm_numa_wish w;
	struct shm_error err;
	struct shm_tables t;
	int mode;

	assert_int_equal(shm_tables_create(&t, p, &shape, &err), 0);
	if (set_mempolicy(MPOL_BIND, &one, 65) != 0)
		skip();
	assert_true(shm_numa_wish_begin(&w, t.file.fd, t.file.size, 1));
	shm_numa_wish_end(&w);
	assert_int_equal(get_mempolicy(&mode, nodes, SHM_NUMA_KERNEL_NODES_MAX + 1, NULL, 0), 0);
	assert_int_equal(set_mempolicy(MPOL_DEFAULT, NULL, 0), 0);
	assert_int_equal(mode, MPOL_BIND);
	assert_true(nodes[0] == 1);
	shm_tables_close(&t);
}

// A later mapping sees the same.
static void the_wish_stays_with_the_file(void **state)
{
	struct shm_place *p = *state;
	struct shm_tables t, other;
	struct shm_error err;
	char policy[64];

	p->nodes = 1;
	assert_int_equal(shm_tables_create(&t, p, &shape, &err), 0);
	assert_int_equal(shm_file_publish(&t.file, p, &err), 0);
	p->nodes = 0;
	assert_int_equal(shm_tables_open(&other, p, false, &err), 0);
	policy_read(other.file.base, policy);
	assert_int_equal(strncmp(policy, "prefer", strlen("prefer")), 0);
	shm_tables_close(&other);
	shm_tables_close(&t);
}

// The machine has node 0 alone: pages lie there, and not where they were not asked for.
static void the_place_is_looked_at(void **state)
{
	struct shm_place *p = *state;
	struct shm_error err;
	struct shm_tables t;

	p->nodes = 1;
	assert_int_equal(shm_tables_create(&t, p, &shape, &err), 0);
	assert_true(shm_numa_lies_on(t.file.base, t.file.size, 1));
	assert_true(shm_numa_lies_on(t.file.base, t.file.size, UINT64_MAX));
	if (access("/sys/devices/system/node/node1", F_OK) != 0)
		assert_false(shm_numa_lies_on(t.file.base, t.file.size, NODES_ABSENT));
	shm_tables_close(&t);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_place_setup, scratch_place_teardown)
	const struct CMUnitTest tests[] = {
		TEST(devices_have_nodes),
		TEST(ports_add_their_nodes),
		TEST(files_keep_their_wish),
		TEST(the_thread_wishes_meanwhile),
		TEST(the_policy_before_comes_back),
		TEST(the_wish_stays_with_the_file),
		TEST(the_place_is_looked_at),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
