// SPDX-License-Identifier: BSD-3-Clause
// Which frames are captured, what the records say, and what a reader gets to see of them.
#include <feed.h>
#include <watch.h>

#include <sys/socket.h>
#include <unistd.h>

#include "../stage/call.h"

static struct watch watch;
static struct feed feed;
static bool port_is_full;

static struct tp_capture_request request_of(const struct call *c, uint32_t frames)
{
	return (struct tp_capture_request){.magic = TP_CAPTURE_REQUEST_MAGIC,
		.number = 7,
		.frames = frames,
		.seconds = 5,
		.n_relayed = 1,
		.client = c->client,
		.listener = c->listener,
		.relayed = {c->relayed}};
}

static void arm(const struct call *c, uint32_t frames)
{
	struct tp_capture_request r = request_of(c, frames);

	assert_true(capture_request_is_right(&r));
	capture_disarm(&watch.capture);
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
}

static struct stage_pkt run(struct call *c, struct frame *f, const struct tp_addr *from,
	const struct tp_addr *to, const void *payload, uint16_t len)
{
	struct stage_pkt pkt = call_packet(f, from, to, payload, len);
	struct capture_burst burst;

	if (watch_is_on(&watch))
		watch_run(&watch, c->r->worker, &pkt, 1, c->r->now_ns);
	else
		stage_run(c->r->worker, &pkt, 1, c->r->now_ns);
	if (pkt.verdict == STAGE_SEND) {
		capture_leaving(&watch.capture, &burst, c->r->worker->id, &pkt, 1, c->r->now_ns);
		capture_left(&watch.capture, &burst, c->r->worker->id, port_is_full ? 0 : 1);
	}
	return pkt;
}

static struct stage_pkt run_channel(struct call *c, uint16_t number)
{
	static struct frame f;
	uint8_t data[8] = {(uint8_t)(number >> 8), (uint8_t)number, 0, 4, 'a', 'b', 'c', 'd'};

	return run(c, &f, &c->client, &c->listener, data, sizeof(data));
}

static struct stage_pkt run_datagram(struct call *c, const struct tp_addr *from)
{
	static struct frame f;

	return run(c, &f, from, &c->relayed, "abcd", 4);
}

static void start(struct call *c, uint8_t family)
{
	memset(&watch, 0, sizeof(watch));
	call_start(c, family, family);
	assert_int_equal(watch_init(&watch, 1), 0);
	feed_init(&feed);
}

static void end(struct call *c)
{
	feed_fini(&feed, &watch.capture);
	watch_fini(&watch);
	call_end(c);
}

// The next record, in a buffer that is good until the next call. NULL: there is none.
static const struct tp_capture_record *take(void)
{
	static uint8_t room[4096] TP_ALIGNED(8);
	static size_t len, at;
	const struct tp_capture_record *rec;

	if (at == len) {
		at = 0;
		len = capture_take(&watch.capture, room, sizeof(room));
	}
	if (at == len)
		return NULL;
	rec = (const struct tp_capture_record *)(room + at);
	at += rec->size;
	return rec;
}

static const uint8_t *payload_of(const struct tp_capture_record *rec)
{
	return (const uint8_t *)(rec + 1) + rec->taken - 4;
}

static void both_ends_are_taken(struct call *c)
{
	const struct tp_capture_record *rec;
	struct stage_pkt pkt;
	uint16_t received;

	arm(c, 100);
	pkt = run_channel(c, CALL_NUMBER);
	call_read(&pkt);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_RECEIVED);
	assert_int_equal(rec->number, 7);
	assert_int_equal(rec->verdict, STAGE_SEND);
	assert_int_equal(rec->time_ns, c->r->now_ns);
	assert_int_equal(rec->taken, rec->len);
	assert_memory_equal(payload_of(rec), "abcd", 4);
	received = rec->len;
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_SENT);
	assert_int_equal(rec->verdict, STAGE_SEND);
	// Without the channel's header.
	assert_int_equal(rec->len, received - 4);
	assert_memory_equal(rec + 1, pkt.data, pkt.len);
	assert_null(take());

	pkt = run_datagram(c, &c->peer);
	call_read(&pkt);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_RECEIVED);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_SENT);
	assert_int_equal(rec->len, received);
	assert_null(take());
}

