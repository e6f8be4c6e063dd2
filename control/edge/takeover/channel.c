// SPDX-License-Identifier: BSD-3-Clause
#include <takeover/channel.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <fdpass/listen.h>

int takeover_listen(char path[TAKEOVER_PATH_SIZE], const char *run_directory, const char *suffix)
{
	char name[sizeof(TAKEOVER_SOCKET_NAME) + sizeof(TAKEOVER_LATER)];
	int rc, fd;

	snprintf(name, sizeof(name), "%s%s", TAKEOVER_SOCKET_NAME, suffix);
	fd = fdpass_listen(
		path, TAKEOVER_PATH_SIZE, run_directory, name, SOCK_STREAM, (gid_t)-1, 2);
	if (fd < 0 || chmod(path, 0600) == 0)
		return fd;
	rc = -errno;
	close(fd);
	(void)unlink(path);
	return rc;
}

static int peer_check(int fd, uid_t user, uid_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	*uid = peer.uid;
	return peer.uid == user || peer.uid == 0 ? 0 : -EPERM;
}

void takeover_patience(int fd, unsigned ms)
{
	const struct timeval t = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

int takeover_connect(const char *run_directory, uid_t user)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(
		a.sun_path, sizeof(a.sun_path), "%s/%s", run_directory, TAKEOVER_SOCKET_NAME);
	uid_t uid;
	int fd, rc;

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	takeover_patience(fd, TAKEOVER_STEP_MS);
	rc = connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	if (rc == 0)
		rc = peer_check(fd, user, &uid);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int takeover_accept(int listen_fd, uid_t *uid)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC), rc;

	*uid = (uid_t)-1;
	if (fd < 0)
		return -errno;
	takeover_patience(fd, TAKEOVER_STEP_MS);
	rc = peer_check(fd, geteuid(), uid);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

bool takeover_has_come(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

// ---- records ------------------------------------------------------------------------------------

// Sends or receives all of the bytes.
static int move_all(int fd, uint8_t *bytes, size_t len, bool out)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = out ? send(fd, bytes + at, len - at, MSG_NOSIGNAL)
				: recv(fd, bytes + at, len - at, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		at += (size_t)n;
	}
	return 0;
}

int takeover_send(int fd, enum takeover_kind kind, const void *body, size_t len, int passed)
{
	const struct takeover_head head = takeover_head_make(kind, (uint32_t)len);
	// The descriptor comes with the first byte of the head.
	ssize_t n = fdpass_send(fd, &head, sizeof(head), passed, 0);

	if (n != (ssize_t)sizeof(head))
		return n < 0 ? (int)n : -EPIPE;
	return move_all(fd, (uint8_t *)(uintptr_t)body, len, true);
}

static int head_read(int fd, struct takeover_record *r)
{
	ssize_t n;
	int rc;

	do {
		n = fdpass_receive(fd, &r->head, sizeof(r->head), &r->fd, 0);
	} while (n == -EINTR);
	if (n <= 0)
		return n < 0 ? (int)n : -EPIPE;
	rc = move_all(fd, (uint8_t *)&r->head + n, sizeof(r->head) - (size_t)n, false);
	if (rc < 0)
		return rc;
	switch (takeover_head_check(&r->head)) {
	case TAKEOVER_RIGHT:
		return 0;
	case TAKEOVER_OTHER_VERSION:
		return -EPROTONOSUPPORT;
	default:
		return -EPROTO;
	}
}

int takeover_receive(int fd, struct takeover_record *r)
{
	int rc;

	*r = (struct takeover_record){.fd = -1};
	rc = head_read(fd, r);
	if (rc == 0) {
		r->body = malloc((size_t)r->head.len + 1);
		rc = r->body == NULL ? -ENOMEM : move_all(fd, r->body, r->head.len, false);
	}
	if (rc < 0)
		takeover_record_free(r);
	else
		r->body[r->head.len] = 0;
	return rc;
}

void takeover_record_free(struct takeover_record *r)
{
	free(r->body);
	r->body = NULL;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}
