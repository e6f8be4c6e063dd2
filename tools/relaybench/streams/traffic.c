// SPDX-License-Identifier: BSD-3-Clause
// Packets of channels through the clients' allocations, one peer for all.
#include "traffic.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <bench/clock.h>
#include <bench/host.h>
#include <load/frame.h>
#include <load/histogram.h>

#include "crowd.h"
#include "server.h"
#include "stamp.h"

#define BATCH	      64u
#define TURN	      32u // clients served between looks at the sockets
#define DRAIN_LOOK_MS 2
#define DRAIN_LOOKS   100u  // without a packet, when all have arrived: duplicates may follow
#define DRAIN_MISSING 1000u // when some have not
#define DRAIN_MAX_NS  10000000000ull
#define PERIOD_MAX    65536u

struct tally {
	uint64_t sent, refused, arrived, unread, reordered, duplicates, wrong;
	uint64_t in_time; // of arrived and unread, while sending went on
	struct load_histogram delay;
};

struct traffic {
	struct streams_crowd crowd;
	const struct streams_options *o;
	int peer_fd;
	uint32_t at[STREAMS_DIRECTIONS]; // the client whose turn is next
	uint64_t start_ns;
	uint32_t overflows; // of the peer's socket, as the kernel counts them
	struct tally tally[STREAMS_DIRECTIONS];
	uint8_t out[4 + LOAD_PAYLOAD_MAX + 3];
};

// ---- arrival ------------------------------------------------------------------------------------

static void arrived(struct traffic *t, enum streams_direction d, uint32_t client,
	const uint8_t *payload, size_t len)
{
	struct tally *tally = &t->tally[d];
	struct streams_stamp stamp;

	if (len != t->o->payload || !streams_stamp_read(payload, len, &stamp) ||
		stamp.client >= t->o->clients || (client != UINT32_MAX && client != stamp.client)) {
		tally->wrong++;
		return;
	}
	tally->arrived++;
	load_histogram_add(&tally->delay, streams_now_ns() - stamp.sent_ns);
	switch (load_sequence_take(&t->crowd.clients[stamp.client].seen[d], stamp.number)) {
	case LOAD_IN_ORDER:
		break;
	case LOAD_DUPLICATE:
		tally->duplicates++;
		break;
	default:
		tally->reordered++;
		break;
	}
}

static void media(void *ctx, uint32_t client, const uint8_t *payload, size_t len)
{
	arrived(ctx, STREAMS_DOWN, client, payload, len);
}

static void overflow_note(struct traffic *t, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		uint32_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
			continue;
		memcpy(&n, CMSG_DATA(c), sizeof(n));
		t->tally[STREAMS_UP].unread += n - t->overflows;
		t->overflows = n;
	}
}

// Returns how many there were.
static unsigned peer_read(struct traffic *t)
{
	static uint8_t bytes[BATCH][2048];
	static uint8_t control[BATCH][CMSG_SPACE(sizeof(uint32_t))];
	static struct mmsghdr m[BATCH];
	static struct iovec v[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){.iov_base = bytes[i], .iov_len = sizeof(bytes[i])};
		m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i],
			.msg_iovlen = 1,
			.msg_control = control[i],
			.msg_controllen = sizeof(control[i])};
	}
	n = recvmmsg(t->peer_fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		overflow_note(t, &m[i].msg_hdr);
		arrived(t, STREAMS_UP, UINT32_MAX, bytes[i], m[i].msg_len);
	}
	return n < 0 ? 0 : (unsigned)n;
}

// ---- sending ------------------------------------------------------------------------------------

static struct streams_client *next_client(struct traffic *t, enum streams_direction d)
{
	struct streams_client *c = &t->crowd.clients[t->at[d]];

	t->at[d] = t->at[d] + 1 == t->o->clients ? 0 : t->at[d] + 1;
	return c->state == STREAMS_LIVE ? c : NULL;
}

static void stamp_put(
	struct traffic *t, uint8_t *at, struct streams_client *c, enum streams_direction d)
{
	const struct streams_stamp stamp = {.client = (uint32_t)(c - t->crowd.clients),
		.number = c->number[d],
		.sent_ns = streams_now_ns()};

	streams_stamp_write(at, &stamp);
}

