// SPDX-License-Identifier: BSD-3-Clause
// The single writer of the segment's tables: implements the TURN server's store over them, keeps
// what a restarted control process needs in the private file, and never waits for a grace period.
//
// The order at start:
//
//   tables_open           or, when the cause of the failure is stale, tables_create
//   tables_configure      ids for listeners and relay addresses
//   tables_attach_state   when the data plane has made its file; again whenever it makes another
//   tables_recover        after open: hands back what lives
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

// What the tables ask of their surroundings. Callbacks must not call back into the tables.
struct tables_env {
	void *ctx;
	// Where packets to `dst` go next: gateway (port 0) or dst itself, and the interface. 0;
	// -ENETUNREACH without a route; -EAGAIN while routes are not known yet: what an entry has
	// stays, and it is asked again after tables_routes_changed.
	int (*next_hop)(
		void *ctx, const struct tp_addr *dst, struct tp_addr *gateway, uint32_t *ifindex);
	// The word for a new slot, 0 while the neighbour is not known (tp_next_hop_pack).
	uint64_t (*neighbour)(void *ctx, const struct tp_addr *gateway, uint32_t ifindex);
	// An allocation has ended and its last packet is counted. `reason` is that of
	// tables_closed, 0 when nobody told. May be NULL.
	void (*ended)(void *ctx, const struct turn_allocation_record *rec, uint32_t ref,
		const struct tables_usage *usage, uint8_t reason);
};

// Secrets that outlive the process: random at creation, in the private file only (punt_key: also
// with the data plane).
struct tables_secrets {
	uint8_t nonce_key[16];
	uint8_t punt_key[16];
	uint8_t ticket_key[32];
	uint8_t reservation_key[32];
	uint8_t rest_secret[32]; // raw octets for a made-up REST secret where none is configured
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

// Leaves the files as they are: the data plane goes on with them. NULL is fine.
void tables_destroy(struct tables *t);

const struct shm_tables *tables_shm(const struct tables *t);
const struct tables_secrets *tables_secrets(const struct tables *t);
// Octets of the private file that goes with tables of this shape.
uint64_t tables_private_octets(const struct shm_tables_shape *shape);

// A listener or relay address of the configuration.
struct tables_local {
	struct tp_addr addr;	 // relay: port 0
	struct tp_addr external; // equal to addr without a mapping
	uint8_t role;		 // TP_ROLE_LISTENER or TP_ROLE_RELAY
	uint8_t transport;	 // TP_TRANSPORT_UDP for listeners
	uint16_t id;		 // out
};

// Settles ids and the packet path's configuration; path->punt_key is filled in from the secrets. An
// address keeps its id as long as it is configured; the id of one that left rests until nothing
// refers to it and a grace period has passed. -ENOSPC: no id or no port index left (new tables are
// needed); err says which address.
int tables_configure(struct tables *t, struct tables_local *locals, size_t n,
	const struct tp_path_config *path, struct shm_error *err);

// What lives in the tables, handed to the TURN server: allocation first, then its permissions, then
// its channels. A negative return value removes the object (and all that is in it).
struct tables_visitor {
	void *ctx;
	// How many allocations come; first. May be NULL.
	void (*expect)(void *ctx, uint32_t allocations);
	int (*allocation)(void *ctx, const struct turn_allocation_record *rec, uint32_t ref);
	int (*permission)(void *ctx, uint32_t allocation, const struct tp_addr *peer,
		uint32_t expires_s, uint32_t ref);
	int (*channel)(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
		uint32_t expires_s, uint32_t ref);
	// What the store was told of ports and tombs, at last; tombs oldest first, the times as
	// they were told, but of a port's only the low 16 bits are known. Either may be NULL.
	void (*port_rest)(void *ctx, uint16_t relay_id, uint16_t port, uint16_t until_s);
	void (*tomb)(void *ctx, const struct turn_tuple *client, const uint8_t txid[12],
		uint32_t until_s);
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
// Beside what <turn/store.h> says: -EINVAL for an id that is not configured or a peer of a family
// that the allocation has no address of.
struct turn_store tables_store(struct tables *t);

// Why an allocation ended that was deleted just now: handed to env.ended, after a restart too.
void tables_closed(struct tables *t, uint32_t ref, uint8_t reason);
// Without a data plane, at the end of the process: tells the end of those that still wait for a
// grace period, which nobody will grant.
void tables_end_all(struct tables *t);

// All of an allocation's packets so far, those of ended permissions and channels included.
int tables_allocation_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage);
// Of one permission (Send indications) or channel (both ways).
int tables_object_usage(const struct tables *t, uint32_t ref, struct tables_usage *usage);

// ---- grace periods and counters ---------------------------------------------------------------

// The data plane's file, mapped for reading by the caller; NULL: none. The mapping must stay until
// the next call of this function returns (the old one's counters are taken over then); the struct
// is copied. Without it nothing that was retired becomes free.
void tables_attach_state(struct tables *t, const struct shm_state *state);

// Frees what a grace period has passed for, asks for another one, and goes on with what is under
// way (routes, leases).
void tables_advance(struct tables *t, uint64_t now_ns);
// When to call tables_advance next; UINT64_MAX: nothing is under way.
uint64_t tables_deadline(const struct tables *t, uint64_t now_ns);

struct tables_counts {
	uint32_t allocations;
	uint32_t permissions;
	uint32_t channels;
	uint32_t entries; // that the tables have room for
	uint32_t entries_free;
	uint32_t entries_retired; // waiting for a grace period
	uint32_t overflow_buckets;
	uint32_t overflow_free;
	uint32_t next_hops;
	uint32_t next_hops_used;
	uint64_t grace_open_ns; // age of the open request; 0: none is open
	uint64_t full;		// times that an _add call found a pool empty
};
void tables_get_counts(const struct tables *t, uint64_t now_ns, struct tables_counts *c);

// ---- next hops --------------------------------------------------------------------------------

// The slot of a neighbour, 0 when nothing uses it: that of net's events.
uint32_t tables_next_hop_find(
	const struct tables *t, const struct tp_addr *gateway, uint32_t ifindex);
// One 64-bit store: a gateway's new MAC for all its entries.
void tables_next_hop_set(struct tables *t, uint32_t slot, uint64_t word);
// Routes changed (or became known): every entry is resolved again, by portions in tables_advance.
void tables_routes_changed(struct tables *t);
// A slot for packets of the control process itself to `dst`, wanted for 30 s from now. 0 without a
// route, or when too many strangers are being answered.
uint32_t tables_next_hop_lease(struct tables *t, uint64_t now_ns, const struct tp_addr *dst);

struct tables_next_hop {
	uint32_t slot;
	struct tp_addr addr;
	uint32_t ifindex;
	uint32_t references; // entries that name it
	bool wanted;
	uint64_t word; // 0: not resolved
};
// Walks the slots in use: start with *cursor = 0; false at the end.
bool tables_next_hop_next(const struct tables *t, uint32_t *cursor, struct tables_next_hop *out);
