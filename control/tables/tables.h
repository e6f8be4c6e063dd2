// SPDX-License-Identifier: BSD-3-Clause
// The writer's body, for the files of this library only.
#pragma once

#include <entry/template.h>
#include <tables/writer.h>

#include "pool.h"
#include "private.h"

// States of an entry slot.
#define SLOT_IDLE    0u // free, or retired by a recovery scan: no account to settle
#define SLOT_LIVE    1u // published
#define SLOT_ENDING  2u // unpublished, its last packets are still counted
#define SLOT_AWAITED 3u // ENDING, of a TCP allocation whose last bytes the edge has not told
#define SLOT_KEPT    4u // AWAITED, and no reader can see it any more

// Neighbours of an entry in the ring of its allocation's permissions and channels; the ALLOCATION
// entry itself is the ring's head. PEER entries hang on their CHANNEL.
struct link {
	uint32_t prev;
	uint32_t next;
};

struct hop {
	uint32_t references; // entries in the list
	uint32_t first;	     // entry that names the slot, the others by hop_table.links
	uint32_t next;	     // chain of the hash
	uint64_t lease_ns;   // wanted until then, and in hop_table.leases; 0: not leased
	uint32_t life;	     // raised when the slot is given up
	bool used;	     // in the hash
	// An on-link neighbour that a peer's address brought in and that has not answered yet
	// counts for the allocation and the user who named it.
	bool pending;
	bool failed; // the kernel gave up: the first to go when a bound is reached
	uint16_t user;
	uint32_t allocation;
	uint32_t generation; // of the allocation's slot
};

// On-link neighbours without an answer: of one allocation, of one user, and the share of all slots.
// The last eighth of the slots is for clients.
#define PENDING_PER_ALLOCATION 16u
#define PENDING_PER_USER       128u
#define PENDING_SHARE	       4u
#define CLIENTS_SHARE	       8u
#define PENDING_USERS	       4096u // counters, by hash of the user; a power of two

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
	struct link *links;	 // [n_entries], neighbours in the list of the entry's slot; 0: end
	uint8_t *pending;	 // [n_entries], by ALLOCATION entry
	uint16_t *pending_users; // [PENDING_USERS]
	uint32_t n_pending;
	uint32_t n_failed;
	uint32_t leases[LEASES_MAX];
	uint32_t n_leases;
	uint32_t n_used;
	uint32_t epoch; // raised when routes change
	struct hop_memo memos[HOP_MEMOS];
	uint32_t cursor; // next entry to resolve anew; 0: none
	bool again;	 // routes changed meanwhile: once more from the start
};

// Entries by the network of their destination: heads of lists, neighbours of an entry in its list.
struct destinations {
	uint32_t *heads;
	struct link *links; // [n_entries]; 0: end
};

// The sets of ports, of which permissions with the same ports share one.
struct port_sets {
	struct pool pool;
	uint32_t *references; // [n_port_sets]
	uint64_t *hashes;     // of those with references
};

// Ended TCP allocations in SLOT_KEPT, by `links` of the tables.
struct last {
	uint32_t heads[2]; // 0: empty
	uint64_t turned_ns;
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
	struct pool reservations;
	struct port_sets port_sets;
	struct pool limits;
	struct tables_limit_usage *limit_bases; // [n_limits], the counters when a slot was taken
	uint32_t tombstone_next;		// where the next one goes
	uint8_t *slot_state;			// [n_entries]
	struct link *links;			// [n_entries]
	struct hop_table hop;
	struct destinations destinations; // of the live entries that need a next hop
	struct last last;

	uint64_t asked_ns; // when the last grace period was asked for
	uint64_t open_ns;  // since when the open one waits
	uint32_t n_allocations, n_permissions, n_channels;
	uint64_t full;
	uint64_t full_of_cells; // of these, while entries are free whose cells are not ready
	bool settled;		// references are counted: created, or recovered
};

