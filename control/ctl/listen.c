// SPDX-License-Identifier: BSD-3-Clause
#include "listen.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int ctl_address_clear(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &st) < 0)
		rc = errno == ENOENT ? 0 : -errno;
	else if (!S_ISSOCK(st.st_mode))
		rc = -EEXIST;
	else if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		 errno == EAGAIN)
		rc = -EADDRINUSE;
	else if (unlink(address->sun_path) < 0 && errno != ENOENT)
		rc = -errno;
	close(fd);
	return rc;
}

int ctl_listen_open(const struct sockaddr_un *address, const char *group_name, int *fd)
{
	const struct group *group = group_name == NULL ? NULL : getgrnam(group_name);
	mode_t mask;
	int rc;

	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return -errno;
	mask = umask(0117);
	rc = bind(*fd, (const struct sockaddr *)address, sizeof(*address));
	rc = rc < 0 ? -errno : 0;
	umask(mask);
	if (rc < 0)
		return rc;
	// Without the privilege the group stays that of the process, which may be the one meant.
	if (group != NULL && lchown(address->sun_path, (uid_t)-1, group->gr_gid) < 0 &&
		errno != EPERM)
		return -errno;
	if (listen(*fd, 16) < 0)
		return -errno;
	return 0;
}
