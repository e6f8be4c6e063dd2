// SPDX-License-Identifier: BSD-3-Clause
// The segment: files that both processes map, split by writer so that the mapping itself protects.
//
//   DIR/turnpike-INSTANCE.tables   written by control, mapped read-only by the data plane
//   DIR/turnpike-INSTANCE.inject   written by control: inject slots and heads, punt tails
//   DIR/turnpike-INSTANCE.private  control only, 0600: never opened by the data plane
//   DIR/turnpike-INSTANCE.state    written by the data plane, mapped read-only by control
//   DIR/turnpike-INSTANCE.punt     written by the data plane: punt slots and heads, inject tails
//
// A file is made under a temporary name, its space reserved, its magic stored last, then renamed.
// Offsets count from the start of the file; there are no pointers. Times are CLOCK_BOOTTIME; a
// segment of another boot is not used. Integers are in host order unless a name ends in _be: the
// segment never leaves the host. Both sides check magic, layout and sizes before anything else,
// and bound every index they read later.
//
// Any change of a size or an offset here, in entry.h, table.h, ring.h or stats.h needs a new
// TP_LAYOUT_VERSION: tests/contract fails otherwise.
#pragma once

#include <stdatomic.h>

#include <turnpike/addr.h>
#include <turnpike/limits.h>
#include <turnpike/ring.h>
#include <turnpike/stats.h>
#include <turnpike/table.h>

#define TP_LAYOUT_VERSION 2u

#define TP_MAGIC_TABLES	  0x5450544142310a1aull
#define TP_MAGIC_INJECT	  0x5450494e4a310a1aull
#define TP_MAGIC_PRIVATE  0x5450505256310a1aull
#define TP_MAGIC_STATE	  0x5450535441310a1aull
#define TP_MAGIC_PUNT	  0x545050554e310a1aull

// The first 256 octets of every file.
struct tp_file_header {
	_Atomic uint64_t magic; // stored last
	uint32_t layout_version;
	uint32_t header_size; // of the file's own header struct
	uint64_t file_size;
	uint64_t created_ns;
	uint8_t boot_id[16]; // /proc/sys/kernel/random/boot_id, as octets
	char instance[TP_INSTANCE_MAX];
	uint32_t n_workers;
	uint32_t n_entries;
	uint64_t pair_id; // tables: random at creation. The other files: that of the tables they go
			  // with
	_Atomic uint32_t writer_pid;
	_Atomic uint32_t writer_generation; // number of processes that have written to the file
	_Atomic uint64_t heartbeat_ns;	    // of the writer
	uint8_t reserved[144];
};
TP_ASSERT_SIZE(struct tp_file_header, 256);
TP_ASSERT_OFFSET(struct tp_file_header, pair_id, 88);

// ---- tables -----------------------------------------------------------------------------------

#define TP_ROLE_FREE	 0u
#define TP_ROLE_LISTENER 1u // address and port where clients arrive
#define TP_ROLE_RELAY	 2u // address whose ports are relayed transport addresses; port 0
#define TP_ROLE_RETIRED	 3u // left the configuration; the id rests until a grace period has passed

#define TP_TRANSPORT_UDP 1u // others come with the stream transports

// The id <-> address table; the id is the index, 0 is never used. Never renumbered: a restart with
// another configuration matches by address. A changed record is bracketed by config_seq.
struct tp_local {
	struct tp_addr addr;
	struct tp_addr external; // as seen from outside (1:1 NAT), else equal to addr
	uint8_t role;		 // TP_ROLE_*
	uint8_t transport;	 // TP_TRANSPORT_*, listeners
	uint16_t port_index;	 // RELAY: which array of port_indexes
	uint8_t reserved[20];
};
TP_ASSERT_SIZE(struct tp_local, 64);

// The next hop as one word: MAC address in octets 0 to 5 (octet 0 is the least significant), port
// of the data plane in octet 6, octet 7 is 1. 0: not resolved.
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

// Which neighbour a slot stands for. The data plane's housekeeping asks the kernel for those that
// are wanted; the control process follows the kernel's answers and stores the word.
struct tp_next_hop_info {
	struct tp_addr addr; // port 0; family 0: free slot
	uint32_t ifindex;
	_Atomic uint32_t wanted; // 1 while entries refer to it
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_next_hop_info, 32);