// Gives an entry that is not published yet its limit, and the flag that goes with it.
static inline void tables_limit_init(struct tp_entry *content, uint32_t number)
{
	uint8_t flags = atomic_load_explicit(&content->flags, memory_order_relaxed) &
			(uint8_t)~TP_ENTRY_LIMITED;

	atomic_init(&content->limit, number);
	atomic_init(&content->flags, number != 0 ? flags | TP_ENTRY_LIMITED : flags);
}

static inline struct tp_entry *entry_of(const struct tables *t, uint32_t slot)
{
	return &t->shm.entries[slot];
}

static inline struct record *record_of(const struct tables *t, uint32_t allocation)
{
	return &t->priv.records[atomic_load_explicit(
		&entry_of(t, allocation)->partner, memory_order_relaxed)];
}

// A user name: in its record, or in the block that the record names.
static inline uint8_t *name_of(const struct tables *t, uint32_t block, uint8_t *inlined)
{
	return block != 0 ? t->priv.names + (size_t)block * NAME_BLOCK_SIZE : inlined;
}

// Whether `ref` is a live entry of the kind: references come from the caller.
static inline bool ref_is(const struct tables *t, uint32_t ref, uint8_t kind)
{
	return ref != 0 && ref < t->shm.table.n_entries && t->slot_state[ref] == SLOT_LIVE &&
	       entry_of(t, ref)->key.kind == kind;
}

// ---- bucket.c: the table's own chains ----

// Fills the slot and publishes it. -ENOSPC, with nothing published, when the chain cannot grow.
int tables_bucket_insert(struct tables *t, uint32_t slot, const struct tp_entry *content);
// Fills `fresh` and swaps it for `old`, whose key is the same.
void tables_bucket_replace(
	struct tables *t, uint32_t old, uint32_t fresh, const struct tp_entry *content);
// Unpublishes; an overflow bucket that became empty is unlinked and retired.
void tables_bucket_remove(struct tables *t, uint32_t slot);

// ---- grace.c ----

// The tag for slots retired now.
uint32_t tables_grace_tag(const struct tables *t);
// The last request whose grace period has passed. There must be a state file.
uint32_t tables_grace_done(const struct tables *t);
// Whether a request waits for the data plane.
bool tables_grace_is_open(const struct tables *t);
void tables_grace_ask(struct tables *t);

// ---- cells.c ----

// Entries from `fresh` on were never used. 1: new tables, not published.
void tables_cells_begin(struct tables *t, uint32_t fresh);
// Follows the data plane: entries whose cells have become ready may be taken; asks for more.
void tables_cells_look(struct tables *t);

// ---- slots.c ----

// A slot for an entry, 0 when the pool is empty.
uint32_t tables_slot_take(struct tables *t);
// Gives back a slot that was never published.
void tables_slot_give(struct tables *t, uint32_t slot);
// After unpublishing: free when no reader can see it.
void tables_slot_retire(struct tables *t, uint32_t slot);
// No reader can see the slot any more: its account is settled.
void tables_slot_free(struct tables *t, uint32_t slot);
// Frees at most `budget` of the slots that no reader can see any more, and all such next hops and
// local addresses; returns how many slots became free.
unsigned tables_slots_reap(struct tables *t, unsigned budget);
#define REAP_PORTION 256u

// ---- last.c: the last bytes of TCP allocations ----

// Whether the unpublished entry is that of an allocation whose last bytes the edge will tell.
bool tables_last_is_due(const struct tables *t, uint32_t slot);
// Keeps the slot, which is AWAITED.
void tables_last_keep(struct tables *t, uint32_t slot);
// Of the store.
void tables_allocation_last(
	void *ctx, uint32_t ref, const struct tp_addr *local, uint64_t to_peer, uint64_t to_client);
// Gives one up, of the older ones where there are any; false: none waits.
bool tables_last_give_up(struct tables *t);
// Gives up those that have waited too long.
void tables_last_advance(struct tables *t, uint64_t now_ns);
// UINT64_MAX: none waits.
uint64_t tables_last_deadline(const struct tables *t);
void tables_last_end_all(struct tables *t);

// ---- content.c: the content of an entry ----

