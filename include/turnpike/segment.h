// SPDX-License-Identifier: BSD-3-Clause
// The segment: files that both processes map, split by writer so that the mapping itself protects.
//
//   DIR/turnpike-INSTANCE.tables   written by control, mapped read-only by the data plane
//   DIR/turnpike-INSTANCE.inject   written by control: inject slots and heads, punt tails
//   DIR/turnpike-INSTANCE.private  control only, 0600: never opened by the data plane
//   DIR/turnpike-INSTANCE.state    written by the data plane, mapped read-only by control
//   DIR/turnpike-INSTANCE.punt     written by the data plane: punt slots and heads, inject tails
//   DIR/turnpike-INSTANCE.edge     written by the edge: slots and heads to workers, tails from them
//   DIR/turnpike-INSTANCE.stream   written by the data plane: slots and heads to edge threads,
//                                  tails from them
//
// A file is made under a temporary name, its space reserved, its magic stored last, then renamed.
// Offsets count from the start of the file; there are no pointers. Times are CLOCK_BOOTTIME; a
// segment of another boot is not used. Integers are in host order unless a name ends in _be: the
// segment never leaves the host. Both sides check magic, layout and sizes before anything else,
// and bound every index they read later.
//
// Any change of a size or an offset here, in entry.h, table.h, ring.h, rate.h or stats.h needs a
// new TP_LAYOUT_VERSION: tests/contract fails otherwise.
#pragma once

#include <stdatomic.h>

#include <turnpike/addr.h>
#include <turnpike/limits.h>
#include <turnpike/ports.h>
#include <turnpike/rate.h>
#include <turnpike/ring.h>
#include <turnpike/stats.h>
#include <turnpike/table.h>

#define TP_LAYOUT_VERSION 10u

#define TP_MAGIC_TABLES	  0x5450544142310a1aull
#define TP_MAGIC_INJECT	  0x5450494e4a310a1aull
#define TP_MAGIC_PRIVATE  0x5450505256310a1aull
#define TP_MAGIC_STATE	  0x5450535441310a1aull
#define TP_MAGIC_PUNT	  0x545050554e310a1aull
#define TP_MAGIC_EDGE	  0x5450454447310a1aull
#define TP_MAGIC_STREAM	  0x5450535452310a1aull

// The first 256 bytes of every file.
struct tp_file_header {
	_Atomic uint64_t magic; // stored last
	uint32_t layout_version;
	// Bytes of the file's own header struct.
	uint32_t header_size;
	uint64_t file_size;
	uint64_t created_ns;
	// /proc/sys/kernel/random/boot_id, as 16 bytes.
	uint8_t boot_id[16];
	char instance[TP_INSTANCE_MAX];
	uint32_t n_workers;
	uint32_t n_entries;
	// Tables: random at creation. The other files: that of the tables they go with.
	uint64_t pair_id;
	_Atomic uint32_t writer_pid;
	// Number of processes that have written to the file.
	_Atomic uint32_t writer_generation;
	// The writer's.
	_Atomic uint64_t heartbeat_ns;
	// Edge threads the file has rings for: edge and stream.
	uint32_t n_edge_threads;
	uint8_t reserved[140];
};
TP_ASSERT_SIZE(struct tp_file_header, 256);
TP_ASSERT_OFFSET(struct tp_file_header, pair_id, 88);

// ---- tables -----------------------------------------------------------------------------------

#define TP_ROLE_FREE	  0u
#define TP_ROLE_LISTENER  1u // address and port where clients arrive
#define TP_ROLE_RELAY	  2u // address whose ports are relayed transport addresses; port 0
#define TP_ROLE_RETIRED	  3u // removed; the id rests until nothing refers to it and a grace period

// A listener: the transport of its clients. A relay address: its relayed transport. Ids differ by
// transport, so ChannelData with a forged source never meets the allocation of a stream client.
#define TP_TRANSPORT_UDP  1u
#define TP_TRANSPORT_TCP  2u
#define TP_TRANSPORT_TLS  3u
#define TP_TRANSPORT_DTLS 4u

