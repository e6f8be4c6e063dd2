// SPDX-License-Identifier: BSD-3-Clause
// Dropping privileges. DPDK's threads live as long as the process and keep the capabilities they
// are born with, so most capabilities are dropped before these threads exist; opening the ports
// needs more for a moment, and runs on a thread of its own that was made before.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/types.h>

#include <shm/place.h>
#include <steer/claim.h>

// The start's need for privileges.
struct privilege_need {
	bool steers;		// AF_XDP
	bool captures;		// AF_XDP or AF_PACKET sockets
	uint64_t locked_octets; // memory that devices read and write; 0: none
	bool join;		// a group that the process is not in
};

// Whether the capabilities (bits of PROC_CAPABILITY) and the limit of locked memory are enough. 0,
// or -EPERM with *fault filled in: the first that is missing, and its use.
int plane_privilege_judge(const struct privilege_need *need, uint64_t capabilities,
	uint64_t memlock, struct steer_fault *fault);
// The same for this process.
int plane_privilege_check(const struct privilege_need *need, struct steer_fault *fault);
// Whether the process is in the group already.
bool plane_privilege_has_group(gid_t group);

struct privilege_keeper {
	int (*run)(void *arg);
	void *arg;
	int status;
	bool cancelled;
	bool alive;
	sem_t go;
	pthread_t thread;
};

// Makes a thread that will run `run` with the capabilities that the process has now. 0 or a
// negative errno.
int plane_privilege_keep(struct privilege_keeper *k, int (*run)(void *arg), void *arg);
// Runs it, ends the thread, returns run's status.
int plane_privilege_spend(struct privilege_keeper *k);
// Ends the thread if it is still there. Fine on a zeroed struct.
void plane_privilege_forgo(struct privilege_keeper *k);

// Lets threads of this process take the lowest real-time priority: raises the limit where that is
// allowed, and tries it. -EPERM where the limit or the host forbids it.
int plane_privilege_realtime(void);

// The calling thread and those it makes later keep CAP_NET_ADMIN (steering, guard, neighbours,
// reserved ports) and CAP_BPF (the steering program's maps), and gain nothing by an exec. With a
// group also CAP_FOWNER: to remove the directory that the control process, another user, made in
// /dev/shm. Drivers of PCI devices need more for good (`pci`): CAP_SYS_ADMIN, CAP_SYS_RAWIO and
// CAP_IPC_LOCK. `realtime`: as
// plane_privilege_realtime found it; CAP_SYS_NICE is kept where the limit could not be raised.
// Joins the groups of the place's files, where there are any. A capability that was missing from
// the start is no error here: the operation that needs it fails with a message. 0 or a negative
// errno.
int plane_privilege_drop(bool pci, bool realtime, const struct shm_place *place);

// The calling thread and those it makes later change files only below the run directory and the
// places where the segment may be, remove the interfaces' locks, and write the list of reserved
// ports; drivers of PCI devices (`pci`) write to devices. 0 or a negative errno.
int plane_privilege_confine(const struct shm_place *place, const char *lock_directory, bool pci);
// All threads make no other system calls than the ones a running data plane needs. 0 or a negative
// errno.
int plane_privilege_filter(void);