struct content_request {
	const struct tp_entry *allocation; // published, for all kinds but ALLOCATION
	uint32_t allocation_slot;
	uint16_t number; // channel
	struct tp_addr peer;
	uint32_t expires_s;	  // of the channel, of the permission
	uint32_t other_expires_s; // channels: of the permission
	bool removed;		  // channels: the client's listener may have been removed since
};

// Which relay slot of the allocation serves the family, or -EINVAL.
int tables_content_relay_slot(
	const struct tables *t, const struct tp_entry *allocation, uint8_t family);
int tables_content_allocation(const struct tables *t, uint32_t slot, uint32_t record,
	const struct turn_allocation_record *rec, struct tp_entry *out);
int tables_content_permission(
	const struct tables *t, const struct content_request *req, struct tp_entry *out);
// The word with a permission's expiry. Of a TCP allocation it is other_expires_s: to the packet
// path its permissions are over, so that no datagram is relayed; peers connect, and the TURN server
// looks.
_Atomic uint32_t *tables_permission_expiry(const struct tables *t, struct tp_entry *e);
// The content of a channel's two entries; partners are set by the caller.
int tables_content_channel(const struct tables *t, const struct content_request *req,
	struct tp_entry *channel, struct tp_entry *peer);
// Where packets built from the entry go, as its header says; the port of a PERMISSION is 0.
struct tp_addr tables_content_destination(const struct tp_entry *e);
// Whether packets built from the entry leave by a next hop: the peer is not ourselves, and the
// client came by UDP.
bool tables_entry_needs_hop(const struct tp_entry *e);
// The relay address that a hairpin entry's peer is, else 0.
static inline uint16_t entry_hairpin_id(const struct tp_entry *e)
{
	return (e->flags & TP_ENTRY_HAIRPIN) != 0 ? e->hairpin_relay_id : 0;
}
// Whether a published entry has the expected content.
bool tables_content_same(const struct tp_entry *published, const struct tp_entry *content);

// ---- record.c: private records ----

// Takes a record (and a name block) and fills it; its state stays FREE. 0: none is left.
// Which of `n` (a power of two) the allocation's user falls to.
uint32_t tables_record_user(const struct tables *t, uint32_t allocation, uint32_t n);
uint32_t tables_record_take(
	struct tables *t, uint32_t entry, const struct turn_allocation_record *rec);
// Gives a filled record what the allocation has of its old one beyond the user, and its state.
void tables_record_succeed(struct tables *t, uint32_t record, uint32_t old);
void tables_record_give(struct tables *t, uint32_t record);
void tables_record_read(
	const struct tables *t, uint32_t allocation, struct turn_allocation_record *rec);

// ---- cooldown.c: after the end ----

void tables_port_cooldown(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s);
void tables_tombstone_add(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s);
void tables_cooldown_visit(struct tables *t, const struct tables_visitor *v);

// ---- reservation.c ----

int tables_reservation_add(void *ctx, const struct turn_reservation_record *rec, uint32_t *ref);
void tables_reservation_use(void *ctx, uint32_t ref);
void tables_reservation_del(void *ctx, uint32_t ref);
// Recovery: fills the pool too.
void tables_reservations_visit(struct tables *t, const struct tables_visitor *v);

// ---- usage.c ----

// A slot that nobody counts in begins a new life.
void tables_usage_begin(struct tables *t, uint32_t slot);
// Moves the counts since then into the allocation's record.
void tables_usage_fold(struct tables *t, uint32_t slot);

// ---- destination.c ----

int tables_destinations_init(struct destinations *d, uint32_t n_entries);
void tables_destinations_fini(struct destinations *d);
void tables_destination_add(struct tables *t, uint32_t entry);
// False for an entry that was never added.
bool tables_destination_remove(struct tables *t, uint32_t entry);
// Visits the entries whose destination is in the prefix. False, with none visited, for a prefix so
// short (by more than DESTINATION_BITS below /24, /64) that a walk over all entries is as good.
bool tables_destinations_visit(struct tables *t, const struct tp_addr *prefix, unsigned len,
	void (*visit)(struct tables *t, uint32_t entry));