// Up to `n` packets of the next client. Returns how many it took.
static unsigned up_send(struct traffic *t, uint64_t n)
{
	struct streams_client *c = next_client(t, STREAMS_UP);
	size_t len = 4u + t->o->payload;
	unsigned put = 0;
	int rc = 0;

	if (c == NULL)
		return 0;
	if (c->conn.full)
		rc = streams_conn_flush(&c->conn);
	if (t->o->transport != STREAMS_UDP && t->o->transport != STREAMS_DTLS)
		len = (len + 3) & ~(size_t)3;
	for (; rc == 0 && put < t->o->burst && put < n; put++) {
		stamp_put(t, t->out + 4, c, STREAMS_UP);
		rc = streams_conn_put(&c->conn, t->out, len);
		if (rc < 0)
			break;
		c->number[STREAMS_UP]++;
	}
	t->tally[STREAMS_UP].sent += put;
	t->tally[STREAMS_UP].refused += rc == -EAGAIN;
	(void)streams_conn_flush(&c->conn);
	return put;
}

// Up to `n` packets of the peer, one to each client in turn.
static unsigned down_send(struct traffic *t, uint64_t n)
{
	static uint8_t bytes[BATCH][LOAD_PAYLOAD_MAX];
	struct streams_client *to[BATCH];
	struct mmsghdr m[BATCH] = {0};
	struct iovec v[BATCH];
	unsigned put = 0;
	int sent;

	while (put < BATCH && put < n) {
		struct streams_client *c = next_client(t, STREAMS_DOWN);

		if (c == NULL)
			break;
		to[put] = c;
		stamp_put(t, bytes[put], c, STREAMS_DOWN);
		c->number[STREAMS_DOWN]++;
		v[put] = (struct iovec){.iov_base = bytes[put], .iov_len = t->o->payload};
		m[put].msg_hdr = (struct msghdr){.msg_name = &c->relayed,
			.msg_namelen = tc_addr_len(&c->relayed),
			.msg_iov = &v[put],
			.msg_iovlen = 1};
		put++;
	}
	sent = put == 0 ? 0 : sendmmsg(t->peer_fd, m, put, MSG_DONTWAIT);
	sent = sent < 0 ? 0 : sent;
	t->tally[STREAMS_DOWN].sent += (unsigned)sent;
	t->tally[STREAMS_DOWN].refused += put - (unsigned)sent;
	// Those that did not leave give their numbers back, the last first.
	for (unsigned i = put; i > (unsigned)sent; i--)
		to[i - 1]->number[STREAMS_DOWN]--;
	return (unsigned)sent;
}

static uint64_t due(const struct traffic *t, enum streams_direction d, uint64_t now_ns)
{
	uint64_t all;

	if ((t->o->directions & 1u << d) == 0)
		return 0;
	if (t->o->rate == 0)
		return PERIOD_MAX;
	all = (uint64_t)((double)(now_ns - t->start_ns) * t->o->rate / 1e9);
	return all > t->tally[d].sent ? all - t->tally[d].sent : 0;
}

// One turn of sending and receiving. False: nothing moved.
static bool turn(struct traffic *t, uint64_t now_ns)
{
	uint64_t up = due(t, STREAMS_UP, now_ns), down = due(t, STREAMS_DOWN, now_ns);
	unsigned moved = 0;

	for (unsigned i = 0; i < TURN && up > 0; i++) {
		unsigned n = up_send(t, up);

		up -= n;
		moved += n;
	}
	if (down > 0)
		moved += down_send(t, down);
	moved += peer_read(t);
	moved += streams_crowd_poll(&t->crowd, 0);
	return moved > 0;
}

// ---- one run ------------------------------------------------------------------------------------

static bool all_arrived(const struct traffic *t)
{
	for (unsigned d = 0; d < STREAMS_DIRECTIONS; d++) {
		const struct tally *tally = &t->tally[d];

		if (tally->arrived + tally->unread < tally->sent)
			return false;
	}
	return true;
}

// A server that gets no processor for a while has not lost the packets it holds.
static void drain(struct traffic *t)
{
	uint64_t start_ns = streams_now_ns();
	const struct timespec pause = {.tv_nsec = DRAIN_LOOK_MS * 1000000};

	for (unsigned quiet = 0;
		!bench_host_stopped() && quiet < (all_arrived(t) ? DRAIN_LOOKS : DRAIN_MISSING);) {
		bool moved = peer_read(t) > 0;

		for (uint32_t i = 0; i < t->o->clients; i++)
			if (t->crowd.clients[i].conn.full)
				(void)streams_conn_flush(&t->crowd.clients[i].conn);
		moved |= streams_crowd_poll(&t->crowd, 0) > 0;
		quiet = moved ? 0 : quiet + 1;
		if (streams_now_ns() - start_ns > DRAIN_MAX_NS)
			break;
		if (!moved)
			nanosleep(&pause, NULL);
	}
}

