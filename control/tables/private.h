// SPDX-License-Identifier: BSD-3-Clause
// The private file: state that the control process needs after a restart and the data plane must
// never see. 0600, not in core dumps. Its layout is this process's own business but stands under
// the same layout version.
#pragma once

#include <tables/writer.h>

#define RECORD_FREE	   0u
#define RECORD_LIVE	   1u // stored last when an allocation is made
#define RECORD_CLOSING	   2u // stored first when it ends: a new writer finishes the tear-down

#define RECORD_MOVING	   3u // of a second 5-tuple; `other`: the ALLOCATION entry of the first
#define RECORD_ARRIVED	   4u // it is taking the first one's place
#define RECORD_MOVED	   5u // its allocation goes on as the ALLOCATION entry `other`

#define RECORD_NAME_INLINE 64u
#define NAME_BLOCK_SIZE	   768u // longest user name: TURN_USERNAME_MAX

// One per allocation, named by the ALLOCATION entry's `partner`. Record 0 is never used.
struct record {
	_Atomic uint32_t state; // RECORD_*
	// Index of the ALLOCATION entry, with its generation.
	uint32_t entry;
	uint32_t generation;
	uint32_t lifetime_s;
	uint64_t created_ns;
	// Tags of the addresses that the client was told.
	uint32_t advertised_tags[TURN_RELAY_SLOTS];
	uint8_t txid[12];
	// The block of a user name longer than RECORD_NAME_INLINE, else 0.
	uint32_t name_block;
	uint16_t username_len;
	uint16_t realm_id;
	uint8_t requested_family;
	uint8_t client_transport;
	uint8_t relayed_transport;
	uint8_t flags; // TURN_RECORD_*
	uint8_t identity_kind;
	uint8_t key_algorithm;
	uint8_t key_len;
	// Why it ended, the caller's number; 0: not told.
	uint8_t close_reason;
	// As in struct turn_allocation_record.
	uint32_t secret_id;
	uint64_t connection;
	uint64_t ticket_id;
	uint64_t credential_expires_s;
	// Usage of ended permissions and channels.
	struct tables_usage used;
	uint8_t key[TURN_KEY_MAX];
	// Low 32 bits of the KiB of usage that were charged to its user's budget.
	uint32_t charged_kib;
	// LIVE: the ALLOCATION entry of a second 5-tuple, 0: it is not moving.
	uint32_t other;
	uint8_t username[RECORD_NAME_INLINE];
};
TP_ASSERT_SIZE(struct record, 224);

// Recognises a late duplicate of an Allocate request (<turn/store.h>). The expiry is stored last;
// 0: empty.
struct tombstone {
	struct tp_addr remote;
	uint16_t listener_id;
	uint16_t reserved;
	uint8_t txid[12];
	_Atomic uint32_t until_s;
};
TP_ASSERT_SIZE(struct tombstone, 40);

// A reservation (<turn/store.h>). The expiry is stored last; 0: empty.
struct reservation {
	_Atomic uint32_t expires_s;
	uint32_t secret_id;
	uint8_t token[TURN_TOKEN_LEN];
	uint8_t txid[12];
	// The block of a user name longer than RECORD_NAME_INLINE, else 0.
	uint32_t name_block;
	uint16_t relay_id;
	uint16_t port;
	uint16_t realm_id;
	uint16_t username_len;
	uint8_t identity_kind;
	_Atomic uint8_t used;
	uint8_t reserved[6];
	uint8_t username[RECORD_NAME_INLINE];
};
TP_ASSERT_SIZE(struct reservation, 112);

// The counters of a slot when it was last filled or folded: its usage counts from there.
struct usage_base {
	uint64_t packets;
	uint64_t octets;
};
TP_ASSERT_SIZE(struct usage_base, 16);

// Records, and blocks for names, beyond those of the allocations: an allocation that moves or has
// another owner has its next one before it gives the last one back, one that moves then needs two.
#define RECORDS_SPARE 3u

struct private_header {
	struct tp_file_header file;
	struct tables_secrets secrets;
	uint64_t state_id;    // created_ns of the state file that the bases refer to; 0: none yet
	uint64_t records_off; // struct record [n_records]
	uint64_t names_off;   // [n_names][NAME_BLOCK_SIZE]
	uint64_t bases_off;   // struct usage_base [n_entries]
	uint32_t n_records;
	uint32_t n_names;
	uint64_t cooldowns_off; // uint16_t [n_port_indexes][65536], by relayed port: second, of its
				// low 16 bits, until which the port rests; 0: it never did
	uint64_t tombstones_off;   // struct tombstone [n_tombstones]
	uint32_t n_tombstones;	   // a ring: the oldest is overwritten
	uint32_t n_reservations;   // number 0 is never used
	uint64_t reservations_off; // struct reservation [n_reservations]
	uint32_t charging;	   // 1: usage is charged to budgets, all of it up to the last pass
	uint32_t reserved_word;
	uint64_t reserved[6];
};
TP_ASSERT_SIZE(struct private_header, 512);

struct private_file {
	struct shm_file file;
	struct private_header *header;
	struct record *records;
	uint8_t *names;
	struct usage_base *bases;
	_Atomic uint16_t *cooldowns;
	struct tombstone *tombstones;
	struct reservation *reservations;
	uint32_t n_records;
	uint32_t n_names;
	uint32_t n_port_indexes;
	uint32_t n_tombstones;
	uint32_t n_reservations;
};

// Octets of the file.
uint64_t tables_private_size(uint32_t n_allocations, uint32_t n_entries, uint32_t n_port_indexes);

// Secrets are random. Published by the caller, before the tables.
int tables_private_create(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err);
int tables_private_open(struct private_file *f, const struct shm_place *p,
	const struct shm_tables *tables, struct shm_error *err);
void tables_private_close(struct private_file *f);
