// SPDX-License-Identifier: BSD-3-Clause
// A connection that is a backend's or a peer's, from one process to the next: both of its sockets,
// with the bytes that were read and not yet written.
#include "pass.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <takeover/form.h>

// ---- the process before -------------------------------------------------------------------------

// Bytes in a pipe come behind those that wait, which changes nothing for this process.
static bool pipe_settle(struct conn *c, struct way *w)
{
	size_t kept = w->n - w->at, more = w->spliced.n;
	uint8_t *bytes;

	if (more == 0)
		return true;
	bytes = malloc(kept + more);
	if (bytes == NULL)
		return false;
	if (!splice_read(c->thread, &w->spliced, bytes + kept)) {
		free(bytes);
		return false;
	}
	if (kept > 0)
		memcpy(bytes, w->bytes + w->at, kept);
	free(w->bytes);
	w->bytes = bytes;
	w->at = 0;
	w->n = kept + more;
	return true;
}

bool passage_settle(struct conn *c)
{
	return pipe_settle(c, &c->pass->up) && pipe_settle(c, &c->pass->down);
}

static struct takeover_blob blob_of(const struct way *w)
{
	return (struct takeover_blob){w->n > w->at ? w->bytes + w->at : NULL, w->n - w->at};
}

static uint32_t flags_of(const struct pass *p, bool tls)
{
	return (p->connected ? TAKEOVER_CONNECTED : 0u) | (p->up.ended ? TAKEOVER_UP_ENDED : 0u) |
	       (p->up.told ? TAKEOVER_UP_TOLD : 0u) | (p->down.ended ? TAKEOVER_DOWN_ENDED : 0u) |
	       // The process that encrypts is not told yet.
	       (p->down.told && !tls ? TAKEOVER_DOWN_TOLD : 0u) |
	       (p->copies ? TAKEOVER_COPIES : 0u);
}

void passage_fill(const struct conn *c, struct takeover_connection *f, struct takeover_pass *state)
{
	const struct pass *p = c->pass;

	*state = (struct takeover_pass){.backend = p->backend,
		.key = p->key,
		.n_up = p->n_up,
		.n_down = p->n_down,
		.flags = flags_of(p, c->ssl != NULL)};
	f->blobs[TAKEOVER_PASSING] = (struct takeover_blob){(const uint8_t *)state, sizeof(*state)};
	f->blobs[TAKEOVER_UP] = blob_of(&p->up);
	if (c->ssl == NULL)
		f->blobs[TAKEOVER_DOWN] = blob_of(&p->down);
}

void passage_leave(struct conn *c)
{
	// Its end is the other's to tell.
	c->pass->key = 0;
}

// ---- the next process ---------------------------------------------------------------------------

static bool way_take(struct way *w, const struct takeover_blob *b, bool ended, bool told)
{
	w->ended = ended;
	w->told = told;
	if (b->len == 0)
		return true;
	w->bytes = malloc(b->len);
	if (w->bytes == NULL)
		return false;
	memcpy(w->bytes, b->bytes, b->len);
	w->n = b->len;
	return true;
}

bool passage_take(struct conn *c, const struct takeover_connection *f, int fd)
{
	const struct serve *s = c->thread->serve;
	struct pass *p = calloc(1, sizeof(*p));
	struct takeover_pass state;

	if (p == NULL) {
		close(fd);
		return false;
	}
	memcpy(&state, f->blobs[TAKEOVER_PASSING].bytes, sizeof(state));
	*p = (struct pass){.fd = fd,
		.connected = (state.flags & TAKEOVER_CONNECTED) != 0,
		.backend = state.backend,
		.n_up = state.n_up,
		.n_down = state.n_down,
		.up.from = CLIENT,
		.down.from = BACKEND,
		.copies = (state.flags & TAKEOVER_COPIES) != 0};
	c->pass = p;
	if (state.key != 0 && !s->joined.claim(s->joined.ctx, state.key, &p->meter))
		return false;
	p->key = state.key;
	return way_take(&p->up, &f->blobs[TAKEOVER_UP], (state.flags & TAKEOVER_UP_ENDED) != 0,
		       (state.flags & TAKEOVER_UP_TOLD) != 0) &&
	       way_take(&p->down, &f->blobs[TAKEOVER_DOWN],
		       (state.flags & TAKEOVER_DOWN_ENDED) != 0,
		       (state.flags & TAKEOVER_DOWN_TOLD) != 0);
}

bool passage_begin(struct conn *c)
{
	if (!pass_watch(c, c->fd, EPOLL_CTL_ADD) || !pass_watch(c, c->pass->fd, EPOLL_CTL_ADD))
		return false;
	pass_note(c);
	// Bytes may wait that no event tells.
	ds_list_add(&c->thread->again, &c->again);
	return true;
}
