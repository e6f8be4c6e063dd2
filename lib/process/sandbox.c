// SPDX-License-Identifier: BSD-3-Clause
#include <proc/sandbox.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include <fdpass/wake.h>
#include <log/log.h>

#include "denied.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const int always[] = {
	// descriptors that are open
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(accept4),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(close),
	// memory
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	// time, randomness, locks
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time), // this and the next are calls where the kernel has no vDSO
	SCMP_SYS(getcpu),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	// signals and the end
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	// identity
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(uname),
	SCMP_SYS(rseq),
	SCMP_SYS(set_robust_list),
};

// The C library makes these with all signals blocked: as a signal their denial would end the
// process.
static const int unsignalled[] = {
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
};

static const int readers[] = {
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(statfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(linkat), // gives a name back to a file of the segment
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
};

static const int makers[] = {
	SCMP_SYS(openat),
	SCMP_SYS(open),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(link),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(pwrite64),
	SCMP_SYS(fchown),
	SCMP_SYS(memfd_create),
};

// Neither new programs nor new maps are loaded into the kernel.
static const int bpf_commands[] = {
	1,  // BPF_MAP_LOOKUP_ELEM
	2,  // BPF_MAP_UPDATE_ELEM
	3,  // BPF_MAP_DELETE_ELEM
	4,  // BPF_MAP_GET_NEXT_KEY
	13, // BPF_PROG_GET_FD_BY_ID
	14, // BPF_MAP_GET_FD_BY_ID
	15, // BPF_OBJ_GET_INFO_BY_FD
	28, // BPF_LINK_CREATE
	29, // BPF_LINK_UPDATE
	30, // BPF_LINK_GET_FD_BY_ID
	31, // BPF_LINK_GET_NEXT_ID
	34, // BPF_LINK_DETACH
};

static const int families[] = {AF_NETLINK, AF_INET, AF_INET6};

static const int asking[] = {
	SCMP_SYS(bind), SCMP_SYS(ioctl), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(select),
	SCMP_SYS(pselect6), // libnftables waits by it
};

static const int threads[] = {
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(prctl),
};

static const int removers[] = {
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rmdir),
};

static int calls_allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

static int memory_allow(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(
		ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

// F_SETFL is not among them: a descriptor that another process shares must stay non-blocking.
static int locks_allow(scmp_filter_ctx ctx)
{
	static const int commands[] = {F_GETFD, F_SETFD, F_GETFL, F_OFD_GETLK, F_OFD_SETLK};
	int rc = 0;

	for (size_t i = 0; i < LEN(commands) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
			SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i], 0));
	return rc;
}

// fdpass_wake.
static int wake_allow(scmp_filter_ctx ctx)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		SCMP_A1(SCMP_CMP_EQ, FDPASS_WAKE_REQUEST, 0));
}

static int read_allow(scmp_filter_ctx ctx)
{
	const scmp_datum_t makes = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
	int rc = calls_allow(ctx, readers, LEN(readers));

	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, makes, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, makes, 0));
	return rc;
}

static int unix_allow(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);

	if (rc == 0)
		rc = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return rc;
}

// The type carries flags besides.
static int tcp_allow(scmp_filter_ctx ctx)
{
	static const int tcp[] = {AF_INET, AF_INET6};
	int rc = 0;

	for (size_t i = 0; i < LEN(tcp) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)tcp[i], 0),
			SCMP_A1(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(SOCK_CLOEXEC | SOCK_NONBLOCK),
				SOCK_STREAM));
	return rc == 0 ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0) : rc;
}

static int net_allow(scmp_filter_ctx ctx)
{
	int rc = calls_allow(ctx, asking, LEN(asking));

	for (size_t i = 0; i < LEN(families) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	for (size_t i = 0; i < LEN(bpf_commands) && rc == 0; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)bpf_commands[i], 0));
	return rc;
}