// Whether clients of the listener come by a connection of the edge.
static inline bool tp_transport_is_stream(uint8_t transport)
{
	return transport >= TP_TRANSPORT_TCP && transport <= TP_TRANSPORT_DTLS;
}

// tp_local.flags
#define TP_LOCAL_ABSENT	  0x0001u // no interface of the host has the address
#define TP_LOCAL_DRAINING 0x0002u // takes no new allocations; those there are go on

// The id <-> address table; the id is the index, 0 is never used. Never renumbered: a restart with
// another configuration matches by address and transport. Listeners and relay addresses are added
// and removed one by one; a changed record is bracketed by config_seq.
struct tp_local {
	struct tp_addr addr;
	// As seen from outside (1:1 NAT), else equal to addr.
	struct tp_addr external;
	uint8_t role;	   // TP_ROLE_*
	uint8_t transport; // TP_TRANSPORT_*
	// RELAY: which array of port_indexes.
	uint16_t port_index;
	// A listener: the realm of its clients; 0: chosen by ORIGIN, or the only one.
	uint16_t realm_id;
	uint16_t flags; // TP_LOCAL_*
	// A UDP listener: id of the DTLS listener on the same address and port; 0: none.
	uint16_t dtls_id;
	uint16_t reserved0;
	// Number of times this id was given out.
	uint32_t generation;
	uint8_t reserved[8];
};
TP_ASSERT_SIZE(struct tp_local, 64);

// The next hop as one word: MAC address in bytes 0 to 5 (byte 0 is the least significant), port of
// the data plane in byte 6, byte 7 is 1. 0: not resolved.
#define TP_NEXT_HOP_VALID (1ull << 56)

static inline uint64_t tp_next_hop_pack(const uint8_t mac[6], uint8_t port)
{
	uint64_t w = TP_NEXT_HOP_VALID | (uint64_t)port << 48;

	for (unsigned i = 0; i < 6; i++)
		w |= (uint64_t)mac[i] << (8 * i);
	return w;
}

static inline void tp_next_hop_unpack(uint64_t w, uint8_t mac[6], uint8_t *port)
{
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(w >> (8 * i));
	*port = (uint8_t)(w >> 48);
}

// The neighbour a next-hop slot stands for. The data plane's housekeeping asks the kernel for those
// that are wanted; the control process follows the kernel's answers and stores the word.
struct tp_next_hop_info {
	struct tp_addr addr; // port 0; family 0: free slot
	uint32_t ifindex;
	// 0: no entry refers to it. Another value than before: ask the kernel again.
	_Atomic uint32_t wanted;
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_next_hop_info, 32);

// Bytes of the longest realm for which workers answer.
#define TP_PATH_REALM_MAX     48u
// tp_path_config.realm_flags
#define TP_REALM_ONLY	      0x01u // no other realm: REALM and ORIGIN of a request choose nothing
#define TP_REALM_SHA256	      0x02u // its nonces have TP_FEATURE_PASSWORD_ALGORITHMS
#define TP_REALM_USERHASH     0x04u // and TP_FEATURE_USERHASH

// tp_path_config.black_holes
#define TP_BLACK_HOLES_LEFT   0u
// Legs that swallow long packets get an MTU that passes everywhere.
#define TP_BLACK_HOLES_HEALED 1u

// How many new ports of permitted peers per second Send indications may reach, for each relayed
// transport address of the realm; 0: no limit.
struct tp_port_rate {
	uint32_t ports_per_s;
	uint16_t realm_id;
	uint16_t reserved;
};
TP_ASSERT_SIZE(struct tp_port_rate, 8);

#define TP_PORT_RATES_MAX 65u

