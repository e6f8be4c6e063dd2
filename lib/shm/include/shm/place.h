// SPDX-License-Identifier: BSD-3-Clause
// Location of an instance's files, and the role of each process.
//
// The directory of the segment is the configured one, or the one that the control process chose
// (the first hugetlbfs mount with pages that it may write, else /dev/shm) and wrote into
// RUN_DIRECTORY/segment for the data plane and tools to find.
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
	// Group of the shared files, but for those of <shm/group.h>. A foreign user's file is
	// believed only if it is of its kind's group, whose members alone can make it, or root's.
	// (gid_t)-1: files of this user and of root only.
	gid_t group;
	// NUMA nodes that new files should lie on, a bit each (<shm/numa.h>); 0: the kernel
	// chooses.
	uint64_t nodes;
};

// `directory` NULL: not configured. Makes the run directory if it is missing: 0751, or 0771 and the
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

#define SHM_CANDIDATES_MAX 16u

// Where the control process may put the segment: the configured directory, or /dev/shm and the
// mounts of huge pages there are now. Returns their number.
size_t shm_place_candidates(
	const struct shm_place *p, char directories[SHM_CANDIDATES_MAX][SHM_PATH_MAX]);

// Removes that directory of the instance's own, if it is empty and the caller may.
void shm_place_remove(const struct shm_place *p);

// Everybody else: the directory that the control process uses. -ENOENT (SHM_MISSING) before it has
// ever started.
int shm_place_find(struct shm_place *p, struct shm_error *err);

#define SHM_ROLE_CONTROL   "control"
#define SHM_ROLE_DATAPLANE "dataplane"
#define SHM_ROLE_EDGE	   "edge"

// Takes a role for this process; -EBUSY (SHM_BUSY) when another process has it. Returns the lock's
// descriptor, to be kept open for as long as the process plays the role (close-on-exec).
int shm_role_lock(const struct shm_place *p, const char *role, struct shm_error *err);

enum shm_lock_fate {
	SHM_LOCK_NAMED,
	SHM_LOCK_GIVEN_BACK, // somebody had removed or replaced it
	SHM_LOCK_LOST,	     // likewise, and it can't be given back: a second process may start
	SHM_LOCK_TAKEN,	     // another process plays the role
};

// Writes this process's number into a lock that came from the role's last holder by descriptor.
void shm_role_take(int fd);

// Looks at the name of a role's lock, which this process holds by `fd`; two system calls. A lock
// whose name is gone keeps nobody out.
enum shm_lock_fate shm_role_check(const struct shm_place *p, const char *role, int fd);

// Whether a process plays the role now, the caller's own process included.
bool shm_role_held(const struct shm_place *p, const char *role);

// Whether the role's last holder gave it back in order, or nobody ever played it. False while it is
// played, and after a crash.
bool shm_role_has_left(const struct shm_place *p, const char *role);

// Gives the role back, as the last thing a process does in an orderly stop. Where all roles have
// been left so (or were never played), the files of the segment, the record of their directory,
// the locks and sockets are removed: true. After a crash of control or data plane they stay, and so
// do the calls in them; while any process plays a role they stay too. A process that starts
// meanwhile waits, then makes its own. A lock file that has lost its name removes nothing.
bool shm_role_leave(const struct shm_place *p, const char *role, int fd);

// Gives a role back and removes the files whether the last holders stopped in order or crashed.
// False, with nothing removed, when a process plays a role.
bool shm_role_clear(const struct shm_place *p, int fd);
