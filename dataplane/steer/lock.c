// SPDX-License-Identifier: BSD-3-Clause
#include <steer/steer.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void path_make(char *path, size_t size, const char *directory, const char *interface)
{
	struct stat ns = {0};

	// Interfaces are the network namespace's.
	(void)stat("/proc/self/ns/net", &ns);
	snprintf(path, size, "%s/turnpike-interface-%llu-%s.lock", directory,
		(unsigned long long)ns.st_ino, interface);
}

// A file that its owner removed between our open and our lock is nobody's lock.
static int lock_try(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &st) != 0) {
		int err = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;

		close(fd);
		return err;
	}
	if (st.st_nlink > 0)
		return fd;
	close(fd);
	return -EAGAIN;
}

int steer_interface_lock(const char *directory, const char *interface, struct steer_fault *fault)
{
	char path[512];
	int fd;

	path_make(path, sizeof(path), directory, interface);
	do
		fd = lock_try(path);
	while (fd == -EAGAIN);
	if (fd == -EADDRINUSE)
		return steer_fault_set(fault, fd,
			"stop the other data plane, or give this one another port",
			"%s is served by another turnpike-dataplane", interface);
	if (fd < 0)
		return steer_fault_set(fault, fd, "a directory that the data plane may write to",
			"%s can't be locked: %s: %s", interface, path, strerror(-fd));
	return fd;
}

void steer_interface_unlock(const char *directory, const char *interface, int fd)
{
	char path[512];

	if (fd < 0)
		return;
	path_make(path, sizeof(path), directory, interface);
	(void)unlink(path);
	close(fd);
}