// The part of the configuration that workers need. Changed under config_seq.
struct tp_path_config {
	uint16_t relay_port_min; // inclusive
	uint16_t relay_port_max;
	uint16_t channel_max; // TP_CHANNEL_MAX or TP_CHANNEL_MAX_COMPAT
	// 1: Binding needs credentials, the worker answers none.
	uint16_t secure_stun;
	// Per source prefix (/32, /64) and second; 0: no limit.
	uint32_t first_contact_rate;
	// The realm of the listeners with this realm_id, whose clients get their first 401 from the
	// worker.
	uint16_t realm_id;
	uint8_t realm_len;   // 0: the control process answers all
	uint8_t realm_flags; // TP_REALM_*
	// Key of nonces, <turnpike/nonce.h>.
	uint8_t nonce_key[16];
	uint8_t realm[TP_PATH_REALM_MAX];
	// TTL or hop limit of every packet that leaves, at most 255; 0: one less than that of the
	// packet that came.
	uint32_t ttl;
	uint32_t black_holes; // TP_BLACK_HOLES_*
	// 1: answers to Binding name other addresses (RFC 5780), the worker answers none.
	uint32_t nat_discovery;
	uint32_t n_port_rates;
	// Key of the nonce's source tag.
	uint8_t punt_key[16];
	// The rates of all realms, of which the first holds for others, too; none: no limit.
	struct tp_port_rate port_rates[TP_PORT_RATES_MAX];
};
TP_ASSERT_SIZE(struct tp_path_config, 632);

struct tp_tables_header {
	struct tp_file_header file;

	// Capacities and offsets, fixed at creation.
	uint32_t n_buckets; // main ones, a power of two
	uint32_t n_overflow;
	uint32_t n_next_hops;
	uint32_t n_port_indexes; // arrays of 65,536 words
	uint64_t buckets_off;
	uint64_t entries_off;
	uint64_t next_hops_off;	     // _Atomic uint64_t [n_next_hops]
	uint64_t next_hop_infos_off; // struct tp_next_hop_info [n_next_hops]
	// _Atomic uint32_t [n_port_indexes][65536], by relayed port in host order: index of the
	// ALLOCATION entry, 0 none.
	uint64_t port_indexes_off;
	uint64_t locals_off; // struct tp_local [TP_LOCALS_MAX]
	uint32_t hash_kind;  // TP_HASH_KIND_*
	// Most allocations the private file has room for.
	uint32_t n_allocations;
	uint64_t limits_off; // struct tp_limit [n_limits]
	uint32_t n_limits;
	uint32_t n_port_sets;
	uint64_t port_sets_off; // struct tp_port_set [n_port_sets]
	uint8_t reserved0[32];
	uint8_t hash_key[TP_HASH_KEY_LEN];

	// Words that change, each on a line of its own.
	// Futex word: requests for a grace period so far.
	_Atomic uint32_t gp_req TP_ALIGNED(64);
	// Odd while locals or path change.
	_Atomic uint32_t config_seq TP_ALIGNED(64);
	struct tp_path_config path;
	// Raised after a change of a wanted flag.
	_Atomic uint32_t next_hop_seq TP_ALIGNED(64);
	// Entries below this index are used soon: the data plane makes room for their cells, and
	// says so by cells_ready.
	_Atomic uint32_t cells_wanted;
	// Raised after a change of a rate.
	_Atomic uint32_t limit_seq;
} TP_ALIGNED(64);
TP_ASSERT_OFFSET(struct tp_tables_header, buckets_off, 272);
TP_ASSERT_OFFSET(struct tp_tables_header, limits_off, 328);
TP_ASSERT_OFFSET(struct tp_tables_header, port_sets_off, 344);
TP_ASSERT_OFFSET(struct tp_tables_header, hash_key, 384);
TP_ASSERT_OFFSET(struct tp_tables_header, gp_req, 448);
TP_ASSERT_OFFSET(struct tp_tables_header, config_seq, 512);
TP_ASSERT_OFFSET(struct tp_tables_header, next_hop_seq, 1152);
TP_ASSERT_SIZE(struct tp_tables_header, 1216);

// Grace periods: the writer stores gp_req (release) and wakes the futex; the data plane's
// housekeeping waits for all workers and stores gp_done. A slot tagged t is free when this holds.
static inline bool tp_gp_passed(uint32_t gp_done, uint32_t tag)
{
	return (int32_t)(gp_done - tag) >= 0;
}

