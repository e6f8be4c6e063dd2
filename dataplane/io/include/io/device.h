// SPDX-License-Identifier: BSD-3-Clause
// Maps a port of the configuration to a DPDK device with its arguments. Uses no DPDK itself.
#pragma once

#include <turnpike/limits.h>

#include <steer/claim.h>

enum io_driver {
	IO_AF_XDP,    // steered by our XDP program
	IO_AF_PACKET, // the kernel sees every packet too: the guard is mandatory
	IO_PCI,
	IO_REPLAY, // net_pcap, net_null, net_ring, net_memif: no kernel behind, any MAC address
	IO_OTHER,  // every other DPDK vdev
};

// Where the steering program runs; AUTO: in the driver where it can.
enum io_xdp { IO_XDP_AUTO, IO_XDP_NATIVE, IO_XDP_GENERIC };

struct io_device {
	enum io_driver driver;
	char name[64];		       // as DPDK knows it: "net_af_xdp0", "0000:3b:00.0"
	char args[512];		       // behind the name, without the comma; may be empty
	char interface[TP_IFNAME_MAX]; // kernel interface, or empty
	uint16_t mtu;		       // asked for; 0: as it is
	enum io_xdp xdp;
	bool chosen; // the operator's choice
	bool twin;   // `interface` is a twin that the data plane makes
};

// `device` and `interface` as in struct conf_port, either may be NULL; `index` is the port's place
// in the list. Arguments that the data plane sets itself are refused.
int io_device_parse(struct io_device *d, const char *device, const char *interface, unsigned index,
	struct steer_fault *fault);

// `kernel` as in struct conf_port: the twin's name. Refused for drivers whose packets the kernel
// sees anyway.
int io_device_set_twin(
	struct io_device *d, const char *kernel, unsigned index, struct steer_fault *fault);

// Refused for anything but AUTO where the device is no AF_XDP.
int io_device_set_xdp(
	struct io_device *d, enum io_xdp xdp, unsigned index, struct steer_fault *fault);

// The next mode to try where the first frame did not leave: by copies, then generic. False: there
// is none, or the operator has chosen one.
bool io_device_lower(struct io_device *d);

// Adds "key=value" unless `key` is there already. -E2BIG.
int io_device_add(struct io_device *d, const char *key, const char *value);

// The n-th member of a bond (net_bonding...,slave=NAME; later DPDKs: member=NAME), or false.
bool io_device_member(const struct io_device *d, unsigned n, char *name, size_t size);
bool io_device_is_pci(const char *name);

// The value of an argument; false if it is not there.
bool io_device_get(const struct io_device *d, const char *key, char *value, size_t size);
