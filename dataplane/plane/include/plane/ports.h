// SPDX-License-Identifier: BSD-3-Clause
// The ports of the process, and the buffers that they receive into. Opened by the privileged
// thread, then housekeeping's.
#pragma once

#include <io/port.h>
#include <plane/spread.h>
#include <proc/buffers.h>
#include <shm/place.h>
#include <steer/announce.h>
#include <steer/claim.h>

struct conf;
struct rte_mempool;

struct plane_port_state {
	bool up;
	struct io_port_counters counted; // is in the segment
	uint64_t remind_ns;		 // not before then are missed packets logged again
	uint64_t missed;		 // since they were last logged
	int steering;			 // the last result of io_port_verify
	uint64_t unserved_ns;		 // not before then are unserved packets logged again
	struct plane_spread spread;
	struct steer_announce announce;
};

struct plane_ports {
	const struct conf *conf;
	unsigned n;
	unsigned n_workers;
	struct io_device devices[TP_PORTS_MAX];
	struct io_port items[TP_PORTS_MAX];
	struct plane_port_state states[TP_PORTS_MAX];
	int nodes[TP_PORTS_MAX];     // NUMA nodes; -1: unknown
	struct proc_buffers buffers; // settled by plane_ports_prepare
	struct rte_mempool *pools[PROC_NODES_MAX];
	bool clean; // an AF_XDP port has no steering program that a killed process left
	// Called where a port's memory is not to be had, before the start fails; or NULL.
	void (*no_memory)(const struct steer_fault *fault);
	int object_fd; // the steering program
	char lock_directory[SHM_PATH_MAX];
	// Steered to the ports from their start.
	const struct steer_claim *claims;
	size_t n_claims;
};

// `conf` outlives the ports. Nothing is opened yet.
void plane_ports_init(struct plane_ports *p, const struct conf *conf);

// Reads the configured devices; PROC_EXIT_*, after a message.
int plane_ports_parse(struct plane_ports *p);
// Whether the kernel sees packets of some port that are ours.
bool plane_ports_need_guard(const struct plane_ports *p);
bool plane_ports_have_pci(const struct plane_ports *p);
// Whether a port is anything but a kernel interface.
bool plane_ports_have_devices(const struct plane_ports *p);
// Looks at the kernel interfaces and claims them, before DPDK starts. PROC_EXIT_*, after a message.
int plane_ports_prepare(struct plane_ports *p, const char *run_directory);

// Bytes of the longest IP packet that any port's buffers are made for.
uint16_t plane_ports_mtu(const struct plane_ports *p);
// Bytes of the buffers that the ports need on each NUMA node.
void plane_ports_octets(const struct plane_ports *p, uint64_t octets[PROC_NODES_MAX]);
// The pool of a port's node, made with the first that asks. NULL: no memory.
struct rte_mempool *plane_ports_pool(struct plane_ports *p, unsigned port);

// Opens all; for the thread that has kept the privileges of the start. `ports` is a struct
// plane_ports. PROC_EXIT_*, after a message.
int plane_ports_start(void *ports);
// Steers these to the ports, at once and from the start of those that are not open yet. The claims
// outlive the ports. Failures are logged.
void plane_ports_steer(struct plane_ports *p, const struct steer_claim *claims, size_t n);
void plane_ports_stop(struct plane_ports *p);
