// SPDX-License-Identifier: BSD-3-Clause
#include "kick.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <pass/pass.h>

static char directory[] = "/tmp/turnpike-kick-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int dial(const struct kick *k)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", k->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

// The descriptor that came along, or -1.
static int receive(int client)
{
	char octet;
	int fd;

	assert_int_equal(pass_receive(client, &octet, 1, &fd, 0), 1);
	return fd;
}

static void test_pass(void **state)
{
	struct kick k;
	struct stat st;
	unsigned came, went;
	uint64_t value = 3;
	int client, passed;

	(void)state;
	assert_int_equal(kick_init(&k, directory, (gid_t)-1), 0);
	assert_int_equal(stat(k.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	kick_poll(&k, &came, &went);
	assert_int_equal(came + went, 0);

	client = dial(&k);
	kick_poll(&k, &came, &went);
	assert_int_equal(came, 1);
	passed = receive(client);
	assert_true(passed >= 0);
	assert_int_equal(write(k.event_fd, &value, sizeof(value)), sizeof(value));
	value = 0;
	assert_int_equal(read(passed, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 3);
	assert_int_equal(read(passed, &value, sizeof(value)), -1);
	assert_int_equal(errno, EAGAIN);

	close(client);
	kick_poll(&k, &came, &went);
	assert_int_equal(came, 0);
	assert_int_equal(went, 1);
	close(passed);
	kick_fini(&k);
	assert_int_equal(access(k.path, F_OK), -1);
}

// A request comes in parts, nonsense is passed over, records go back to who asked.
static void test_trace(void **state)
{
	struct tp_trace_request request = {.magic = 1, .trace = 3, .packets = 4};
	struct tp_trace_record record = {.trace = 3}, got;
	unsigned came, went;
	struct kick k;
	int client;

	(void)state;
	assert_int_equal(kick_init(&k, directory, (gid_t)-1), 0);
	assert_false(kick_send(&k, &record));
	client = dial(&k);
	kick_poll(&k, &came, &went);
	close(receive(client));
	assert_int_equal(write(client, &request, sizeof(request)), sizeof(request));
	kick_poll(&k, &came, &went);
	assert_false(k.asked);
	request.magic = TP_TRACE_REQUEST_MAGIC;
	assert_int_equal(write(client, &request, 10), 10);
	kick_poll(&k, &came, &went);
	assert_false(k.asked);
	assert_int_equal(
		write(client, (char *)&request + 10, sizeof(request) - 10), sizeof(request) - 10);
	kick_poll(&k, &came, &went);
	assert_int_equal(came + went, 0);
	assert_true(k.asked);
	assert_memory_equal(&k.request, &request, sizeof(request));
	assert_true(kick_send(&k, &record));
	assert_int_equal(read(client, &got, sizeof(got)), sizeof(got));
	assert_memory_equal(&got, &record, sizeof(got));
	close(client);
	kick_poll(&k, &came, &went);
	assert_int_equal(went, 1);
	assert_false(kick_send(&k, &record));
	kick_fini(&k);
}

// A request for a capture brings the socket its frames go to.
static void test_capture(void **state)
{
	struct tp_capture_request request = {
		.magic = TP_CAPTURE_REQUEST_MAGIC, .number = 3, .frames = 4};
	struct tp_trace_request trace = {.magic = TP_TRACE_REQUEST_MAGIC, .trace = 3};
	unsigned came, went;
	int client, pair[2];
	struct kick k;

	(void)state;
	assert_int_equal(kick_init(&k, directory, (gid_t)-1), 0);
	client = dial(&k);
	kick_poll(&k, &came, &went);
	close(receive(client));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(write(client, &trace, sizeof(trace)), sizeof(trace));
	assert_int_equal(pass_send(client, &request, sizeof(request), pair[0], 0), sizeof(request));
	close(pair[0]);
	kick_poll(&k, &came, &went);
	assert_true(k.asked);
	kick_poll(&k, &came, &went);
	assert_true(k.capture_asked);
	assert_memory_equal(&k.capture, &request, sizeof(request));
	assert_int_equal(write(k.capture_fd, "a", 1), 1);
	assert_int_equal(read(pair[1], &came, 1), 1);
	close(client);
	kick_poll(&k, &came, &went);
	assert_int_equal(k.capturer, -1);
	kick_fini(&k);
	assert_int_equal(read(pair[1], &came, 1), 0);
	close(pair[1]);
}

static void test_bounded(void **state)
{
	struct kick k;
	unsigned came, went;
	int clients[KICK_CLIENTS_MAX];
	char octet;

	(void)state;
	assert_int_equal(kick_init(&k, directory, (gid_t)-1), 0);
	for (unsigned i = 0; i < KICK_CLIENTS_MAX; i++)
		clients[i] = dial(&k);
	kick_poll(&k, &came, &went);
	assert_int_equal(came, KICK_CLIENTS_MAX);
	{
		int surplus = dial(&k);

		kick_poll(&k, &came, &went);
		assert_int_equal(came + went, 0);
		close(receive(surplus));
		assert_int_equal(read(surplus, &octet, 1), 0);
		close(surplus);
	}
	// Our end tells the clients that we died.
	kick_fini(&k);
	for (unsigned i = 0; i < KICK_CLIENTS_MAX; i++) {
		close(receive(clients[i]));
		assert_int_equal(read(clients[i], &octet, 1), 0);
		close(clients[i]);
	}
}

// After a crash the socket is still there.
static void test_leftover(void **state)
{
	struct kick k, crashed;

	(void)state;
	assert_int_equal(kick_init(&crashed, directory, (gid_t)-1), 0);
	close(crashed.listen_fd);
	close(crashed.event_fd);
	assert_int_equal(kick_init(&k, directory, (gid_t)-1), 0);
	close(dial(&k));
	kick_fini(&k);
	assert_int_equal(kick_init(&k, "/nowhere", (gid_t)-1), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_capture),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_leftover),
	};

	return cmocka_run_group_tests_name("plane kick", tests, setup, teardown);
}
