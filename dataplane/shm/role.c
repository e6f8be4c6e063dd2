// SPDX-License-Identifier: BSD-3-Clause
// Locks belong to the open file, not to the process (F_OFD_SETLK): a close of another descriptor of
// the same file does not drop them, and who asks whether one is held does not take it meanwhile.
#include <shm/file.h>
#include <turnpike/ctl.h>

#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_WAIT_NS 200000000 // a starting process waits so long for one that leaves
#define LEAVE_TRIES   20u

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

// A lock on a file that has lost its name keeps nobody out.
static bool is_named(int fd, const char *path)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && lstat(path, &named) == 0 && mine.st_dev == named.st_dev &&
	       mine.st_ino == named.st_ino;
}

// Whoever leaves holds the locks for a moment: see shm_role_leave.
static int lock_take(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const struct timespec pause = {.tv_nsec = LEAVE_WAIT_NS / LEAVE_TRIES};

	for (unsigned i = 1; fcntl(fd, F_OFD_SETLK, &lock) < 0; i++) {
		if ((errno != EAGAIN && errno != EACCES) || i == LEAVE_TRIES)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int shm_role_lock(const struct shm_place *p, const char *role, struct shm_error *err)
{
	char path[2 * SHM_PATH_MAX];
	int fd, rc;

	lock_path(p, role, path, sizeof(path));
	do {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return shm_fail_errno(err, "cannot open %s", path);
		rc = lock_take(fd);
		if (rc < 0 || is_named(fd, path))
			break;
		close(fd);
	} while (true);
	if (rc < 0) {
		errno = -rc;
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
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
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

// A shared lock, which keeps out only who plays the role. -1: somebody does. -2: there is no file.
static int lock_share(const struct shm_place *p, const char *role)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	char path[2 * SHM_PATH_MAX];
	int fd;

	lock_path(p, role, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -2 : -1;
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return fd;
	close(fd);
	return -1;
}

static void files_remove(const struct shm_place *p)
{
	static const enum shm_kind kinds[] = {
		SHM_TABLES, SHM_INJECT, SHM_PRIVATE, SHM_STATE, SHM_PUNT};
	static const char *const names[] = {TP_CTL_SOCKET_NAME, TP_PUNT_SOCKET_NAME,
		SHM_RECORD_NAME, SHM_ROLE_CONTROL ".lock", SHM_ROLE_DATAPLANE ".lock"};
	struct shm_place place = *p;
	struct shm_error err;
	char path[2 * SHM_PATH_MAX];

	// Configured, or in the record.
	if (place.directory[0] != '\0' || shm_place_find(&place, &err) == 0) {
		for (size_t i = 0; i < TP_ARRAY_LEN(kinds); i++)
			(void)shm_file_remove(&place, kinds[i], &err);
		shm_place_remove(&place);
	}
	for (size_t i = 0; i < TP_ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->run_directory, names[i]);
		(void)unlink(path);
	}
}

bool shm_role_leave(const struct shm_place *p, int fd)
{
	static const char *const roles[] = {SHM_ROLE_CONTROL, SHM_ROLE_DATAPLANE};
	int locks[TP_ARRAY_LEN(roles)];
	bool last = true;

	// First the own role, then the look at the other: of two that leave at once, one sees that
	// it is the last.
	close(fd);
	for (size_t i = 0; i < TP_ARRAY_LEN(roles); i++) {
		locks[i] = lock_share(p, roles[i]);
		last = last && locks[i] != -1;
	}
	if (last)
		files_remove(p);
	for (size_t i = 0; i < TP_ARRAY_LEN(roles); i++) {
		if (locks[i] >= 0)
			close(locks[i]);
	}
	return last;
}
