// SPDX-License-Identifier: BSD-3-Clause
// Each cause for which a card can't be opened has its own message: over a fake sysfs, and over a
// virtio device of the test's own.
#include <io/card.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char root[] = "/tmp/turnpike-card-XXXXXX";

static void run(const char *format, const char *argument)
{
	char command[1024];
	int n = snprintf(command, sizeof(command), "cd %s && ", root);

	snprintf(command + n, sizeof(command) - (size_t)n, format, argument);
	assert_int_equal(system(command), 0);
}

// card ADDRESS DRIVER GROUP VENDOR, as the kernel shows it.
static void card(const char *address, const char *driver, const char *group, unsigned vendor)
{
	char command[512];

	snprintf(command, sizeof(command),
		"d=bus/pci/devices/%s; mkdir -p $d kernel/iommu_groups; echo 0x%x > $d/vendor; "
		"[ -z '%s' ] || ln -s ../../../bus/pci/drivers/%s $d/driver; "
		"[ -z '%s' ] || { mkdir -p kernel/iommu_groups/%s; "
		"ln -s ../../../../kernel/iommu_groups/%s $d/iommu_group; }",
		address, vendor, driver, driver, group, group, group);
	run("%s", command);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	card("0000:00:01.0", "e1000e", "1", 0x8086);
	card("0000:00:02.0", "", "2", 0x8086);
	card("0000:00:03.0", "vfio-pci", "3", 0x8086);
	card("0000:00:04.0", "vfio-pci", "4", 0x8086);
	card("0000:00:05.0", "vfio-pci", "", 0x8086);
	card("0000:00:06.0", "mlx5_core", "6", 0x15b3);
	card("0000:00:07.0", "vfio-pci", "7", 0x1af4);
	card("0000:00:08.0", "vfio-pci", "8", 0x8086);
	run("mkdir -p dev/vfio devices/system/cpu && touch dev/vfio/3 dev/vfio/7 "
	    "dev/vfio/noiommu-8 && echo vfio-noiommu > kernel/iommu_groups/8/name%s",
		"");
	// A virtio device without capabilities: made before virtio 1.0.
	run("head -c 256 /dev/zero > bus/pci/devices/0000:00:07.0/config%s", "");
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void every_cause_is_named(void **state)
{
	static const struct {
		const char *address;
		int err;
		const char *problem;
		const char *remedy;
	} rows[] = {
		{"0000:00:01.0", -EBUSY, "driven by the kernel's e1000e", "vfio-pci"},
		{"00:01.0", -EBUSY, "driven by the kernel's e1000e", "interface: NAME"},
		{"0000:00:02.0", -ENODEV, "has no driver", "set-override 0000:00:02.0 vfio-pci"},
		{"0000:00:03.0", 0, NULL, NULL},
		{"0000:00:04.0", -ENOENT, "/vfio/4", "/dev/vfio/vfio"},
		{"0000:00:05.0", -ENODEV, "in no IOMMU group", "intel_iommu=on"},
		{"0000:00:06.0", 0, NULL, NULL},
		{"0000:00:07.0", -EOPNOTSUPP, "feature 33", "iommu_platform=on"},
		{"0000:00:08.0", 0, NULL, NULL},
		{"0000:00:09.0", -ENODEV, "there is no PCI device 0000:00:09.0", "lspci -D"},
	};
	char dev[64];

	(void)state;
	snprintf(dev, sizeof(dev), "%s/dev", root);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		struct steer_fault fault = {.problem = ""};

		if (io_card_check(root, dev, rows[i].address, &fault) != rows[i].err)
			fail_msg("%s: %s", rows[i].address, fault.problem);
		if (rows[i].err == 0)
			continue;
		if (strstr(fault.problem, rows[i].problem) == NULL ||
			strstr(fault.remedy, rows[i].remedy) == NULL)
			fail_msg("%s: %s; %s", rows[i].address, fault.problem, fault.remedy);
	}
}