#define DESTINATION_BITS 8u

// ---- hop.c ----

int tables_hop_table_init(struct hop_table *h, uint32_t n_slots, uint32_t n_entries);
void tables_hop_table_fini(struct hop_table *h);
// Recovery: slots that the last writer had in use become known, without references.
void tables_hop_import(struct tables *t);
// Recovery, at the end: retires unreferenced hops.
void tables_hop_settle(struct tables *t);
// Returns how many slots became free.
unsigned tables_hop_reap(struct tables *t, uint32_t gp_done);
void tables_hop_advance(struct tables *t, uint64_t now_ns);
uint64_t tables_hop_deadline(const struct tables *t, uint64_t now_ns);

// ---- egress.c ----

// Finds the next hop of a new entry, whose content leads to it, and counts it in. -ENOSPC: a bound
// is reached, or no slot is free; without a route the entry has none (0).
int tables_hop_acquire(struct tables *t, uint32_t entry, struct tp_entry *content);
void tables_hop_release(struct tables *t, uint32_t entry, uint32_t slot);
// The entry `to` takes the place of `from`, with the same slot.
void tables_hop_move(struct tables *t, uint32_t from, uint32_t to);
// Looks again for an entry that lost its next hop.
void tables_hop_renew(struct tables *t, uint32_t entry);
// Recovery: the entry's next hop, resolved anew where it can be, gets its reference.
void tables_hop_adopt(struct tables *t, uint32_t entry);

// ---- limit.c: the store's limits ----

// All slots are free.
void tables_limits_fill(struct tables *t);
uint32_t tables_limit_add(void *ctx, const struct turn_limit *limit);
uint64_t tables_limit_octets(void *ctx, uint32_t number);
void tables_limit_set(void *ctx, uint32_t number, const struct turn_limit *limit);
void tables_limit_del(void *ctx, uint32_t number);
void tables_allocation_limit(void *ctx, uint32_t ref, uint32_t number);
void tables_allocation_octets(void *ctx, uint32_t ref, uint64_t to_peer, uint64_t to_client);
// Gives one published entry its limit, and the flag that goes with it.
void tables_entry_limit(struct tp_entry *e, uint32_t number);
// The counters of a slot, of all its users so far.
struct tables_limit_usage tables_limit_sum(const struct tables *t, uint32_t number);

// ---- local.c ----

void tables_local_reference(struct tables *t, uint16_t id);
void tables_local_unreference(struct tables *t, uint16_t id);
// The local of a role, NULL when the id is not configured so.
const struct tp_local *tables_local_of(const struct tables *t, uint16_t id, uint8_t role);
// Whether the IP address is one of ours; *relay_id is that of the relay address, 0 if it is none.
bool tables_local_is_own(const struct tables *t, const struct tp_addr *ip, uint16_t *relay_id);
void tables_local_reap(struct tables *t, uint32_t gp_done);
// Recovery, at the end: ids that left the configuration and that nobody refers to begin to rest.
void tables_local_settle(struct tables *t);

// ---- ports.c ----

int tables_port_sets_init(struct tables *t);
void tables_port_sets_fini(struct tables *t);
// New files: all sets are free.
void tables_port_sets_fill(struct tables *t);
// Recovery: counts the references of live permissions. Sets without any rest; a word that names no
// set makes its permission expire.
void tables_port_sets_recover(struct tables *t);
unsigned tables_port_sets_reap(struct tables *t, uint32_t gp_done);
// Gives back the sets of a permission that ends.
void tables_ports_release(struct tables *t, uint32_t permission);
// Gives the content of a twin the ports and times of the permission `from`, with references of its
// own; and gives these back. Nothing for a content of another kind.
void tables_ports_share(struct tables *t, uint32_t from, struct tp_entry *content);
void tables_ports_unshare(struct tables *t, const struct tp_entry *content);
int tables_permission_ports(void *ctx, uint32_t ref, const struct tp_port_set *allowed,
	const struct tp_port_set *trial);

