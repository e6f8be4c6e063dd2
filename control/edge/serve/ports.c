// SPDX-License-Identifier: BSD-3-Clause
// Ports that come and go while the threads run. A new port is whole before a thread learns of it; a
// removed one keeps its place, since connections refer to it, and each thread closes its own
// socket.
#include "internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int ports_show(struct serve *s, size_t first)
{
	for (size_t i = first; i < s->n_ports; i++) {
		for (unsigned k = 0; k < s->n_threads; k++) {
			struct epoll_event e = {.events = EPOLLIN, .data.ptr = &s->ports[i]};

			if (epoll_ctl(s->threads[k]->epoll_fd, EPOLL_CTL_ADD, s->ports[i].fds[k],
				    &e) < 0)
				return -errno;
		}
	}
	return 0;
}

static bool conf_has(const struct conf *conf, const struct tp_addr *addr)
{
	for (size_t i = 0; i < conf->n_listeners; i++) {
		if (listen_is_stream(&conf->listeners[i]) &&
			tp_addr_equal(&conf->listeners[i].addr, addr))
			return true;
	}
	return false;
}

unsigned ports_remove(struct serve *s, const struct conf *conf)
{
	static const uint64_t one = 1;
	unsigned n = 0;

	for (size_t i = 0; i < s->n_ports; i++) {
		if (s->ports[i].is_removed || conf_has(conf, &s->ports[i].addr))
			continue;
		s->ports[i].is_removed = true;
		n++;
	}
	s->ports_left += n;
	// Listeners have left ports that stay, too.
	for (unsigned k = 0; k < s->n_threads; k++)
		(void)!write(s->threads[k]->mail_fd, &one, sizeof(one));
	return n;
}

// Before its first bytes it is of no listener.
static bool has_left(const struct conn *c)
{
	const struct serve_port *p = c->port;

	if (p->is_removed)
		return true;
	return c->state != CONN_PROXY && c->state != CONN_FIRST &&
	       (c->by_tls ? p->tls_left : p->plain_left);
}

static void list_leave(struct ds_list *list)
{
	struct ds_list *k = list->next;

	while (k != list) {
		struct conn *c = DS_CONTAINER(k, struct conn, timed);

		k = k->next;
		if (has_left(c))
			conn_close(c, SERVE_CLOSE_removed);
	}
}

// The thread may have tens of thousands of connections: one look at them is for all that have left.
void ports_leave(struct serve_thread *t)
{
	struct ds_list *lists[] = {&t->unnamed, &t->young, &t->idle, &t->binding, &t->joined};
	uint32_t left = t->serve->ports_left;

	if (left == t->ports_left_seen)
		return;
	t->ports_left_seen = left;
	for (size_t i = 0; i < SERVE_PORTS_MAX; i++) {
		struct serve_port *p = &t->serve->ports[i];

		if (!p->is_removed || p->fds[t->number] < 0)
			continue;
		thread_close(t, p->fds[t->number]);
		p->fds[t->number] = -1;
	}
	for (size_t k = 0; k < TP_ARRAY_LEN(lists); k++)
		list_leave(lists[k]);
}
