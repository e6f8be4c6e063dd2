// SPDX-License-Identifier: BSD-3-Clause
// The packet path of one worker: a burst of frames goes in, the same frames come out, each with a
// verdict. No DPDK, no system call, no clock, no lock, no allocation, no log.
//
// Ownership: the caller owns frames, worker and everything a worker points to. The worker is used
// by one thread at a time. The segment's memory may hold any values: no content of it makes these
// functions read or write out of bounds; the caller's fields are trusted.
#pragma once

#include <core/hole.h>
#include <core/rewrite.h>
#include <turnpike/drop.h>
#include <turnpike/segment.h>

// Bytes a caller must leave free in front of and behind each received frame for the headers of the
// longest way (IPv4 datagram to an IPv6 client's Data indication). A frame with less that needs
// them is dropped (no_memory).
#define STAGE_HEADROOM 64u
#define STAGE_TAILROOM 32u

// Frames one pass works on; longer arrays are cut into bursts of this many.
#define STAGE_BURST    32u

// The caller's action for a frame. The caller must count only tx_packets, tx_octets, and tx_full
// where the port refused a frame (stage_drop_count).
enum stage_verdict {
	// Free it; `reason` says why, counted.
	STAGE_DROP,
	// Transmit data[0..len) on port `tx_port`.
	STAGE_SEND,
	// Copied to a punt ring, or it wanted no answer; free it.
	STAGE_PUNT,
	// Not ours, unchanged: hand it to the kernel where there is a way, else free it.
	STAGE_KERNEL,
	// data[0..len) is a message for a stream client; worker.stream_out lists it.
	STAGE_STREAM,
	// data[0..len) is a frame for a peer on this host: hand it to the kernel as its own.
	STAGE_LOCAL,
	// A fragment of a UDP datagram to an address of ours, unchanged: the caller puts the
	// datagram together (<frag/table.h>) and runs it with `worker.whole`.
	STAGE_FRAGMENT,
	// Transmit data[0..len) on port `tx_port` in fragments of at most `mtu` bytes
	// (<core/cut.h>).
	STAGE_CUT,
};

struct stage_pkt {
	uint8_t *data;	   // in: the frame's first byte (Ethernet); out: moved, for SEND and CUT
	uint16_t len;	   // bytes of the frame, in one piece
	uint16_t headroom; // bytes that may be written in front of data; out: adjusted
	uint16_t tailroom; // bytes that may be written behind data[len); out: adjusted
	uint8_t rx_port;   // port it came from
	uint8_t reason;	   // out: enum tp_drop, for STAGE_DROP
	uint8_t verdict;   // out: enum stage_verdict
	uint8_t tx_port;   // out, for STAGE_SEND and STAGE_CUT
	uint16_t mtu;	   // out, for STAGE_CUT: bytes of the longest IP packet
	void *cookie;	   // the caller's
};

// The origin of a message of a client that came by TCP, TLS or DTLS.
struct stage_message {
	struct tp_addr remote;
	uint64_t connection;
	uint16_t listener_id;
	// A datagram of DTLS records that is to leave, by the next hop that is `connection`, and
	// the signature of that way.
	bool is_records;
	uint64_t tag;
};

// A message for such a client.
struct stage_stream_out {
	uint64_t connection;
	struct stage_pkt *pkt;
	uint8_t owner;	// of the slot that it will have: the client's address, hashed
	uint8_t reason; // out, of stage_edge_give: enum tp_drop
};

// The destination of a port's frames that are not ours.
enum stage_kernel {
	STAGE_KERNEL_SEES, // the kernel has its own copy, or was given them before us
	STAGE_KERNEL_TWIN, // the caller hands them on: it is asked about everything, tables or not
	STAGE_KERNEL_NONE, // dropped by name
};

// A port as the packet path knows it.
struct stage_port {
	uint8_t mac[6]; // source of frames we send, destination of frames we take
	uint16_t mtu;	// bytes of the longest IP packet
	bool any_mac;	// accept any destination MAC address (replay ports)
	uint8_t kernel; // enum stage_kernel
};

// Ports of a peer on one of this host's own addresses, in host order, inclusive.
struct stage_local_peer {
	struct tp_addr ip; // port 0
	uint16_t port_min;
	uint16_t port_max;
};

// Own addresses, the roles of their ports and the configuration of the packet path, as private
// memory made for look-up. Immutable: a change of the segment's locals or path makes a new one.
struct stage_locals;

