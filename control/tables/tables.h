// SPDX-License-Identifier: BSD-3-Clause
// The writer's body, for the files of this library only.
#pragma once

#include <core/template.h>
#include <tables/writer.h>

#include "pool.h"
#include "private.h"

// What an entry slot is to the writer.
#define SLOT_IDLE   0u // free, or retired by a recovery scan: nothing to account for
#define SLOT_LIVE   1u // published
#define SLOT_ENDING 2u // unpublished, its last packets are being counted

// Neighbours of an entry in the ring of its allocation's permissions and channels; the ALLOCATION
// entry itself is the ring's head. PEER entries hang on their CHANNEL.
struct link {
	uint32_t prev;
	uint32_t next;
};

struct hop {
	uint32_t references;
	uint32_t next;	   // chain of the hash
	uint64_t lease_ns; // wanted until then, and in hop_table.leases; 0: not leased
	uint32_t life;	   // raised when the slot is given up
	bool used;	   // in the hash
};

// Where packets to a destination went when it was asked last: the kernel's routes are looked up
// seven times per set-up, for two destinations.
struct hop_memo {
	struct tp_addr dst; // port 0; family 0: none
	uint32_t slot;
	uint32_t life;	// of the slot then
	uint32_t epoch; // of the routes then
};

#define HOP_MEMOS    1024u // a power of two

#define LEASES_MAX   1024u
#define LEASE_NS     (30 * TP_NS_PER_S)

// Own IP addresses, internal and external: at most half of the slots are used.
#define OWN_SLOTS    (4u * TP_LOCALS_MAX)
#define OWN_EXTERNAL 0x8000u // the slot is for the id's external address

// Next-hop slots by neighbour.
struct hop_table {
	struct pool pool;
	struct hop *hops;  // [n_next_hops]
	uint32_t *buckets; // heads of chains
	uint32_t mask;
	uint8_t key[16];
	uint32_t leases[LEASES_MAX];
	uint32_t n_leases;
	uint32_t n_used;
	uint32_t epoch; // raised when routes change
	struct hop_memo memos[HOP_MEMOS];
	uint32_t cursor; // next entry to resolve anew; 0: none
	bool again;	 // routes changed meanwhile: once more from the start
};

struct tables {
	struct tables_env env;
	struct shm_place place;
	struct shm_tables shm;
	struct private_file priv;
	struct shm_state state_view;
	const struct shm_state *state; // of the data plane; NULL: none

	struct tp_local locals[TP_LOCALS_MAX]; // as in the segment
	uint32_t local_references[TP_LOCALS_MAX];
	uint32_t local_tags[TP_LOCALS_MAX]; // of RETIRED ones without references
	bool local_resting[TP_LOCALS_MAX];  // local_tags is set
	uint16_t local_ids[TP_LOCALS_MAX];  // those in use, n_locals of them
	uint32_t n_locals;
	uint32_t n_local_retired;
	uint16_t own_ids[OWN_SLOTS]; // hash of own IP addresses, by linear probing: id, or with
				     // OWN_EXTERNAL; 0: empty

	struct pool entries;
	struct pool buckets; // overflow
	struct pool records;
	struct pool names;
	uint32_t tomb_next;  // where the next one goes
	uint8_t *slot_state; // [n_entries]
	struct link *links;  // [n_entries]
	struct hop_table hop;

	uint64_t asked_ns; // when the last grace period was asked for
	uint64_t open_ns;  // since when the open one waits
	uint32_t n_allocations, n_permissions, n_channels;
	uint64_t full;
	bool settled; // references are counted: created, or recovered
};

static inline struct tp_entry *entry_of(const struct tables *t, uint32_t slot)
{
	return &t->shm.entries[slot];
}

static inline struct record *record_of(const struct tables *t, uint32_t allocation)
{
	return &t->priv.records[atomic_load_explicit(
		&entry_of(t, allocation)->partner, memory_order_relaxed)];
}

// Whether `ref` is a live entry of the kind: references come from the caller.
static inline bool ref_is(const struct tables *t, uint32_t ref, uint8_t kind)
{
	return ref != 0 && ref < t->shm.table.n_entries && t->slot_state[ref] == SLOT_LIVE &&
	       entry_of(t, ref)->key.kind == kind;
}

// ---- bucket.c: the table's own chains ----

// Fills the slot and publishes it. -ENOSPC, with nothing published, when the chain cannot grow.
int bucket_insert(struct tables *t, uint32_t slot, const struct tp_entry *content);
// Fills `fresh` and swaps it for `old`, whose key is the same.
void bucket_replace(struct tables *t, uint32_t old, uint32_t fresh, const struct tp_entry *content);
// Unpublishes; an overflow bucket that became empty is unlinked and retired.
void bucket_remove(struct tables *t, uint32_t slot);

// ---- grace.c: slots and grace periods ----

