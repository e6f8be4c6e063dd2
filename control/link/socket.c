// SPDX-License-Identifier: BSD-3-Clause
#include <link/socket.h>

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <fdpass/wake.h>
#include <log/log.h>
#include <shm/group.h>

void link_socket_init(struct link_socket *l, const char *path, const struct shm_place *place,
	int epoll_fd, uint32_t tag, uint32_t kick_tag)
{
	*l = (struct link_socket){.path = path,
		.place = place,
		.stranger = (uid_t)-1,
		.epoll_fd = epoll_fd,
		.tag = tag,
		.kick_tag = kick_tag,
		.fd = -1,
		.kick_fd = -1,
		.wake_fd = -1};
}

// Closing takes both out of epoll: nobody else holds the socket, but the data plane holds the
// timer, so that one is taken out by hand.
void link_socket_fini(struct link_socket *l)
{
	if (l->kick_fd >= 0) {
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->kick_fd, NULL);
		close(l->kick_fd);
	}
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = l->kick_fd = l->wake_fd = -1;
}

static int watch(const struct link_socket *l, int fd, uint32_t tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

// The edge may make a socket of that name: it must be given no requests for captures.
static int peer_check(struct link_socket *l)
{
	uid_t uid;
	bool good = shm_tables_peer(l->place, l->fd, &uid);

	if (!good && uid != l->stranger)
		log_event(LOG_EV_SEGMENT_REFUSED,
			LOG_FIELDS(log_str("problem", "a process that is not in the group "
						      "of the tables listens at the socket"),
				log_str("path", l->path), log_u64("uid", uid),
				log_str("remedy",
					"find out which one; if it is turnpike-dataplane, "
					"make its user a member of " SHM_TABLES_GROUP_NAME
					" (tools/install-users)")));
	l->stranger = good ? (uid_t)-1 : uid;
	return good ? 0 : -EPERM;
}

int link_socket_connect(struct link_socket *l)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int rc;

	if (l->fd >= 0)
		return 0;
	if (strlen(l->path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, l->path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	rc = connect(l->fd, (const struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	if (rc == 0)
		rc = peer_check(l);
	if (rc == 0)
		rc = watch(l, l->fd, l->tag);
	if (rc < 0)
		link_socket_fini(l);
	return rc;
}

static int descriptor_take(struct link_socket *l, int fd)
{
	int rc;

	l->kick_fd = fd;
	rc = watch(l, fd, l->kick_tag);
	return rc < 0 ? rc : 1;
}

int link_socket_ask(struct link_socket *l, const void *request, size_t size, int fd)
{
	ssize_t n;

	if (!link_socket_is_up(l))
		return -ENOTCONN;
	n = fdpass_send(l->fd, request, size, fd, MSG_DONTWAIT);
	if (n != (ssize_t)size)
		return n < 0 ? (int)n : -EIO;
	return 0;
}

int link_socket_capture(
	struct link_socket *l, const struct tp_capture_request *request, int fd, uint32_t ref)
{
	int rc = link_socket_ask(l, request, sizeof(*request), fd);

	if (rc == 0 && request->ask.count > 0) {
		l->captures[l->n_captures % LINK_CAPTURES].number = request->ask.number;
		l->captures[l->n_captures++ % LINK_CAPTURES].ref = ref;
	}
	return rc;
}

void link_socket_capture_end(struct link_socket *l, uint32_t ref)
{
	for (unsigned i = 0; i < LINK_CAPTURES; i++) {
		const struct tp_capture_request request = {
			.ask = {.magic = TP_CAPTURE_REQUEST_MAGIC,
				.number = l->captures[i].number}};

		if (request.ask.number == 0 || l->captures[i].ref != ref)
			continue;
		(void)link_socket_capture(l, &request, -1, ref);
		l->captures[i].number = 0;
	}
}

// Nothing comes after the two timers but the end; further bytes are passed over.
static int descriptor_read(struct link_socket *l)
{
	char byte;
	int fd;
	ssize_t n = fdpass_receive(l->fd, &byte, 1, &fd, MSG_DONTWAIT);

	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
	if (n == 0)
		return -ECONNRESET;
	if (fd >= 0 && !link_socket_is_up(l))
		return descriptor_take(l, fd);
	if (fd >= 0 && l->wake_fd >= 0)
		close(fd);
	else if (fd >= 0)
		l->wake_fd = fd;
	return 0;
}

void link_socket_wake(const struct link_socket *l)
{
	if (l->wake_fd >= 0)
		(void)fdpass_wake(l->wake_fd);
}

int link_socket_read(struct link_socket *l)
{
	int rc = descriptor_read(l);

	if (rc < 0)
		link_socket_fini(l);
	return rc;
}

void link_socket_kicked(struct link_socket *l)
{
	uint64_t count;

	// Non-blocking by its maker; how often we were kicked says nothing.
	if (read(l->kick_fd, &count, sizeof(count)) < 0)
		return;
}