static void take_both_ends(void **state)
{
	static const uint8_t families[] = {TP_FAMILY_IPV4, TP_FAMILY_IPV6};
	struct call c;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(&c, families[i]);
		both_ends_are_taken(&c);
		end(&c);
	}
}

static void tell_drops(void **state)
{
	const struct tp_capture_record *rec;
	struct stage_pkt pkt;
	struct call c;

	(void)state;
	start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	pkt = run_channel(&c, CALL_NUMBER + 1);
	call_assert_drop(&pkt, TP_DROP_no_channel);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_no_channel);
	assert_null(take());
	// Of a stranger, to the relayed address.
	c.visitor.ip[3]++;
	pkt = run_datagram(&c, &c.visitor);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->reason, TP_DROP_no_permission);
	assert_null(take());
	end(&c);
}

// What the port refuses is not shown as sent.
static void tell_refused(void **state)
{
	const struct tp_capture_record *rec;
	struct call c;

	(void)state;
	start(&c, TP_FAMILY_IPV4);
	arm(&c, 100);
	port_is_full = true;
	run_channel(&c, CALL_NUMBER);
	port_is_full = false;
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->verdict, STAGE_SEND);
	rec = take();
	assert_non_null(rec);
	assert_int_equal(rec->way, TP_CAPTURE_SENT);
	assert_int_equal(rec->verdict, STAGE_DROP);
	assert_int_equal(rec->reason, TP_DROP_tx_full);
	assert_null(take());
	end(&c);
}

static void leave_others_out(void **state)
{
	struct tp_capture_request r;
	struct call c;

	(void)state;
	start(&c, TP_FAMILY_IPV4);
	r = request_of(&c, 100);
	r.client.port_be = (uint16_t)~r.client.port_be;
	r.relayed[0].port_be = (uint16_t)~r.relayed[0].port_be;
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	run_channel(&c, CALL_NUMBER);
	run_datagram(&c, &c.peer);
	assert_null(take());
	// The client's messages to another listener are not this allocation's.
	capture_disarm(&watch.capture);
	r = request_of(&c, 100);
	r.listener.port_be = (uint16_t)~r.listener.port_be;
	r.n_relayed = 0;
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	run_channel(&c, CALL_NUMBER);
	assert_null(take());
	end(&c);
}

static void count_and_cut(void **state)
{
	struct tp_capture_request r;
	const struct tp_capture_record *rec;
	struct call c;
	unsigned n = 0;

	(void)state;
	start(&c, TP_FAMILY_IPV4);
	r = request_of(&c, 3);
	r.snaplen = 42;
	assert_int_equal(capture_arm(&watch.capture, &r), 0);
	for (unsigned i = 0; i < 4; i++)
		run_channel(&c, CALL_NUMBER);
	assert_false(watch_is_on(&watch));
	for (; (rec = take()) != NULL; n++) {
		assert_int_equal(rec->taken, 42);
		assert_true(rec->len > 42);
		assert_int_equal(rec->size, 32 + 48);
	}
	assert_int_equal(n, 3);
	end(&c);
}

