// SPDX-License-Identifier: BSD-3-Clause
// The files of the segment as each process uses them. Every offset and size that a header names has
// been checked against the real size of the file when an open call returns 0; indexes read later
// are the reader's to bound by the numbers here, never by the segment's own.
//
//            control            data plane
//   tables   create, edit       open, read
//   inject   create, edit       open, read
//   state    open, read         create, edit
//   punt     open, read         create, edit
//   private  create, edit (control/tables)
//
// The order: control makes tables and inject. The data plane opens tables, makes state and punt
// with the pair_id of these tables, or goes on with those it finds. Either opens the other's file
// of rings when it is there. A process that restarts opens its own files with the calls for editing
// and makes new ones only when the cause is stale (shm_cause_is_stale).
#pragma once

#include <shm/file.h>

// ---- tables -----------------------------------------------------------------------------------

struct shm_tables_shape {
	uint32_t n_entries;  // 2 to TP_ENTRIES_MAX; entry 0 is never used
	uint32_t n_buckets;  // main ones; 0: the next power of two of n_entries / 4
	uint32_t n_overflow; // 0: a sixteenth of the main ones
	uint32_t n_next_hops;
	uint32_t n_port_indexes;
	uint32_t n_allocations;
	uint32_t n_workers; // expected of the data plane; for the record only
	uint32_t hash_kind; // 0: the best of this CPU
};

struct shm_tables {
	struct shm_file file;
	uint64_t pair_id;
	struct tp_tables_header *header; // of the data plane's mapping: not writable
	struct tp_bucket *buckets;
	struct tp_entry *entries;
	_Atomic uint64_t *next_hops;
	struct tp_next_hop_info *next_hop_infos;
	_Atomic uint32_t *port_indexes; // [n_port_indexes][65536]
	struct tp_local *locals;	// [TP_LOCALS_MAX]
	struct tp_table table;		// the reader's view, for tp_table_find
	uint32_t n_main_buckets;
	uint32_t n_next_hops;
	uint32_t n_port_indexes;
	uint32_t n_allocations;
};

// Octets of a tables file of this shape.
uint64_t shm_tables_size(const struct shm_tables_shape *shape);
// Likewise of the files that go with it.
uint64_t shm_state_size(uint32_t n_workers, uint32_t n_entries);
uint64_t shm_punt_size(uint32_t n_workers);
uint64_t shm_inject_size(uint32_t n_workers);

// Header, random pair id and hash key are filled in; everything else is zero. Publish with
// shm_file_publish(&t->file).
int shm_tables_create(struct shm_tables *t, const struct shm_place *p,
	const struct shm_tables_shape *shape, struct shm_error *err);
int shm_tables_open(
	struct shm_tables *t, const struct shm_place *p, bool writable, struct shm_error *err);
void shm_tables_close(struct shm_tables *t);

// The index word of a relayed transport address, or NULL when the number is out of bounds.
static inline _Atomic uint32_t *shm_tables_port(
	const struct shm_tables *t, uint32_t port_index, uint16_t port)
{
	return port_index < t->n_port_indexes ? &t->port_indexes[(size_t)port_index << 16 | port]
					      : NULL;
}

// A consistent copy of what changes under config_seq. Returns the sequence number of the copy, to
// be compared with config_seq later; -EAGAIN when a writer is half way (it may be dead: keep the
// old copy and try again later). `locals` has TP_LOCALS_MAX members.
int64_t shm_tables_config(
	const struct shm_tables *t, struct tp_path_config *path, struct tp_local *locals);

// ---- state ------------------------------------------------------------------------------------

struct shm_state {
	struct shm_file file;
	struct tp_state_header *header;
	struct tp_cell *cells; // [n_workers][n_entries]
	struct tp_worker_stats *workers;
	uint32_t n_workers;
	uint32_t n_entries;
	uint32_t n_ports; // at most TP_PORTS_MAX
};

static inline struct tp_cell *shm_state_cell(
	const struct shm_state *s, uint32_t worker, uint32_t entry)
{
	return &s->cells[(size_t)worker * s->n_entries + entry];
}

// The maker fills in tsc_hz, n_ports and ports, takes over gp_req with shm_state_adopt, then
// publishes.
int shm_state_create(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err);
// SHM_OTHER_PAIR when it belongs to other tables. For writing n_workers must be what it was made
// for (SHM_OTHER_SHAPE); 0: any.
int shm_state_open(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err);
void shm_state_close(struct shm_state *s);

// A new data plane, before it registers its workers: no reader of an older one lives (it held the
// lock), so every grace period asked for has passed.
void shm_state_adopt(struct shm_state *s, const struct shm_tables *t);

// ---- punt and inject --------------------------------------------------------------------------

struct shm_punt {
	struct shm_file file;
	struct tp_punt_header *header;
	struct tp_ring_slot *slots; // [n_workers][TP_PUNT_CLASSES][TP_RING_SLOTS]
	uint32_t n_workers;
};

struct shm_inject {
	struct shm_file file;
	struct tp_inject_header *header;
	struct tp_ring_slot *slots; // [n_workers][TP_RING_SLOTS]
	uint32_t n_workers;
};

// Numbers of workers of the two files may differ after a change of the configuration until both
// processes have restarted: rings exist for the smaller number.
int shm_punt_create(struct shm_punt *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err);
int shm_punt_open(struct shm_punt *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err);
void shm_punt_close(struct shm_punt *r);

int shm_inject_create(struct shm_inject *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err);
int shm_inject_open(struct shm_inject *r, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err);
void shm_inject_close(struct shm_inject *r);

// The four ends of the rings. `worker` and `cls` (TP_PUNT_*) must be in range. Of the two files the
// caller's own is mapped for writing. Both must stay mapped while the end is used.
struct tp_ring_producer shm_punt_producer(
	const struct shm_punt *mine, const struct shm_inject *other, uint32_t worker, uint32_t cls);
struct tp_ring_consumer shm_punt_consumer(
	const struct shm_inject *mine, const struct shm_punt *other, uint32_t worker, uint32_t cls);
struct tp_ring_producer shm_inject_producer(
	const struct shm_inject *mine, const struct shm_punt *other, uint32_t worker);
struct tp_ring_consumer shm_inject_consumer(
	const struct shm_punt *mine, const struct shm_inject *other, uint32_t worker);
