// SPDX-License-Identifier: BSD-3-Clause
#include <io/card.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define VIRTIO_VENDOR	      0x1af4u

// Configuration space (PCI 3.0, 6.1 and 6.7).
#define PCI_STATUS	      0x06u
#define PCI_STATUS_LIST	      0x10u
#define PCI_LIST	      0x34u
#define PCI_VENDOR_CAPABILITY 0x09u
#define PCI_LIST_MAX	      48u

// virtio 1.2, 4.1.4: a capability, and the common configuration that it locates.
#define CAPABILITY_NEXT	      1u
#define CAPABILITY_TYPE	      3u
#define CAPABILITY_BAR	      4u
#define CAPABILITY_OFFSET     8u
#define CAPABILITY_LENGTH     12u
#define CAPABILITY_DATA	      16u // of the window
#define TYPE_COMMON	      1u
#define TYPE_WINDOW	      5u
#define COMMON_SELECT	      0u
#define COMMON_FEATURES	      4u

// virtio 1.2, 5.1.3 and 6.
#define GUEST_CSUM	      1
#define CTRL_GUEST_OFFLOADS   2
#define GUEST_TSO4	      7
#define GUEST_TSO6	      8
#define GUEST_ECN	      9
#define GUEST_UFO	      10
#define ACCESS_PLATFORM	      33
#define FEATURE(bit)	      (UINT64_C(1) << (bit))

int io_card_check_sysfs(const char *sysfs, struct steer_fault *fault)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/devices/system/cpu", sysfs);
	if (access(path, F_OK) == 0)
		return 0;
	return steer_fault_set(fault, -ENOENT,
		"mount sysfs; a container must not hide it (InaccessiblePaths=, masked paths)",
		"%s does not show the machine's CPUs", sysfs);
}

// The last part of the link's target. False: there is no link.
static bool link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	size_t len;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *slash;

	if (n < 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	slash = slash != NULL ? slash + 1 : target;
	len = strlen(slash);
	if (len >= size)
		return false;
	memcpy(name, slash, len + 1);
	return true;
}

