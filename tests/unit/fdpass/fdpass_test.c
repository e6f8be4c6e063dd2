// SPDX-License-Identifier: BSD-3-Clause
// Descriptors over a socket: at most one is handed out, and no other stays open.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fdpass/fdpass.h>
#include <fdpass/listen.h>

struct pair {
	int ends[2];
	int pipe[2]; // the descriptor passed is [1]; [0] ends when no copy of it is left
	unsigned open;
};

static unsigned open_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int setup(void **state)
{
	static struct pair p;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p.ends), 0);
	assert_int_equal(pipe(p.pipe), 0);
	p.open = open_count();
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	assert_int_equal(open_count(), p->open);
	for (unsigned i = 0; i < 2; i++) {
		close(p->ends[i]);
		close(p->pipe[i]);
	}
	return 0;
}

// As many descriptors as wanted, which fdpass_send does not do.
static void many_send(int socket, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = {.space = {0}};
	char octet = 'a';
	struct iovec iov = {&octet, 1};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int))};

	control.align = (struct cmsghdr){.cmsg_len = CMSG_LEN(n * sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	assert_int_equal(sendmsg(socket, &m, 0), 1);
}

// The descriptor is a copy of the pipe's end for writing; closes it.
static void expect_pipe(const struct pair *p, int fd)
{
	char octet;

	assert_true(fd >= 0);
	assert_int_not_equal(fd, p->pipe[1]);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(p->pipe[0], &octet, 1), 1);
	assert_int_equal(octet, 'x');
	assert_int_equal(close(fd), 0);
}

static void test_one(void **state)
{
	struct pair *p = *state;
	char text[8];
	int fd;

	assert_int_equal(fdpass_send(p->ends[0], "abcd", 4, p->pipe[1], 0), 4);
	assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 4);
	assert_memory_equal(text, "abcd", 4);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	expect_pipe(p, fd);
}

static void test_none(void **state)
{
	struct pair *p = *state;
	char text[8];
	int fd = 5;

	assert_int_equal(fdpass_send(p->ends[0], "ab", 2, -1, 0), 2);
	assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 2);
	assert_int_equal(fd, -1);
}

// Only one is handed out, of however many: of two, for which there is room, and of those that the
// kernel cuts off.
static void test_more_than_one(void **state)
{
	struct pair *p = *state;
	int fds[8], fd;
	char text[8];

	for (unsigned i = 0; i < 8; i++)
		fds[i] = i == 0 ? p->pipe[1] : p->ends[0];
	for (size_t n = 1; n <= 8; n++) {
		many_send(p->ends[0], fds, n);
		assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 1);
		expect_pipe(p, fd);
		assert_int_equal(open_count(), p->open);
	}
}

// Control messages of other kinds, before the descriptor and instead of it.
static void test_other_control_messages(void **state)
{
	struct pair *p = *state;
	const int on = 1;
	char text[8];
	int fd;

	assert_int_equal(setsockopt(p->ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(fdpass_send(p->ends[0], "a", 1, -1, 0), 1);
	assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 1);
	assert_int_equal(fd, -1);
	// The credentials take all the room.
	assert_int_equal(fdpass_send(p->ends[0], "a", 1, p->pipe[1], 0), 1);
	assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 1);
	assert_int_equal(fd, -1);
}

// It comes with the first bytes, once.
static void test_parts(void **state)
{
	struct pair *p = *state;
	char text[8];
	int fd;

	assert_int_equal(fdpass_send(p->ends[0], "abcd", 4, p->pipe[1], 0), 4);
	assert_int_equal(fdpass_receive(p->ends[1], text, 1, &fd, 0), 1);
	expect_pipe(p, fd);
	assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 3);
	assert_int_equal(fd, -1);
}

static void test_nobody(void **state)
{
	struct pair *p = *state;
	char text[8];
	int fd = 5;

	assert_int_equal(
		fdpass_receive(p->ends[1], text, sizeof(text), &fd, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(fd, -1);
	assert_int_equal(shutdown(p->ends[0], SHUT_WR), 0);
	assert_int_equal(fdpass_receive(p->ends[1], text, sizeof(text), &fd, 0), 0);
	// Not a signal.
	assert_int_equal(fdpass_send(p->ends[0], "a", 1, p->pipe[1], 0), -EPIPE);
	assert_int_equal(fdpass_send(p->ends[1], "a", 1, 1 << 20, 0), -EBADF);
	assert_int_equal(fdpass_send(p->pipe[1], "a", 1, -1, 0), -ENOTSOCK);
}

// The name of a process that died is taken over; a path without room for it is refused.
static void test_listen(void **state)
{
	char directory[] = "/tmp/fdpass_test.XXXXXX", path[108], deep[120];
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(directory));
	for (unsigned i = 0; i < 2; i++) {
		int client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		int fd = fdpass_listen(
			path, sizeof(path), directory, "name", SOCK_SEQPACKET, (gid_t)-1, 2);

		assert_true(fd >= 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0660);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		memcpy(a.sun_path, path, sizeof(path));
		assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
		close(client);
		close(fd); // the name stays, as after a kill
	}
	unlink(path);
	memset(deep, 'd', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(fdpass_listen(path, sizeof(path), deep, "n", SOCK_STREAM, (gid_t)-1, 2),
		-ENAMETOOLONG);
	assert_int_equal(
		fdpass_listen(path, sizeof(path), "/nowhere", "n", SOCK_STREAM, (gid_t)-1, 2),
		-ENOENT);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_control_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