// What workers need of the configuration. Changed under config_seq.
struct tp_path_config {
	uint16_t relay_port_min; // inclusive
	uint16_t relay_port_max;
	uint16_t channel_max;	     // TP_CHANNEL_MAX or TP_CHANNEL_MAX_COMPAT
	uint16_t secure_stun;	     // 1: Binding needs credentials, the worker answers none
	uint32_t first_contact_rate; // per source prefix (/32, /64) and second; 0: no limit
	uint32_t reserved[5];
	uint8_t punt_key[16]; // of the nonce's source tag, <turnpike/nonce.h>
};
TP_ASSERT_SIZE(struct tp_path_config, 48);

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
	uint64_t port_indexes_off;   // _Atomic uint32_t [n_port_indexes][65536], by relayed port in
				   // host order: index of the ALLOCATION entry, 0 none
	uint64_t locals_off;	// struct tp_local [TP_LOCALS_MAX]
	uint32_t hash_kind;	// TP_HASH_KIND_*
	uint32_t n_allocations; // most allocations the private file has room for
	uint8_t reserved0[56];
	uint8_t hash_key[TP_HASH_KEY_LEN];

	// Words that change, each on a line of its own.
	_Atomic uint32_t gp_req TP_ALIGNED(64); // futex word: requests for a grace period so far
	_Atomic uint32_t config_seq TP_ALIGNED(64); // odd while locals or path change
	struct tp_path_config path;
	_Atomic uint32_t next_hop_seq TP_ALIGNED(64); // raised after a change of a wanted flag
} TP_ALIGNED(64);
TP_ASSERT_OFFSET(struct tp_tables_header, buckets_off, 272);
TP_ASSERT_OFFSET(struct tp_tables_header, hash_key, 384);
TP_ASSERT_OFFSET(struct tp_tables_header, gp_req, 448);
TP_ASSERT_OFFSET(struct tp_tables_header, config_seq, 512);
TP_ASSERT_OFFSET(struct tp_tables_header, next_hop_seq, 576);
TP_ASSERT_SIZE(struct tp_tables_header, 640);

// Grace periods: the writer stores gp_req (release) and wakes the futex; the data plane's
// housekeeping waits for all workers and stores gp_done. A slot tagged t is free when this holds.
static inline bool tp_gp_passed(uint32_t gp_done, uint32_t tag)
{
	return (int32_t)(gp_done - tag) >= 0;
}

// ---- state ------------------------------------------------------------------------------------

// A port of the data plane, as opened. Settled before the file's magic is stored, but for the link
// and the counters.
struct tp_port {
	char interface[TP_IFNAME_MAX]; // kernel interface; empty without one
	char device[64];	       // DPDK device
	uint32_t ifindex;	       // 0 without one
	uint32_t mtu;
	uint8_t mac[6];
	uint16_t n_queues;
	_Atomic uint32_t link_up;
	// What the device itself counts, over all runs of the data plane; about a second old.
	_Atomic uint32_t rx_no_buffer; // received into nothing: no packet buffer; wraps
	_Atomic uint64_t rx_missed;    // lost before a worker took them: no room in a ring
	_Atomic uint64_t rx_errors;    // found faulty
	_Atomic uint64_t tx_errors;    // not sent
};
TP_ASSERT_OFFSET(struct tp_port, rx_missed, 104);
TP_ASSERT_SIZE(struct tp_port, 128);

// tp_state_header.flags
#define TP_STATE_NO_HUGE      0x01u // runs on 4 KiB pages
#define TP_STATE_SEGMENT_LOST 0x02u // a file of the writer was truncated; re-attaching
#define TP_STATE_CORES_SHARED 0x04u // the kernel may run others on some worker's core

struct tp_state_header {
	struct tp_file_header file;

	uint64_t cells_off;   // struct tp_cell [n_workers][n_entries]
	uint64_t workers_off; // struct tp_worker_stats [n_workers]
	uint64_t tsc_hz;
	uint32_t n_ports;
	uint32_t reserved0[9];

	_Atomic uint32_t gp_done TP_ALIGNED(64); // last request whose grace period has passed
	_Atomic uint32_t flags;
	_Atomic uint32_t segments_lost; // how often
	_Atomic uint32_t reserved1;
	_Atomic uint64_t gp_max_ns;  // longest grace period so far
	_Atomic uint64_t gp_open_ns; // since when the open request waits; 0: none is open
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
	_Atomic uint32_t sleeping; // 1: the control process waits in epoll and wants a kick
	uint32_t reserved0;
	uint64_t reserved[6];
	struct tp_inject_worker workers[TP_WORKERS_MAX];
} TP_ALIGNED(64);
TP_ASSERT_SIZE(struct tp_punt_header, 320 + 256 * TP_WORKERS_MAX);
TP_ASSERT_SIZE(struct tp_inject_header, 320 + 256 * TP_WORKERS_MAX);
TP_ASSERT_OFFSET(struct tp_inject_header, sleeping, 264);
