// SPDX-License-Identifier: BSD-3-Clause
#include <fdpass/listen.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int fdpass_listen(char *path, size_t size, const char *directory, const char *name, int type,
	gid_t group, int backlog)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(path, size, "%s/%s", directory, name), fd, err;

	if (n < 0 || (size_t)n >= size || (size_t)n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, (size_t)n + 1);
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if ((unlink(path) == 0 || errno == ENOENT) &&
		bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && chmod(path, 0660) == 0 &&
		(group == (gid_t)-1 || chown(path, (uid_t)-1, group) == 0) &&
		listen(fd, backlog) == 0)
		return fd;
	err = -errno;
	close(fd);
	unlink(path);
	return err;
}
