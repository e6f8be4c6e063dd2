// SPDX-License-Identifier: BSD-3-Clause
// The shape of a table. Indexes run from 1; 0 is none.
#pragma once

#include <frag/table.h>
#include <turnpike/addr.h>
#include <turnpike/fragment.h>

#define FRAG_BUCKETS  2048u
#define FRAG_HEAD_MAX 54u // Ethernet and IPv6
#define BLOCK_BYTES   (FRAG_BLOCK_LEN - 2u)

struct block {
	uint16_t next; // of the same fragment, or of the free ones
	uint8_t bytes[BLOCK_BYTES];
};
TP_ASSERT_SIZE(struct block, FRAG_BLOCK_LEN);

// A fragment that is there.
struct piece {
	uint16_t at;
	uint16_t len;
	uint16_t block; // the first one
};

// The identity of a datagram. No padding: it is compared and hashed as bytes.
struct key {
	uint8_t src[16];
	uint8_t dst[16];
	uint32_t id;
	uint32_t family;
};
TP_ASSERT_SIZE(struct key, 40);

struct links {
	uint16_t older;
	uint16_t newer;
};

struct ends {
	uint16_t oldest;
	uint16_t newest;
};

enum { LINKS_ALL, LINKS_PREFIX, LINKS };

struct datagram {
	struct key key;
	uint64_t born_ns;
	struct links links[LINKS];
	uint32_t total; // bytes behind the IP header; 0: not known yet
	uint32_t have;	// of them
	uint16_t chain; // of its bucket, or of the free ones
	uint16_t prefix;
	uint16_t n_pieces;
	uint16_t n_blocks;
	uint8_t head_len; // 0: the first fragment is not there yet
	uint8_t ecn;	  // bit n: a fragment had the field n
	uint8_t rx_port;
	uint8_t spoiled; // enum tp_drop: the reason why nothing more is taken of it
	uint8_t head[FRAG_HEAD_MAX];
	struct piece pieces[FRAG_PIECES_MAX]; // by their place, without overlaps
};

struct prefix {
	uint64_t word; // its hash
	struct ends ends;
	uint16_t chain;
	uint16_t datagrams;
	uint16_t blocks;
};

// Behind it in the same memory: prefixes, datagrams and blocks, each with one that is not used.
struct frag_table {
	uint8_t key[16];
	struct frag_bounds bounds;
	struct ends all;
	uint32_t n_datagrams;
	uint32_t n_free_blocks;
	uint16_t free_block;
	uint16_t free_datagram;
	uint16_t free_prefix;
	uint16_t datagram_buckets[FRAG_BUCKETS];
	uint16_t prefix_buckets[FRAG_BUCKETS];
	struct prefix *prefixes; // as many as datagrams
	struct datagram *datagrams;
	struct block *blocks;
};
_Static_assert(
	((uint64_t)TP_FRAGMENT_MIB_MAX << 20) / FRAG_BLOCK_LEN < UINT16_MAX, "indexes of 16 bits");
_Static_assert((FRAG_IP_MAX + BLOCK_BYTES) / BLOCK_BYTES + FRAG_PIECES_MAX <= FRAG_SHARE_BLOCKS,
	"one datagram fits into the share of its prefix");

struct key frag_key_of(const struct frag_piece *f);
struct datagram *frag_datagram_find(struct frag_table *t, const struct key *key);
uint16_t frag_datagram_index(const struct frag_table *t, const struct datagram *d);

// Makes an empty one; older ones give way, of the same prefix where that has its share.
struct datagram *frag_datagram_make(struct frag_table *t, const struct frag_piece *f,
	const struct key *key, uint64_t now_ns, _Atomic uint64_t *drops);
void frag_datagram_release(struct frag_table *t, struct datagram *d);

// Releases it and counts its fragments as dropped.
void frag_datagram_evict(
	struct frag_table *t, uint16_t index, enum tp_drop why, _Atomic uint64_t *drops);

// Gives its blocks back and forgets its pieces.
void frag_blocks_release(struct frag_table *t, struct datagram *d);