static int rules_add(scmp_filter_ctx ctx, const struct proc_sandbox *s)
{
	int rc = calls_allow(ctx, always, LEN(always));

	if (rc == 0)
		rc = memory_allow(ctx);
	if (rc == 0)
		rc = locks_allow(ctx);
	if (rc == 0)
		rc = wake_allow(ctx);
	if (rc == 0 && (s->allow & PROC_ALLOW_READ) != 0)
		rc = read_allow(ctx);
	if (rc == 0 && (s->allow & PROC_ALLOW_REMOVE) != 0)
		rc = calls_allow(ctx, removers, LEN(removers));
	if (rc == 0 && (s->allow & PROC_ALLOW_UNIX) != 0)
		rc = unix_allow(ctx);
	if (rc == 0 && (s->allow & PROC_ALLOW_MAKE) != 0)
		rc = calls_allow(ctx, makers, LEN(makers));
	if (rc == 0 && (s->allow & PROC_ALLOW_NET) != 0)
		rc = net_allow(ctx);
	if (rc == 0 && (s->allow & PROC_ALLOW_TCP) != 0)
		rc = tcp_allow(ctx);
	if (rc == 0 && (s->allow & PROC_ALLOW_THREAD) != 0)
		rc = calls_allow(ctx, threads, LEN(threads));
	for (size_t i = 0; i < LEN(unsignalled) && rc == 0 && (s->allow & PROC_ALLOW_THREAD) == 0;
		i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), unsignalled[i], 0);
	if (rc == 0)
		rc = calls_allow(ctx, s->calls, s->n_calls);
	return rc;
}

int proc_sandbox_enter(const struct proc_sandbox *s)
{
	scmp_filter_ctx ctx =
		seccomp_init(denied_install() ? SCMP_ACT_TRAP : SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (ctx == NULL)
		return -ENOMEM;
	rc = rules_add(ctx, s);
	if (rc == 0 && s->all_threads)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

// ---- paths ------------------------------------------------------------------------------------

#define CHANGES                                                                                    \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                           \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                    \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                      \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

// Since the third version of Landlock.
#define TRUNCATE (UINT64_C(1) << 14)

struct ruleset {
	int fd;
	uint64_t handled;
};

static int path_allow(const struct ruleset *r, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access & r->handled};
	int rc = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = -errno;
	close(rule.parent_fd);
	return rc;
}

static int access_allow(const struct ruleset *r, const struct proc_path *p)
{
	char parent[PATH_MAX];
	int rc;

	switch (p->access) {
	case PROC_PATH_WRITE:
		return path_allow(r, p->path, LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE);
	case PROC_PATH_REMOVE:
		return path_allow(
			r, p->path, LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR);
	case PROC_PATH_CHANGE:
	default:
		break;
	}
	// The directory itself may go at the end: that is a change of the one above it.
	rc = path_allow(r, p->path, CHANGES | TRUNCATE);
	snprintf(parent, sizeof(parent), "%s/..", p->path);
	return rc < 0 ? rc : path_allow(r, parent, LANDLOCK_ACCESS_FS_REMOVE_DIR);
}

static int ruleset_make(struct ruleset *r)
{
	struct landlock_ruleset_attr attr;
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 0)
		return -errno;
	r->handled = CHANGES | (version >= 3 ? TRUNCATE : 0);
	attr = (struct landlock_ruleset_attr){.handled_access_fs = r->handled};
	r->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	return r->fd < 0 ? -errno : 0;
}

int proc_paths_confine(const struct proc_path *paths, size_t n)
{
	struct ruleset r;
	int rc = ruleset_make(&r);

	if (rc < 0) {
		log_event(LOG_EV_SANDBOX_PARTIAL,
			LOG_FIELDS(log_str("problem", "the kernel refuses Landlock"), log_errno(rc),
				log_str("remedy", "a kernel with CONFIG_SECURITY_LANDLOCK and lsm= "
						  "with landlock, or a container that allows it")));
		return 0;
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = access_allow(&r, &paths[i]);
	if (rc == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			       syscall(SYS_landlock_restrict_self, r.fd, 0) < 0))
		rc = -errno;
	close(r.fd);
	return rc;
}
