// SPDX-License-Identifier: BSD-3-Clause
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#define BIT(cap) (UINT64_C(1) << (cap))

static int set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t bits = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= bits;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

static void *keeper_run(void *arg)
{
	struct privilege_keeper *k = arg;

	while (sem_wait(&k->go) != 0)
		;
	if (!k->cancelled)
		k->status = k->run(k->arg);
	return NULL;
}

int privilege_keep(struct privilege_keeper *k, int (*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	memset(k, 0, sizeof(*k));
	k->run = run;
	k->arg = arg;
	if (sem_init(&k->go, 0, 0) != 0)
		return -errno;
	// Signals are the main thread's: they end its sleeps.
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&k->thread, NULL, keeper_run, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	k->alive = err == 0;
	return -err;
}

int privilege_spend(struct privilege_keeper *k)
{
	sem_post(&k->go);
	pthread_join(k->thread, NULL);
	k->alive = false;
	return k->status;
}

void privilege_forgo(struct privilege_keeper *k)
{
	if (!k->alive)
		return;
	k->cancelled = true;
	privilege_spend(k);
}

int privilege_drop(bool pci, gid_t group)
{
	uint64_t keep = BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) | BIT(CAP_BPF);

	if (pci)
		keep |= BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_RAWIO) | BIT(CAP_IPC_LOCK);
	// The control process may be another user: who stops last removes what both made.
	if (group != (gid_t)-1) {
		keep |= BIT(CAP_FOWNER);
		setgroups(1, &group);
	}
	// Only CAP_SETPCAP may do this; without it an exec gains nothing anyway.
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if ((keep & BIT(cap)) == 0)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -errno;
	return set_capabilities(keep);
}
