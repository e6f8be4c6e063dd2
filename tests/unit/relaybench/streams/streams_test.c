// SPDX-License-Identifier: BSD-3-Clause
// Readings of relaybench streams: the kernel's account of a process, messages of a stream, stamps,
// and connections over a pair of sockets.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <conn.h>
#include <server.h>
#include <stamp.h>

static void ticks_of_a_process(void **state)
{
	uint64_t user = 0, kernel = 0;

	(void)state;
	assert_true(streams_server_ticks(
		"7 (a) b (c) R 1 7 7 0 -1 4194560 102 0 0 0 1234 567 8 9 20 0 1 0 500\n", &user,
		&kernel));
	assert_int_equal(user, 1234);
	assert_int_equal(kernel, 567);
	assert_false(streams_server_ticks("7 (a) R 1 7 7", &user, &kernel));
	assert_false(streams_server_ticks("no process", &user, &kernel));
}

static void own_process_is_read(void **state)
{
	struct streams_options o = {.pids = {getpid()}, .n_pids = 1};
	struct streams_server s;

	(void)state;
	assert_int_equal(streams_server_read(&o, &s), 0);
	assert_true(s.resident > 0);
	o.pids[0] = 999999999;
	assert_int_equal(streams_server_read(&o, &s), -ESRCH);
}

static void lengths_of_messages(void **state)
{
	static const uint8_t request[4] = {0x00, 0x01, 0x00, 0x08};
	static const uint8_t channel[4] = {0x40, 0x00, 0x00, 0x05};
	static const uint8_t neither[4] = {0x80, 0x00, 0x00, 0x05};

	(void)state;
	assert_int_equal(streams_message_len(request, 4), 28);
	assert_int_equal(streams_message_len(channel, 4), 12);
	assert_int_equal(streams_message_len(channel, 3), 0);
	assert_int_equal(streams_message_len(neither, 4), UINT32_MAX);
}

static void stamps_come_back(void **state)
{
	const struct streams_stamp in = {.client = 5, .number = 7, .sent_ns = 1ull << 40};
	struct streams_stamp out;
	uint8_t bytes[STREAMS_STAMP_LEN];

	(void)state;
	streams_stamp_write(bytes, &in);
	assert_true(streams_stamp_read(bytes, sizeof(bytes), &out));
	assert_memory_equal(&in, &out, sizeof(in));
	assert_false(streams_stamp_read(bytes, sizeof(bytes) - 1, &out));
	bytes[0] ^= 1;
	assert_false(streams_stamp_read(bytes, sizeof(bytes), &out));
}

// ---- a connection -------------------------------------------------------------------------------

struct taken {
	unsigned n;
	size_t bytes;
};

static void take(void *ctx, const uint8_t *msg, size_t len)
{
	struct taken *t = ctx;

	assert_int_equal(streams_message_len(msg, len), len);
	t->n++;
	t->bytes += len;
}

static void messages_are_cut(void **state)
{
	static const uint8_t two[] = {
		0x40, 0, 0, 1, 'a', 0, 0, 0, 0x40, 1, 0, 4, 'b', 'c', 'd', 'e'};
	struct streams_conn c = {.fd = -1, .transport = STREAMS_TCP};
	struct taken t = {0};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	c.fd = ends[0];
	for (size_t i = 0; i < sizeof(two); i++) {
		assert_int_equal(write(ends[1], two + i, 1), 1);
		assert_int_equal(streams_conn_read(&c, take, &t), 0);
		assert_int_equal(t.n, (i >= 7) + (i >= 15));
	}
	assert_int_equal(t.bytes, sizeof(two));
	assert_int_equal(write(ends[1], "\xff\xff\xff\xff", 4), 4);
	assert_int_equal(streams_conn_read(&c, take, &t), -EPROTO);
	close(ends[1]);
	streams_conn_close(&c, false);
	assert_int_equal(c.fd, -1);
}

// Bytes without room in the socket are kept, and nothing more is taken until they have left.
static void a_full_connection_keeps_the_rest(void **state)
{
	static uint8_t msg[1200] = {0x40, 0, 0x04, 0xac}, seen[1 << 16];
	struct streams_conn c = {.fd = -1, .transport = STREAMS_TCP};
	size_t put = 0, got = 0;
	ssize_t n;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	c.fd = ends[0];
	while (!c.full) {
		assert_int_equal(streams_conn_put(&c, msg, sizeof(msg)), 0);
		assert_int_equal(streams_conn_put(&c, msg, sizeof(msg)), 0);
		assert_int_equal(streams_conn_flush(&c), 0);
		put += 2 * sizeof(msg);
	}
	assert_int_equal(streams_conn_put(&c, msg, sizeof(msg)), -EAGAIN);
	while (got < put) {
		n = read(ends[1], seen, sizeof(seen));
		if (n > 0)
			got += (size_t)n;
		assert_int_equal(streams_conn_flush(&c), 0);
	}
	assert_int_equal(got, put);
	assert_false(c.full);
	close(ends[1]);
	streams_conn_close(&c, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_of_a_process),
		cmocka_unit_test(own_process_is_read),
		cmocka_unit_test(lengths_of_messages),
		cmocka_unit_test(stamps_come_back),
		cmocka_unit_test(messages_are_cut),
		cmocka_unit_test(a_full_connection_keeps_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
