// SPDX-License-Identifier: BSD-3-Clause
// The private file: what the control process needs after a restart and the data plane must never
// see. 0600, not in core dumps. Its layout is this process's own business but stands under the same
// layout version.
#pragma once

#include <tables/writer.h>

#define RECORD_FREE	   0u
#define RECORD_LIVE	   1u // stored last when an allocation is made
#define RECORD_CLOSING	   2u // stored first when it ends: a new writer finishes the tear-down

#define RECORD_NAME_INLINE 104u
#define NAME_BLOCK_SIZE	   768u // longest user name: TURN_USERNAME_MAX

// One per allocation, named by the ALLOCATION entry's `partner`. Record 0 is never used.
struct record {
	_Atomic uint32_t state; // RECORD_*
	uint32_t entry;		// index of the ALLOCATION entry, with its generation
	uint32_t generation;
	uint32_t lifetime_s;
	uint64_t created_ns;
	struct tp_addr advertised[TURN_RELAY_SLOTS];
	uint8_t txid[12];
	uint8_t requested_family;
	uint8_t key_len;
	uint16_t username_len;
	uint32_t name_block; // of a user name longer than RECORD_NAME_INLINE, else 0
	uint8_t key[TURN_KEY_MAX];
	uint8_t reserved[4];
	struct tables_usage used; // of ended permissions and channels
	uint8_t username[RECORD_NAME_INLINE];
};
TP_ASSERT_SIZE(struct record, 256);

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
	uint64_t reserved[11];
};
TP_ASSERT_SIZE(struct private_header, 512);

struct private_file {
	struct shm_file file;
	struct private_header *header;
	struct record *records;
	uint8_t *names;
	struct usage_base *bases;
	uint32_t n_records;
	uint32_t n_names;
};

// Secrets are random. Published by the caller, before the tables.
int private_create(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err);
int private_open(struct private_file *f, const struct shm_place *p, const struct shm_tables *tables,
	struct shm_error *err);
void private_close(struct private_file *f);