// Builds it from a consistent copy (same even config_seq before and after) of the segment's locals
// and path. Records that make no sense are left out. NULL: no memory. Not for workers to call.
struct stage_locals *stage_locals_create(
	const struct tp_local locals[TP_LOCALS_MAX], const struct tp_path_config *path);
void stage_locals_destroy(struct stage_locals *locals); // NULL is fine
// Address and TP_TRANSPORT_* of a listener; any id is allowed. False: there is none.
bool stage_locals_listener(
	const struct stage_locals *locals, uint16_t id, struct tp_addr *addr, uint8_t *transport);

// Limiter of first contacts: exact counts of the source prefixes seen in this second, sets of four,
// the stalest gives way. Keyed, so that an attacker cannot choose collisions.
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

// First contacts above the limit, in case they are sent again.
#define STAGE_CONTACT_SETS   4096u
#define STAGE_CONTACT_WAYS   8u
#define STAGE_CONTACT_ID_LEN 32u

struct stage_contact {
	uint32_t tag : 28; // 0: never used
	uint32_t passes : 4;
	uint32_t since_ms;
};

// Token buckets of clients, one for each, of which the fullest give way.
#define STAGE_BUCKET_SETS   2048u
#define STAGE_BUCKET_WAYS   4u
#define STAGE_BUCKET_MAX_US 30000000u

struct stage_bucket {
	uint32_t tag;	  // of the client; 0: never used
	uint32_t full_us; // when it is full again; wraps
};

// Slots of a ring to the edge, by the clients that they are for.
#define STAGE_OWNERS 256u
#define STAGE_NOBODY STAGE_OWNERS // of datagrams that anybody can send with a client's address

struct stage_slots {
	uint32_t tail; // slots before it are counted no more
	uint16_t held[STAGE_OWNERS + 1];
	uint16_t owner[TP_STREAM_SLOTS];
};

// Ports of peers that Send indications have reached, to recognise new ones: <sent.c>. `recent`
// caches some of them by PERMISSION and port. `seen` are two Bloom filters, in each of which a port
// is a bit pattern in one word: of this era, and of the one before.
#define STAGE_SENT_RECENT_BITS 15u
#define STAGE_SENT_WORD_BITS   13u
#define STAGE_SENT_ERA_NS      (64 * TP_NS_PER_S)

struct stage_sent {
	uint64_t recent[1u << STAGE_SENT_RECENT_BITS];
	uint64_t seen[2][1u << STAGE_SENT_WORD_BITS];
	uint64_t era_end_ns; // the first time that a new era may begin
	uint32_t n_seen;     // ports in the era's filter
	uint16_t era;
};

// Legs whose long packets are watched, by entry. One that meets another's place takes it.
#define STAGE_HOLES 1024u

// The fill of a slot of the limits array, for all workers: <cap.c>. Zeroed memory is a full bucket.
struct stage_meter {
	_Atomic uint64_t full_at; // core_bucket_*
	// Of an ALLOCATION slot: the same bucket at the session's fair share of the wider caps.
	_Atomic uint64_t share_at;
	// Of the others: that share, per second; 0: sessions are not bounded.
	_Atomic uint64_t share;
	// How far the bucket was from full when the share was last changed.
	_Atomic uint64_t missing;
};

enum { STAGE_BITS, STAGE_PACKETS, STAGE_METERS };

struct stage_cap {
	struct stage_meter meters[STAGE_METERS];
	_Atomic uint64_t change_at; // when the shares are looked at again
} TP_ALIGNED(64);

struct stage_hole {
	struct core_hole hole;
	uint64_t seen; // long packets so far
	uint32_t entry;
	uint32_t generation;
};

// One worker. 872 KiB; zeroed and then stage_worker_init'ed by its owner, which fills in the rest
// and may change it between two calls (locals under RCU: read once per call).
struct stage_worker {
	// Filled in by the owner.
	uint32_t id; // worker number, written to punted messages
	uint32_t n_ports;
	struct stage_port ports[TP_PORTS_MAX];
	const struct stage_local_peer *local_peers; // that clients may reach
	uint32_t n_local_peers;
	uint16_t local_mtu;		   // on the way there
	const struct stage_locals *locals; // NULL: no tables yet; all UDP is dropped (not_ready)
	struct tp_table table;		   // validated view of the tables file
	const _Atomic uint64_t *next_hops; // [n_next_hops]
	uint32_t n_next_hops;
	uint32_t n_port_indexes;
	const _Atomic uint32_t *port_indexes; // [n_port_indexes][65536]
	const struct tp_port_set *port_sets;  // [n_port_sets]
	uint32_t n_port_sets;
	struct tp_cell *cells;			       // this worker's, [table.n_entries]
	struct tp_worker_stats *stats;		       // this worker's
	struct tp_ring_producer punt[TP_PUNT_CLASSES]; // by TP_PUNT_*; slots NULL: no ring
	struct tp_ring_consumer inject;

