// SPDX-License-Identifier: BSD-3-Clause
#include "kick.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <pass/pass.h>

int kick_init(struct kick *k, const char *run_directory, gid_t group)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int n, err;

	memset(k, 0, sizeof(*k));
	for (unsigned i = 0; i < KICK_CLIENTS_MAX; i++)
		k->clients[i] = -1;
	k->listen_fd = -1;
	k->tracer = -1;
	k->capturer = -1;
	k->capture_fd = -1;
	n = snprintf(k->path, sizeof(k->path), "%s/%s", run_directory, TP_PUNT_SOCKET_NAME);
	if (n < 0 || (size_t)n >= sizeof(k->path))
		return -ENAMETOOLONG;
	memcpy(name.sun_path, k->path, (size_t)n + 1);
	k->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (k->event_fd < 0)
		return -errno;
	k->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->listen_fd < 0)
		goto fail;
	// The role's lock is ours: a socket that is there is of a data plane that died.
	if (unlink(k->path) != 0 && errno != ENOENT)
		goto fail;
	if (bind(k->listen_fd, (struct sockaddr *)&name, sizeof(name)) != 0)
		goto fail;
	if (chmod(k->path, 0660) != 0 ||
		(group != (gid_t)-1 && chown(k->path, (uid_t)-1, group) != 0) ||
		listen(k->listen_fd, (int)KICK_CLIENTS_MAX) != 0)
		goto fail;
	return 0;
fail:
	err = -errno;
	kick_fini(k);
	return err;
}

static int pass(int client, int event_fd)
{
	const char octet = 0;
	ssize_t n = pass_send(client, &octet, 1, event_fd, MSG_DONTWAIT);

	return n == 1 ? 0 : (int)n;
}

static bool adopt(struct kick *k, int client)
{
	for (unsigned i = 0; i < KICK_CLIENTS_MAX; i++) {
		if (k->clients[i] < 0) {
			k->clients[i] = client;
			return true;
		}
	}
	return false;
}

// Octets of a request by how it begins. What is none is thrown away in the shortest's size.
static size_t request_size(uint32_t magic)
{
	return magic == TP_CAPTURE_REQUEST_MAGIC ? sizeof(struct tp_capture_request)
						 : sizeof(struct tp_trace_request);
}

// The descriptor that came along, or -1.
static int request_receive(int client, void *request, size_t size)
{
	int fd;

	(void)pass_receive(client, request, size, &fd, MSG_DONTWAIT);
	return fd;
}

static void capture_fd_set(struct kick *k, int fd)
{
	if (k->capture_fd >= 0)
		close(k->capture_fd);
	k->capture_fd = fd;
}

union request {
	uint32_t magic;
	struct tp_trace_request trace;
	struct tp_capture_request capture;
};

static void request_take(struct kick *k, int client, const union request *r, int fd)
{
	if (r->magic == TP_CAPTURE_REQUEST_MAGIC) {
		capture_fd_set(k, fd);
		k->capture = r->capture;
		k->capture_asked = true;
		k->capturer = client;
		return;
	}
	if (fd >= 0)
		close(fd);
	if (r->magic != TP_TRACE_REQUEST_MAGIC)
		return;
	k->request = r->trace;
	k->asked = true;
	k->tracer = client;
}

// Takes a request, at most one. A part of one waits for the rest.
static bool ended(struct kick *k, int client)
{
	union request r = {0};
	ssize_t n = recv(client, &r, sizeof(r), MSG_DONTWAIT | MSG_PEEK);

	if (n <= 0)
		return n == 0 || (errno != EAGAIN && errno != EINTR);
	if ((size_t)n < sizeof(r.magic) || (size_t)n < request_size(r.magic) || k->capture_asked)
		return false;
	request_take(k, client, &r, request_receive(client, &r, request_size(r.magic)));
	return false;
}

bool kick_send(struct kick *k, const struct tp_trace_record *record)
{
	// A client that does not read loses whole records: there is room for one, or for none.
	return k->tracer >= 0 && send(k->tracer, record, sizeof(*record),
					 MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof(*record);
}

void kick_poll(struct kick *k, unsigned *came, unsigned *went)
{
	int client;

	*came = 0;
	*went = 0;
	for (unsigned i = 0; i < KICK_CLIENTS_MAX; i++) {
		if (k->clients[i] >= 0 && ended(k, k->clients[i])) {
			if (k->tracer == k->clients[i])
				k->tracer = -1;
			if (k->capturer == k->clients[i])
				k->capturer = -1;
			close(k->clients[i]);
			k->clients[i] = -1;
			++*went;
		}
	}
	while ((client = accept4(k->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (pass(client, k->event_fd) == 0 && adopt(k, client))
			++*came;
		else
			close(client);
	}
}

void kick_fini(struct kick *k)
{
	for (unsigned i = 0; i < KICK_CLIENTS_MAX; i++) {
		if (k->clients[i] >= 0)
			close(k->clients[i]);
		k->clients[i] = -1;
	}
	if (k->listen_fd >= 0) {
		close(k->listen_fd);
		unlink(k->path);
	}
	if (k->event_fd >= 0)
		close(k->event_fd);
	capture_fd_set(k, -1);
	k->listen_fd = -1;
	k->event_fd = -1;
}
