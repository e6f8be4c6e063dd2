// SPDX-License-Identifier: BSD-3-Clause
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "options.h"

#define BEGIN_MS 5000
#define LEAVE_MS 5000

struct message {
	struct tp_observe_message head;
	uint8_t body[TP_OBSERVE_MESSAGE_MAX] TP_ALIGNED(8);
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

// The body's bytes; 0: the socket has ended; -EAGAIN: nothing came; -EINTR; or no message.
static ssize_t message_receive(int fd, struct message *m, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int ready = poll(&p, 1, timeout_ms);
	ssize_t n;

	if (ready <= 0)
		return ready == 0 ? -EAGAIN : -errno;
	n = recv(fd, m, sizeof(*m), 0);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	if (n == 0)
		return 0;
	if ((size_t)n < sizeof(m->head) || m->head.magic != TP_OBSERVE_MESSAGE_MAGIC)
		return -EPROTO;
	return n - (ssize_t)sizeof(m->head);
}

static int refusal_print(const struct rctl_stream *s, uint32_t state)
{
	switch (state) {
	case TP_OBSERVE_BUSY:
		fprintf(stderr,
			"relayctl: another %s is running\n  next: wait for its end, or end it\n",
			s->name);
		break;
	case TP_OBSERVE_UNUSABLE:
		fprintf(stderr, "relayctl: turnpike-dataplane does not understand the request\n"
				"  next: use the relayctl of the same version\n");
		break;
	case TP_OBSERVE_NO_MEMORY:
		fprintf(stderr, "relayctl: turnpike-dataplane has no memory left for a %s\n",
			s->name);
		break;
	default:
		fprintf(stderr, "relayctl: refused\n");
		break;
	}
	return RCTL_EXIT_REFUSED;
}

int rctl_stream_begin(struct rctl_stream *s, int fd, const char *name)
{
	struct message m;
	struct tp_observe_begin begin;
	ssize_t n = message_receive(fd, &m, BEGIN_MS);

	*s = (struct rctl_stream){.fd = fd, .name = name};
	if (n != (ssize_t)sizeof(begin) || m.head.kind != TP_OBSERVE_BEGIN) {
		fprintf(stderr, "relayctl: turnpike-dataplane does not answer\n"
				"  next: see that it runs, of the same version: relayctl status\n");
		return RCTL_EXIT_NO_DAEMON;
	}
	memcpy(&begin, m.body, sizeof(begin));
	s->wall_ns = begin.wall_ns;
	return begin.state == TP_OBSERVE_RUNS ? RCTL_EXIT_OK : refusal_print(s, begin.state);
}

void rctl_stream_read(struct rctl_stream *s, rctl_stream_take *take, void *ctx)
{
	const struct sigaction end = {.sa_handler = on_signal};
	bool leaving = false;
	struct message m;

	interrupted = 0;
	(void)sigaction(SIGINT, &end, NULL);
	(void)sigaction(SIGTERM, &end, NULL);
	while (!s->ended) {
		ssize_t n = message_receive(s->fd, &m, leaving ? LEAVE_MS : -1);

		if (interrupted && !leaving) {
			(void)shutdown(s->fd, SHUT_WR);
			leaving = true;
		}
		if (n == 0 || (n < 0 && n != -EINTR))
			return;
		if (n > 0 && m.head.kind == TP_OBSERVE_RECORDS) {
			if (!take(ctx, m.body, (size_t)n))
				return;
		} else if (n == (ssize_t)sizeof(s->end) && m.head.kind == TP_OBSERVE_END) {
			memcpy(&s->end, m.body, sizeof(s->end));
			s->ended = true;
		}
	}
}

const void *rctl_stream_record(const uint8_t **records, size_t *len, size_t size_min)
{
	const struct tp_observe_record *rec = (const void *)*records;

	if (*len < sizeof(*rec) || rec->size < size_min || rec->size > *len || rec->size % 8 != 0)
		return NULL;
	*records += rec->size;
	*len -= rec->size;
	return rec;
}

const char *rctl_stream_cause(const struct rctl_stream *s)
{
	static const char *const texts[] = {
		[TP_OBSERVE_FULL] = "as many as asked for",
		[TP_OBSERVE_OVER] = "its time is over",
		[TP_OBSERVE_LEFT] = "ended here",
		[TP_OBSERVE_ENDED] = "ended by turnpike-control",
		[TP_OBSERVE_ALONE] = "turnpike-control went away",
		[TP_OBSERVE_STOPPED] = "turnpike-dataplane stops",
	};

	if (!s->ended)
		return "turnpike-dataplane went away: there may have been more";
	return s->end.cause < TP_ARRAY_LEN(texts) ? texts[s->end.cause] : "?";
}

uint64_t rctl_stream_missed(const struct rctl_stream *s)
{
	uint64_t missed = 0;

	for (uint32_t i = 0; i < TP_OBSERVE_SOURCES; i++)
		missed += s->end.missed[i];
	return missed;
}