static void hidden_sysfs_is_named(void **state)
{
	struct steer_fault fault;

	(void)state;
	assert_int_equal(io_card_check_sysfs(root, &fault), 0);
	assert_int_equal(io_card_check_sysfs("/nowhere", &fault), -ENOENT);
	assert_non_null(strstr(fault.problem, "/nowhere"));
	assert_non_null(strstr(fault.remedy, "mount sysfs"));
}

static void offloads_of_the_host_are_named(void **state)
{
	static const struct {
		const char *features; // bit 0 first
		int err;
	} rows[] = {
		{"0100000", -EOPNOTSUPP},
		{"0110000", 0},
		{"0000000100", -EOPNOTSUPP},
		{"0010000111100", 0},
		{"1001000", 0},
	};
	struct steer_fault fault;

	(void)state;
	assert_int_equal(io_card_check_xdp(root, "veth0", &fault), 0);
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		run("mkdir -p class/net/eth0/device && echo %s > class/net/eth0/device/features",
			rows[i].features);
		assert_int_equal(io_card_check_xdp(root, "eth0", &fault), rows[i].err);
	}
	run("echo 01 > class/net/eth0/device/features%s", "");
	assert_int_equal(io_card_check_xdp(root, "eth0", &fault), -EOPNOTSUPP);
	assert_non_null(strstr(fault.problem, "CTRL_GUEST_OFFLOADS"));
	assert_non_null(strstr(fault.remedy, "ctrl_guest_offloads=on"));
}

// A virtio device: three capabilities, and a window onto bar 4 where the common configuration is at
// 0x1000.
struct device {
	uint8_t space[256];
	uint32_t select;
	uint64_t offers;
};

static bool in_window(const struct device *d, unsigned at, uint32_t *offset)
{
	memcpy(offset, d->space + 0x70 + 8, 4);
	return at == 0x70 + 16 && d->space[0x70 + 4] == 4 && *offset >= 0x1000;
}

static int device_read(void *ctx, unsigned at, void *buf, unsigned len)
{
	struct device *d = ctx;
	uint32_t offset, bits = 0;

	if (in_window(d, at, &offset)) {
		if (offset == 0x1004)
			bits = (uint32_t)(d->select < 2 ? d->offers >> 32 * d->select : 0);
		memcpy(buf, &bits, len);
		return 0;
	}
	memcpy(buf, d->space + at, len);
	return 0;
}

static int device_write(void *ctx, unsigned at, const void *buf, unsigned len)
{
	struct device *d = ctx;
	uint32_t offset;

	if (in_window(d, at, &offset)) {
		if (offset == 0x1000)
			memcpy(&d->select, buf, len);
		return 0;
	}
	memcpy(d->space + at, buf, len);
	return 0;
}

static void capability(struct device *d, unsigned at, unsigned next, unsigned type)
{
	const uint32_t offset = 0x1000;

	d->space[at] = 9;
	d->space[at + 1] = (uint8_t)next;
	d->space[at + 3] = (uint8_t)type;
	d->space[at + 4] = 4;
	memcpy(d->space + at + 8, &offset, 4);
}

static void features_are_read_by_the_window(void **state)
{
	struct device d = {.offers = UINT64_C(0x0000000340000020)};
	const struct io_card_space space = {device_read, device_write, &d};
	uint64_t features;

	(void)state;
	assert_int_equal(io_card_virtio_features(&space, &features), -ENOENT);
	d.space[6] = 0x10;
	d.space[0x34] = 0x40;
	capability(&d, 0x40, 0x58, 1);
	capability(&d, 0x58, 0x70, 3);
	capability(&d, 0x70, 0, 5);
	assert_int_equal(io_card_virtio_features(&space, &features), 0);
	assert_true(features == d.offers);
	// A list that bites its tail ends.
	capability(&d, 0x40, 0x40, 3);
	assert_int_equal(io_card_virtio_features(&space, &features), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_is_named),
		cmocka_unit_test(hidden_sysfs_is_named),
		cmocka_unit_test(offloads_of_the_host_are_named),
		cmocka_unit_test(features_are_read_by_the_window),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
