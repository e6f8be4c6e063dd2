// SPDX-License-Identifier: BSD-3-Clause
#include <io/device.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

static const struct {
	const char *prefix;
	enum io_driver driver;
} drivers[] = {
	{"net_af_xdp", IO_AF_XDP},
	{"net_af_packet", IO_AF_PACKET},
	{"eth_af_packet", IO_AF_PACKET},
	{"net_pcap", IO_REPLAY},
	{"net_null", IO_REPLAY},
	{"net_ring", IO_REPLAY},
	{"net_memif", IO_REPLAY},
};

// "3b:00.0" or "0000:3b:00.0".
bool io_device_is_pci(const char *name)
{
	unsigned colons = 0, dots = 0;

	for (const char *c = name; *c != '\0'; c++) {
		colons += *c == ':';
		dots += *c == '.';
		if (!isxdigit((unsigned char)*c) && *c != ':' && *c != '.')
			return false;
	}
	return colons >= 1 && colons <= 2 && dots == 1;
}

static enum io_driver driver_of(const char *name)
{
	if (io_device_is_pci(name))
		return IO_PCI;
	for (size_t i = 0; i < TP_ARRAY_LEN(drivers); i++) {
		if (strncmp(name, drivers[i].prefix, strlen(drivers[i].prefix)) == 0)
			return drivers[i].driver;
	}
	return IO_OTHER;
}

bool io_device_get(const struct io_device *d, const char *key, char *value, size_t size)
{
	size_t key_len = strlen(key);

	for (const char *arg = d->args; *arg != '\0';) {
		size_t len = strcspn(arg, ",");

		if (len > key_len && arg[key_len] == '=' && strncmp(arg, key, key_len) == 0) {
			snprintf(value, size, "%.*s", (int)(len - key_len - 1), arg + key_len + 1);
			return true;
		}
		arg += len + (arg[len] == ',');
	}
	return false;
}

bool io_device_member(const struct io_device *d, unsigned n, char *name, size_t size)
{
	static const char *const keys[] = {"slave=", "member="};

	if (strncmp(d->name, "net_bonding", 11) != 0)
		return false;
	for (const char *arg = d->args; *arg != '\0';) {
		size_t len = strcspn(arg, ",");

		for (unsigned k = 0; k < TP_ARRAY_LEN(keys); k++) {
			size_t key_len = strlen(keys[k]);

			if (strncmp(arg, keys[k], key_len) != 0 || n-- > 0)
				continue;
			snprintf(name, size, "%.*s", (int)(len - key_len), arg + key_len);
			return true;
		}
		arg += len + (arg[len] == ',');
	}
	return false;
}

int io_device_add(struct io_device *d, const char *key, const char *value)
{
	char present[sizeof(d->args)];
	size_t len = strlen(d->args);
	int n;

	if (io_device_get(d, key, present, sizeof(present)))
		return 0;
	n = snprintf(
		d->args + len, sizeof(d->args) - len, "%s%s=%s", len > 0 ? "," : "", key, value);
	if (n < 0 || (size_t)n >= sizeof(d->args) - len) {
		d->args[len] = '\0';
		return -E2BIG;
	}
	return 0;
}

// An interface named twice must be the same one.
static int settle_interface(
	struct io_device *d, const char *interface, unsigned index, struct steer_fault *fault)
{
	char iface[sizeof(d->args)];

	if (interface != NULL) {
		if (strlen(interface) >= sizeof(d->interface))
			return steer_fault_set(fault, -EINVAL, "see: ip link",
				"dataplane.ports[%u]: %s is no interface's name", index, interface);
		memcpy(d->interface, interface, strlen(interface) + 1);
	}
	if (d->driver != IO_AF_XDP && d->driver != IO_AF_PACKET)
		return 0;
	if (!io_device_get(d, "iface", iface, sizeof(iface))) {
		if (d->interface[0] == '\0')
			return steer_fault_set(fault, -EINVAL, "add interface: NAME",
				"dataplane.ports[%u]: %s needs an interface", index, d->name);
		return io_device_add(d, "iface", d->interface);
	}
	if (strlen(iface) >= sizeof(d->interface) ||
		(d->interface[0] != '\0' && strcmp(d->interface, iface) != 0))
		return steer_fault_set(fault, -EINVAL, "name the same interface in both, or in one",
			"dataplane.ports[%u]: interface %s, but the device has iface=%s", index,
			d->interface, iface);
	memcpy(d->interface, iface, strlen(iface) + 1);
	return 0;
}

