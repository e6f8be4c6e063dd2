// SPDX-License-Identifier: BSD-3-Clause
// Where an instance's files are, and which process may be what.
//
// The directory of the segment is the configured one, or what the control process chose (the first
// hugetlbfs mount with pages that it may write, else /dev/shm) and wrote into RUN_DIRECTORY/segment
// for the data plane and tools to find.
//
// A role's lock (RUN_DIRECTORY/ROLE.lock) is held by the process that plays it; it goes with the
// process, however that ends.
//
// Threads: a struct shm_place is only read after shm_place_init.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <turnpike/limits.h>

#include <shm/error.h>

#define SHM_PATH_MAX	256u
// In the run directory: where the control process put the segment.
#define SHM_RECORD_NAME "segment"

struct shm_place {
	char instance[TP_INSTANCE_MAX];
	char run_directory[SHM_PATH_MAX];
	char directory[SHM_PATH_MAX]; // of the segment; empty until chosen or found
	uint8_t boot_id[16];
	// Group of the files that the other process reads. Files of foreign users are believed only
	// if they are of this group (whose members alone can make such files) or root's.
	// (gid_t)-1: files of this user and of root only.
	gid_t group;
	// NUMA nodes that new files should lie on, a bit each (<shm/numa.h>); 0: the kernel
	// chooses.
	uint64_t nodes;
};

// `directory` NULL: not configured. Makes the run directory if it is missing: 0755, or 0775 and the
// group's where there is one.
// -EINVAL for an unusable instance name or path, or a system call's error.
int shm_place_init(struct shm_place *p, const char *instance, const char *run_directory,
	const char *directory, gid_t group, struct shm_error *err);

// Adds the node of a port to p->nodes, by its kernel interface or else its PCI address; either may
// be NULL. `sysfs`: SHM_SYSFS. Returns the node; -1: it has none.
int shm_place_add_node(
	struct shm_place *p, const char *sysfs, const char *interface, const char *pci);

// The control process: settles p->directory for `octets` of files and leaves word of it. Prefers
// huge pages unless told otherwise; the other choice is /dev/shm, or with a group a directory of
// the instance's own in it. A mount of huge pages that is below another program's directory is left
// to it.
int shm_place_choose(struct shm_place *p, uint64_t octets, bool huge_pages, struct shm_error *err);

// Which mount of huge pages is better: 2 one in the run directory, 1 one of the machine's, 0 none
// to be used, because it is below /run or a directory for temporary files: somebody else's.
unsigned shm_place_mount_rank(const struct shm_place *p, const char *mount);

// Removes that directory of the instance's own, if it is empty and the caller may.
void shm_place_remove(const struct shm_place *p);

// Everybody else: the directory that the control process uses. -ENOENT (SHM_MISSING) before it has
// ever started.
int shm_place_find(struct shm_place *p, struct shm_error *err);

#define SHM_ROLE_CONTROL   "control"
#define SHM_ROLE_DATAPLANE "dataplane"

// Takes a role for this process; -EBUSY (SHM_BUSY) when another process has it. Returns the lock's
// descriptor, to be kept open for as long as the process plays the role (close-on-exec).
int shm_role_lock(const struct shm_place *p, const char *role, struct shm_error *err);

// Whether a process plays the role now, the caller's own process included.
bool shm_role_held(const struct shm_place *p, const char *role);

// Gives the role back, as the last thing a process does in an orderly stop. Where nobody plays
// either role now, the files of the segment, the word of their directory, the locks and sockets
// that killed processes left are taken away: true. A process that starts meanwhile waits, then
// makes its own.
bool shm_role_leave(const struct shm_place *p, int fd);
