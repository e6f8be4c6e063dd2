// SPDX-License-Identifier: BSD-3-Clause
// One mapped file of the segment.
//
// Made under a temporary name, space reserved, filled by its maker, then published: magic stored
// last, then renamed. Makers hold their role's lock, so two of them never meet.
//
// Threads: no call on the same struct shm_file from two threads; the mapping is the caller's to
// share.
#pragma once

#include <sys/types.h>

#include <turnpike/segment.h>

#include <shm/place.h>

enum shm_kind {
	SHM_TABLES,
	SHM_INJECT,
	SHM_PRIVATE,
	SHM_STATE, // sparse
	SHM_PUNT,
	SHM_EDGE,
	SHM_STREAM,
};

struct shm_file {
	void *base; // NULL: not open
	size_t size;
	enum shm_kind kind;
	bool writable;
	bool placed; // made on the nodes that the place names
	int fd;
	dev_t dev;
	ino_t ino;
	char path[2 * SHM_PATH_MAX];
};

// A new file of at least `size` bytes, mapped for writing, all zero but for the common header
// (without magic). `header_size` is that of the file's own header struct. Not visible to others
// before shm_file_publish; shm_file_close before that removes it. A sparse file has memory for its
// header only.
int shm_file_create(struct shm_file *f, const struct shm_place *p, enum shm_kind kind,
	size_t header_size, uint64_t size, uint64_t pair_id, struct shm_error *err);

// Memory for `size` bytes from `offset` on, rounded to whole pages, on the nodes that the place
// names, and mapped at once. A part that has it already keeps its contents. A sparse file's
// mapping must not be touched elsewhere, not even by a reader. -ENOSPC (SHM_NO_SPACE).
int shm_file_reserve(struct shm_file *f, const struct shm_place *p, uint64_t offset, uint64_t size,
	struct shm_error *err);

// Stores the magic and gives the file its name, in the place of an older one.
int shm_file_publish(struct shm_file *f, const struct shm_place *p, struct shm_error *err);

// The file to open, and the access wanted.
struct shm_file_wish {
	enum shm_kind kind;
	size_t header_size;	// of the file's own header struct
	bool writable;		// then writer_generation is raised and writer_pid set
	const char *other_role; // SHM_LAYOUT_IN_USE where the layout is another and a process
				// plays this role; NULL: SHM_OTHER_LAYOUT
};

// Maps an existing file after checking owner, mode, magic, layout, boot, instance and size against
// each other; the caller must check the contents, by the first `copy_size` bytes of the file that
// are put into `copy`: the mapping itself is not touched, so that a file truncated meanwhile does
// no harm before the mapping is guarded.
int shm_file_open(struct shm_file *f, const struct shm_place *p, const struct shm_file_wish *wish,
	void *copy, size_t copy_size, struct shm_error *err);

// Unmaps and closes. Fine on a zeroed struct.
void shm_file_close(struct shm_file *f);

// Removes the published file of this kind, if there is one that is ours. The mappings of others
// stay as they are.
int shm_file_remove(const struct shm_place *p, enum shm_kind kind, struct shm_error *err);

// In the order of what they mean for a mapping.
enum shm_fate {
	SHM_FATE_SAME,
	SHM_FATE_UNNAMED,   // the name is gone, the mapping is as good as before
	SHM_FATE_REPLACED,  // another file has the name
	SHM_FATE_TRUNCATED, // shorter than the mapping: touching it may raise SIGBUS
			    // (<shm/guard.h>)
};

// Returns the fate of a mapped file's name; two system calls. The file's writer gives a name that
// is gone back, by the second name that a published file has.
enum shm_fate shm_file_fate(const struct shm_file *f);

static inline struct tp_file_header *shm_file_header(const struct shm_file *f)
{
	return (struct tp_file_header *)f->base;
}
