// SPDX-License-Identifier: BSD-3-Clause
#include <observe/stream.h>

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES_MAX 64u // of one tick
#define PATIENCE_NS  (2 * TP_NS_PER_S)

void observe_stream_init(struct stream *s, struct records *r)
{
	s->records = r;
	s->fd = -1;
	s->len = 0;
	s->ending = false;
}

static void message_make(struct stream *s, uint32_t kind, const void *body, size_t len)
{
	const struct tp_observe_message head = {TP_OBSERVE_MESSAGE_MAGIC, kind};

	memcpy(s->message, &head, sizeof(head));
	if (len > 0)
		memcpy(s->message + sizeof(head), body, len);
	s->len = sizeof(head) + len;
}

bool observe_stream_is_reader(int fd)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static void let_go(struct stream *s)
{
	close(s->fd);
	s->fd = -1;
	s->len = 0;
	s->ending = false;
}

// 0: went out; -EAGAIN; another errno: the reader is gone.
static int message_send(int fd, const void *message, size_t len)
{
	if (send(fd, message, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EINTR ? -EAGAIN : -errno;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * TP_NS_PER_S + (uint64_t)t.tv_nsec;
}

void observe_stream_begin(
	struct stream *s, int fd, enum tp_observe_state state, uint32_t seconds, uint64_t now_ns)
{
	const struct {
		struct tp_observe_message head;
		struct tp_observe_begin begin;
	} m = {
		{TP_OBSERVE_MESSAGE_MAGIC, TP_OBSERVE_BEGIN},
		{.wall_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME), .state = state},
	};

	(void)message_send(fd, &m, sizeof(m));
	if (state != TP_OBSERVE_RUNS) {
		close(fd);
		return;
	}
	s->fd = fd;
	s->len = 0;
	s->ending = false;
	s->cause = TP_OBSERVE_FULL;
	s->until_ns = now_ns + seconds * TP_NS_PER_S;
}

void observe_stream_end(struct stream *s, enum tp_observe_end_cause cause, uint64_t now_ns)
{
	if (s->fd < 0 || s->ending)
		return;
	observe_records_disarm(s->records);
	s->ending = true;
	s->cause = cause;
	s->until_ns = now_ns + PATIENCE_NS;
}

static bool reader_left(const struct stream *s)
{
	char byte;
	ssize_t n = recv(s->fd, &byte, 1, MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void end_make(struct stream *s)
{
	struct tp_observe_end end = {.cause = s->cause};

	for (unsigned p = 0; p < TP_OBSERVE_SOURCES; p++)
		end.missed[p] = observe_records_missed(s->records, p);
	message_make(s, TP_OBSERVE_END, &end, sizeof(end));
}

// The next message, if there is any. False: there is none.
static bool next_make(struct stream *s)
{
	size_t head = sizeof(struct tp_observe_message);
	size_t len = observe_records_take(s->records, s->message + head, sizeof(s->message) - head);

	if (len == 0)
		return false;
	message_make(s, TP_OBSERVE_RECORDS, NULL, 0);
	s->len = head + len;
	return true;
}

// 0: all records there are went out.
static int records_send(struct stream *s)
{
	int err = 0;

	for (unsigned i = 0; i < MESSAGES_MAX && err == 0; i++) {
		if (s->len == 0 && !next_make(s))
			return 0;
		err = message_send(s->fd, s->message, s->len);
		if (err == 0)
			s->len = 0;
	}
	return err == 0 ? -EAGAIN : err;
}

void observe_stream_tick(struct stream *s, uint64_t now_ns)
{
	int err;

	if (s->fd < 0)
		return;
	if (reader_left(s))
		observe_stream_end(s, TP_OBSERVE_LEFT, now_ns);
	else if (!observe_records_are_armed(s->records))
		observe_stream_end(s, TP_OBSERVE_FULL, now_ns);
	else if (now_ns >= s->until_ns)
		observe_stream_end(s, TP_OBSERVE_OVER, now_ns);
	err = records_send(s);
	if (err == 0 && s->ending) {
		end_make(s);
		err = message_send(s->fd, s->message, s->len);
		// An END that can't go out now is made anew: more may be missed by then.
		s->len = 0;
		if (err == 0)
			let_go(s);
	}
	if ((err != 0 && err != -EAGAIN) || (s->fd >= 0 && s->ending && now_ns >= s->until_ns)) {
		observe_records_disarm(s->records);
		let_go(s);
	}
}

void observe_stream_stop(struct stream *s, enum tp_observe_end_cause cause, uint64_t now_ns)
{
	observe_stream_end(s, cause, now_ns);
	observe_stream_tick(s, now_ns);
	if (s->fd >= 0)
		let_go(s);
}