// ---- state ------------------------------------------------------------------------------------

// A port of the data plane, as opened. Settled before the file's magic is stored, except the link
// and the counters.
struct tp_port {
	// Kernel interface; empty without one.
	char interface[TP_IFNAME_MAX];
	// DPDK device.
	char device[64];
	uint32_t ifindex; // 0 without one
	uint32_t mtu;
	uint8_t mac[6];
	uint16_t n_queues;
	_Atomic uint32_t link_up;
	// Counts of the device itself, over all runs of the data plane; about a second old.
	// Received into nothing, no packet buffer; wraps.
	_Atomic uint32_t rx_no_buffer;
	// Lost before a worker took them: no room in a ring.
	_Atomic uint64_t rx_missed;
	_Atomic uint64_t rx_errors; // found faulty
	_Atomic uint64_t tx_errors; // not sent
	// AF_XDP: packets of ours that came by a queue without a socket; that found their ring
	// full; that the kernel refused to send; and how often the driver found no buffer to fill.
	_Atomic uint64_t rx_unserved;
	_Atomic uint64_t rx_ring_full;
	_Atomic uint64_t tx_invalid;
	_Atomic uint64_t rx_fill_empty;
	_Atomic uint32_t xdp; // TP_XDP_*
	uint32_t reserved[7];
};
TP_ASSERT_OFFSET(struct tp_port, rx_missed, 104);
TP_ASSERT_OFFSET(struct tp_port, xdp, 160);
TP_ASSERT_SIZE(struct tp_port, 192);

// tp_port.xdp: how the steering program is attached; or-ed with ZERO_COPY and SENT. 0: no AF_XDP.
#define TP_XDP_NATIVE	      1u
#define TP_XDP_GENERIC	      2u
#define TP_XDP_OFFLOADED      3u
#define TP_XDP_MODES	      0xffu
#define TP_XDP_ZERO_COPY      0x100u
#define TP_XDP_SENT	      0x200u // a frame has left by each queue at the start

// tp_state_header.flags
#define TP_STATE_NO_HUGE      0x01u // runs on 4 KiB pages
#define TP_STATE_SEGMENT_LOST 0x02u // a file of the writer was truncated; re-attaching
#define TP_STATE_CORES_SHARED 0x04u // the kernel may run others on some worker's core
#define TP_STATE_STEERING_OFF 0x08u // an interface's steering program is gone and can't be put back
#define TP_STATE_GUARD_OFF    0x10u // the nft table that guards our ports is gone, likewise
#define TP_STATE_QUEUES_MORE  0x20u // an interface has queues that nobody serves
#define TP_STATE_CELLS_SHORT  0x40u // no memory for the counters of more entries

struct tp_state_header {
	struct tp_file_header file;

	uint64_t cells_off;   // struct tp_cell [n_workers][n_entries]
	uint64_t workers_off; // struct tp_worker_stats [n_workers]
	uint64_t tsc_hz;
	uint32_t n_ports;
	uint32_t n_limits;	  // that of the tables
	uint64_t limit_cells_off; // struct tp_limit_cell [n_workers][n_limits]
	// When the data plane that writes it started, CLOCK_BOOTTIME; 0: not said.
	_Atomic uint64_t started_ns;
	uint32_t reserved0[4];

	// Last request whose grace period has passed.
	_Atomic uint32_t gp_done TP_ALIGNED(64);
	_Atomic uint32_t flags;
	// Number of times that TP_STATE_SEGMENT_LOST was set.
	_Atomic uint32_t segments_lost;
	// Every worker's cells of entries below this index have memory; no others may be touched.
	_Atomic uint32_t cells_ready;
	// Longest grace period so far.
	_Atomic uint64_t gp_max_ns;
	// Since when the open request waits; 0: none is open.
	_Atomic uint64_t gp_open_ns;
	struct tp_port ports[TP_PORTS_MAX] TP_ALIGNED(64);
} TP_ALIGNED(64);
TP_ASSERT_OFFSET(struct tp_state_header, gp_done, 320);
TP_ASSERT_OFFSET(struct tp_state_header, ports, 384);

