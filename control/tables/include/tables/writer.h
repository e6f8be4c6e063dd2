// SPDX-License-Identifier: BSD-3-Clause
// The single writer of the segment's tables: implements the TURN server's store over them, keeps
// the state for a restarted control process in the private file, and never waits for a grace
// period.
//
// The order at start:
//
//   tables_open           or, when the cause of the failure is stale, tables_create
//   tables_configure      ids for listeners and relay addresses
//   tables_attach_state   when the data plane has made its file; again whenever it makes another
//   tables_recover        after open: hands back the live objects
//   tables_publish        after create
//   tables_advance        from then on, at least when tables_deadline says
//
// Threads: one thread at a time; it is the one that runs the TURN server. Nothing blocks, sleeps or
// logs. Time is CLOCK_BOOTTIME.
#pragma once

#include <shm/segment.h>
#include <turn/store.h>

struct tables;

// Packets and octets (payload as relayed), both ways.
struct tables_usage {
	uint64_t to_peer_packets;
	uint64_t to_peer_octets;
	uint64_t to_client_packets;
	uint64_t to_client_octets;
};

// Services that the tables need. Callbacks must not call back into the tables.
struct tables_env {
	void *ctx;
	// Where packets to `dst` go next: gateway (port 0) or dst itself, and the interface. 0;
	// -ENETUNREACH without a route; -EAGAIN while routes are not known yet: the entry's hop
	// stays, and it is asked again after tables_routes_changed.
	int (*next_hop)(
		void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex);
	// The word for a new slot, 0 while the neighbour is not known (tp_next_hop_pack).
	uint64_t (*neighbour)(void *ctx, const struct tp_addr *gateway, uint32_t ifindex);
	// An allocation has ended and its last packet is counted. `reason` is that of
	// tables_closed, 0 when nobody told. May be NULL.
	void (*ended)(void *ctx, const struct turn_allocation_record *rec, uint32_t ref,
		const struct tables_usage *usage, uint8_t reason);
	// The octets of an allocation that has ended which tables_charge has not handed out, before
	// `ended`. May be NULL.
	void (*rest)(void *ctx, const struct turn_allocation_record *rec, uint64_t octets);
};

// Secrets that outlive the process: random at creation, in the private file only (nonce_key and
// punt_key: also with the data plane).
struct tables_secrets {
	uint8_t nonce_key[16];
	uint8_t punt_key[16];
	// Key of the tags by which a record recognises the addresses that a client was told.
	uint8_t advertised_key[16];
	// Raw bytes for a made-up REST secret where none is configured.
	uint8_t rest_secret[32];
	// Key of mobility tickets.
	uint8_t ticket_key[32];
	// As random as the others: keys to come need no new layout.
	uint8_t spare[16];
};

// ---- life -------------------------------------------------------------------------------------

// New tables and private file, not visible before tables_publish. `shape` is clamped, not checked
// against the configuration: the caller's capacities.
int tables_create(struct tables **out, const struct shm_place *place,
	const struct shm_tables_shape *shape, const struct tables_env *env, struct shm_error *err);
int tables_publish(struct tables *t, struct shm_error *err);

// The tables of an earlier process. When err->cause is stale (shm_cause_is_stale), create new ones.
int tables_open(struct tables **out, const struct shm_place *place, const struct tables_env *env,
	struct shm_error *err);

// The worse fate of the two files' names; gives back a name that is gone.
enum shm_fate tables_fate(const struct tables *t);
// Leaves the files as they are: the data plane goes on with them. NULL is fine.
void tables_destroy(struct tables *t);

const struct shm_tables *tables_shm(const struct tables *t);
const struct tables_secrets *tables_secrets(const struct tables *t);
// For measurements, before tables_publish: every data plane makes memory for all counters at its
// start, so that entries may be taken before there is one.
void tables_cells_all(struct tables *t);
// Entries for whose counters a data plane makes memory at its start, in new tables.
uint32_t tables_cells_first(uint32_t n_entries);
// Octets of the private file that goes with tables of this shape.
uint64_t tables_private_octets(const struct shm_tables_shape *shape);

// A listener or relay address of the configuration.
struct tables_local {
	struct tp_addr addr;	 // relay: port 0
	struct tp_addr external; // equal to addr without a mapping
	uint8_t role;		 // TP_ROLE_LISTENER or TP_ROLE_RELAY
	uint8_t transport;	 // listeners: TP_TRANSPORT_*; relays: 0, or TP_TRANSPORT_TCP
	uint16_t realm_id;	 // listeners; 0: not bound to a realm
	uint16_t flags;		 // TP_LOCAL_*
	uint16_t id;		 // out
};