int io_device_parse(struct io_device *d, const char *device, const char *interface, unsigned index,
	struct steer_fault *fault)
{
	static const char *const ours[] = {"xdp_prog", "start_queue", "shared_umem"};
	char value[sizeof(d->args)];
	size_t len;
	int n = 0;

	memset(d, 0, sizeof(*d));
	if (device == NULL) {
		d->driver = IO_AF_XDP;
		snprintf(d->name, sizeof(d->name), "net_af_xdp_%u", index);
		return settle_interface(d, interface, index, fault);
	}
	len = strcspn(device, ",");
	if (len > 0 && len < sizeof(d->name)) {
		memcpy(d->name, device, len);
		n = snprintf(
			d->args, sizeof(d->args), "%s", device[len] == ',' ? device + len + 1 : "");
	}
	if (d->name[0] == '\0' || n < 0 || (size_t)n >= sizeof(d->args))
		return steer_fault_set(fault, -EINVAL,
			"give a PCI address or DPDK device arguments such as "
			"net_af_packet0,iface=eth0",
			"dataplane.ports[%u]: %s is no device", index, device);
	d->driver = driver_of(d->name);
	if (d->driver == IO_AF_XDP) {
		for (size_t i = 0; i < TP_ARRAY_LEN(ours); i++) {
			if (io_device_get(d, ours[i], value, sizeof(value)))
				return steer_fault_set(fault, -EINVAL, "leave it out",
					"dataplane.ports[%u]: %s is set by the data plane itself",
					index, ours[i]);
		}
	}
	return settle_interface(d, interface, index, fault);
}

int io_device_set_twin(
	struct io_device *d, const char *kernel, unsigned index, struct steer_fault *fault)
{
	if (d->driver == IO_AF_XDP || d->driver == IO_AF_PACKET)
		return steer_fault_set(fault, -EINVAL,
			"leave kernel: out; the kernel sees this interface itself",
			"dataplane.ports[%u]: %s needs no twin", index, d->name);
	if (d->interface[0] != '\0')
		return steer_fault_set(fault, -EINVAL,
			"interface: for a device that the kernel sees as well, kernel: for one "
			"that it does not",
			"dataplane.ports[%u]: both interface and kernel", index);
	if (strlen(kernel) >= sizeof(d->interface))
		return steer_fault_set(fault, -EINVAL, "at most 15 octets",
			"dataplane.ports[%u]: %s is no interface's name", index, kernel);
	memcpy(d->interface, kernel, strlen(kernel) + 1);
	d->twin = true;
	return 0;
}

int io_device_set_xdp(
	struct io_device *d, enum io_xdp xdp, unsigned index, struct steer_fault *fault)
{
	if (xdp != IO_XDP_AUTO && d->driver != IO_AF_XDP)
		return steer_fault_set(fault, -EINVAL, "leave xdp: out",
			"dataplane.ports[%u]: %s does not use XDP", index, d->name);
	d->xdp = xdp;
	d->chosen = xdp != IO_XDP_AUTO;
	return 0;
}

bool io_device_lower(struct io_device *d)
{
	char value[16];

	if (d->driver != IO_AF_XDP || d->chosen || d->xdp == IO_XDP_GENERIC)
		return false;
	if (!io_device_get(d, "force_copy", value, sizeof(value)))
		return io_device_add(d, "force_copy", "1") == 0;
	d->xdp = IO_XDP_GENERIC;
	return true;
}