	// Messages for stream clients, in the order to keep: the calls below add to them, the owner
	// takes them off. One too many is dropped (edge_full).
	struct stage_stream_out *stream_out;
	uint32_t stream_out_max;
	uint32_t n_stream_out;

	// The packets are datagrams that were put together from fragments. The owner sets it around
	// a call.
	bool whole;

	// Every packet takes the slow path, as on a processor without SSE4.1. For tests, which
	// compare both.
	bool slow_only;

	// Set by stage_run when it put a message on a punt ring; the owner clears it when it has
	// kicked the control process.
	bool kick;

	// Private.
	struct core_context context;
	uint8_t limiter_key[16];
	struct stage_limiter limiter;
	struct stage_contact contacts[STAGE_CONTACT_SETS][STAGE_CONTACT_WAYS];
	struct stage_bucket buckets[STAGE_BUCKET_SETS][STAGE_BUCKET_WAYS];
	struct stage_hole holes[STAGE_HOLES];
	struct stage_sent sent;

	// The rings of the edge's threads; the owner's. n_edge 0: there is no edge.
	struct tp_ring_consumer *edge_in;  // [n_edge]
	struct tp_ring_producer *edge_out; // [n_edge]
	struct stage_slots *edge_slots;	   // [n_edge]; NULL: clients have no shares of the rings
	uint32_t n_edge;
	// Threads that have been given messages, a bit each; the owner clears it when they are
	// awake.
	uint64_t edge_given;
	uint32_t edge_next; // private: the thread whose turn it is

	// The limits array and what belongs to it; the owner's. n_limits 0: nothing is limited.
	const struct tp_limit *limits;	   // [n_limits]
	struct tp_limit_cell *limit_cells; // this worker's, [n_limits]
	struct stage_cap *caps;		   // all workers', [n_limits]
	uint32_t n_limits;
};

// Seeds the unpredictable numbers: 32 bytes of a CSPRNG, different for each worker.
void stage_worker_init(struct stage_worker *w, const uint8_t seed[32]);

// One burst, whose frames' first lines the caller has begun to fetch. `now_ns` is CLOCK_BOOTTIME.
// Counts received frames, ways, drops and the entries' cells.
void stage_run(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns);

// The same for messages of stream clients, which came from the edge: data[0..len) is a whole STUN
// message or a ChannelData message without padding, and messages[i] belongs to pkts[i]. The edge is
// not trusted: it can name no listener but those of its own clients (edge_bad).
void stage_run_messages(struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, unsigned n, uint64_t now_ns);

// The same for frames that the kernel's loopback has for relayed addresses: only those of listed
// peers go on (own_source).
void stage_run_local(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns);

// Messages waiting on the inject ring, 0 to TP_RING_SLOTS.
unsigned stage_inject_pending(const struct stage_worker *w);

// Turns up to `n` of them into frames. Each of `pkts` is an empty buffer: `data` where a frame may
// start, `tailroom` bytes from there, `len` 0. Returns how many of pkts[0..) became frames,
// STAGE_SEND or STAGE_CUT, or messages for stream clients (STAGE_STREAM). Messages that are refused
// (inject_bad: no listener, another family, bad length; no route, no next hop, too big) are taken
// off the ring, counted, and use no buffer.
unsigned stage_inject(struct stage_worker *w, struct stage_pkt *pkts, unsigned n);

// Messages waiting on the edge's rings, at most `max`.
unsigned stage_edge_pending(const struct stage_worker *w, unsigned max);

// Takes up to `n` of them, at most STAGE_BURST, off the rings of all threads in turn, for
// stage_run_messages. Each of `pkts` is an empty buffer as for stage_inject. Returns how many of
// pkts[0..) and messages[0..) were used. The edge is not trusted: a slot is copied first, and a
// message of another form is dropped (edge_bad).
unsigned stage_edge_take(
	struct stage_worker *w, struct stage_pkt *pkts, struct stage_message *messages, unsigned n);

// Takes them and runs them: each of the pkts used has a verdict.
unsigned stage_edge_run(
	struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns);

// Hands all of stream_out to the rings of the threads that own the connections, and empties it. A
// message for no thread (stale_connection), without room in the ring or beyond its client's share
// of it (edge_full) is dropped. The packets stay the caller's.
void stage_edge_give(struct stage_worker *w, uint64_t now_ns);

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
