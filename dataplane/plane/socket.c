// SPDX-License-Identifier: BSD-3-Clause
#include <plane/socket.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <fdpass/listen.h>

int plane_socket_init(struct plane_socket *s, const char *run_directory, gid_t group)
{
	int err;

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < PLANE_SOCKET_CLIENTS_MAX; i++)
		s->clients[i] = -1;
	s->listen_fd = -1;
	s->wake_fd = -1;
	s->request_fd = -1;
	s->kick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	s->wake_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	err = s->kick_fd < 0 || s->wake_fd < 0 ? -errno : 0;
	if (err == 0)
		s->listen_fd = fdpass_listen(s->path, sizeof(s->path), run_directory,
			TP_PUNT_SOCKET_NAME, SOCK_STREAM, group, (int)PLANE_SOCKET_CLIENTS_MAX);
	if (err == 0 && s->listen_fd < 0)
		err = s->listen_fd;
	if (err != 0)
		plane_socket_fini(s);
	return err;
}

static bool pass(int client, int fd)
{
	const char byte = 0;

	return fdpass_send(client, &byte, 1, fd, MSG_DONTWAIT) == 1;
}

static bool adopt(struct plane_socket *s, int client)
{
	for (unsigned i = 0; i < PLANE_SOCKET_CLIENTS_MAX; i++) {
		if (s->clients[i] < 0) {
			s->clients[i] = client;
			return true;
		}
	}
	return false;
}

// Skips the bytes of something that is no request, and closes the descriptor that came with it.
static void request_take(struct plane_socket *s, int client, size_t size)
{
	int fd;
	ssize_t n = fdpass_receive(client, &s->request, size, &fd, MSG_DONTWAIT);

	s->asked = n == (ssize_t)size && observe_request_size(s->request.ask.magic) == size;
	if (s->asked)
		s->request_fd = fd;
	else if (fd >= 0)
		close(fd);
}

// Takes a request, at most one. A part of one waits for the rest, one behind another for its turn.
static bool ended(struct plane_socket *s, int client)
{
	union observe_request r = {0};
	ssize_t n = recv(client, &r, sizeof(r), MSG_DONTWAIT | MSG_PEEK);
	size_t size;

	if (n <= 0)
		return n == 0 || (errno != EAGAIN && errno != EINTR);
	if ((size_t)n < sizeof(r.ask.magic) || s->asked)
		return false;
	size = observe_request_size(r.ask.magic);
	if (size == 0)
		size = sizeof(r.trace);
	if ((size_t)n >= size)
		request_take(s, client, size);
	return false;
}

void plane_socket_poll(struct plane_socket *s, unsigned *came, unsigned *went)
{
	int client;

	*came = 0;
	*went = 0;
	for (unsigned i = 0; i < PLANE_SOCKET_CLIENTS_MAX; i++) {
		if (s->clients[i] >= 0 && ended(s, s->clients[i])) {
			close(s->clients[i]);
			s->clients[i] = -1;
			++*went;
		}
	}
	while ((client = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (pass(client, s->kick_fd) && pass(client, s->wake_fd) && adopt(s, client))
			++*came;
		else
			close(client);
	}
}

void plane_socket_fini(struct plane_socket *s)
{
	for (unsigned i = 0; i < PLANE_SOCKET_CLIENTS_MAX; i++) {
		if (s->clients[i] >= 0)
			close(s->clients[i]);
		s->clients[i] = -1;
	}
	if (s->listen_fd >= 0) {
		close(s->listen_fd);
		unlink(s->path);
	}
	if (s->kick_fd >= 0)
		close(s->kick_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->request_fd >= 0)
		close(s->request_fd);
	s->request_fd = -1;
	s->listen_fd = -1;
	s->kick_fd = -1;
	s->wake_fd = -1;
}
