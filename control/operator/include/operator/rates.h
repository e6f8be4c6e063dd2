// SPDX-License-Identifier: BSD-3-Clause
// Rates of the data plane's counters over the last second. One thread.
#pragma once

#include <shm/segment.h>
#include <turnpike/drop.h>

// A counter of another process.
static inline uint64_t operator_load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

// A counter's rate, to the nearest: spans are a little longer than a second, and 4 packets in 1.1 s
// are 4 per second. One that went back is another counter.
static inline uint64_t operator_per_s(uint64_t now, uint64_t last, uint64_t span_ns)
{
	return now < last || span_ns == 0
		       ? 0
		       : (uint64_t)((double)(now - last) * TP_NS_PER_S / (double)span_ns + 0.5);
}

struct operator_worker_rates {
	double busy;		    // 0 to 1: time with packets
	uint64_t cycles_per_packet; // 0: too few packets to tell
	uint64_t switches;	    // involuntary, per second
	uint64_t rx_packets;	    // these four per second, octets of frames
	uint64_t rx_octets;
	uint64_t tx_packets;
	uint64_t tx_octets;
};

struct operator_port_rates {
	uint64_t missed_last;
	uint64_t missed_per_s;
	uint64_t missed_ns;	 // when it last grew; 0: not since we look
	uint64_t interface_last; // frames that the kernel says the interface received
	uint64_t interface_per_s;
};

struct operator_totals {
	uint64_t packets; // relayed: all paths from client to peer or back
	uint64_t octets;
	uint64_t answered;	      // Binding requests
	uint64_t drops[TP_DROPS_MAX]; // of workers and ports
	uint64_t dropped;
};

// Packets dropped since one was last relayed: what a loss of all of them is told by, at any rate.
struct operator_unserved {
	uint64_t packets;
	uint64_t drops[TP_DROPS_MAX];
	uint64_t unanswered; // of `packets`: since a Binding request was last answered
	uint64_t last_ns;    // when one was dropped last; 0: none was
};

// How long after the last drop a loss is still one.
#define OPERATOR_UNSERVED_NS (60 * TP_NS_PER_S)

struct operator_rates {
	uint64_t state_id;   // of the file that was sampled
	uint64_t sampled_ns; // 0: never
	struct operator_totals last;
	uint64_t packets_per_s;
	uint64_t octets_per_s;
	uint64_t drops_per_s;
	uint64_t drop_per_s[TP_DROPS_MAX];
	struct operator_unserved unserved;
	uint64_t rx_per_s; // frames that workers took
	uint64_t rx_usual; // the same of the last second in which they took any
	uint64_t seen_ns;  // when they last took one; 0: not since we look
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
	struct operator_worker_rates workers[TP_WORKERS_MAX];
	struct operator_port_rates ports[TP_PORTS_MAX];
};

// Sums over all workers and ports since their file was made.
void operator_totals_take(const struct shm_state *state, struct operator_totals *t);
// Forgets all samples: there is no file of state.
void operator_rates_reset(struct operator_rates *r);
// Frames that the interface of each port received, as the kernel counts them; 0 where it does not
// say.
void operator_frames_read(const struct shm_state *state, uint64_t frames[TP_PORTS_MAX]);
// About once a second. Begins anew with each new file. `frames`: by port, frames that its interface
// received as the kernel counts them; NULL: not known.
void operator_rates_sample(struct operator_rates *r, const struct shm_state *state,
	const uint64_t *frames, uint64_t now_ns);

// The residence below which `part` (0 to 1) of a worker's packets lie, in ns; 0 without packets.
uint64_t operator_residence_ns(const struct tp_worker_stats *w, double part);
