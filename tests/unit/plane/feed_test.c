// SPDX-License-Identifier: BSD-3-Clause
// What the reader of a capture gets to see, how it ends, and who is not written to.
#include <feed.h>

#include <sys/socket.h>
#include <unistd.h>

#include "captured.h"

static struct feed feed;

static void start(struct call *c)
{
	watched_start(c, TP_FAMILY_IPV4);
	feed_init(&feed);
}

static void end(struct call *c)
{
	feed_fini(&feed, &watch.capture);
	watched_end(c);
}

struct told {
	struct tp_capture_message head;
	union {
		struct tp_capture_begin begin;
		struct tp_capture_end end;
		uint8_t octets[TP_CAPTURE_MESSAGE_MAX];
	};
};

// The body's octets; -1: nothing yet, -2: the end of the socket.
static ssize_t receive(int fd, struct told *m)
{
	ssize_t n = recv(fd, m, sizeof(*m), MSG_DONTWAIT);

	if (n == 0)
		return -2;
	if (n < 0)
		return -1;
	assert_int_equal(m->head.magic, TP_CAPTURE_MESSAGE_MAGIC);
	return n - (ssize_t)sizeof(m->head);
}

static int ask(struct call *c, uint32_t frames, enum tp_capture_state state)
{
	struct tp_capture_request r = captured_request(c, frames);
	struct told m;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	feed_ask(&feed, &watch.capture, &r, pair[0], c->r->now_ns);
	assert_int_equal(receive(pair[1], &m), sizeof(m.begin));
	assert_int_equal(m.head.kind, TP_CAPTURE_BEGIN);
	assert_int_equal(m.begin.state, state);
	return pair[1];
}

static void expect_end(int fd, enum tp_capture_end_cause cause)
{
	struct told m;

	assert_int_equal(receive(fd, &m), sizeof(m.end));
	assert_int_equal(m.head.kind, TP_CAPTURE_END);
	assert_int_equal(m.end.cause, cause);
	assert_int_equal(receive(fd, &m), -2);
	assert_false(watch_is_on(&watch));
	close(fd);
}

static void feed_tells_all(void **state)
{
	struct told m;
	struct call c;
	int fd, second;

	(void)state;
	start(&c);
	fd = ask(&c, 4, TP_CAPTURE_RUNS);
	// One at a time.
	second = ask(&c, 4, TP_CAPTURE_BUSY);
	assert_int_equal(receive(second, &m), -2);
	close(second);
	watched_channel(&c, CALL_NUMBER);
	watched_channel(&c, CALL_NUMBER);
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	assert_true(receive(fd, &m) > (ssize_t)(4 * sizeof(struct tp_capture_record)));
	assert_int_equal(m.head.kind, TP_CAPTURE_RECORDS);
	expect_end(fd, TP_CAPTURE_FULL);

	// Its time is over.
	fd = ask(&c, 4, TP_CAPTURE_RUNS);
	feed_tick(&feed, &watch.capture, c.r->now_ns + 5 * TP_NS_PER_S - 1);
	assert_int_equal(receive(fd, &m), -1);
	feed_tick(&feed, &watch.capture, c.r->now_ns + 5 * TP_NS_PER_S);
	expect_end(fd, TP_CAPTURE_OVER);

	// The allocation ends; a request for another capture's end does nothing.
	fd = ask(&c, 4, TP_CAPTURE_RUNS);
	feed_ask(&feed, &watch.capture,
		&(struct tp_capture_request){.magic = TP_CAPTURE_REQUEST_MAGIC, .number = 6}, -1,
		c.r->now_ns);
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	assert_int_equal(receive(fd, &m), -1);
	feed_ask(&feed, &watch.capture,
		&(struct tp_capture_request){.magic = TP_CAPTURE_REQUEST_MAGIC, .number = 7}, -1,
		c.r->now_ns);
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	expect_end(fd, TP_CAPTURE_ENDED);
	end(&c);
}

static void readers_may_leave(void **state)
{
	struct told m;
	struct call c;
	int fd;

	(void)state;
	start(&c);
	// Politely: what was captured so far still comes.
	fd = ask(&c, 100, TP_CAPTURE_RUNS);
	watched_channel(&c, CALL_NUMBER);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	assert_true(receive(fd, &m) > 0);
	assert_int_equal(m.head.kind, TP_CAPTURE_RECORDS);
	expect_end(fd, TP_CAPTURE_LEFT);
	// Killed: before anything flows, and while it flows.
	close(ask(&c, 100, TP_CAPTURE_RUNS));
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	assert_false(watch_is_on(&watch));
	assert_int_equal(feed.fd, -1);
	close(ask(&c, 100, TP_CAPTURE_RUNS));
	watched_channel(&c, CALL_NUMBER);
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	assert_int_equal(feed.fd, -1);
	// One that never reads is given up, not waited for.
	fd = ask(&c, TP_CAPTURE_FRAMES_MAX, TP_CAPTURE_RUNS);
	for (unsigned i = 0; i < CAPTURE_RING / 100; i++) {
		watched_channel(&c, CALL_NUMBER);
		feed_tick(&feed, &watch.capture, c.r->now_ns);
	}
	feed_tick(&feed, &watch.capture, c.r->now_ns + 5 * TP_NS_PER_S);
	assert_false(watch_is_on(&watch));
	assert_true(feed.fd >= 0);
	feed_tick(&feed, &watch.capture, c.r->now_ns + 8 * TP_NS_PER_S);
	assert_int_equal(feed.fd, -1);
	close(fd);
	end(&c);
}

// What does not keep messages apart, or could make us wait, is not written to.
static void other_descriptors_are_refused(void **state)
{
	struct tp_capture_request r;
	struct call c;
	int ends[2];
	char octet;

	(void)state;
	start(&c);
	r = captured_request(&c, 1);
	assert_int_equal(pipe(ends), 0);
	feed_ask(&feed, &watch.capture, &r, ends[1], c.r->now_ns);
	assert_int_equal(feed.fd, -1);
	assert_int_equal(read(ends[0], &octet, 1), 0);
	close(ends[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	feed_ask(&feed, &watch.capture, &r, ends[1], c.r->now_ns);
	assert_int_equal(feed.fd, -1);
	close(ends[0]);
	assert_false(watch_is_on(&watch));
	end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feed_tells_all),
		cmocka_unit_test(readers_may_leave),
		cmocka_unit_test(other_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
