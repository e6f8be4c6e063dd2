// SPDX-License-Identifier: BSD-3-Clause
#include "privilege.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int io_privilege_become(const char *user, gid_t group)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return -ENOENT;
	if (group == (gid_t)-1)
		group = pw->pw_gid;
	if (pw->pw_uid == geteuid())
		return 0;
	if (initgroups(user, pw->pw_gid) < 0 || setresgid(group, group, group) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return -errno;
	return 0;
}

int io_privilege_give(const char *directory, const char *user, gid_t group)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return -ENOENT;
	// An earlier run may have made it for itself alone.
	if (lchown(directory, pw->pw_uid, group) < 0 || chmod(directory, 0775) < 0)
		return -errno;
	return 0;
}

static int capabilities_clear(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}, {0}};

	// Needs CAP_SETPCAP; without it there is nothing that could be gained by an exec anyway.
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int io_privilege_drop(void)
{
	const struct rlimit none = {0, 0};
	int rc = capabilities_clear();

	if (rc < 0)
		return rc;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return 0;
}