// Settles ids and the packet path's configuration; path->nonce_key and path->punt_key are filled in
// from the secrets. An address keeps its id as long as it is configured; the id of one that left
// rests until nothing refers to it and a grace period has passed. -ENOSPC: no id or no port index
// left (new tables are needed); err says which address.
int tables_configure(struct tables *t, struct tables_local *locals, size_t n,
	const struct tp_path_config *path, struct shm_error *err);

// The same one by one, at run time. An address that was removed and comes back before its id was
// given to another keeps the id. Adding one that is there changes its external address, realm and
// flags. -ENOSPC as above, with nothing changed.
int tables_local_add(struct tables *t, struct tables_local *local, struct shm_error *err);
// The data plane stops taking packets for the address. Its allocations are the caller's to end in
// the TURN server, which has references to them: tables_local_user finds them. The id and the array
// of ports are given out again when no entry names the id and a grace period has passed. -ENOENT.
int tables_local_remove(struct tables *t, uint16_t id);
// An allocation whose listener or relay address has this id, from entry *cursor on (start with 0),
// 0 when the next `budget` entries hold none. *cursor is 0 when the last entry was looked at.
uint32_t tables_local_user(const struct tables *t, uint16_t id, uint32_t *cursor, unsigned budget);
// Changes the packet path's configuration alone.
void tables_path_set(struct tables *t, const struct tp_path_config *path);

// The live objects of the tables, handed to the TURN server: allocation first, then its
// permissions, then its channels. A negative return value removes the object (and all that is in
// it).
struct tables_visitor {
	void *ctx;
	// How many allocations come; first. May be NULL.
	void (*expect)(void *ctx, uint32_t allocations);
	int (*allocation)(void *ctx, const struct turn_allocation_record *rec, uint32_t ref);
	int (*permission)(void *ctx, uint32_t allocation, const struct tp_addr *peer,
		uint32_t expires_s, uint32_t ref);
	int (*channel)(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
		uint32_t expires_s, uint32_t ref);
	// A second 5-tuple that an allocation was moving to, after all allocations: the tables have
	// taken it away, the caller may begin the move anew. May be NULL.
	int (*move)(void *ctx, uint32_t allocation, const struct turn_tuple *client);
	// A leg's path MTU that is known, after the object; `peer` NULL: the leg to the client. May
	// be NULL.
	void (*path_mtu)(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu);
	// The last records of ports and tombstones; tombstones oldest first, with their original
	// times, but only the low 16 bits of a port's time are known. Either may be NULL.
	void (*port_cooldown)(void *ctx, uint16_t relay_id, uint16_t port, uint16_t until_s);
	void (*tombstone)(void *ctx, const struct turn_tuple *client, const uint8_t txid[12],
		uint32_t until_s);
	// Reservations, after the allocations and before the ports; a negative return value removes
	// one. NULL removes all.
	int (*reservation)(void *ctx, const struct turn_reservation_record *rec, uint32_t ref);
};

struct tables_recovery {
	uint32_t allocations; // handed back and kept
	uint32_t permissions;
	uint32_t channels;
	uint32_t removed; // entries unpublished: half made, half torn down, address gone, refused
	uint32_t corrupt; // of these, entries or links that contradicted themselves
	uint32_t rebuilt; // entries replaced because the configuration changed
	uint32_t retired; // slots that wait for a grace period before they are free
};

// Once, after tables_open and tables_configure. Killed half-way it can be run again. -ENOMEM.
int tables_recover(
	struct tables *t, const struct tables_visitor *visitor, struct tables_recovery *result);

// ---- the store --------------------------------------------------------------------------------

// The TURN server's store. A `ref` is the index of the ALLOCATION, PERMISSION or CHANNEL entry.
// Beside the errors of <turn/store.h>: -EINVAL for an id that is not configured or a peer of a
// family that the allocation has no address of.
struct turn_store tables_store(struct tables *t);

// Why an allocation ended that was deleted just now: handed to env.ended, after a restart too.
void tables_closed(struct tables *t, uint32_t ref, uint8_t reason);
// Without a data plane, at the end of the process: tells the end of those that still wait for a
// grace period, which nobody will grant.
void tables_end_all(struct tables *t);

