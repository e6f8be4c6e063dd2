// SPDX-License-Identifier: BSD-3-Clause
#include "feed.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define MESSAGES_MAX 64u // of one tick
#define PATIENCE_NS  (2 * TP_NS_PER_S)

void feed_init(struct feed *f)
{
	f->fd = -1;
	f->len = 0;
	f->ending = false;
}

static void message_make(struct feed *f, uint32_t kind, const void *body, size_t len)
{
	const struct tp_capture_message head = {TP_CAPTURE_MESSAGE_MAGIC, kind};

	memcpy(f->message, &head, sizeof(head));
	if (len > 0)
		memcpy(f->message + sizeof(head), body, len);
	f->len = sizeof(head) + len;
}

// Whether what a stranger gave us keeps messages apart and can't make us wait.
static bool is_reader(int fd)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static void let_go(struct feed *f)
{
	close(f->fd);
	f->fd = -1;
	f->len = 0;
	f->ending = false;
}

// 0: went out; -EAGAIN; another errno: the reader is gone.
static int message_send(int fd, const void *message, size_t len)
{
	if (send(fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EINTR ? -EAGAIN : -errno;
}

static uint64_t wall_offset_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec - clock_boottime_ns();
}

static void begin_send(int fd, enum tp_capture_state state)
{
	struct {
		struct tp_capture_message head;
		struct tp_capture_begin begin;
	} m = {{TP_CAPTURE_MESSAGE_MAGIC, TP_CAPTURE_BEGIN},
		{.wall_ns = wall_offset_ns(), .state = state}};

	(void)message_send(fd, &m, sizeof(m));
}

static enum tp_capture_state try_begin(
	const struct feed *f, struct capture *c, const struct tp_capture_request *r)
{
	if (f->fd >= 0)
		return TP_CAPTURE_BUSY;
	if (!capture_request_is_right(r))
		return TP_CAPTURE_UNUSABLE;
	return capture_arm(c, r) == 0 ? TP_CAPTURE_RUNS : TP_CAPTURE_NO_MEMORY;
}

void feed_ask(struct feed *f, struct capture *c, const struct tp_capture_request *r, int fd,
	uint64_t now_ns)
{
	enum tp_capture_state state;

	if (r->frames == 0 && f->fd >= 0 && r->number == c->number)
		feed_end(f, c, TP_CAPTURE_ENDED, now_ns);
	if (r->frames == 0 || fd < 0 || !is_reader(fd)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	state = try_begin(f, c, r);
	begin_send(fd, state);
	if (state != TP_CAPTURE_RUNS) {
		close(fd);
		return;
	}
	f->fd = fd;
	f->len = 0;
	f->ending = false;
	f->cause = TP_CAPTURE_FULL;
	f->until_ns = now_ns + r->seconds * TP_NS_PER_S;
}

void feed_end(struct feed *f, struct capture *c, enum tp_capture_end_cause cause, uint64_t now_ns)
{
	if (f->fd < 0 || f->ending)
		return;
	capture_disarm(c);
	f->ending = true;
	f->cause = cause;
	f->until_ns = now_ns + PATIENCE_NS;
}

static bool reader_left(const struct feed *f)
{
	char octet;
	ssize_t n = recv(f->fd, &octet, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void end_make(struct feed *f, const struct capture *c)
{
	struct tp_capture_end end = {.cause = f->cause};

	for (unsigned p = 0; p < TP_PORTS_MAX; p++)
		end.missed[p] = capture_missed(c, p);
	message_make(f, TP_CAPTURE_END, &end, sizeof(end));
}

// The next message, if there is any. False: there is none.
static bool next_make(struct feed *f, struct capture *c)
{
	size_t head = sizeof(struct tp_capture_message);
	size_t len = capture_take(c, f->message + head, sizeof(f->message) - head);

	if (len == 0)
		return false;
	message_make(f, TP_CAPTURE_RECORDS, NULL, 0);
	f->len = head + len;
	return true;
}

// 0: all that there is went out.
static int records_send(struct feed *f, struct capture *c)
{
	int err = 0;

	for (unsigned i = 0; i < MESSAGES_MAX && err == 0; i++) {
		if (f->len == 0 && !next_make(f, c))
			return 0;
		err = message_send(f->fd, f->message, f->len);
		if (err == 0)
			f->len = 0;
	}
	return err == 0 ? -EAGAIN : err;
}

void feed_tick(struct feed *f, struct capture *c, uint64_t now_ns)
{
	int err;

	if (f->fd < 0)
		return;
	if (reader_left(f))
		feed_end(f, c, TP_CAPTURE_LEFT, now_ns);
	else if (!capture_is_armed(c))
		feed_end(f, c, TP_CAPTURE_FULL, now_ns);
	else if (now_ns >= f->until_ns)
		feed_end(f, c, TP_CAPTURE_OVER, now_ns);
	err = records_send(f, c);
	if (err == 0 && f->ending) {
		end_make(f, c);
		err = message_send(f->fd, f->message, f->len);
		// What can't go out now is made anew: more may be missed by then.
		f->len = 0;
		if (err == 0)
			let_go(f);
	}
	if ((err != 0 && err != -EAGAIN) || (f->fd >= 0 && f->ending && now_ns >= f->until_ns)) {
		capture_disarm(c);
		let_go(f);
	}
}

void feed_fini(struct feed *f, struct capture *c)
{
	uint64_t now_ns = clock_boottime_ns();

	feed_end(f, c, TP_CAPTURE_STOPPED, now_ns);
	feed_tick(f, c, now_ns);
	if (f->fd >= 0)
		let_go(f);
}