// ---- punt and inject --------------------------------------------------------------------------

// The words of one worker's rings in `punt`, then in `inject`. Slots follow at slots_off:
// punt: [n_workers][TP_PUNT_CLASSES][TP_RING_SLOTS]; inject: [n_workers][TP_RING_SLOTS].
struct tp_punt_worker {
	struct tp_ring_word head[TP_PUNT_CLASSES];
	struct tp_ring_word inject_tail;
};
TP_ASSERT_SIZE(struct tp_punt_worker, 256);

struct tp_inject_worker {
	struct tp_ring_word head;
	struct tp_ring_word punt_tail[TP_PUNT_CLASSES];
};
TP_ASSERT_SIZE(struct tp_inject_worker, 256);

struct tp_punt_header {
	struct tp_file_header file;
	uint64_t slots_off;
	uint64_t reserved[7];
	struct tp_punt_worker workers[TP_WORKERS_MAX];
} TP_ALIGNED(64);

struct tp_inject_header {
	struct tp_file_header file;
	uint64_t slots_off;
	// 1: the control process waits in epoll and wants a kick.
	_Atomic uint32_t sleeping;
	uint32_t reserved0;
	uint64_t reserved[6];
	struct tp_inject_worker workers[TP_WORKERS_MAX];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_punt_header, 320 + 256 * TP_WORKERS_MAX);
TP_ASSERT_SIZE(struct tp_inject_header, 320 + 256 * TP_WORKERS_MAX);
TP_ASSERT_OFFSET(struct tp_inject_header, sleeping, 264);

// ---- edge and stream --------------------------------------------------------------------------

// The words of the rings between a worker and an edge thread. In `edge`: the head of the ring to
// the worker, the tail of the one from it. In `stream` the reverse.
struct tp_streams_pair {
	struct tp_ring_word head;
	struct tp_ring_word tail;
};
TP_ASSERT_SIZE(struct tp_streams_pair, 128);

// One of the file's writers: in `edge` a thread, in `stream` a worker.
struct tp_streams_side {
	// 1: it sleeps and wants to be woken.
	_Atomic uint32_t sleeping;
	// `edge`: high half of the handle given out last, over all runs of the edge.
	_Atomic uint32_t generation;
	// `edge`: one more than the processor that the thread last ran on; 0: none is known. A
	// worker there gives way to it.
	_Atomic uint32_t cpu;
	uint32_t reserved[13];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_streams_side, 64);

#define TP_STREAMS_SIDES 64u
_Static_assert(TP_WORKERS_MAX <= TP_STREAMS_SIDES && TP_EDGE_THREADS_MAX <= TP_STREAMS_SIDES,
	"a side for each worker and thread");

// Slots of each ring in a file: of `edge` TP_RING_SLOTS, as its writers wait for room; of `stream`
// more, because a message that finds none is lost, and a thread with many messages for a client
// writes them at once.
static inline uint32_t tp_streams_slots(bool is_stream, uint32_t n_workers, uint32_t n_threads)
{
	uint64_t rings = (uint64_t)n_workers * n_threads;
	uint32_t n = is_stream ? TP_STREAM_SLOTS : TP_RING_SLOTS;

	while (n > TP_RING_SLOTS && rings * n * TP_RING_SLOT_SIZE > TP_STREAM_BYTES)
		n /= 2;
	return n;
}

// Both files. Numbers of workers and threads of the two may differ after a change of the
// configuration until both processes have restarted: rings exist for the smaller numbers.
struct tp_streams_header {
	struct tp_file_header file;
	uint64_t pairs_off; // struct tp_streams_pair [n_workers][n_edge_threads]
	uint64_t slots_off; // struct tp_ring_slot [n_workers][n_edge_threads][n_slots]
	uint64_t reserved[6];
	struct tp_streams_side sides[TP_STREAMS_SIDES];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_streams_header, 320 + 64 * TP_STREAMS_SIDES);