// All of an allocation's packets so far, those of ended permissions and channels included.
int tables_allocation_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage);
// The octets, both ways, of an allocation since the last call with it, for its user's budget: whole
// KiB, the rest comes with a later call or by env.rest. 0 where there is no such allocation.
uint64_t tables_charge(struct tables *t, uint32_t ref);
// Takes the octets so far for charged, however many there are: before the first call of
// tables_charge, and after a time in which there was none.
void tables_charge_skip(struct tables *t, uint32_t ref);
// Whether a data plane's counters are attached. Without them usage may be too low.
bool tables_counters_are_there(const struct tables *t);
// Whether all allocations are charged, kept for the next process. False in new tables.
bool tables_is_charging(const struct tables *t);
void tables_charging_set(struct tables *t, bool charging);

// Packets of an allocation under a cap, both ways, since it has been under one in this run of the
// process.
struct tables_limit_usage {
	uint64_t packets; // that passed, and their octets
	uint64_t octets;
	uint64_t marked; // of these, marked CE
	uint64_t dropped;
};
// -ENOENT: there is no such allocation, or no cap concerns it.
int tables_limit_usage(const struct tables *t, uint32_t ref, struct tables_limit_usage *usage);
// Usage of one permission (Send indications) or channel (both directions).
int tables_object_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage);

// ---- grace periods and counters ---------------------------------------------------------------

// The data plane's file, mapped for reading by the caller; NULL: none. The mapping must stay until
// the next call of this function returns (the old one's counters are taken over then); the struct
// is copied. Without it nothing that was retired becomes free.
void tables_attach_state(struct tables *t, const struct shm_state *state);

// Frees slots whose grace period has passed, requests another one, and continues work under way
// (routes, leases).
void tables_advance(struct tables *t, uint64_t now_ns);
// When to call tables_advance next; UINT64_MAX: nothing is under way.
uint64_t tables_deadline(const struct tables *t, uint64_t now_ns);

struct tables_counts {
	uint32_t allocations;
	uint32_t permissions;
	uint32_t channels;
	uint32_t entries; // that the tables have room for
	uint32_t entries_free;
	uint32_t entries_ready;	  // of these, entries whose counters have memory
	uint32_t entries_retired; // waiting for a grace period
	uint32_t overflow_buckets;
	uint32_t overflow_free;
	uint32_t next_hops;
	uint32_t next_hops_used;
	uint64_t grace_open_ns; // age of the open request; 0: none is open
	uint64_t full;		// times that an _add call found a pool empty
	// Of these, times that entries were free and the data plane had no memory for their
	// counters.
	uint64_t full_of_cells;
};
void tables_get_counts(const struct tables *t, uint64_t now_ns, struct tables_counts *c);

// ---- next hops --------------------------------------------------------------------------------

// The slot of a neighbour, 0 when nothing uses it: that of net's events.
uint32_t tables_next_hop_find(
	const struct tables *t, const struct tp_addr *gateway, uint32_t ifindex);
// One 64-bit store: a gateway's new MAC for all its entries.
void tables_next_hop_set(struct tables *t, uint32_t slot, uint64_t word);
// The kernel asked for the neighbour and nobody answered. One that a peer's address brought in and
// that never answered loses its slot when its user, or all together, reach their bound.
void tables_next_hop_failed(struct tables *t, uint32_t slot);
// Has the data plane ask the kernel for the neighbour again: the kernel forgot it or gave it up.
void tables_next_hop_ask(struct tables *t, uint32_t slot);
// Routes changed (or became known): every entry is resolved again, by portions in tables_advance.
void tables_routes_changed(struct tables *t);
// The same of one route: the entries whose destination is in its prefix, at once.
void tables_route_changed(struct tables *t, const struct tp_addr *prefix, unsigned len);
// A slot for packets of the control process itself to `dst`, wanted for 30 s from now. 0 without a
// route, or when too many strangers are being answered.
uint32_t tables_next_hop_lease(struct tables *t, uint64_t now_ns, const struct tp_addr *dst);

struct tables_next_hop {
	uint32_t slot;
	struct tp_addr addr;
	uint32_t ifindex;
	uint32_t references; // entries that name it
	bool wanted;
	bool pending;  // a peer's own address on a link, which has not answered so far
	uint64_t word; // 0: not resolved
};
// Walks the slots in use: start with *cursor = 0; false at the end.
bool tables_next_hop_next(const struct tables *t, uint32_t *cursor, struct tables_next_hop *out);
