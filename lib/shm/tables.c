// SPDX-License-Identifier: BSD-3-Clause
// The file `tables`: its layout, creation and mapping.
#include <shm/segment.h>

#include "fail.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define SECTION_ALIGN 4096u

// Where each array goes.
struct plan {
	uint64_t locals, next_hops, infos, buckets, entries, port_indexes, limits, port_sets, size;
};

static uint64_t plan_add(uint64_t *at, uint64_t octets)
{
	uint64_t start = (*at + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;

	*at = start + octets;
	return start;
}

// Three buckets for eight entries, main and overflow together, so that an entry costs the same at
// every size. Main ones are the greatest power of two that leaves a sixteenth of itself: a full
// table has 2.8 to 5.7 entries for each main bucket, and the more there are, the more overflow.
static void buckets_settle(struct shm_tables_shape *s)
{
	uint32_t all = (uint32_t)(((uint64_t)s->n_entries * 3 + 7) / 8);

	s->n_buckets = 1;
	while ((uint64_t)s->n_buckets * 2 + s->n_buckets / 8 <= all)
		s->n_buckets *= 2;
	if (s->n_overflow == 0)
		s->n_overflow = all > s->n_buckets ? all - s->n_buckets : 1;
}

// The shape with its defaults worked out.
static struct shm_tables_shape shape_settle(const struct shm_tables_shape *shape)
{
	struct shm_tables_shape s = *shape;

	if (s.n_buckets == 0)
		buckets_settle(&s);
	if (s.n_overflow == 0)
		s.n_overflow = s.n_buckets / 16 + 1;
	if (s.hash_kind == 0)
		s.hash_kind = tp_hash_supported(TP_HASH_KIND_AES) ? TP_HASH_KIND_AES
								  : TP_HASH_KIND_SIPHASH;
	return s;
}

static struct plan plan_make(const struct shm_tables_shape *s)
{
	struct plan plan;
	uint64_t at = sizeof(struct tp_tables_header);

	plan.locals = plan_add(&at, TP_LOCALS_MAX * sizeof(struct tp_local));
	plan.next_hops = plan_add(&at, s->n_next_hops * sizeof(uint64_t));
	plan.infos = plan_add(&at, s->n_next_hops * sizeof(struct tp_next_hop_info));
	plan.buckets =
		plan_add(&at, ((uint64_t)s->n_buckets + s->n_overflow) * sizeof(struct tp_bucket));
	plan.entries = plan_add(&at, s->n_entries * sizeof(struct tp_entry));
	plan.port_indexes = plan_add(&at, (uint64_t)s->n_port_indexes * 65536 * sizeof(uint32_t));
	plan.limits = plan_add(&at, (uint64_t)s->n_limits * sizeof(struct tp_limit));
	plan.port_sets = plan_add(&at, (uint64_t)s->n_port_sets * sizeof(struct tp_port_set));
	plan.size = at;
	return plan;
}

uint64_t shm_tables_size(const struct shm_tables_shape *shape)
{
	struct shm_tables_shape s = shape_settle(shape);

	return plan_make(&s).size;
}

static bool shape_valid(const struct shm_tables_shape *s)
{
	return s->n_entries >= 2 && s->n_entries <= TP_ENTRIES_MAX && s->n_buckets != 0 &&
	       (s->n_buckets & (s->n_buckets - 1)) == 0 && s->n_buckets <= TP_ENTRIES_MAX &&
	       s->n_overflow <= TP_ENTRIES_MAX && s->n_next_hops >= 1 &&
	       s->n_next_hops <= TP_NEXT_HOPS_MAX && s->n_port_indexes <= TP_RELAYS_MAX &&
	       s->n_allocations <= TP_ENTRIES_MAX && s->n_limits <= TP_LIMITS_MAX &&
	       s->n_port_sets <= TP_PORT_SETS_MAX;
}

// `h` has been checked; it is a copy that nobody changes any more.
static void view_fill(struct shm_tables *t, const struct tp_tables_header *h)
{
	uint8_t *base = t->file.base;

	t->pair_id = h->file.pair_id;
	t->header = t->file.base;
	t->buckets = (struct tp_bucket *)(void *)(base + h->buckets_off);
	t->entries = (struct tp_entry *)(void *)(base + h->entries_off);
	t->next_hops = (_Atomic uint64_t *)(void *)(base + h->next_hops_off);
	t->next_hop_infos = (struct tp_next_hop_info *)(void *)(base + h->next_hop_infos_off);
	t->port_indexes = (_Atomic uint32_t *)(void *)(base + h->port_indexes_off);
	t->locals = (struct tp_local *)(void *)(base + h->locals_off);
	t->limits = (struct tp_limit *)(void *)(base + h->limits_off);
	t->port_sets = (struct tp_port_set *)(void *)(base + h->port_sets_off);
	t->table.buckets = t->buckets;
	t->table.entries = t->entries;
	t->table.bucket_mask = h->n_buckets - 1;
	t->table.n_buckets = h->n_buckets + h->n_overflow;
	t->table.n_entries = h->file.n_entries;
	t->table.hash_kind = h->hash_kind;
	memcpy(t->table.hash_key, h->hash_key, sizeof(t->table.hash_key));
	t->n_main_buckets = h->n_buckets;
	t->n_next_hops = h->n_next_hops;
	t->n_port_indexes = h->n_port_indexes;
	t->n_allocations = h->n_allocations;
	t->n_limits = h->n_limits;
	t->n_port_sets = h->n_port_sets;
}

static void header_fill(
	struct tp_tables_header *h, const struct shm_tables_shape *s, const struct plan *plan)
{
	h->file.n_workers = s->n_workers;
	h->file.n_entries = s->n_entries;
	h->n_buckets = s->n_buckets;
	h->n_overflow = s->n_overflow;
	h->n_next_hops = s->n_next_hops;
	h->n_port_indexes = s->n_port_indexes;
	h->buckets_off = plan->buckets;
	h->entries_off = plan->entries;
	h->next_hops_off = plan->next_hops;
	h->next_hop_infos_off = plan->infos;
	h->port_indexes_off = plan->port_indexes;
	h->locals_off = plan->locals;
	h->hash_kind = s->hash_kind;
	h->n_allocations = s->n_allocations;
	h->limits_off = plan->limits;
	h->n_limits = s->n_limits;
	h->port_sets_off = plan->port_sets;
	h->n_port_sets = s->n_port_sets;
}

int shm_tables_create(struct shm_tables *t, const struct shm_place *p,
	const struct shm_tables_shape *shape, struct shm_error *err)
{
	struct shm_tables_shape s = shape_settle(shape);
	struct plan plan = plan_make(&s);
	struct tp_tables_header *h;
	uint8_t hash_key[TP_HASH_KEY_LEN];
	uint64_t pair_id;
	int rc;

	memset(t, 0, sizeof(*t));
	if (!shape_valid(&s))
		return shm_fail(err, SHM_SYSTEM, -EINVAL,
			"tables of %u entries in %u buckets: out of bounds", s.n_entries,
			s.n_buckets);
	if (!tp_hash_supported(s.hash_kind))
		return shm_fail(
			err, SHM_UNSUPPORTED, -ENOTSUP, "hash %u: not on this CPU", s.hash_kind);
	if (getrandom(&pair_id, sizeof(pair_id), 0) != sizeof(pair_id) ||
		getrandom(hash_key, sizeof(hash_key), 0) != sizeof(hash_key))
		return shm_fail_errno(err, "random octets");
	rc = shm_file_create(&t->file, p, SHM_TABLES, sizeof(*h), plan.size, pair_id, err);
	if (rc < 0)
		return rc;
	h = t->file.base;
	header_fill(h, &s, &plan);
	memcpy(h->hash_key, s.hash_key != NULL ? s.hash_key : hash_key, sizeof(hash_key));
	view_fill(t, h);
	return 0;
}

// Whether an array of `count` members lies within the file, behind the header.
static bool section_valid(
	const struct tp_tables_header *h, uint64_t off, uint64_t count, uint64_t member)
{
	uint64_t octets, end;

	return off % TP_CACHE_LINE == 0 && off >= sizeof(*h) &&
	       !__builtin_mul_overflow(count, member, &octets) &&
	       !__builtin_add_overflow(off, octets, &end) && end <= h->file.file_size;
}

static int header_check(const struct tp_tables_header *h, const char *path, struct shm_error *err)
{
	struct shm_tables_shape s = {
		.n_entries = h->file.n_entries,
		.n_buckets = h->n_buckets,
		.n_overflow = h->n_overflow,
		.n_next_hops = h->n_next_hops,
		.n_port_indexes = h->n_port_indexes,
		.n_allocations = h->n_allocations,
		.n_limits = h->n_limits,
		.n_port_sets = h->n_port_sets,
	};

	if (!shape_valid(&s) || h->file.pair_id == 0 ||
		!section_valid(h, h->locals_off, TP_LOCALS_MAX, sizeof(struct tp_local)) ||
		!section_valid(h, h->next_hops_off, h->n_next_hops, sizeof(uint64_t)) ||
		!section_valid(h, h->next_hop_infos_off, h->n_next_hops,
			sizeof(struct tp_next_hop_info)) ||
		!section_valid(h, h->buckets_off, (uint64_t)h->n_buckets + h->n_overflow,
			sizeof(struct tp_bucket)) ||
		!section_valid(h, h->entries_off, h->file.n_entries, sizeof(struct tp_entry)) ||
		!section_valid(h, h->port_indexes_off, (uint64_t)h->n_port_indexes * 65536,
			sizeof(uint32_t)) ||
		!section_valid(h, h->limits_off, h->n_limits, sizeof(struct tp_limit)) ||
		!section_valid(h, h->port_sets_off, h->n_port_sets, sizeof(struct tp_port_set)))
		return shm_fail(err, SHM_CORRUPT, -EPROTO, "%s: an array is out of bounds", path);
	if (!tp_hash_supported(h->hash_kind))
		return shm_fail(err, SHM_UNSUPPORTED, -ENOTSUP, "%s: hash %u is not on this CPU",
			path, h->hash_kind);
	return 0;
}

int shm_tables_open(
	struct shm_tables *t, const struct shm_place *p, bool writable, struct shm_error *err)
{
	struct shm_file_wish wish = {.kind = SHM_TABLES,
		.header_size = sizeof(struct tp_tables_header),
		.writable = writable,
		.other_role = writable ? SHM_ROLE_DATAPLANE : NULL};
	struct tp_tables_header h;
	int rc;

	memset(t, 0, sizeof(*t));
	rc = shm_file_open(&t->file, p, &wish, &h, sizeof(h), err);
	if (rc < 0)
		return rc;
	rc = header_check(&h, t->file.path, err);
	if (rc < 0) {
		shm_tables_close(t);
		return rc;
	}
	view_fill(t, &h);
	return 0;
}

void shm_tables_close(struct shm_tables *t)
{
	shm_file_close(&t->file);
	memset(t, 0, sizeof(*t));
}

// The writer stores words too (control/tables), so no half of one is ever seen. Acquire: the second
// look at config_seq is no earlier than any of them.
typedef uint32_t __attribute__((may_alias)) word_alias;

static void words_copy(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size / sizeof(word_alias); i++)
		((word_alias *)to)[i] =
			__atomic_load_n((const word_alias *)from + i, __ATOMIC_ACQUIRE);
}

int64_t shm_tables_config(
	const struct shm_tables *t, struct tp_path_config *path, struct tp_local *locals)
{
	_Static_assert(sizeof(*path) % sizeof(word_alias) == 0, "copied by words");

	for (unsigned tries = 0; tries < 16; tries++) {
		uint32_t before =
			atomic_load_explicit(&t->header->config_seq, memory_order_acquire);

		if (before % 2 != 0)
			continue;
		words_copy(path, &t->header->path, sizeof(*path));
		words_copy(locals, t->locals, TP_LOCALS_MAX * sizeof(*locals));
		if (atomic_load_explicit(&t->header->config_seq, memory_order_relaxed) == before)
			return before;
	}
	return -EAGAIN;
}
