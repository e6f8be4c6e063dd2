// SPDX-License-Identifier: BSD-3-Clause
// Connections of TLS that have passed to the next process: this one goes on to encrypt and decrypt,
// and knows nothing else of them. The other side is one end of a pair of sockets.
#include "pass.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

// The session wants the same write again.
static void rest_move(struct conn *c, struct way *down)
{
	down->bytes = c->rest;
	down->n = c->n_rest;
	c->rest = NULL;
	c->n_rest = 0;
}

static void messages_drop(struct conn *c)
{
	backlog_fini(&c->backlog);
	free(c->partial);
	free(c->head);
	free(c->ws);
	c->partial = c->head = NULL;
	c->ws = NULL;
	c->n_partial = c->n_head = 0;
	c->connection = 0;
	c->binding = c->held = false;
	ds_list_del(&c->dirty);
	ds_list_del(&c->again);
}

void pass_bridge(struct conn *c, int fd)
{
	struct pass *p = calloc(1, sizeof(*p));

	messages_drop(c);
	if (p == NULL) {
		close(fd);
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	*p = (struct pass){.fd = fd, .connected = true, .up.from = CLIENT, .down.from = BACKEND};
	c->pass = p;
	c->state = CONN_PASS;
	rest_move(c, &p->down);
	if (!pass_watch(c, fd, EPOLL_CTL_ADD) || !pass_watch(c, c->fd, EPOLL_CTL_MOD)) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	conn_time(c, &c->thread->idle);
	// The session may hold bytes that no event tells.
	ds_list_add(&c->thread->again, &c->again);
}

// Bytes for the client stay: the session may have begun a record of them. Those for the far side
// have moved, and so has the end of that side.
void pass_split(struct conn *c, int fd)
{
	struct pass *p = c->pass;

	thread_close(c->thread, p->fd);
	p->fd = fd;
	p->connected = true;
	p->peers = p->key != 0;
	p->key = 0;
	meter_unref(p->meter);
	p->meter = NULL;
	free(p->up.bytes);
	p->up = (struct way){.from = CLIENT, .ended = p->up.ended};
	p->down.ended = false;
	c->connection = 0;
	c->paced = false;
	ds_list_del(&c->again);
	if (!pass_watch(c, fd, EPOLL_CTL_ADD)) {
		conn_close(c, SERVE_CLOSE_memory);
		return;
	}
	pass_note(c);
	ds_list_add(&c->thread->again, &c->again);
}
