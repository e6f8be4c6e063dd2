// SPDX-License-Identifier: BSD-3-Clause
// A relay in memory for tests of the packet path: tables, locals, next hops, ports and rings as the
// control process would publish them, written by a second, plain implementation, and a worker on
// top of them.
#pragma once

#include <stage/stage.h>

#include "frame.h"

// Ids of the locals of every relay made here.
#define RELAY_LISTENER4	   1u // 10.77.0.1:3478
#define RELAY_LISTENER6	   2u // [fd77::1]:3478
#define RELAY_RELAY4	   3u // 10.77.0.1
#define RELAY_RELAY6	   4u // fd77::1
#define RELAY_RELAY4_NAT   5u // 10.77.0.2, seen from outside as 198.51.100.2
#define RELAY_LISTENER_LO  6u // 10.77.0.1:49200, inside the relay range
#define RELAY_PORT_INDEXES 3u
#define RELAY_NEXT_HOPS	   8u

// Next-hop slots: 1 leads to frame_mac_other on port 0, 2 to port 1 (MTU 1280), 3 is unresolved, 4
// names a port that is not there.
#define RELAY_HOP	   1u
#define RELAY_HOP_SMALL	   2u
#define RELAY_HOP_NONE	   3u
#define RELAY_HOP_ASTRAY   4u

#define RELAY_NOW_S	   1000u

struct relay {
	struct stage_worker *worker;
	struct tp_bucket *buckets;
	struct tp_entry *entries;
	struct tp_cell *cells;
	struct tp_worker_stats *stats;
	_Atomic uint64_t next_hops[RELAY_NEXT_HOPS];
	_Atomic uint32_t *port_indexes;
	struct tp_local locals[TP_LOCALS_MAX];
	struct tp_path_config path;
	struct tp_ring_slot *slots; // punt rings, then the inject ring
	struct tp_ring_word heads[TP_PUNT_CLASSES + 1];
	struct tp_ring_word tails[TP_PUNT_CLASSES + 1];
	uint32_t n_entries;
	uint32_t n_used; // entries, from 1
	uint32_t n_main; // buckets
	uint32_t n_overflow;
	uint64_t now_ns;
};

struct tp_addr relay_addr4(const char *ip, uint16_t port);
struct tp_addr relay_addr6(const char *ip, uint16_t port);

// `n_entries` bounds the table; it gets a quarter as many buckets, so that chains grow.
struct relay *relay_create(uint32_t n_entries, uint32_t hash_kind);
void relay_destroy(struct relay *r);

// After a change of r->locals or r->path.
void relay_locals_change(struct relay *r);

// An allocation of `client` at `listener_id` with one or two relayed transport addresses (relay id
// 0: none). Live for 600 s. Returns its entry's index.
uint32_t relay_allocation(struct relay *r, const struct tp_addr *client, uint16_t listener_id,
	struct tp_entry_relay first, struct tp_entry_relay second);

// The pair CHANNEL and PEER for relay slot `slot`: permission live for 300 s, channel for 600 s.
// Returns the CHANNEL's index, its partner is the PEER.
uint32_t relay_channel(struct relay *r, uint32_t allocation, unsigned slot, uint16_t number,
	const struct tp_addr *peer);

// Live for 300 s. Returns the PERMISSION's index.
uint32_t relay_permission(
	struct relay *r, uint32_t allocation, unsigned slot, const struct tp_addr *peer);

// Gives an entry a limit, as the control process does; 0: none.
void relay_limit(struct tp_entry *e, uint32_t number);

struct tp_addr relay_relayed(const struct relay *r, uint32_t allocation, unsigned slot);

// Runs one frame through the worker. The verdict is in the result; a frame sent is in f->memory.
struct stage_pkt relay_run(struct relay *r, struct frame *f);

// The oldest message on a punt ring, taken off, or NULL.
const struct tp_ring_slot *relay_punted(struct relay *r, unsigned ring);
