// SPDX-License-Identifier: BSD-3-Clause
// Bytes from one socket to another without a copy, by a pipe (splice(2)). A connection has a pipe
// only while bytes are in it: one whose end is not full needs none between two events.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool pipe_take(struct serve_thread *t, struct splice *s)
{
	if (s->n > 0)
		return true;
	if (t->n_pipes_used == SERVE_PIPES_USED)
		return false;
	if (t->n_pipes > 0)
		memcpy(s->pipe, t->pipes[--t->n_pipes], sizeof(s->pipe));
	else if (pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC) < 0)
		return false;
	t->n_pipes_used++;
	return true;
}

static void pipe_close(const int pipe[2])
{
	close(pipe[0]);
	close(pipe[1]);
}

// An empty one.
static void pipe_give(struct serve_thread *t, const struct splice *s)
{
	t->n_pipes_used--;
	if (t->n_pipes == SERVE_PIPES)
		pipe_close(s->pipe);
	else
		memcpy(t->pipes[t->n_pipes++], s->pipe, sizeof(s->pipe));
}

ssize_t splice_fill(struct serve_thread *t, struct splice *s, int from, size_t room)
{
	ssize_t n;
	int error;

	if (!pipe_take(t, s)) {
		errno = ENFILE;
		return -1;
	}
	n = splice(from, NULL, s->pipe[1], NULL, room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	error = errno;
	if (n > 0)
		s->n = (size_t)n;
	else
		pipe_give(t, s);
	errno = error;
	return n;
}

ssize_t splice_empty(struct serve_thread *t, struct splice *s, int to)
{
	size_t moved = 0;

	while (s->n > 0) {
		ssize_t n =
			splice(s->pipe[0], NULL, to, NULL, s->n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n <= 0)
			return moved > 0 ? (ssize_t)moved : n;
		s->n -= (size_t)n;
		moved += (size_t)n;
		if (s->n == 0)
			pipe_give(t, s);
	}
	return (ssize_t)moved;
}

bool splice_read(struct serve_thread *t, struct splice *s, uint8_t *out)
{
	while (s->n > 0) {
		ssize_t n = read(s->pipe[0], out, s->n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		out += n;
		s->n -= (size_t)n;
		if (s->n == 0)
			pipe_give(t, s);
	}
	return true;
}

void splice_end(struct serve_thread *t, struct splice *s)
{
	if (s->n == 0)
		return;
	pipe_close(s->pipe);
	t->n_pipes_used--;
	s->n = 0;
}

void splice_fini(struct serve_thread *t)
{
	while (t->n_pipes > 0)
		pipe_close(t->pipes[--t->n_pipes]);
}
