// SPDX-License-Identifier: BSD-3-Clause
#include <fdpass/fdpass.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

ssize_t fdpass_send(int socket, const void *data, size_t len, int fd, int flags)
{
	struct iovec iov = {(void *)(uintptr_t)data, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {.space = {0}};
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c = &control.align;

		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(fd)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	n = sendmsg(socket, &m, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

// Keeps the first descriptor of a control message, and closes any others.
static void descriptors_take(const struct cmsghdr *c, int *first)
{
	if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
		if (*first < 0)
			*first = fd;
		else
			close(fd);
	}
}

ssize_t fdpass_receive(int socket, void *data, size_t len, int *fd, int flags)
{
	struct iovec iov = {data, len};
	union control control = {.space = {0}};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		descriptors_take(c, fd);
	return n;
}
