// SPDX-License-Identifier: BSD-3-Clause
// The packet path of one worker: a burst of frames goes in, the same frames come out, each with a
// verdict. No DPDK, no system call, no clock, no lock, no allocation, no log.
//
// Ownership: the caller owns frames, worker and everything a worker points to. The worker is used
// by one thread at a time. What it points to in the segment may hold anything at all: no content of
// it makes these functions read or write out of bounds; what the caller fills in is trusted.
#pragma once

#include <core/rewrite.h>
#include <turnpike/drop.h>
#include <turnpike/segment.h>

// Octets a caller must leave free in front of and behind each received frame for the headers of the
// longest way (IPv4 datagram to an IPv6 client's Data indication). A frame with less that needs
// them is dropped (no_memory).
#define STAGE_HEADROOM 64u
#define STAGE_TAILROOM 32u

// Frames one pass works on; longer arrays are cut into bursts of this many.
#define STAGE_BURST    32u

// What the caller does with a frame. Nothing is left to be counted but what the caller itself adds:
// tx_packets, tx_octets, and tx_full where the port refused a frame (stage_drop_count).
enum stage_verdict {
	STAGE_DROP,   // free it; `reason` says why, counted
	STAGE_SEND,   // transmit data[0..len) on port `tx_port`
	STAGE_PUNT,   // copied to a punt ring, or it wanted no answer; free it
	STAGE_KERNEL, // not ours, unchanged: hand it to the kernel where there is a way, else free
		      // it
};

struct stage_pkt {
	uint8_t *data;	   // in: the frame's first octet (Ethernet); out: moved, for STAGE_SEND
	uint16_t len;	   // octets of the frame, in one piece
	uint16_t headroom; // octets that may be written in front of data; out: adjusted
	uint16_t tailroom; // octets that may be written behind data[len); out: adjusted
	uint8_t rx_port;   // port it came from
	uint8_t verdict;   // out: enum stage_verdict
	uint8_t reason;	   // out: enum tp_drop, for STAGE_DROP
	uint8_t tx_port;   // out, for STAGE_SEND
	void *cookie;	   // the caller's
};

// What becomes of a port's frames that are not ours.
enum stage_kernel {
	STAGE_KERNEL_SEES, // the kernel has its own copy, or was given them before us
	STAGE_KERNEL_TWIN, // the caller hands them on: it is asked about everything, tables or not
	STAGE_KERNEL_NONE, // nobody wants them: dropped by name
};

// A port as the packet path knows it.
struct stage_port {
	uint8_t mac[6]; // source of frames we send, destination of frames we take
	uint16_t mtu;	// octets of the longest IP packet
	bool any_mac;	// take frames whatever their destination MAC address is (replay ports)
	uint8_t kernel; // enum stage_kernel
};

// Own addresses, the roles of their ports and the configuration of the packet path, as private
// memory made for look-up. Immutable: a change of the segment's locals or path makes a new one.
struct stage_locals;

// Builds it from a consistent copy (same even config_seq before and after) of the segment's locals
// and path. Records that make no sense are left out. NULL: no memory. Not for workers to call.
struct stage_locals *stage_locals_create(
	const struct tp_local locals[TP_LOCALS_MAX], const struct tp_path_config *path);
void stage_locals_destroy(struct stage_locals *locals); // NULL is fine

// Limiter of first contacts: exact counts of the source prefixes seen in this second, sets of four,
// the stalest gives way. Keyed, so that nobody chooses whom to collide with.
#define STAGE_LIMITER_SETS 4096u
#define STAGE_LIMITER_WAYS 4u

struct stage_limiter_way {
	uint32_t tag; // of the prefix; 0: never used
	uint16_t second;
	uint16_t count;
};

struct stage_limiter {
	struct stage_limiter_way ways[STAGE_LIMITER_SETS][STAGE_LIMITER_WAYS];
};

// One worker. 128 KiB; zeroed and then stage_worker_init'ed by its owner, who fills in the rest and
// may change it between two calls (locals under RCU: read once per call).
struct stage_worker {
	// Filled in by the owner.
	uint32_t id; // worker number, written to punted messages
	uint32_t n_ports;
	struct stage_port ports[TP_PORTS_MAX];
	const struct stage_locals *locals; // NULL: no tables yet; all UDP is dropped (not_ready)
	struct tp_table table;		   // validated view of the tables file
	const _Atomic uint64_t *next_hops; // [n_next_hops]
	uint32_t n_next_hops;
	uint32_t n_port_indexes;
	const _Atomic uint32_t *port_indexes;	       // [n_port_indexes][65536]
	struct tp_cell *cells;			       // this worker's, [table.n_entries]
	struct tp_worker_stats *stats;		       // this worker's
	struct tp_ring_producer punt[TP_PUNT_CLASSES]; // by TP_PUNT_*; slots NULL: no ring
	struct tp_ring_consumer inject;

	// Every packet goes the general way: what the quick one is tested against.
	bool general_only;

	// Set by stage_run when it put a message on a punt ring; the owner clears it when it has
	// kicked the control process.
	bool kick;

	// Private.
	struct core_context context;
	uint8_t limiter_key[16];
	struct stage_limiter limiter;
};

// Seeds what must not be guessed: 32 octets of a CSPRNG, different for each worker.
void stage_worker_init(struct stage_worker *w, const uint8_t seed[32]);

// One burst, whose frames' first lines the caller has begun to fetch. `now_ns` is CLOCK_BOOTTIME.
// Counts received frames, ways, drops and the entries' cells.
void stage_run(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns);

// The stages of a burst: headers read and the first question asked; buckets compared and entries
// prefetched; entries compared, settled and packets rewritten. The latter two once per question.
enum stage_lap { STAGE_LAP_CLASSIFY, STAGE_LAP_LOOKUP, STAGE_LAP_SETTLE, STAGE_LAPS };

// The same, and adds to `laps` what `cycles` counts in each stage.
void stage_run_timed(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns,
	uint64_t (*cycles)(void), uint64_t laps[STAGE_LAPS]);

// Messages waiting on the inject ring, 0 to TP_RING_SLOTS.
unsigned stage_inject_pending(const struct stage_worker *w);

// Turns up to `n` of them into frames. Each of `pkts` is an empty buffer: `data` where a frame may
// start, `tailroom` octets from there, `len` 0. Returns how many of pkts[0..) became frames, all
// STAGE_SEND. Messages that are refused (inject_bad: no listener, another family, bad length; no
// route, no next hop, too big) are taken off the ring, counted, and use no buffer.
unsigned stage_inject(struct stage_worker *w, struct stage_pkt *pkts, unsigned n);

// A frame that the caller itself has to give up (tx_full, no_memory).
static inline void stage_drop_count(struct stage_worker *w, enum tp_drop reason, unsigned n)
{
	tp_count(&w->stats->drops[reason], n);
}

// One burst's time between receive and transmit, for each of its `n` packets.
static inline void stage_residence_count(struct stage_worker *w, uint64_t ns, unsigned n)
{
	unsigned slot = ns < 2 ? 0 : 63u - (unsigned)__builtin_clzll(ns);

	if (slot >= TP_RESIDENCE_SLOTS)
		slot = TP_RESIDENCE_SLOTS - 1;
	tp_count(&w->stats->residence[slot], n);
}
