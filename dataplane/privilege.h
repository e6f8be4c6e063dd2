// SPDX-License-Identifier: BSD-3-Clause
// What the process gives away, and when. DPDK's threads live as long as the process and keep the
// capabilities they are born with, so most go before they are made; what opens the ports needs
// more for a moment, and runs on a thread of its own that was made before.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/types.h>

struct privilege_keeper {
	int (*run)(void *arg);
	void *arg;
	int status;
	bool cancelled;
	bool alive;
	sem_t go;
	pthread_t thread;
};

// Makes a thread that will run `run` with what the process has now. 0 or a negative errno.
int privilege_keep(struct privilege_keeper *k, int (*run)(void *arg), void *arg);
// Runs it, ends the thread, returns run's status.
int privilege_spend(struct privilege_keeper *k);
// Ends the thread if it is still there. Fine on a zeroed struct.
void privilege_forgo(struct privilege_keeper *k);

// The calling thread and those it makes later keep CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF, and gain
// nothing by an exec. With a group also CAP_FOWNER: to remove what the control process, another
// user, left. Drivers of PCI devices need more for good (`pci`): CAP_SYS_ADMIN,
// CAP_SYS_RAWIO and CAP_IPC_LOCK. Joins `group` unless it is (gid_t)-1. What was not there is no
// error: the operations that want it say so. 0 or a negative errno.
int privilege_drop(bool pci, gid_t group);
