// SPDX-License-Identifier: BSD-3-Clause
// Locks belong to the open file, not to the process (F_OFD_SETLK): a close of another descriptor of
// the same file does not drop them, and who asks whether one is held does not take it meanwhile.
#include <shm/place.h>

#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void lock_path(const struct shm_place *p, const char *role, char *path, size_t size)
{
	snprintf(path, size, "%s/%s.lock", p->run_directory, role);
}

static long holder_read(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? strtol(text, NULL, 10) : 0;
}

int shm_role_lock(const struct shm_place *p, const char *role, struct shm_error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[2 * SHM_PATH_MAX];
	int fd, rc;

	lock_path(p, role, path, sizeof(path));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return shm_fail_errno(err, "cannot open %s", path);
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		rc = errno == EAGAIN || errno == EACCES
			     ? shm_fail(err, SHM_BUSY, -EBUSY,
				       "turnpike-%s of instance %s runs already (process %ld)",
				       role, p->instance, holder_read(fd))
			     : shm_fail_errno(err, "cannot lock %s", path);
		if (rc == -EBUSY)
			shm_remedy(err, "stop it first, or give this one another --instance");
		close(fd);
		return rc;
	}
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		rc = shm_fail_errno(err, "cannot write %s", path);
		close(fd);
		return rc;
	}
	return fd;
}

bool shm_role_held(const struct shm_place *p, const char *role)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[2 * SHM_PATH_MAX];
	bool held;
	int fd;

	lock_path(p, role, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held;
}
