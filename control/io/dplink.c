// SPDX-License-Identifier: BSD-3-Clause
#include "dplink.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <pass/pass.h>

#define RECORDS_MAX 64u // of one reading

void io_dplink_init(
	struct io_dplink *l, const char *path, int epoll_fd, uint32_t tag, uint32_t kick_tag)
{
	*l = (struct io_dplink){.path = path,
		.epoll_fd = epoll_fd,
		.tag = tag,
		.kick_tag = kick_tag,
		.fd = -1,
		.kick_fd = -1};
}

// Closing takes both out of epoll: nobody else holds the socket, but the data plane holds the
// eventfd, so that one is taken out by hand.
void io_dplink_fini(struct io_dplink *l)
{
	if (l->kick_fd >= 0) {
		(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->kick_fd, NULL);
		close(l->kick_fd);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = l->kick_fd = -1;
	l->trace.len = 0;
}

static int watch(const struct io_dplink *l, int fd, uint32_t tag)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = tag};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int io_dplink_connect(struct io_dplink *l)
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
		rc = watch(l, l->fd, l->tag);
	if (rc < 0)
		io_dplink_fini(l);
	return rc;
}

static int descriptor_take(struct io_dplink *l, int fd)
{
	int rc;

	l->kick_fd = fd;
	rc = watch(l, fd, l->kick_tag);
	return rc < 0 ? rc : 1;
}

int io_dplink_trace(struct io_dplink *l, const struct tp_trace_request *request)
{
	if (!io_dplink_is_up(l))
		return -ENOTCONN;
	if (send(l->fd, request, sizeof(*request), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(*request))
		return errno != 0 ? -errno : -EIO;
	l->trace.number = request->trace;
	l->trace.n_records = 0;
	return 0;
}

int io_dplink_capture(
	struct io_dplink *l, const struct tp_capture_request *request, int fd, uint32_t ref)
{
	ssize_t n;

	if (!io_dplink_is_up(l))
		return -ENOTCONN;
	n = pass_send(l->fd, request, sizeof(*request), fd, MSG_DONTWAIT);
	if (n != sizeof(*request))
		return n < 0 ? (int)n : -EIO;
	if (request->frames > 0) {
		l->captures[l->n_captures % IO_CAPTURES].number = request->number;
		l->captures[l->n_captures++ % IO_CAPTURES].ref = ref;
	}
	return 0;
}

void io_dplink_capture_end(struct io_dplink *l, uint32_t ref)
{
	for (unsigned i = 0; i < IO_CAPTURES; i++) {
		const struct tp_capture_request request = {
			.magic = TP_CAPTURE_REQUEST_MAGIC, .number = l->captures[i].number};

		if (request.number == 0 || l->captures[i].ref != ref)
			continue;
		(void)io_dplink_capture(l, &request, -1, ref);
		l->captures[i].number = 0;
	}
}

static void record_take(struct io_trace *t)
{
	struct tp_trace_record rec;

	memcpy(&rec, t->part, sizeof(rec));
	t->len = 0;
	// Records of an older trace may still be under way.
	if (rec.magic == TP_TRACE_RECORD_MAGIC && rec.trace == t->number)
		t->records[t->n_records++ % IO_TRACE_KEPT] = rec;
}

// 0, or what ends the link.
static int records_read(struct io_dplink *l)
{
	struct io_trace *t = &l->trace;

	for (unsigned i = 0; i < RECORDS_MAX; i++) {
		ssize_t n = recv(l->fd, t->part + t->len, sizeof(t->part) - t->len, MSG_DONTWAIT);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		t->len += (size_t)n;
		if (t->len == sizeof(t->part))
			record_take(t);
	}
	return 0;
}

static int octet_read(struct io_dplink *l)
{
	char octet;
	int fd;
	ssize_t n = pass_receive(l->fd, &octet, 1, &fd, MSG_DONTWAIT);

	if (n < 0)
		return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
	if (n == 0)
		return -ECONNRESET;
	return fd >= 0 ? descriptor_take(l, fd) : 0;
}

int io_dplink_read(struct io_dplink *l)
{
	int rc = io_dplink_is_up(l) ? records_read(l) : octet_read(l);

	if (rc < 0)
		io_dplink_fini(l);
	return rc;
}

void io_dplink_kicked(struct io_dplink *l)
{
	uint64_t count;

	// Non-blocking by its maker; how often we were kicked says nothing.
	if (read(l->kick_fd, &count, sizeof(count)) < 0)
		return;
}
