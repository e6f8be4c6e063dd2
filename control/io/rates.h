// SPDX-License-Identifier: BSD-3-Clause
// What the data plane's counters did in the last second. One thread.
#pragma once

#include <shm/segment.h>
#include <turnpike/drop.h>

struct io_worker_rates {
	double busy; // 0 to 1: time with packets
	uint64_t cycles_per_packet;
	uint64_t switches;   // involuntary, per second
	uint64_t rx_packets; // these four per second, octets of frames
	uint64_t rx_octets;
	uint64_t tx_packets;
	uint64_t tx_octets;
};

struct io_port_rates {
	uint64_t missed_last;
	uint64_t missed_per_s;
	uint64_t missed_ns; // when it last grew; 0: not since we look
};

struct io_totals {
	uint64_t packets; // relayed: all paths from client to peer or back
	uint64_t octets;
	uint64_t drops[TP_DROPS_MAX]; // of workers and ports
	uint64_t dropped;
};

struct io_rates {
	uint64_t sampled_ns; // 0: never
	struct io_totals last;
	uint64_t packets_per_s;
	uint64_t octets_per_s;
	uint64_t drops_per_s;
	uint64_t drop_per_s[TP_DROPS_MAX];
	uint32_t n_workers;
	struct {
		uint64_t busy_cycles;
		uint64_t idle_cycles;
		uint64_t packets;
		uint64_t rx_octets;
		uint64_t tx_packets;
		uint64_t tx_octets;
		uint64_t switches;
	} workers_last[TP_WORKERS_MAX];
	struct io_worker_rates workers[TP_WORKERS_MAX];
	struct io_port_rates ports[TP_PORTS_MAX];
};

// Sums over all workers and ports since their file was made.
void io_totals_take(const struct shm_state *state, struct io_totals *t);
// Nothing is known: another file of state, or none.
void io_rates_reset(struct io_rates *r);
// About once a second.
void io_rates_sample(struct io_rates *r, const struct shm_state *state, uint64_t now_ns);

// The residence below which `part` (0 to 1) of a worker's packets lie, in ns; 0 without packets.
uint64_t io_residence_ns(const struct tp_worker_stats *w, double part);
