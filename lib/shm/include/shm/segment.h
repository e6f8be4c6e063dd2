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
// Beside them the rings between data plane and edge:
//
//            edge               data plane
//   edge     create, edit       open, read
//   stream   open, read         create, edit
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
	uint32_t n_buckets;  // main ones; 0: 3 buckets for 8 entries, n_overflow among them
	uint32_t n_overflow; // 0: a sixteenth of the main ones
	uint32_t n_next_hops;
	uint32_t n_port_indexes;
	uint32_t n_allocations;
	uint32_t n_limits;
	uint32_t n_port_sets;
	uint32_t n_workers; // expected of the data plane; for the record only
	uint32_t hash_kind; // 0: the best of this CPU
	// TP_HASH_KEY_LEN bytes, for measurements that must repeat exactly. NULL: random
	const uint8_t *hash_key;
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
	struct tp_limit *limits;	// [n_limits]
	struct tp_port_set *port_sets;	// [n_port_sets]
	struct tp_table table;		// the reader's view, for tp_table_find
	uint32_t n_main_buckets;
	uint32_t n_next_hops;
	uint32_t n_port_indexes;
	uint32_t n_allocations;
	uint32_t n_limits;
	uint32_t n_port_sets;
};

// Octets of a tables file of this shape.
uint64_t shm_tables_size(const struct shm_tables_shape *shape);
// Likewise of the files that go with it; a state file with all cells.
uint64_t shm_state_size(uint32_t n_workers, uint32_t n_entries, uint32_t n_limits);
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

// A consistent copy of the fields that change under config_seq. Returns the sequence number of the
// copy, to be compared with config_seq later; -EAGAIN when a writer is half way (it may be dead:
// keep the old copy and try again later). `locals` has TP_LOCALS_MAX members.
int64_t shm_tables_config(
	const struct shm_tables *t, struct tp_path_config *path, struct tp_local *locals);

// ---- state ------------------------------------------------------------------------------------

// Cells of entries beyond those in use have no memory. The data plane gives it to them in steps of
// so many entries, ahead of what the control process says it will use (cells_wanted).
#define SHM_CELLS_STEP 16384u

struct shm_state {
	struct shm_file file;
	struct tp_state_header *header;
	struct tp_cell *cells; // [n_workers][n_entries]
	// The writer's: cells of entries below this index have memory; cells_ready follows it with
	// shm_state_tell. Readers have shm_state_ready.
	uint32_t n_ready;
	struct tp_worker_stats *workers;
	struct tp_limit_cell *limit_cells; // [n_workers][n_limits]
	uint32_t n_workers;
	uint32_t n_entries;
	uint32_t n_limits;
	uint32_t n_ports; // at most TP_PORTS_MAX
};

static inline struct tp_cell *shm_state_cell(
	const struct shm_state *s, uint32_t worker, uint32_t entry)
{
	return &s->cells[(size_t)worker * s->n_entries + entry];
}

// Readers: cells of entries at or above this index must not be touched. Never above n_entries; only
// grows while the file lives.
static inline uint32_t shm_state_ready(const struct shm_state *s)
{
	uint32_t ready = atomic_load_explicit(&s->header->cells_ready, memory_order_acquire);

	return ready < s->n_entries ? ready : s->n_entries;
}

// The maker fills in tsc_hz, n_ports and ports, takes over gp_req with shm_state_adopt, then
// publishes. There are cells for the entries below the tables' cells_wanted, and for a step at
// least.
int shm_state_create(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, struct shm_error *err);
// SHM_OTHER_PAIR when it belongs to other tables. A writer must pass the n_workers that the file
// was made for (else SHM_OTHER_SHAPE); 0: any.
int shm_state_open(struct shm_state *s, const struct shm_place *p, const struct shm_tables *t,
	uint32_t n_workers, bool writable, struct shm_error *err);
void shm_state_close(struct shm_state *s);

// The writer: memory for every worker's cells of the entries below `n_entries`, rounded up to a
// step and bounded by the file; raises n_ready. -ENOSPC (SHM_NO_SPACE) with n_ready as it was: the
// cells that were there are as good as before.
int shm_state_reserve(
	struct shm_state *s, const struct shm_place *p, uint32_t n_entries, struct shm_error *err);
// Lets the control process use entries below n_ready: the workers must know the number by then.
void shm_state_tell(struct shm_state *s);

// Bytes of a state file with cells for so many entries only.
uint64_t shm_state_used(
	uint32_t n_workers, uint32_t n_entries, uint32_t n_limits, uint32_t n_ready);

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

// The four ends of the rings. `worker` and `cls` (TP_PUNT_*) must be in range. Only the caller's
// own file is mapped for writing. Both must stay mapped while the end is used.
struct tp_ring_producer shm_punt_producer(
	const struct shm_punt *mine, const struct shm_inject *other, uint32_t worker, uint32_t cls);
struct tp_ring_consumer shm_punt_consumer(
	const struct shm_inject *mine, const struct shm_punt *other, uint32_t worker, uint32_t cls);
struct tp_ring_producer shm_inject_producer(
	const struct shm_inject *mine, const struct shm_punt *other, uint32_t worker);
struct tp_ring_consumer shm_inject_consumer(
	const struct shm_punt *mine, const struct shm_inject *other, uint32_t worker);

// ---- edge and stream --------------------------------------------------------------------------

// Either file: SHM_EDGE or SHM_STREAM.
struct shm_streams {
	struct shm_file file;
	struct tp_streams_header *header;
	struct tp_streams_pair *pairs; // [n_workers][n_threads]
	struct tp_ring_slot *slots;    // [n_workers][n_threads][n_slots]
	uint32_t n_workers;
	uint32_t n_threads;
	uint32_t n_slots; // of each ring
};

uint32_t shm_streams_slots(enum shm_kind kind, uint32_t n_workers, uint32_t n_threads);
uint64_t shm_streams_size(enum shm_kind kind, uint32_t n_workers, uint32_t n_threads);
int shm_streams_create(struct shm_streams *r, const struct shm_place *p, enum shm_kind kind,
	uint64_t pair_id, uint32_t n_workers, uint32_t n_threads, struct shm_error *err);
// SHM_OTHER_PAIR, or SHM_OTHER_SHAPE where a number is neither 0 nor the file's.
int shm_streams_open(struct shm_streams *r, const struct shm_place *p, enum shm_kind kind,
	uint64_t pair_id, uint32_t n_workers, uint32_t n_threads, bool writable,
	struct shm_error *err);
void shm_streams_close(struct shm_streams *r);

// The ends of the rings of a worker and a thread, both in range of both files, as shm_punt_producer
// above: `mine` is the file of the process that asks.
struct tp_ring_producer shm_streams_producer(const struct shm_streams *mine,
	const struct shm_streams *other, uint32_t worker, uint32_t thread);
struct tp_ring_consumer shm_streams_consumer(const struct shm_streams *mine,
	const struct shm_streams *other, uint32_t worker, uint32_t thread);
