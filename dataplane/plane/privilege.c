// SPDX-License-Identifier: BSD-3-Clause
#include <plane/privilege.h>

#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>
#include <seccomp.h>

#include <io/eal.h>
#include <proc/privilege.h>
#include <proc/sandbox.h>
#include <shm/group.h>
#include <steer/reserve.h>

#define GROUPS_MAX 256

int plane_privilege_judge(const struct privilege_need *need, uint64_t capabilities,
	uint64_t memlock, struct steer_fault *fault)
{
	const struct {
		bool needed;
		uint64_t any; // one of these will do
		const char *name;
		const char *use;
	} rows[] = {
		{true, PROC_CAPABILITY(CAP_NET_ADMIN), "CAP_NET_ADMIN",
			"for the nft table, interfaces and neighbours"},
		{need->captures, PROC_CAPABILITY(CAP_NET_RAW), "CAP_NET_RAW",
			"to open AF_XDP and AF_PACKET sockets"},
		{need->steers, PROC_CAPABILITY(CAP_BPF) | PROC_CAPABILITY(CAP_SYS_ADMIN), "CAP_BPF",
			"to load the steering program"},
		{need->locked_octets > memlock, PROC_CAPABILITY(CAP_IPC_LOCK), "CAP_IPC_LOCK",
			"to lock packet buffers for devices (else vfio: error 12); or a higher "
			"limit of locked memory (LimitMEMLOCK=)"},
		{need->join, PROC_CAPABILITY(CAP_SETGID), "CAP_SETGID",
			"to join the groups of the shared files (segment.group, "
			"turnpike-tables); or start in both"},
	};
	char remedy[128];

	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		if (!rows[i].needed || (capabilities & rows[i].any) != 0)
			continue;
		snprintf(remedy, sizeof(remedy),
			"start as root, or with %s (docs/dataplane.md, capabilities)",
			rows[i].name);
		return steer_fault_set(
			fault, -EPERM, remedy, "%s is missing: %s", rows[i].name, rows[i].use);
	}
	return 0;
}

int plane_privilege_check(const struct privilege_need *need, struct steer_fault *fault)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	struct rlimit lock = {0, 0};

	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	(void)getrlimit(RLIMIT_MEMLOCK, &lock);
	return plane_privilege_judge(
		need, (uint64_t)data[1].effective << 32 | data[0].effective, lock.rlim_cur, fault);
}

bool plane_privilege_has_group(gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	if (getegid() == group)
		return true;
	for (int i = 0; i < n; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
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

int plane_privilege_keep(struct privilege_keeper *k, int (*run)(void *arg), void *arg)
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
	sigdelset(&all, SIGSYS); // a thread that blocks it dies of a denied call
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&k->thread, NULL, keeper_run, k);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	k->alive = err == 0;
	return -err;
}

int plane_privilege_spend(struct privilege_keeper *k)
{
	sem_post(&k->go);
	pthread_join(k->thread, NULL);
	k->alive = false;
	return k->status;
}

void plane_privilege_forgo(struct privilege_keeper *k)
{
	if (!k->alive)
		return;
	k->cancelled = true;
	plane_privilege_spend(k);
}

static bool realtime_is_unlimited(void)
{
	struct rlimit now;

	return getrlimit(RLIMIT_RTPRIO, &now) == 0 && now.rlim_cur >= 1;
}

// The probe tells what a container's rules or a control group forbid beside the limit. A container
// may lack the capability that raises the limit, and have the one that needs no limit.
int plane_privilege_realtime(void)
{
	const struct rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
	struct sched_param param = {.sched_priority = 1};

	if (!realtime_is_unlimited())
		(void)setrlimit(RLIMIT_RTPRIO, &limit);
	if (sched_setscheduler(0, SCHED_RR, &param) != 0)
		return -errno;
	param.sched_priority = 0;
	return sched_setscheduler(0, SCHED_OTHER, &param) == 0 ? 0 : -errno;
}

int plane_privilege_drop(bool pci, bool realtime, const struct shm_place *place)
{
	const gid_t groups[] = {place->group, shm_tables_group(place)};
	bool shared = place->group != (gid_t)-1;
	uint64_t keep = PROC_CAPABILITY(CAP_NET_ADMIN) | PROC_CAPABILITY(CAP_BPF);

	if (pci)
		keep |= PROC_CAPABILITY(CAP_SYS_ADMIN) | PROC_CAPABILITY(CAP_SYS_RAWIO) |
			PROC_CAPABILITY(CAP_IPC_LOCK);
	if (realtime && !realtime_is_unlimited())
		keep |= PROC_CAPABILITY(CAP_SYS_NICE);
	// The control process may be another user: the last to stop removes the directory that the
	// other made in /dev/shm.
	if (shared)
		keep |= PROC_CAPABILITY(CAP_FOWNER);
	if (shared && geteuid() == 0)
		setgroups(TP_ARRAY_LEN(groups), groups);
	return proc_capabilities_keep(keep);
}

int plane_privilege_confine(const struct shm_place *place, const char *lock_directory, bool pci)
{
	char candidates[SHM_CANDIDATES_MAX][SHM_PATH_MAX];
	struct proc_path paths[SHM_CANDIDATES_MAX + 6];
	size_t n_candidates = shm_place_candidates(place, candidates);
	size_t n = 0;

	paths[n++] = (struct proc_path){place->run_directory, PROC_PATH_CHANGE};
	for (size_t i = 0; i < n_candidates; i++)
		paths[n++] = (struct proc_path){candidates[i], PROC_PATH_CHANGE};
	paths[n++] = (struct proc_path){lock_directory, PROC_PATH_REMOVE};
	paths[n++] = (struct proc_path){RESERVE_SYSCTL, PROC_PATH_WRITE};
	if (geteuid() == 0)
		paths[n++] = (struct proc_path){IO_EAL_ROOT_DIRECTORY, PROC_PATH_REMOVE};
	if (pci) {
		paths[n++] = (struct proc_path){"/dev", PROC_PATH_WRITE};
		paths[n++] = (struct proc_path){"/sys", PROC_PATH_WRITE};
	}
	return proc_paths_confine(paths, n);
}

int plane_privilege_filter(void)
{
	// Memory of DPDK on its NUMA nodes, descriptors that wake, the alarm of a stop. DPDK's
	// interrupt thread makes its epoll instance anew by the old call each time a device comes
	// or goes, and aborts without it; memif makes its rings with each connection.
	static const int calls[] = {
		SCMP_SYS(fcntl), SCMP_SYS(getdents64), SCMP_SYS(mbind), SCMP_SYS(get_mempolicy),
		SCMP_SYS(set_mempolicy), SCMP_SYS(move_pages), SCMP_SYS(mlock), SCMP_SYS(munlock),
		SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_gettime), SCMP_SYS(eventfd2),
		SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(memfd_create),
		SCMP_SYS(dup), SCMP_SYS(readv), SCMP_SYS(alarm), SCMP_SYS(setitimer),
		SCMP_SYS(prlimit64), SCMP_SYS(sysinfo), SCMP_SYS(umask),
		SCMP_SYS(sched_setscheduler), // of workers that grow too busy to sleep
	};
	static const struct proc_sandbox sandbox = {
		.allow = PROC_ALLOW_READ | PROC_ALLOW_REMOVE | PROC_ALLOW_UNIX | PROC_ALLOW_MAKE |
			 PROC_ALLOW_NET | PROC_ALLOW_THREAD,
		.calls = calls,
		.n_calls = TP_ARRAY_LEN(calls),
		.all_threads = true,
	};

	return proc_sandbox_enter(&sandbox);
}
