// SPDX-License-Identifier: BSD-3-Clause
#include <tcp/spare.h>

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <tcp/socket.h>

int tcp_spare_open(struct tcp_spare *s)
{
	s->fd = eventfd(0, EFD_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

void tcp_spare_close(struct tcp_spare *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void tcp_spare_refill(struct tcp_spare *s)
{
	if (s->fd < 0)
		(void)tcp_spare_open(s);
}

bool tcp_spare_refuse(struct tcp_spare *s, int listener, int rc, struct tp_addr *from)
{
	int fd;

	if ((rc != -EMFILE && rc != -ENFILE) || s->fd < 0)
		return false;
	tcp_spare_close(s);
	fd = tcp_accept(listener, from);
	if (fd >= 0)
		close(fd);
	tcp_spare_refill(s);
	return fd >= 0;
}