// A slot for an entry, 0 when the pool is empty.
uint32_t slot_take(struct tables *t);
// Gives back a slot that was never published.
void slot_give(struct tables *t, uint32_t slot);
// After unpublishing: free when no reader can see it.
void slot_retire(struct tables *t, uint32_t slot);
uint32_t bucket_take(struct tables *t);
void bucket_retire(struct tables *t, uint32_t bucket);
// The tag of what is retired now.
uint32_t grace_tag(const struct tables *t);
// Frees at most `budget` of the slots that no reader can see any more; returns how many.
unsigned grace_reap(struct tables *t, unsigned budget);
#define REAP_PORTION 256u

// ---- content.c: what an entry holds ----

struct content_request {
	const struct tp_entry *allocation; // published, for all kinds but ALLOCATION
	uint32_t allocation_slot;
	uint16_t number; // channel
	struct tp_addr peer;
	uint32_t expires_s;	  // of the channel, of the permission
	uint32_t other_expires_s; // channels: of the permission
};

// Which relay slot of the allocation serves the family, or -EINVAL.
int content_relay_slot(const struct tables *t, const struct tp_entry *allocation, uint8_t family);
int content_allocation(const struct tables *t, uint32_t slot, uint32_t record,
	const struct turn_allocation_record *rec, struct tp_entry *out);
int content_permission(
	const struct tables *t, const struct content_request *req, struct tp_entry *out);
// Of a channel's two entries; partners are set by the caller.
int content_channel(const struct tables *t, const struct content_request *req,
	struct tp_entry *channel, struct tp_entry *peer);
// Where packets built from the entry go, as its header says; the port of a PERMISSION is 0.
struct tp_addr content_destination(const struct tp_entry *e);
// Whether a published entry holds what it should.
bool content_same(const struct tp_entry *published, const struct tp_entry *content);

// ---- record.c: private records ----

// Takes a record (and a name block) and fills it; its state stays FREE. 0: none is left.
uint32_t record_take(struct tables *t, uint32_t entry, const struct turn_allocation_record *rec);
void record_give(struct tables *t, uint32_t record);
void record_read(const struct tables *t, uint32_t allocation, struct turn_allocation_record *rec);

// ---- rest.c: what has ended ----

void rest_port(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s);
void rest_tomb(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s);
void rest_visit(struct tables *t, const struct tables_visitor *v);

// ---- usage.c ----

// A slot that nobody counts in begins a new life.
void usage_begin(struct tables *t, uint32_t slot);
// Moves what was counted since into the allocation's record.
void usage_fold(struct tables *t, uint32_t slot);

// ---- hop.c ----

int hop_table_init(struct hop_table *h, uint32_t n_slots);
void hop_table_fini(struct hop_table *h);
// The slot for packets to dst, with one reference more; 0 without a route or a free slot.
uint32_t hop_acquire(struct tables *t, const struct tp_addr *dst);
void hop_release(struct tables *t, uint32_t slot);
// Recovery: slots that the last writer had in use become known, without references.
void hop_import(struct tables *t);
// Recovery: the entry's next hop, resolved anew where it can be, gets its reference.
void hop_adopt(struct tables *t, uint32_t entry);
// Recovery, at the end: what nobody refers to is retired.
void hop_settle(struct tables *t);
void hop_reap(struct tables *t, uint32_t gp_done);
void hop_advance(struct tables *t, uint64_t now_ns);
uint64_t hop_deadline(const struct tables *t, uint64_t now_ns);

// ---- local.c ----

void local_reference(struct tables *t, uint16_t id);
void local_unreference(struct tables *t, uint16_t id);
// The local of a role, NULL when the id is not configured so.
const struct tp_local *local_of(const struct tables *t, uint16_t id, uint8_t role);
// Whether the IP address is one of ours; *relay_id is that of the relay address, 0 if it is none.
bool local_is_own(const struct tables *t, const struct tp_addr *ip, uint16_t *relay_id);
void local_reap(struct tables *t, uint32_t gp_done);
// Recovery, at the end: ids that left the configuration and that nobody refers to begin to rest.
void local_settle(struct tables *t);

// ---- scan.c: the chains as a dead writer left them ----

// Marks what is published in slot_state and in `linked` (a flag per bucket), cuts what contradicts
// itself. Adds to result->corrupt.
void scan_chains(struct tables *t, uint8_t *linked, struct tables_recovery *result);

// ---- store.c: tear-down and links, for recovery too ----

// The index word of a relayed transport address, NULL when its relay has none.
_Atomic uint32_t *port_word(const struct tables *t, const struct tp_entry_relay *relay);

void allocation_end(struct tables *t, uint32_t ref);
void object_end(struct tables *t, uint32_t ref);
void ring_add(struct tables *t, uint32_t allocation, uint32_t object);
// Puts a new slot with the content, of the same key, in the place of a permission, CHANNEL or PEER
// entry; returns it, or 0 when none is free. What changes in place goes along, the next hop's
// reference too.
uint32_t entry_move(struct tables *t, uint32_t i, struct tp_entry *content);
