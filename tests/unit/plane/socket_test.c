// SPDX-License-Identifier: BSD-3-Clause
#include <plane/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <fdpass/fdpass.h>

static char directory[] = "/tmp/turnpike-socket-XXXXXX";

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

static int dial(const struct plane_socket *s)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", s->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

// The descriptor that came along, or -1.
static int receive(int client)
{
	char octet;
	int fd;

	assert_int_equal(fdpass_receive(client, &octet, 1, &fd, 0), 1);
	return fd;
}

static void test_pass(void **state)
{
	struct plane_socket s;
	struct stat st;
	unsigned came, went;
	const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};
	uint64_t value;
	int client, passed, woken;

	(void)state;
	assert_int_equal(plane_socket_init(&s, directory, (gid_t)-1), 0);
	assert_int_equal(stat(s.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	plane_socket_poll(&s, &came, &went);
	assert_int_equal(came + went, 0);

	client = dial(&s);
	plane_socket_poll(&s, &came, &went);
	assert_int_equal(came, 1);
	passed = receive(client);
	assert_true(passed >= 0);
	// Flags are the description's: the other side may change them, and wait for nothing of
	// ours.
	assert_int_equal(fcntl(passed, F_SETFL, 0), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(timerfd_settime(s.kick_fd, TFD_TIMER_ABSTIME, &at_once, NULL), 0);
		assert_int_equal(read(passed, &value, sizeof(value)), sizeof(value));
		assert_int_equal(value, 1);
	}
	woken = receive(client);
	assert_int_equal(timerfd_settime(woken, TFD_TIMER_ABSTIME, &at_once, NULL), 0);
	assert_int_equal(poll(&(struct pollfd){.fd = s.wake_fd, .events = POLLIN}, 1, -1), 1);
	close(woken);

	close(client);
	plane_socket_poll(&s, &came, &went);
	assert_int_equal(came, 0);
	assert_int_equal(went, 1);
	close(passed);
	plane_socket_fini(&s);
	assert_int_equal(access(s.path, F_OK), -1);
}

// A request comes in parts, nonsense is passed over, one waits for the one before.
static void test_requests(void **state)
{
	union observe_request request = {.ask = {.magic = 1, .number = 3, .count = 4}};
	const struct tp_capture_request capture = {.ask = {TP_CAPTURE_REQUEST_MAGIC, 4, 5, 6}};
	size_t size = sizeof(request.trace);
	unsigned came, went;
	struct plane_socket s;
	int client, pair[2];

	(void)state;
	assert_int_equal(plane_socket_init(&s, directory, (gid_t)-1), 0);
	client = dial(&s);
	plane_socket_poll(&s, &came, &went);
	close(receive(client));
	close(receive(client));
	assert_int_equal(write(client, &request, size), size);
	plane_socket_poll(&s, &came, &went);
	assert_false(s.asked);
	request.ask.magic = TP_TRACE_REQUEST_MAGIC;
	assert_int_equal(write(client, &request, 10), 10);
	plane_socket_poll(&s, &came, &went);
	assert_false(s.asked);
	assert_int_equal(write(client, (char *)&request + 10, size - 10), size - 10);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(
		fdpass_send(client, &capture, sizeof(capture), pair[0], 0), sizeof(capture));
	close(pair[0]);
	plane_socket_poll(&s, &came, &went);
	assert_int_equal(came + went, 0);
	assert_true(s.asked);
	assert_memory_equal(&s.request, &request, size);
	assert_int_equal(s.request_fd, -1);
	s.asked = false;
	plane_socket_poll(&s, &came, &went);
	assert_true(s.asked);
	assert_memory_equal(&s.request, &capture, sizeof(capture));
	assert_int_equal(write(s.request_fd, "a", 1), 1);
	assert_int_equal(read(pair[1], &came, 1), 1);
	close(client);
	plane_socket_fini(&s);
	assert_int_equal(read(pair[1], &came, 1), 0);
	close(pair[1]);
}

static void test_bounded(void **state)
{
	struct plane_socket s;
	unsigned came, went;
	int clients[PLANE_SOCKET_CLIENTS_MAX];
	char octet;

	(void)state;
	assert_int_equal(plane_socket_init(&s, directory, (gid_t)-1), 0);
	for (unsigned i = 0; i < PLANE_SOCKET_CLIENTS_MAX; i++)
		clients[i] = dial(&s);
	plane_socket_poll(&s, &came, &went);
	assert_int_equal(came, PLANE_SOCKET_CLIENTS_MAX);
	{
		int surplus = dial(&s);

		plane_socket_poll(&s, &came, &went);
		assert_int_equal(came + went, 0);
		close(receive(surplus));
		close(receive(surplus));
		assert_int_equal(read(surplus, &octet, 1), 0);
		close(surplus);
	}
	// Our end tells the clients that we died.
	plane_socket_fini(&s);
	for (unsigned i = 0; i < PLANE_SOCKET_CLIENTS_MAX; i++) {
		close(receive(clients[i]));
		close(receive(clients[i]));
		assert_int_equal(read(clients[i], &octet, 1), 0);
		close(clients[i]);
	}
}

// After a crash the socket is still there.
static void test_leftover(void **state)
{
	struct plane_socket s, crashed;

	(void)state;
	assert_int_equal(plane_socket_init(&crashed, directory, (gid_t)-1), 0);
	close(crashed.listen_fd);
	close(crashed.kick_fd);
	close(crashed.wake_fd);
	assert_int_equal(plane_socket_init(&s, directory, (gid_t)-1), 0);
	close(dial(&s));
	plane_socket_fini(&s);
	assert_int_equal(plane_socket_init(&s, "/nowhere", (gid_t)-1), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pass),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_leftover),
	};

	return cmocka_run_group_tests_name("plane socket", tests, setup, teardown);
}
