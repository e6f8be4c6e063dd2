// SPDX-License-Identifier: BSD-3-Clause
// The private file: what the control process needs after a restart and the data plane must never
// see. 0600, not in core dumps. Its layout is this process's own business but stands under the same
// layout version.
#pragma once

#include <tables/writer.h>

#define RECORD_FREE	   0u
#define RECORD_LIVE	   1u // stored last when an allocation is made
#define RECORD_CLOSING	   2u // stored first when it ends: a new writer finishes the tear-down

#define RECORD_NAME_INLINE 72u
#define NAME_BLOCK_SIZE	   768u // longest user name: TURN_USERNAME_MAX

// One per allocation, named by the ALLOCATION entry's `partner`. Record 0 is never used.
struct record {
	_Atomic uint32_t state; // RECORD_*
	uint32_t entry;		// index of the ALLOCATION entry, with its generation
	uint32_t generation;
	uint32_t lifetime_s;
	uint64_t created_ns;
	uint32_t advertised_tags[TURN_RELAY_SLOTS]; // of the addresses that the client was told
	uint8_t txid[12];
	uint32_t name_block; // of a user name longer than RECORD_NAME_INLINE, else 0
	uint16_t username_len;
	uint8_t requested_family;
	uint8_t key_len;
	uint8_t close_reason; // why it ended, the caller's number; 0: not told
	uint8_t reserved[3];
	struct tables_usage used; // of ended permissions and channels
	uint8_t key[TURN_KEY_MAX];
	uint8_t username[RECORD_NAME_INLINE];
};
TP_ASSERT_SIZE(struct record, 192);

// What a late duplicate of an Allocate request is known by (<turn/store.h>). The expiry is stored
// last; 0: empty.
struct tomb {
	struct tp_addr remote;
	uint16_t listener_id;
	uint16_t reserved;
	uint8_t txid[12];
	_Atomic uint32_t until_s;
};
TP_ASSERT_SIZE(struct tomb, 40);

// The counters of a slot when it was last filled or folded: its usage counts from there.
struct usage_base {
	uint64_t packets;
	uint64_t octets;
};
TP_ASSERT_SIZE(struct usage_base, 16);

struct private_header {
	struct tp_file_header file;
	struct tables_secrets secrets;
	uint64_t state_id;    // created_ns of the state file that the bases refer to; 0: none yet
	uint64_t records_off; // struct record [n_records]
	uint64_t names_off;   // [n_names][NAME_BLOCK_SIZE]
	uint64_t bases_off;   // struct usage_base [n_entries]
	uint32_t n_records;
	uint32_t n_names;
	uint64_t rests_off; // uint16_t [n_port_indexes][65536], by relayed port: second, of its low
			    // 16 bits, until which the port rests; 0: it never did
	uint64_t tombs_off; // struct tomb [n_tombs]
	uint32_t n_tombs;   // a ring: the oldest is overwritten
	uint32_t reserved0;
	uint64_t reserved[8];
};
TP_ASSERT_SIZE(struct private_header, 512);

struct private_file {
	struct shm_file file;
	struct private_header *header;
	struct record *records;
	uint8_t *names;
	struct usage_base *bases;
	_Atomic uint16_t *rests;
	struct tomb *tombs;
	uint32_t n_records;
	uint32_t n_names;
	uint32_t n_port_indexes;
	uint32_t n_tombs;
};

// Octets of the file.
uint64_t private_size(uint32_t n_allocations, uint32_t n_entries, uint32_t n_port_indexes);

// Secrets are random. Published by the caller, before the tables.
int private_create(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err);
int private_open(struct private_file *f, const struct shm_place *p, const struct shm_tables *tables,
	struct shm_error *err);
void private_close(struct private_file *f);
