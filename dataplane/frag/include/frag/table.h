// SPDX-License-Identifier: BSD-3-Clause
// Datagrams that arrive in fragments, until they are whole (RFC 791 3.2, RFC 8200 4.5, RFC 5722).
// No DPDK, clock, allocation or lock: memory and time are arguments. One table per worker, used by
// its thread alone.
//
// The bytes of fragments are copied into blocks, so that a table takes one piece of memory for ever
// and no packet buffer; the operator says how much. Every source prefix (IPv4 /32, IPv6 /64) has a
// share of the blocks and of the datagrams: beyond it the prefix loses its own oldest datagram.
// With no block or datagram left at all the oldest of all goes, which a datagram whose fragments
// follow each other never is.
#pragma once

#include <turnpike/drop.h>
#include <turnpike/stats.h>

// Bytes of the longest datagram put together, IP header included: a frame's length has 16 bits.
#define FRAG_IP_MAX	  (UINT16_MAX - 14u)
// Fragments of one datagram at most: enough for FRAG_IP_MAX in pieces of 1,280 bytes.
#define FRAG_PIECES_MAX	  64u
// The time that a datagram has. Short, because IPv4's ids come round again (RFC 4963).
#define FRAG_LIFE_NS	  (2ull * TP_NS_PER_S)

#define FRAG_BLOCK_LEN	  512u
// Blocks of one source prefix at least: one of the longest datagrams.
#define FRAG_SHARE_BLOCKS 256u

// How much a table takes at most.
struct frag_bounds {
	uint32_t blocks;
	uint32_t datagrams;
	uint32_t share_blocks; // of one source prefix: many short datagrams, or few long ones
	uint32_t share_datagrams;
};

// Of a table with so many MiB of fragments, 1 to TP_FRAGMENT_MIB_MAX.
struct frag_bounds frag_bounds_of(uint32_t mib);

// A fragment, as frag_read finds it. All pointers are into the frame.
struct frag_piece {
	const uint8_t *head; // Ethernet and IP header; behind it IPv6's fragment header
	const uint8_t *src;
	const uint8_t *dst;
	const uint8_t *body;
	uint32_t head_len;
	uint32_t len; // of the body, at least 1
	uint32_t at;  // of the body in the datagram
	uint32_t id;
	uint8_t family; // TP_FAMILY_*
	uint8_t ecn;
	uint8_t rx_port; // 0; for the caller to set
	bool more;
};

struct frag_table;

// Reads a frame that core_parse calls CORE_FRAGMENT without a fault. None, or the reason of the
// drop.
enum tp_drop frag_read(struct frag_piece *f, const uint8_t *frame);

size_t frag_table_size(uint32_t mib);

// Makes a table in `memory`, which is of that size, aligned to a cache line and zero. `key`: 16
// random bytes.
struct frag_table *frag_table_init(void *memory, uint32_t mib, const uint8_t key[16]);

// The datagram that a fragment has completed.
struct frag_whole {
	uint8_t *frame;	 // where it is written
	uint32_t max;	 // bytes that may be written there, at least UINT16_MAX
	uint32_t len;	 // out: of the frame
	uint32_t pieces; // out
	uint8_t rx_port; // out: of its first fragment
};

// Takes a fragment. True: its datagram is whole and in `whole`, as a plain packet. Counts each
// fragment that it drops, this one or earlier ones, in drops[TP_DROP_COUNT].
bool frag_table_put(struct frag_table *t, const struct frag_piece *f, uint64_t now_ns,
	struct frag_whole *whole, _Atomic uint64_t *drops);

// Drops what is too old (fragment_late); two loads where there is nothing.
void frag_table_expire(struct frag_table *t, uint64_t now_ns, _Atomic uint64_t *drops);

// Datagrams under way, and blocks in use.
uint32_t frag_table_pending(const struct frag_table *t);
uint32_t frag_table_blocks(const struct frag_table *t);

// The number, 0 to n - 1, of the worker that puts this source's fragments together: the same for
// each worker with the same key.
uint32_t frag_owner(const uint8_t key[16], const struct frag_piece *f, uint32_t n);
