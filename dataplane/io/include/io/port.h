// SPDX-License-Identifier: BSD-3-Clause
// A port of the data plane: a DPDK device, and its kernel interface where there is one. Opened and
// closed by the main thread; bursts by the workers, each on queues of its own.
#pragma once

#include <pthread.h>

#include <stage/stage.h>
#include <steer/link.h>
#include <steer/steer.h>

#include <io/device.h>
#include <io/flow.h>
#include <io/twin.h>

struct rte_mbuf;
struct rte_mempool;

// What a device has counted since it was started.
struct io_port_counters {
	uint64_t rx_missed;
	uint64_t rx_no_buffer;
	uint64_t rx_errors;
	uint64_t tx_errors;
};

struct io_port {
	struct io_device device;
	struct steer_link link; // ifindex 0: no kernel interface
	uint64_t missed_before; // by the kernel interface, before we came
	int claim_fd;		// of the interface, or -1
	struct steer *steer;	// AF_XDP
	struct io_flow *flow;	// a device that the kernel drives as well
	struct io_twin *twin;	// or NULL
	pthread_t twin_thread;
	bool twin_runs;
	uint16_t id; // DPDK's
	bool probed;
	bool started;
	uint8_t mac[6];
	_Atomic uint16_t mtu; // follows the kernel interface's, up to what the queues were made for
	uint16_t mtu_max;
	uint16_t n_rx_queues;
	uint16_t n_tx_queues; // at least one per worker
	bool spreads;	      // its receive queues by UDP ports, as far as is known
	bool any_mac;	      // no kernel behind: frames are taken whatever their MAC address
};

// Before eal_start: looks at the kernel interface, refuses what can't work, claims the interface
// and takes a left-over steering program off it (*leftover).
int io_port_prepare(
	struct io_port *p, unsigned n_workers, bool *leftover, struct steer_fault *fault);

// Makes the DPDK device. `object_path` is the steering program.
int io_port_probe(
	struct io_port *p, unsigned n_workers, const char *object_path, struct steer_fault *fault);
int io_port_numa(const struct io_port *p);

// Queues and start; from here on our packets come. Finds the steering program's maps.
int io_port_start(
	struct io_port *p, unsigned n_workers, struct rte_mempool *pool, struct steer_fault *fault);

// Brings what steers our packets here up to `own`; nothing to do for most devices.
int io_port_steer(
	struct io_port *p, const struct steer_own *own, size_t n, struct steer_fault *fault);

// Who has the frames that are not ours.
enum stage_kernel io_port_kernel(const struct io_port *p);

// Frames that the kernel has sent by the port's twin, as packets; of use to one worker only. Those
// for which there is no buffer wait.
uint16_t io_port_take_kernel(const struct io_port *p, struct rte_mempool *pool,
	struct rte_mbuf **packets, uint16_t max, uint64_t *octets);

// Stops, closes, takes the steering program off and releases the claim. Fine at any stage.
void io_port_close(struct io_port *p);

// Reads link and MTU again; true if `up` changed. A twin's carrier follows its device.
bool io_port_refresh(struct io_port *p, bool *up);

// Reads the device's counters, and what its kernel interface missed up to the last refresh. False:
// it has none. Any thread but a worker.
bool io_port_count(const struct io_port *p, struct io_port_counters *c);
