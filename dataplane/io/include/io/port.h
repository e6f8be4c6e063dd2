// SPDX-License-Identifier: BSD-3-Clause
// A port of the data plane: a DPDK device, and its kernel interface where there is one. Opened and
// closed by the main thread; bursts by the workers, each on queues of its own.
#pragma once

#include <pthread.h>

#include <stage/stage.h>
#include <steer/link.h>
#include <steer/maps.h>
#include <steer/steer.h>

#include <io/device.h>
#include <io/flow.h>
#include <io/twin.h>
#include <io/xsk.h>

struct rte_mbuf;
struct rte_mempool;

// A device's counters since it was started.
struct io_port_counters {
	uint64_t rx_missed;
	uint64_t rx_no_buffer;
	uint64_t rx_errors;
	uint64_t tx_errors;
	// AF_XDP: as in struct tp_port.
	uint64_t rx_unserved;
	uint64_t rx_ring_full;
	uint64_t tx_invalid;
	uint64_t rx_fill_empty;
};

// What changed at an interface.
#define IO_PORT_LINK	 0x01u // came or went
#define IO_PORT_MAC	 0x02u
#define IO_PORT_MTU	 0x04u
#define IO_PORT_QUEUES	 0x08u // receive queues
#define IO_PORT_REPLACED 0x10u // another interface has its name or number: ours is gone for good
#define IO_PORT_NAME	 0x20u

struct io_port {
	struct io_device device;
	struct steer_link link; // with its name of now; ifindex 0: no kernel interface
	uint64_t missed_before; // by the kernel interface, before we came
	const char *lock_directory;
	int lock_fd;	      // of the interface, or -1
	struct steer *steer;  // AF_XDP
	struct io_flow *flow; // a device that the kernel drives as well
	struct io_twin *twin; // or NULL
	pthread_t twin_thread;
	bool twin_runs;
	uint16_t id; // DPDK's
	bool probed;
	bool started;
	bool sent;    // AF_XDP: a first frame has left by each queue
	bool mute;    // it has not: io_port_start failed for that
	bool cut_off; // AF_XDP: the interface of the sockets is gone; another may have its number
	uint8_t mac[6];
	_Atomic uint64_t mac_now; // of the interface, for workers; first byte lowest
	_Atomic uint16_t mtu;	  // the interface's, up to the MTU that the queues were made for
	uint16_t mtu_max;
	uint16_t n_rx_queues;
	uint16_t
		n_xsk_fds; // AF_XDP: sockets of the first receive queues, as far as they were found
	int xsk_fds[STEER_QUEUES_MAX];
	uint16_t n_tx_queues; // at least one per worker
	bool spreads;	      // its receive queues by UDP ports, as far as is known
	bool any_mac; // no kernel behind: frames are accepted with any destination MAC address
};

// Before io_eal_start: inspects the kernel interface, refuses unsupported settings, claims the
// interface and takes a left-over steering program off it (*leftover).
int io_port_prepare(
	struct io_port *p, unsigned n_workers, bool *leftover, struct steer_fault *fault);

// Makes the DPDK device. `object_path` is the steering program.
int io_port_probe(
	struct io_port *p, unsigned n_workers, const char *object_path, struct steer_fault *fault);
int io_port_numa(const struct io_port *p);

// Queues and start; from here on our packets come. Finds the steering program's maps.
int io_port_start(
	struct io_port *p, unsigned n_workers, struct rte_mempool *pool, struct steer_fault *fault);

// Closes the device and leaves the interface claimed, so that io_port_probe can open it again.
// False: DPDK keeps the device.
bool io_port_shut(struct io_port *p);
// After a start that failed because the first frame did not leave: shuts the port and chooses the
// next mode. False: there is none.
bool io_port_lower(struct io_port *p);

// Updates the steering rules to `own`; a no-op for most devices.
int io_port_steer(
	struct io_port *p, const struct steer_claim *own, size_t n, struct steer_fault *fault);

// The receiver of frames that are not ours.
enum stage_kernel io_port_kernel(const struct io_port *p);

// Frames that the kernel has sent by a port's twin, or by the way of local peers, as packets; of
// use to one worker only. Those for which there is no buffer wait.
uint16_t io_port_take_kernel(struct io_twin *twin, struct rte_mempool *pool,
	struct rte_mbuf **packets, uint16_t max, uint64_t *octets);

// Takes the steering program off, stops, closes and releases the lock. Fine at any stage.
void io_port_close(struct io_port *p);

// The kernel interface's name of now, TP_IFNAME_MAX bytes; empty without one.
const char *io_port_interface(const struct io_port *p);

// Reads link, name, MAC address, MTU and queues again; IO_PORT_*. A twin's carrier follows its
// device.
unsigned io_port_refresh(struct io_port *p, bool *up);

// Receive queues of the interface that have no socket: those made since the start.
unsigned io_port_unserved(const struct io_port *p);

// Puts the steering program back where somebody took it off; as steer_verify, 0 without one.
int io_port_verify(struct io_port *p, struct steer_fault *fault);

// TP_XDP_*; 0 without AF_XDP.
uint32_t io_port_xdp(const struct io_port *p);

// Packets that each receive queue has had; their number, at most `max`. Any thread but a worker.
unsigned io_port_count_queues(const struct io_port *p, uint64_t *received, unsigned max);

// Reads the device's counters, and its kernel interface's missed packets up to the last refresh.
// False: it has none. Any thread but a worker.
bool io_port_count(const struct io_port *p, struct io_port_counters *c);
