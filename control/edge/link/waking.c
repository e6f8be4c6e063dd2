// SPDX-License-Identifier: BSD-3-Clause
// Exchanges with the data plane the timers by which both sides wake each other. Its socket's end
// tells that the data plane is gone.
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <turnpike/ctl.h>

int waking_init(struct edge_link *l)
{
	l->waking.wake_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return l->waking.wake_fd < 0 ? -errno : 0;
}

void waking_fini(struct edge_link *l)
{
	if (l->waking.fd >= 0)
		close(l->waking.fd);
	if (l->waking.wake_fd >= 0)
		close(l->waking.wake_fd);
	l->waking.fd = l->waking.wake_fd = -1;
}

static void disconnect(struct edge_link *l)
{
	close(l->waking.fd);
	l->waking.fd = -1;
	l->waking.up = false;
}

static bool timers_send(const struct edge_link *l)
{
	const char byte = 0;

	for (unsigned i = 0; i < l->settings.n_threads; i++) {
		if (fdpass_send(l->waking.fd, &byte, 1, l->threads[i].timer_fd, MSG_DONTWAIT) != 1)
			return false;
	}
	return true;
}

void waking_connect(struct edge_link *l)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct epoll_event e = {.events = EPOLLIN};
	struct waking *w = &l->waking;
	int n;

	if (w->fd >= 0)
		return;
	n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", l->settings.place->run_directory,
		TP_STREAM_SOCKET_NAME);
	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return;
	w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0)
		return;
	if (connect(w->fd, (const struct sockaddr *)&a, sizeof(a)) != 0 || !timers_send(l) ||
		epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &e) != 0)
		disconnect(l);
}

// Threads use the number at any time: the timer behind it changes in one step.
static bool timer_take(struct waking *w, int fd)
{
	bool taken = fd >= 0 && dup3(fd, w->wake_fd, O_CLOEXEC) >= 0;

	if (fd >= 0)
		close(fd);
	w->up = w->up || taken;
	return taken;
}

void waking_read(struct edge_link *l)
{
	struct waking *w = &l->waking;

	while (w->fd >= 0) {
		char byte;
		int fd;
		ssize_t n = fdpass_receive(w->fd, &byte, 1, &fd, MSG_DONTWAIT);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0 || !timer_take(w, fd))
			disconnect(l);
	}
}
