// SPDX-License-Identifier: BSD-3-Clause
// The lock of a role, and its mark: the holder's process number while it runs, LEFT after an
// orderly stop. A crash leaves the number without a lock.
//
// Locks belong to the open file, not to the process (F_OFD_SETLK): a close of another descriptor of
// the same file does not drop them, and a look at one does not take it meanwhile.
#include <shm/file.h>
#include <turnpike/ctl.h>
#include <turnpike/session.h>

#include "fail.h"
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND	      ".second" // suffix of the name by which a lock's name is given back
#define LEFT	      "left\n"
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

// A process that leaves holds both locks for a moment: see shm_role_leave.
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

// The lock of an earlier run of another user, which nobody holds, makes way.
static int lock_open(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	bool is_free;

	if (fd >= 0 || errno != EACCES)
		return fd;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	is_free = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
	if (!is_free)
		return fd;
	close(fd);
	return unlink(path) < 0 ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static void second_path(const struct shm_place *p, const char *role, char *path, size_t size)
{
	snprintf(path, size, "%s/%s.lock" SECOND, p->run_directory, role);
}

// A file that has lost all its names can have none again.
static void second_name_give(const struct shm_place *p, const char *role, const char *path)
{
	char second[2 * SHM_PATH_MAX];

	second_path(p, role, second, sizeof(second));
	(void)unlink(second);
	(void)linkat(AT_FDCWD, path, AT_FDCWD, second, 0);
}

// Nobody outside the group may look, for a shared lock keeps the role's next process out. A process
// that has dropped its privileges can't always give the file to the group: without it the lock is
// as good, if nobody else may look either.
static int lock_guard(const struct shm_place *p, int fd)
{
	int rc = shm_share(fd, p->group, 0640);
	struct stat st;

	if (rc != -EPERM || fstat(fd, &st) < 0)
		return rc;
	return (st.st_mode & 0137) == 0 && ((st.st_mode & 0040) == 0 || st.st_gid == getegid())
		       ? 0
		       : rc;
}

int shm_role_lock(const struct shm_place *p, const char *role, struct shm_error *err)
{
	char path[2 * SHM_PATH_MAX];
	int fd, rc;

	lock_path(p, role, path, sizeof(path));
	do {
		fd = lock_open(path);
		if (fd < 0)
			return shm_fail_errno(err, "cannot open %s", path);
		rc = lock_take(fd);
		if (rc < 0 || is_named(fd, path))
			break;
		close(fd);
	} while (true);
	if (rc < 0) {
		errno = -rc;
		// EBADF: another user's, opened for reading only.
		rc = errno == EAGAIN || errno == EACCES || errno == EBADF
			     ? shm_fail(err, SHM_BUSY, -EBUSY,
				       "turnpike-%s of instance %s runs already (process %ld)",
				       role, p->instance, holder_read(fd))
			     : shm_fail_errno(err, "cannot lock %s", path);
		if (rc == -EBUSY)
			shm_remedy(err, "stop it first, or give this one another --instance");
		close(fd);
		return rc;
	}
	rc = lock_guard(p, fd);
	if (rc == 0 && (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0))
		rc = -errno;
	if (rc < 0) {
		errno = -rc;
		rc = shm_fail_errno(err, "cannot write %s", path);
		shm_remedy(err, "remove it, then start again");
		close(fd);
		return rc;
	}
	second_name_give(p, role, path);
	return fd;
}

void shm_role_take(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	// Both processes share the position.
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

enum shm_lock_fate shm_role_check(const struct shm_place *p, const char *role, int fd)
{
	char path[2 * SHM_PATH_MAX], second[2 * SHM_PATH_MAX];

	lock_path(p, role, path, sizeof(path));
	if (is_named(fd, path))
		return SHM_LOCK_NAMED;
	if (shm_role_held(p, role))
		return SHM_LOCK_TAKEN;
	second_path(p, role, second, sizeof(second));
	if (!is_named(fd, second))
		return SHM_LOCK_LOST;
	// A file that nobody has locked makes way. A process that has just opened it finds that it
	// has no name any more.
	(void)unlink(path);
	return linkat(AT_FDCWD, second, AT_FDCWD, path, 0) == 0 ? SHM_LOCK_GIVEN_BACK
								: SHM_LOCK_LOST;
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

// Whether the last holder stopped in order.
static bool has_left(int fd)
{
	char text[sizeof(LEFT)] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n == (ssize_t)strlen(LEFT) && strcmp(text, LEFT) == 0;
}

bool shm_role_has_left(const struct shm_place *p, const char *role)
{
	char path[2 * SHM_PATH_MAX];
	bool left;
	int fd;

	lock_path(p, role, path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT;
	left = has_left(fd);
	close(fd);
	return left;
}

// A shared lock, which keeps out only a process that plays the role. -1: one does. -2: there is no
// file: none ever did.
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
		SHM_TABLES, SHM_INJECT, SHM_PRIVATE, SHM_STATE, SHM_PUNT, SHM_EDGE, SHM_STREAM};
	static const char *const names[] = {TP_CTL_SOCKET_NAME, TP_PUNT_SOCKET_NAME,
		TP_STREAM_SOCKET_NAME, TP_EDGE_SOCKET_NAME, SHM_RECORD_NAME,
		SHM_ROLE_CONTROL ".lock" SECOND, SHM_ROLE_DATAPLANE ".lock" SECOND,
		SHM_ROLE_CONTROL ".lock", SHM_ROLE_DATAPLANE ".lock", SHM_ROLE_EDGE ".lock" SECOND,
		SHM_ROLE_EDGE ".lock"};
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

// With all roles' locks shared nobody starts meanwhile. `always`: after a crash too.
static bool files_leave(const struct shm_place *p, bool always)
{
	static const char *const roles[] = {SHM_ROLE_CONTROL, SHM_ROLE_DATAPLANE, SHM_ROLE_EDGE};
	int locks[TP_ARRAY_LEN(roles)];
	bool last = true;

	for (size_t i = 0; i < TP_ARRAY_LEN(roles); i++) {
		locks[i] = lock_share(p, roles[i]);
		// No call is left in the files for a crashed edge to come back to.
		last = last && locks[i] != -1 &&
		       (always || locks[i] < 0 || has_left(locks[i]) ||
			       strcmp(roles[i], SHM_ROLE_EDGE) == 0);
	}
	if (last)
		files_remove(p);
	for (size_t i = 0; i < TP_ARRAY_LEN(roles); i++) {
		if (locks[i] >= 0)
			close(locks[i]);
	}
	return last;
}

bool shm_role_leave(const struct shm_place *p, const char *role, int fd)
{
	char path[2 * SHM_PATH_MAX];
	bool ours;

	lock_path(p, role, path, sizeof(path));
	ours = is_named(fd, path);
	if (ours && ftruncate(fd, 0) == 0)
		ours = pwrite(fd, LEFT, strlen(LEFT), 0) == (ssize_t)strlen(LEFT);
	// Our lock goes before the look at the other, so that of two concurrent stops at least one
	// sees that it is the last.
	close(fd);
	return ours && files_leave(p, false);
}

bool shm_role_clear(const struct shm_place *p, int fd)
{
	close(fd);
	return files_leave(p, true);
}