// More than the ring holds, over its end again and again: nothing is torn, what found no room is
// counted, and packets are forwarded all the same.
static void full_rings_are_counted(void **state)
{
	const struct tp_capture_record *rec;
	uint8_t guard[4096];
	struct capture_ring *ring;
	struct call c;
	unsigned n = 0, runs = 0;

	(void)state;
	start(&c, TP_FAMILY_IPV4);
	arm(&c, TP_CAPTURE_FRAMES_MAX);
	ring = &watch.capture.rings[0];
	free(ring->octets);
	ring->octets = aligned_alloc(TP_CACHE_LINE, CAPTURE_RING + sizeof(guard));
	assert_non_null(ring->octets);
	memset(guard, 0xee, sizeof(guard));
	memset(ring->octets, 0xee, CAPTURE_RING + sizeof(guard));
	// Never full, over the end with what does not fit before it: two records more than pairs.
	run_channel(&c, CALL_NUMBER + 1);
	run_channel(&c, CALL_NUMBER + 1);
	for (unsigned i = 0; i < CAPTURE_RING / 150; i++, runs++) {
		run_channel(&c, CALL_NUMBER);
		for (; (rec = take()) != NULL; n++)
			assert_memory_equal(payload_of(rec), "abcd", 4);
	}
	assert_int_equal(n, 2 * runs + 2);
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < CAPTURE_RING / 150; i++, runs++) {
			struct stage_pkt pkt = run_channel(&c, CALL_NUMBER);

			assert_int_equal(pkt.verdict, STAGE_SEND);
		}
		for (; (rec = take()) != NULL; n++)
			assert_memory_equal(payload_of(rec), "abcd", 4);
		assert_true(n > 0);
	}
	assert_true(capture_missed(&watch.capture, 0) > 0);
	assert_int_equal(n + capture_missed(&watch.capture, 0) + capture_missed(&watch.capture, 1),
		2 * runs + 2);
	assert_memory_equal(ring->octets + CAPTURE_RING, guard, sizeof(guard));
	// Counted anew for the next one.
	arm(&c, 1);
	assert_int_equal(capture_missed(&watch.capture, 0), 0);
	end(&c);
}

static void refuse_nonsense(void **state)
{
	struct tp_capture_request r;
	struct call c;

	(void)state;
	start(&c, TP_FAMILY_IPV4);
	r = request_of(&c, 1);
	assert_true(capture_request_is_right(&r));
	r.n_relayed = 3;
	assert_false(capture_request_is_right(&r));
	r = request_of(&c, TP_CAPTURE_FRAMES_MAX + 1);
	assert_false(capture_request_is_right(&r));
	r = request_of(&c, 1);
	r.client.family = 9;
	assert_false(capture_request_is_right(&r));
	r = request_of(&c, 1);
	r.seconds = 0;
	assert_false(capture_request_is_right(&r));
	end(&c);
}

// The feed.

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
	struct tp_capture_request r = request_of(c, frames);
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
	start(&c, TP_FAMILY_IPV4);
	fd = ask(&c, 4, TP_CAPTURE_RUNS);
	// One at a time.
	second = ask(&c, 4, TP_CAPTURE_BUSY);
	assert_int_equal(receive(second, &m), -2);
	close(second);
	run_channel(&c, CALL_NUMBER);
	run_channel(&c, CALL_NUMBER);
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
	start(&c, TP_FAMILY_IPV4);
	// Politely: what was captured so far still comes.
	fd = ask(&c, 100, TP_CAPTURE_RUNS);
	run_channel(&c, CALL_NUMBER);
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
	run_channel(&c, CALL_NUMBER);
	feed_tick(&feed, &watch.capture, c.r->now_ns);
	assert_int_equal(feed.fd, -1);
	// One that never reads is given up, not waited for.
	fd = ask(&c, TP_CAPTURE_FRAMES_MAX, TP_CAPTURE_RUNS);
	for (unsigned i = 0; i < CAPTURE_RING / 100; i++) {
		run_channel(&c, CALL_NUMBER);
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
	start(&c, TP_FAMILY_IPV4);
	r = request_of(&c, 1);
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
		cmocka_unit_test(take_both_ends),
		cmocka_unit_test(tell_drops),
		cmocka_unit_test(tell_refused),
		cmocka_unit_test(leave_others_out),
		cmocka_unit_test(count_and_cut),
		cmocka_unit_test(full_rings_are_counted),
		cmocka_unit_test(refuse_nonsense),
		cmocka_unit_test(feed_tells_all),
		cmocka_unit_test(readers_may_leave),
		cmocka_unit_test(other_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
