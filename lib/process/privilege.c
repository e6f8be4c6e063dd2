// SPDX-License-Identifier: BSD-3-Clause
#include <proc/privilege.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <proc/start.h>

// ---- user and groups --------------------------------------------------------------------------

#define GROUPS_MAX 64

static int groups_join(const struct passwd *pw, const struct proc_identity *who)
{
	gid_t groups[GROUPS_MAX + 3];
	int n = GROUPS_MAX;

	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return -E2BIG;
	if (who->group != (gid_t)-1)
		groups[n++] = who->group;
	if (who->operators != (gid_t)-1)
		groups[n++] = who->operators;
	if (who->tables != (gid_t)-1)
		groups[n++] = who->tables;
	return setgroups((size_t)n, groups) < 0 ? -errno : 0;
}

// A change of the user takes the effective capabilities, and leaves the permitted ones where the
// thread asked for it.
static int capabilities_raise(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

// Needs CAP_SETPCAP; without it an exec gains nothing anyway.
static void bounds_drop(uint64_t keep)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if ((keep & PROC_CAPABILITY(cap)) == 0)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
}

int proc_become(const struct proc_identity *who)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	const struct passwd *pw = getpwnam(who->user);
	gid_t group;
	int rc;

	if (pw == NULL)
		return -ENOENT;
	if (pw->pw_uid == geteuid())
		return 0;
	group = who->group == (gid_t)-1 ? pw->pw_gid : who->group;
	// Tables are locked in memory later, without the privilege.
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited);
	if (!who->keep_capabilities)
		bounds_drop(0);
	rc = groups_join(pw, who);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_KEEPCAPS, who->keep_capabilities ? 1 : 0, 0, 0, 0) < 0 ||
		setresgid(group, group, group) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return -errno;
	return who->keep_capabilities ? capabilities_raise() : 0;
}

int proc_user_check(const char *usual, const char *user, bool allow_root)
{
	const struct passwd *pw = user == NULL ? NULL : getpwnam(user);
	char problem[128], remedy[160];

	snprintf(remedy, sizeof(remedy),
		"--user %s (tools/install-users makes it), or --allow-root to run as root", usual);
	if (user != NULL && pw == NULL) {
		snprintf(problem, sizeof(problem), "--user %.64s: there is no such user", user);
		proc_start_failed(problem, -ENOENT, "make the users: tools/install-users");
		return PROC_EXIT_USAGE;
	}
	if (allow_root || (pw == NULL ? geteuid() : pw->pw_uid) != 0)
		return 0;
	proc_start_failed("would run as root (uid 0)", -EPERM, remedy);
	return PROC_EXIT_USAGE;
}

// ---- the shared directory ---------------------------------------------------------------------

// An instance's directory holds a lock of one of its roles, or nothing yet.
static bool directory_is_ours(const char *directory)
{
	static const char *const marks[] = {"control.lock", "dataplane.lock"};
	const struct dirent *e;
	bool empty = true;
	DIR *d = opendir(directory);

	if (d == NULL)
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (faccessat(dirfd(d), marks[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
			closedir(d);
			return true;
		}
	}
	while ((e = readdir(d)) != NULL)
		empty = empty && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0);
	closedir(d);
	return empty;
}

int proc_directory_share(const char *directory, gid_t group)
{
	struct stat st;

	if (lstat(directory, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_gid == group && (st.st_mode & 07777) == PROC_DIRECTORY_MODE)
		return 0;
	if (!directory_is_ours(directory))
		return st.st_gid == group && (st.st_mode & 0030) == 0030 ? 0 : -EACCES;
	if (lchown(directory, (uid_t)-1, group) < 0 || chmod(directory, PROC_DIRECTORY_MODE) < 0)
		return -errno;
	return 0;
}

// ---- capabilities -----------------------------------------------------------------------------

int proc_capabilities_keep(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	bounds_drop(keep);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (unsigned i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int proc_memory_hide(void)
{
	const struct rlimit none = {0, 0};

	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ? -errno
											   : 0;
}