static unsigned read_hex(const char *directory, const char *name)
{
	char path[PATH_MAX + 32];
	unsigned value = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%x", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

// ---- virtio -----------------------------------------------------------------------------------

struct capability {
	uint8_t at;
	uint8_t bar;
	uint32_t offset;
};

static int find_capabilities(
	const struct io_card_space *s, struct capability *common, struct capability *window)
{
	uint8_t status = 0, at = 0;
	int err = s->read(s->ctx, PCI_STATUS, &status, 1);

	if (err == 0 && (status & PCI_STATUS_LIST) != 0)
		err = s->read(s->ctx, PCI_LIST, &at, 1);
	for (unsigned i = 0; err == 0 && at >= 0x40 && i < PCI_LIST_MAX; i++) {
		uint8_t head[CAPABILITY_DATA];
		struct capability found = {.at = at};

		err = s->read(s->ctx, at, head, sizeof(head));
		if (err != 0)
			break;
		found.bar = head[CAPABILITY_BAR];
		memcpy(&found.offset, head + CAPABILITY_OFFSET, sizeof(found.offset));
		if (head[0] == PCI_VENDOR_CAPABILITY && head[CAPABILITY_TYPE] == TYPE_COMMON)
			*common = found;
		if (head[0] == PCI_VENDOR_CAPABILITY && head[CAPABILITY_TYPE] == TYPE_WINDOW)
			*window = found;
		at = head[CAPABILITY_NEXT];
	}
	return err;
}

// Points the window at a word of the common configuration.
static int aim(const struct io_card_space *s, const struct capability *window,
	const struct capability *common, uint32_t word)
{
	const uint32_t offset = common->offset + word, length = sizeof(offset);
	int err = s->write(s->ctx, window->at + CAPABILITY_BAR, &common->bar, 1);

	if (err == 0)
		err = s->write(s->ctx, window->at + CAPABILITY_OFFSET, &offset, sizeof(offset));
	if (err == 0)
		err = s->write(s->ctx, window->at + CAPABILITY_LENGTH, &length, sizeof(length));
	return err;
}

int io_card_virtio_features(const struct io_card_space *s, uint64_t *features)
{
	struct capability common = {0}, window = {0};
	int err = find_capabilities(s, &common, &window);

	if (err != 0)
		return err;
	if (common.at == 0 || window.at == 0)
		return -ENOENT;
	*features = 0;
	for (uint32_t half = 0; half < 2 && err == 0; half++) {
		uint32_t bits = 0;

		err = aim(s, &window, &common, COMMON_SELECT);
		if (err == 0)
			err = s->write(s->ctx, window.at + CAPABILITY_DATA, &half, sizeof(half));
		if (err == 0)
			err = aim(s, &window, &common, COMMON_FEATURES);
		if (err == 0)
			err = s->read(s->ctx, window.at + CAPABILITY_DATA, &bits, sizeof(bits));
		*features |= (uint64_t)bits << 32 * half;
	}
	return err;
}

static int space_read(void *ctx, unsigned at, void *buf, unsigned len)
{
	ssize_t n = pread(*(int *)ctx, buf, len, at);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

static int space_write(void *ctx, unsigned at, const void *buf, unsigned len)
{
	ssize_t n = pwrite(*(int *)ctx, buf, len, at);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

// Without the feature the device's accesses do not pass the IOMMU, and DPDK waits for a first
// answer for minutes.
static int check_virtio(const char *directory, const char *address, struct steer_fault *fault)
{
	char path[PATH_MAX + 32];
	struct io_card_space space = {space_read, space_write, NULL};
	uint64_t features = 0;
	int fd, err;

	snprintf(path, sizeof(path), "%s/config", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	space.ctx = &fd;
	err = io_card_virtio_features(&space, &features);
	close(fd);
	if ((err != 0 && err != -ENOENT) || (features & FEATURE(ACCESS_PLATFORM)) != 0)
		return 0;
	return steer_fault_set(fault, -EOPNOTSUPP,
		"on the hypervisor: iommu_platform=on and disable-legacy=on for this card "
		"(libvirt: driver iommu='on'); or serve it by its interface, with AF_XDP",
		"%s is a virtio card without VIRTIO_F_ACCESS_PLATFORM (feature 33): vfio can't "
		"drive it",
		address);
}

// ---- PCI --------------------------------------------------------------------------------------

static bool is_for_user_space(const char *driver)
{
	// Mellanox's drivers share the card with DPDK.
	static const char *const drivers[] = {
		"vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core", "mlx4_core", "mana"};

	for (size_t i = 0; i < TP_ARRAY_LEN(drivers); i++) {
		if (strcmp(driver, drivers[i]) == 0)
			return true;
	}
	return false;
}

static int check_group(
	const char *devfs, const char *directory, const char *address, struct steer_fault *fault)
{
	char path[PATH_MAX + 32], group[64];
	const char *unsafe = "";

	snprintf(path, sizeof(path), "%s/iommu_group/name", directory);
	if (access(path, F_OK) == 0) {
		FILE *f = fopen(path, "re");
		char name[32] = "";

		if (f != NULL && fgets(name, sizeof(name), f) != NULL &&
			strncmp(name, "vfio-noiommu", 12) == 0)
			unsafe = "noiommu-";
		if (f != NULL)
			fclose(f);
	}
	snprintf(path, sizeof(path), "%s/iommu_group", directory);
	if (!link_name(path, group, sizeof(group)))
		return steer_fault_set(fault, -ENODEV,
			"turn the IOMMU on: firmware, and intel_iommu=on on the kernel's command "
			"line",
			"%s is in no IOMMU group: vfio can't drive it", address);
	snprintf(path, sizeof(path), "%s/vfio/%s%s", devfs, unsafe, group);
	if (access(path, R_OK | W_OK) == 0)
		return 0;
	return steer_fault_set(fault, -errno,
		"give the process /dev/vfio/vfio and the group's file (container: --device)",
		"%s: %s, the file of its IOMMU group: %s", address, path, strerror(errno));
}

int io_card_check(
	const char *sysfs, const char *devfs, const char *address, struct steer_fault *fault)
{
	bool domain = strchr(address, ':') != strrchr(address, ':');
	char directory[PATH_MAX], path[PATH_MAX + 32], driver[64], remedy[192];

	snprintf(directory, sizeof(directory), "%s/bus/pci/devices/%s%s", sysfs,
		domain ? "" : "0000:", address);
	if (access(directory, F_OK) != 0)
		return steer_fault_set(fault, -ENODEV, "lspci -D lists the addresses",
			"there is no PCI device %s", address);
	snprintf(path, sizeof(path), "%s/driver", directory);
	snprintf(remedy, sizeof(remedy), "driverctl set-override %s vfio-pci", address);
	if (!link_name(path, driver, sizeof(driver)))
		return steer_fault_set(
			fault, -ENODEV, remedy, "PCI device %s has no driver", address);
	if (!is_for_user_space(driver)) {
		snprintf(remedy, sizeof(remedy),
			"driverctl set-override %s vfio-pci; or interface: NAME alone, for AF_XDP "
			"beside the kernel",
			address);
		return steer_fault_set(fault, -EBUSY, remedy,
			"PCI device %s is driven by the kernel's %s", address, driver);
	}
	if (read_hex(directory, "vendor") == VIRTIO_VENDOR &&
		check_virtio(directory, address, fault) != 0)
		return -EOPNOTSUPP;
	return strcmp(driver, "vfio-pci") == 0 ? check_group(devfs, directory, address, fault) : 0;
}

// ---- interfaces -------------------------------------------------------------------------------

// "0110...": the negotiated features, bit 0 first. 0: it is no virtio card.
static uint64_t interface_features(const char *sysfs, const char *interface)
{
	char path[PATH_MAX], bits[80] = "";
	uint64_t features = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/class/net/%s/device/features", sysfs, interface);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fgets(bits, sizeof(bits), f) == NULL)
		bits[0] = '\0';
	fclose(f);
	for (unsigned i = 0; i < 64 && (bits[i] == '0' || bits[i] == '1'); i++)
		features |= (uint64_t)(bits[i] == '1') << i;
	return features;
}

int io_card_check_xdp(const char *sysfs, const char *interface, struct steer_fault *fault)
{
	const uint64_t merging = FEATURE(GUEST_CSUM) | FEATURE(GUEST_TSO4) | FEATURE(GUEST_TSO6) |
				 FEATURE(GUEST_ECN) | FEATURE(GUEST_UFO);
	uint64_t features = interface_features(sysfs, interface);

	if ((features & merging) == 0 || (features & FEATURE(CTRL_GUEST_OFFLOADS)) != 0)
		return 0;
	return steer_fault_set(fault, -EOPNOTSUPP,
		"on the hypervisor: ctrl_guest_offloads=on, or guest_csum, guest_tso4, guest_tso6, "
		"guest_ecn and guest_ufo off for this card; or device: net_af_packet0",
		"%s is a virtio card whose host offloads can't be turned off (no "
		"VIRTIO_NET_F_CTRL_GUEST_OFFLOADS): its driver refuses XDP programs",
		interface);
}
