// SPDX-License-Identifier: BSD-3-Clause
// Each missing privilege is named, with its use.
#include <plane/privilege.h>

#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include <proc/privilege.h>

#define ALL	     UINT64_MAX
#define WITHOUT(cap) (ALL & ~PROC_CAPABILITY(cap))
#define MIB	     (UINT64_C(1) << 20)

static const struct privilege_need xdp = {
	.steers = true, .captures = true, .locked_octets = 40 * MIB, .join = true};
static const struct privilege_need pci = {.locked_octets = 40 * MIB};

static void every_capability_is_named(void **state)
{
	static const struct {
		const struct privilege_need *need;
		uint64_t capabilities;
		uint64_t memlock;
		const char *missing; // NULL: none
	} rows[] = {
		{&xdp, ALL, 0, NULL},
		{&xdp, WITHOUT(CAP_NET_ADMIN), ALL, "CAP_NET_ADMIN"},
		{&xdp, WITHOUT(CAP_NET_RAW), ALL, "CAP_NET_RAW"},
		{&pci, WITHOUT(CAP_NET_RAW), ALL, NULL},
		{&xdp, WITHOUT(CAP_BPF), ALL, NULL},
		{&xdp, WITHOUT(CAP_BPF) & WITHOUT(CAP_SYS_ADMIN), ALL, "CAP_BPF"},
		{&pci, WITHOUT(CAP_BPF) & WITHOUT(CAP_SYS_ADMIN), ALL, NULL},
		{&xdp, WITHOUT(CAP_IPC_LOCK), 40 * MIB, NULL},
		{&xdp, WITHOUT(CAP_IPC_LOCK), 40 * MIB - 1, "CAP_IPC_LOCK"},
		{&pci, WITHOUT(CAP_IPC_LOCK), 8 * MIB, "CAP_IPC_LOCK"},
		{&xdp, WITHOUT(CAP_SETGID), ALL, "CAP_SETGID"},
		{&pci, WITHOUT(CAP_SETGID), ALL, NULL},
		{&pci, 0, 0, "CAP_NET_ADMIN"},
	};

	(void)state;
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct steer_fault fault = {.problem = ""};
		int err = plane_privilege_judge(
			rows[i].need, rows[i].capabilities, rows[i].memlock, &fault);

		if (err != (rows[i].missing == NULL ? 0 : -EPERM))
			fail_msg("row %zu: %s", i, fault.problem);
		if (rows[i].missing == NULL)
			continue;
		assert_memory_equal(fault.problem, rows[i].missing, strlen(rows[i].missing));
		assert_non_null(strstr(fault.remedy, rows[i].missing));
	}
}

static void vfio_is_told_apart(void **state)
{
	struct steer_fault fault;

	(void)state;
	assert_int_equal(plane_privilege_judge(&pci, WITHOUT(CAP_IPC_LOCK), 0, &fault), -EPERM);
	assert_non_null(strstr(fault.problem, "error 12"));
	assert_non_null(strstr(fault.problem, "LimitMEMLOCK"));
}

static void own_groups_need_no_capability(void **state)
{
	(void)state;
	assert_true(plane_privilege_has_group(getegid()));
	assert_false(plane_privilege_has_group(3999999999u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_capability_is_named),
		cmocka_unit_test(vfio_is_told_apart),
		cmocka_unit_test(own_groups_need_no_capability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
