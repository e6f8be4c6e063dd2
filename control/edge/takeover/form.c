// SPDX-License-Identifier: BSD-3-Clause
#include <takeover/form.h>

#include <string.h>

// The begin of a connection; its blobs follow, in order.
struct fixed {
	struct tp_addr listener;
	struct tp_addr remote;
	uint64_t connection;
	uint32_t thread;
	uint16_t listener_id;
	uint8_t state;
	uint8_t flags;
	uint32_t skip;
	uint32_t lens[TAKEOVER_BLOBS];
	uint16_t n_asked;
	uint16_t reserved[3];
};
TP_ASSERT_SIZE(struct fixed, 2 * sizeof(struct tp_addr) + 64);

struct takeover_head takeover_head_make(enum takeover_kind kind, uint32_t len)
{
	return (struct takeover_head){
		.magic = TAKEOVER_MAGIC, .version = TAKEOVER_VERSION, .kind = kind, .len = len};
}

// The lengths that a body may have.
static void bounds_of(uint32_t kind, uint32_t *least, uint32_t *most)
{
	static const struct {
		uint32_t least, most;
	} bounds[TAKEOVER_KINDS] = {
		[TAKEOVER_HELLO] = {sizeof(struct takeover_hello), sizeof(struct takeover_hello)},
		[TAKEOVER_WELCOME] = {sizeof(struct takeover_welcome),
			sizeof(struct takeover_welcome)},
		[TAKEOVER_SOCKET] = {sizeof(struct takeover_socket),
			sizeof(struct takeover_socket)},
		[TAKEOVER_LINK] = {sizeof(struct takeover_link), 1u << 16},
		[TAKEOVER_DESCRIPTOR] = {sizeof(struct takeover_descriptor),
			sizeof(struct takeover_descriptor)},
		[TAKEOVER_RELAY] = {1, 1024},
		[TAKEOVER_FAR] = {0, 0},
		[TAKEOVER_CONNECTION] = {sizeof(struct fixed), TAKEOVER_BODY_MAX},
		[TAKEOVER_END] = {sizeof(struct takeover_end), sizeof(struct takeover_end)},
		[TAKEOVER_REFUSED] = {0, 256},
	};

	*least = bounds[kind].least;
	*most = bounds[kind].most;
}

enum takeover_verdict takeover_head_check(const struct takeover_head *h)
{
	uint32_t least, most;

	if (h->magic != TAKEOVER_MAGIC)
		return TAKEOVER_NOT_OURS;
	if (h->version != TAKEOVER_VERSION)
		return TAKEOVER_OTHER_VERSION;
	if (h->kind == 0 || h->kind >= TAKEOVER_KINDS)
		return TAKEOVER_NOT_OURS;
	bounds_of(h->kind, &least, &most);
	return h->len < least || h->len > most ? TAKEOVER_NOT_OURS : TAKEOVER_RIGHT;
}

size_t takeover_connection_size(const struct takeover_connection *c)
{
	size_t size = sizeof(struct fixed);

	for (unsigned i = 0; i < TAKEOVER_BLOBS; i++)
		size += c->blobs[i].len;
	return size;
}

void takeover_connection_write(const struct takeover_connection *c, uint8_t *out)
{
	struct fixed f = {
		.listener = c->listener,
		.remote = c->remote,
		.connection = c->connection,
		.thread = c->thread,
		.listener_id = c->listener_id,
		.state = c->state,
		.flags = c->flags,
		.skip = c->skip,
		.n_asked = c->n_asked,
	};

	for (unsigned i = 0; i < TAKEOVER_BLOBS; i++)
		f.lens[i] = (uint32_t)c->blobs[i].len;
	memcpy(out, &f, sizeof(f));
	out += sizeof(f);
	for (unsigned i = 0; i < TAKEOVER_BLOBS; i++) {
		if (c->blobs[i].len > 0)
			memcpy(out, c->blobs[i].bytes, c->blobs[i].len);
		out += c->blobs[i].len;
	}
}

static bool family_right(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 || a->family == TP_FAMILY_IPV6;
}

static bool fixed_right(const struct fixed *f)
{
	bool named = f->connection != 0, dtls = (f->flags & TAKEOVER_DTLS) != 0;

	return f->state < TAKEOVER_STATES && (f->flags & ~TAKEOVER_FLAGS) == 0 &&
	       family_right(&f->listener) && f->listener.port_be != 0 && family_right(&f->remote) &&
	       // The kernel takes clients of port 0, which are closed when they are to open.
	       (f->remote.port_be != 0 || !named) &&
	       (named == (f->state == TAKEOVER_OPEN) || f->state == TAKEOVER_PASS) &&
	       (f->listener_id != 0) == (named || dtls) &&
	       (!dtls || f->state == TAKEOVER_OPEN || f->state == TAKEOVER_BEGUN) &&
	       (f->lens[TAKEOVER_ASSOCIATION] ==
		       (dtls ? sizeof(struct takeover_association) : 0)) &&
	       ((f->flags & TAKEOVER_FRAMED) != 0) == (f->lens[TAKEOVER_WS] > 0) &&
	       (f->lens[TAKEOVER_HEAD] == 0 || f->state == TAKEOVER_WEB);
}

// A peer's has a handle, a backend's has none.
static bool pass_right(const struct takeover_connection *c)
{
	struct takeover_pass p;

	if (c->state != TAKEOVER_PASS)
		return c->blobs[TAKEOVER_PASSING].len == 0 && c->blobs[TAKEOVER_UP].len == 0 &&
		       c->blobs[TAKEOVER_DOWN].len == 0;
	if (c->blobs[TAKEOVER_PASSING].len != sizeof(p))
		return false;
	memcpy(&p, c->blobs[TAKEOVER_PASSING].bytes, sizeof(p));
	return (p.key != 0) == (c->connection != 0) && (p.flags & ~TAKEOVER_PASS_FLAGS) == 0 &&
	       (p.key != 0 ? p.backend.family == 0 : family_right(&p.backend));
}

bool takeover_connection_read(struct takeover_connection *c, const uint8_t *bytes, size_t len)
{
	struct fixed f;
	size_t at = sizeof(f);

	if (len < sizeof(f))
		return false;
	memcpy(&f, bytes, sizeof(f));
	if (!fixed_right(&f))
		return false;
	*c = (struct takeover_connection){
		.listener = f.listener,
		.remote = f.remote,
		.connection = f.connection,
		.thread = f.thread,
		.listener_id = f.listener_id,
		.state = f.state,
		.flags = f.flags,
		.skip = f.skip,
		.n_asked = f.n_asked,
	};
	for (unsigned i = 0; i < TAKEOVER_BLOBS; i++) {
		if (f.lens[i] > len - at)
			return false;
		if (f.lens[i] > 0)
			c->blobs[i] = (struct takeover_blob){bytes + at, f.lens[i]};
		at += f.lens[i];
	}
	return at == len && pass_right(c);
}
