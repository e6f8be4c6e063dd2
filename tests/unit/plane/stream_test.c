// SPDX-License-Identifier: BSD-3-Clause
// The data that the reader of a capture gets, how it ends, and descriptors that are refused.
#include <observe/stream.h>

#include <sys/socket.h>
#include <unistd.h>

#include "captured.h"

struct told {
	struct tp_observe_message head;
	union {
		struct tp_observe_begin begin;
		struct tp_observe_end end;
		uint8_t octets[TP_OBSERVE_MESSAGE_MAX];
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
	assert_int_equal(m->head.magic, TP_OBSERVE_MESSAGE_MAGIC);
	return n - (ssize_t)sizeof(m->head);
}

static int ask_with(
	struct call *c, const union observe_request *request, enum tp_observe_state state)
{
	union observe_request r = *request;
	struct told m;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	observe_ask(&observed, &r, pair[0], c->r->now_ns);
	assert_int_equal(receive(pair[1], &m), sizeof(m.begin));
	assert_int_equal(m.head.kind, TP_OBSERVE_BEGIN);
	assert_int_equal(m.begin.state, state);
	return pair[1];
}

static int ask(struct call *c, uint32_t frames, enum tp_observe_state state)
{
	union observe_request r = {.capture = captured_request(c, frames)};

	return ask_with(c, &r, state);
}

static void end_ask(struct call *c, uint32_t magic, uint32_t number)
{
	union observe_request r = {.ask = {.magic = magic, .number = number}};

	observe_ask(&observed, &r, -1, c->r->now_ns);
}

static void expect_end(int fd, enum tp_observe_end_cause cause)
{
	struct told m;

	assert_int_equal(receive(fd, &m), sizeof(m.end));
	assert_int_equal(m.head.kind, TP_OBSERVE_END);
	assert_int_equal(m.end.cause, cause);
	assert_int_equal(receive(fd, &m), -2);
	assert_false(observe_is_on(&observed));
	close(fd);
}

static void the_reader_gets_all(void **state)
{
	struct told m;
	struct call c;
	int fd, second;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	fd = ask(&c, 4, TP_OBSERVE_RUNS);
	// One at a time.
	second = ask(&c, 4, TP_OBSERVE_BUSY);
	assert_int_equal(receive(second, &m), -2);
	close(second);
	observed_channel(&c, CALL_NUMBER);
	observed_channel(&c, CALL_NUMBER);
	observe_tick(&observed, c.r->now_ns);
	assert_true(receive(fd, &m) > (ssize_t)(4 * sizeof(struct tp_capture_record)));
	assert_int_equal(m.head.kind, TP_OBSERVE_RECORDS);
	expect_end(fd, TP_OBSERVE_FULL);

	// Its time is over.
	fd = ask(&c, 4, TP_OBSERVE_RUNS);
	observe_tick(&observed, c.r->now_ns + 5 * TP_NS_PER_S - 1);
	assert_int_equal(receive(fd, &m), -1);
	observe_tick(&observed, c.r->now_ns + 5 * TP_NS_PER_S);
	expect_end(fd, TP_OBSERVE_OVER);

	// The allocation ends; a request for another capture's end does nothing.
	fd = ask(&c, 4, TP_OBSERVE_RUNS);
	end_ask(&c, TP_CAPTURE_REQUEST_MAGIC, 6);
	observe_tick(&observed, c.r->now_ns);
	assert_int_equal(receive(fd, &m), -1);
	end_ask(&c, TP_CAPTURE_REQUEST_MAGIC, 7);
	observe_tick(&observed, c.r->now_ns);
	expect_end(fd, TP_OBSERVE_ENDED);
	observed_end(&c);
}

static int ask_trace(struct call *c, uint32_t number, uint32_t packets)
{
	union observe_request r = {.trace = {
					   .ask = {TP_TRACE_REQUEST_MAGIC, number, packets, 5},
					   .client = c->client,
				   }};

	return ask_with(c, &r, TP_OBSERVE_RUNS);
}

// A trace goes the same way, beside a capture; a new one takes the place of the one before.
static void traces_have_a_stream_of_their_own(void **state)
{
	const struct tp_trace_record *rec;
	struct told m;
	struct call c;
	int captured, first, second;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	captured = ask(&c, 100, TP_OBSERVE_RUNS);
	first = ask_trace(&c, 7, 10);
	observed_channel(&c, CALL_NUMBER);
	second = ask_trace(&c, 8, 10);
	assert_int_equal(receive(first, &m), sizeof(*rec));
	assert_int_equal(receive(first, &m), sizeof(m.end));
	assert_int_equal(m.end.cause, TP_OBSERVE_ENDED);
	assert_int_equal(receive(first, &m), -2);
	close(first);
	// The control process dies: the trace goes on, the capture does not.
	observe_control_left(&observed, c.r->now_ns);
	observed_channel(&c, CALL_NUMBER);
	observe_tick(&observed, c.r->now_ns);
	assert_int_equal(receive(second, &m), sizeof(*rec));
	rec = (const struct tp_trace_record *)m.octets;
	assert_int_equal(rec->head.number, 8);
	assert_true(receive(captured, &m) > (ssize_t)(2 * sizeof(struct tp_capture_record)));
	assert_int_equal(receive(captured, &m), sizeof(m.end));
	assert_int_equal(m.end.cause, TP_OBSERVE_ALONE);
	close(captured);
	// Number 0: any.
	end_ask(&c, TP_TRACE_REQUEST_MAGIC, 0);
	observe_tick(&observed, c.r->now_ns);
	expect_end(second, TP_OBSERVE_ENDED);
	observed_end(&c);
}

static void readers_may_leave(void **state)
{
	struct told m;
	struct call c;
	int fd;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	// An orderly end: frames captured so far still arrive.
	fd = ask(&c, 100, TP_OBSERVE_RUNS);
	observed_channel(&c, CALL_NUMBER);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	observe_tick(&observed, c.r->now_ns);
	assert_true(receive(fd, &m) > 0);
	assert_int_equal(m.head.kind, TP_OBSERVE_RECORDS);
	expect_end(fd, TP_OBSERVE_LEFT);
	// Killed: before anything flows, and while it flows.
	close(ask(&c, 100, TP_OBSERVE_RUNS));
	observe_tick(&observed, c.r->now_ns);
	assert_false(observe_is_on(&observed));
	assert_int_equal(observed.captured.fd, -1);
	close(ask(&c, 100, TP_OBSERVE_RUNS));
	observed_channel(&c, CALL_NUMBER);
	observe_tick(&observed, c.r->now_ns);
	assert_int_equal(observed.captured.fd, -1);
	// One that never reads is given up, not waited for.
	fd = ask(&c, TP_CAPTURE_FRAMES_MAX, TP_OBSERVE_RUNS);
	for (unsigned i = 0; i < CAPTURE_RING / 100; i++) {
		observed_channel(&c, CALL_NUMBER);
		observe_tick(&observed, c.r->now_ns);
	}
	observe_tick(&observed, c.r->now_ns + 5 * TP_NS_PER_S);
	assert_false(observe_is_on(&observed));
	assert_true(observed.captured.fd >= 0);
	observe_tick(&observed, c.r->now_ns + 8 * TP_NS_PER_S);
	assert_int_equal(observed.captured.fd, -1);
	close(fd);
	observed_end(&c);
}

// A descriptor that does not keep messages apart, or could block, is refused.
static void other_descriptors_are_refused(void **state)
{
	union observe_request r = {0};
	struct call c;
	int ends[2];
	char octet;

	(void)state;
	observed_start(&c, TP_FAMILY_IPV4);
	r.capture = captured_request(&c, 1);
	assert_int_equal(pipe(ends), 0);
	observe_ask(&observed, &r, ends[1], c.r->now_ns);
	assert_int_equal(observed.captured.fd, -1);
	assert_int_equal(read(ends[0], &octet, 1), 0);
	close(ends[0]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	observe_ask(&observed, &r, ends[1], c.r->now_ns);
	assert_int_equal(observed.captured.fd, -1);
	close(ends[0]);
	assert_false(observe_is_on(&observed));
	observed_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reader_gets_all),
		cmocka_unit_test(traces_have_a_stream_of_their_own),
		cmocka_unit_test(readers_may_leave),
		cmocka_unit_test(other_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