// ---- scan.c: the chains as a dead writer left them ----

// Marks published slots in slot_state and in `linked` (a flag per bucket), cuts contradictory ones.
// Adds to result->corrupt.
void tables_scan_chains(struct tables *t, uint8_t *linked, struct tables_recovery *result);

// ---- entry.c: one entry in the table ----

bool tables_key_exists(const struct tables *t, const struct tp_key *key);
// The objects of an allocation are in a ring of links, which begins and ends at the allocation.
void tables_ring_add(struct tables *t, uint32_t allocation, uint32_t object);
void tables_ring_remove(struct tables *t, uint32_t object);
// Before slots are taken: refills empty pools with slots that have become free, or that only wait
// for their last bytes.
void tables_room_make(struct tables *t);
// Counts that no slot is left: -ENOSPC.
int tables_pool_empty(struct tables *t);
// Fills the slot with its next hop and publishes it; on failure the slot is given back.
int tables_entry_add(struct tables *t, uint32_t slot, struct tp_entry *content);
void tables_entry_end(struct tables *t, uint32_t slot);
// Puts a new slot with the content, of the same key, in the place of a permission, CHANNEL or PEER
// entry; returns it, or 0 when none is free. Fields that change in place are carried over, and the
// next hop's reference too.
uint32_t tables_entry_move(struct tables *t, uint32_t i, struct tp_entry *content);

// ---- store.c: tear-down, for recovery too ----

// The index word of a relayed transport address, NULL when its relay has none.
_Atomic uint32_t *tables_port_word(const struct tables *t, const struct tp_entry_relay *relay);
// The index words of the allocation's ports that are `was`.
void tables_ports_set(struct tables *t, const struct tp_entry *e, uint32_t was, uint32_t value);

void tables_allocation_end(struct tables *t, uint32_t ref);

// ---- object.c: the store's functions for permissions and channels -------------------------------

int tables_permission_add(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t *ref);
void tables_permission_refresh(void *ctx, uint32_t ref, uint32_t expires_s);
void tables_permission_del(void *ctx, uint32_t ref);
int tables_channel_add(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t permission_expires_s, uint32_t *ref);
void tables_channel_refresh(
	void *ctx, uint32_t ref, uint32_t expires_s, uint32_t permission_expires_s);
void tables_channel_del(void *ctx, uint32_t ref);
// Tear-down, for recovery too.
void tables_object_end(struct tables *t, uint32_t ref);

// ---- move.c: the store's functions for mobility, and moves under other changes -----------------

int tables_move_begin(
	void *ctx, uint32_t allocation, const struct turn_tuple *client, uint32_t *successor);
void tables_move_cancel(void *ctx, uint32_t allocation);
void tables_move_finish(void *ctx, uint32_t allocation);
uint32_t tables_move_ref(void *ctx, uint32_t ref);
void tables_reconnect(void *ctx, uint32_t allocation, uint64_t connection);
void tables_ticket_set(void *ctx, uint32_t allocation, uint64_t ticket_id, const uint8_t txid[12]);
// The ALLOCATION entry of the second 5-tuple of one that is moving; 0.
uint32_t tables_move_successor(const struct tables *t, uint32_t allocation);
// The entry of the second 5-tuple for a PERMISSION or CHANNEL of the first; 0.
uint32_t tables_move_twin(const struct tables *t, uint32_t ref);
// Makes one. -ENOSPC.
int tables_move_twin_add(struct tables *t, uint32_t successor, uint32_t i);
void tables_move_twin_end(struct tables *t, uint32_t twin);
// Adds the usage, and makes it zero where it was.
void tables_usage_merge(struct record *to, struct record *from);
// Bytes of data connections so far, as the edge counts them.
void tables_octets_raise(struct record *r, uint64_t to_peer, uint64_t to_client);
// Octets of the usage that are not charged; whole KiB alone, or `all`.
uint64_t tables_uncharged(const struct record *r, const struct tables_usage *usage, bool all);
// Names the connection of a published entry.
void tables_connection_set(struct tp_entry *e, uint64_t connection);