static void interval(struct traffic *t)
{
	const struct timespec pause = {.tv_nsec = 100000};
	uint64_t now_ns = t->start_ns = streams_now_ns();

	while (!bench_host_stopped() && now_ns - t->start_ns < (uint64_t)(t->o->seconds * 1e9)) {
		if (!turn(t, now_ns))
			nanosleep(&pause, NULL);
		now_ns = streams_now_ns();
	}
}

// The rate is of packets that arrived meanwhile: a server may hold those of seconds, and takes all
// the time it likes for them afterwards.
static void time_note(struct traffic *t)
{
	for (unsigned d = 0; d < STREAMS_DIRECTIONS; d++)
		t->tally[d].in_time = t->tally[d].arrived + t->tally[d].unread;
}

static json_t *tally_describe(const struct tally *t, double seconds)
{
	uint64_t seen = t->arrived + t->unread;
	json_int_t lost = t->sent > seen ? (json_int_t)(t->sent - seen) : 0;

	return json_pack(
		"{s:I, s:f, s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:{s:I, s:I, "
		"s:I, s:I, s:I}}",
		"sent", (json_int_t)t->sent, "sent_per_second", (double)t->sent / seconds,
		"refused", (json_int_t)t->refused, "arrived", (json_int_t)seen, "arrived_in_time",
		(json_int_t)t->in_time, "arrived_per_second", (double)t->in_time / seconds, "lost",
		lost, "loss", t->sent == 0 ? 0 : (double)lost / (double)t->sent, "unread",
		(json_int_t)t->unread, "reordered", (json_int_t)t->reordered, "duplicates",
		(json_int_t)t->duplicates, "wrong", (json_int_t)t->wrong, "delay_ns", "packets",
		(json_int_t)t->delay.n, "least", (json_int_t)t->delay.least_ns, "p50",
		(json_int_t)load_histogram_part(&t->delay, 0.5), "p99",
		(json_int_t)load_histogram_part(&t->delay, 0.99), "most",
		(json_int_t)t->delay.most_ns);
}

static json_t *describe(const struct traffic *t, double seconds,
	const struct streams_server *before, const struct streams_server *after)
{
	static const char *const names[] = {"up", "down"};
	uint64_t relayed = 0;
	json_t *out = json_object();

	for (unsigned d = 0; d < STREAMS_DIRECTIONS; d++) {
		relayed += t->tally[d].arrived + t->tally[d].unread;
		if ((t->o->directions & 1u << d) != 0)
			json_object_set_new(out, names[d], tally_describe(&t->tally[d], seconds));
	}
	json_object_set_new(out, "seconds", json_real(seconds));
	json_object_set_new(out, "closed", json_integer(t->crowd.n_gone));
	json_object_set_new(out, "server_cpu", streams_server_cpu(before, after, relayed));
	return out;
}

int streams_traffic_run(const struct streams_options *o, int peer_fd, json_t **out)
{
	static struct traffic t;
	struct streams_server before, after;
	double seconds;
	int rc;

	t.o = o;
	t.peer_fd = peer_fd;
	memset(t.out, 0x5a, sizeof(t.out));
	memcpy(t.out,
		(uint8_t[]){
			STREAMS_CHANNEL >> 8, 0, (uint8_t)(o->payload >> 8), (uint8_t)o->payload},
		4);
	for (unsigned d = 0; d < STREAMS_DIRECTIONS; d++)
		load_histogram_reset(&t.tally[d].delay);
	rc = streams_crowd_open(&t.crowd, o, STREAMS_GOAL_ALLOCATE);
	t.crowd.media = media;
	t.crowd.ctx = &t;
	if (rc == 0)
		rc = streams_crowd_set_up(&t.crowd);
	if (rc == 0)
		rc = streams_server_read(o, &before);
	if (rc == 0) {
		interval(&t);
		seconds = (double)(streams_now_ns() - t.start_ns) / 1e9;
		time_note(&t);
		drain(&t);
		rc = streams_server_read(o, &after);
	}
	if (rc == 0)
		*out = describe(&t, seconds, &before, &after);
	streams_crowd_close(&t.crowd);
	return rc;
}
