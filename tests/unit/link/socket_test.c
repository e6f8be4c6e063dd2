// SPDX-License-Identifier: BSD-3-Clause
#include <link/socket.h>

#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fdpass/fdpass.h>
#include <shm/group.h>

#define TAG	 7u
#define KICK_TAG 8u

struct fixture {
	char dir[64];
	char path[96];
	int epoll_fd;
	int listen_fd; // the data plane's
	int kick_fd;
	struct shm_place place;
	struct link_socket link;
};

static void listen_start(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strcpy(a.sun_path, f->path);
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f->listen_fd, 4), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/dplink_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/dataplane.sock", f->dir);
	f->epoll_fd = epoll_create1(0);
	f->kick_fd = eventfd(0, EFD_NONBLOCK);
	f->listen_fd = -1;
	f->place.group = (gid_t)-1;
	link_socket_init(&f->link, f->path, &f->place, f->epoll_fd, TAG, KICK_TAG);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	link_socket_fini(&f->link);
	close(f->listen_fd);
	close(f->kick_fd);
	close(f->epoll_fd);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void descriptors_send(int fd, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(4 * sizeof(int))];
	} control = {0};
	char octet = 1;
	struct iovec iov = {&octet, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n > 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, 0), 1);
}

static uint32_t tag_ready(struct fixture *f)
{
	struct epoll_event e;

	return epoll_wait(f->epoll_fd, &e, 1, 0) == 1 ? e.data.u32 : 0;
}

static void test_nobody_is_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(link_socket_connect(&f->link), -ENOENT);
	listen_start(f);
	close(f->listen_fd);
	f->listen_fd = -1;
	assert_int_equal(link_socket_connect(&f->link), -ECONNREFUSED);
	assert_false(link_socket_is_up(&f->link));
}

#define FILES_GROUP  64990
#define TABLES_GROUP 64991
#define STRANGER     64992

// Listens as another user of the group, in one more, until the returned end is closed.
static int listen_as(struct fixture *f, uid_t uid, gid_t gid, gid_t group)
{
	int end[2], ready[2];
	char octet;

	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(pipe(end), 0);
	assert_int_equal(pipe(ready), 0);
	if (fork() == 0) {
		close(end[1]);
		if (setgroups(1, &group) < 0 || setresgid(gid, gid, gid) < 0 ||
			setresuid(uid, uid, uid) < 0)
			_exit(1);
		listen_start(f);
		_exit(write(ready[1], "", 1) != 1 || read(end[0], &octet, 1) != 0);
	}
	close(end[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	return end[1];
}

static int connect_to(struct fixture *f, uid_t uid, gid_t gid, gid_t group)
{
	int end = listen_as(f, uid, gid, group), rc, status;

	rc = link_socket_connect(&f->link);
	link_socket_fini(&f->link);
	close(end);
	assert_true(wait(&status) > 0);
	assert_int_equal(status, 0);
	assert_int_equal(unlink(f->path), 0);
	return rc;
}

// The edge's user may take the name of the socket; it gets nothing by it.
static void test_strangers_are_refused(void **state)
{
	struct fixture *f = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(connect_to(f, STRANGER, FILES_GROUP, STRANGER), -EPERM);
	assert_int_equal(f->link.stranger, STRANGER);
	f->place.group = FILES_GROUP;
	shm_tables_group_set(TABLES_GROUP);
	assert_int_equal(connect_to(f, STRANGER, FILES_GROUP, STRANGER), -EPERM);
	assert_int_equal(connect_to(f, STRANGER, FILES_GROUP, FILES_GROUP), -EPERM);
	assert_int_equal(connect_to(f, STRANGER, FILES_GROUP, TABLES_GROUP), 0);
	assert_int_equal(connect_to(f, STRANGER, TABLES_GROUP, STRANGER), 0);
	assert_int_equal(f->link.stranger, (uid_t)-1);
	assert_int_equal(connect_to(f, 0, FILES_GROUP, 0), 0);
	// A data plane that started before its user joined the group.
	shm_tables_member_add(STRANGER);
	assert_int_equal(connect_to(f, STRANGER, FILES_GROUP, FILES_GROUP), 0);
	shm_tables_group_set((gid_t)-1);
}

static void test_kicks_and_the_end(void **state)
{
	struct fixture *f = *state;
	int server;

	eventfd_t count;

	listen_start(f);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(link_socket_connect(&f->link), 0);
		assert_int_equal(link_socket_connect(&f->link), 0);
		server = accept(f->listen_fd, NULL, NULL);
		assert_int_equal(link_socket_read(&f->link), 0);
		assert_false(link_socket_is_up(&f->link));
		descriptors_send(server, &f->kick_fd, 1);
		assert_int_equal(tag_ready(f), TAG);
		assert_int_equal(link_socket_read(&f->link), 1);
		assert_true(link_socket_is_up(&f->link));
		assert_int_equal(tag_ready(f), 0);
		assert_int_equal(eventfd_write(f->kick_fd, 3), 0);
		assert_int_equal(tag_ready(f), KICK_TAG);
		link_socket_kicked(&f->link);
		assert_int_equal(tag_ready(f), 0);
		close(server);
		assert_int_equal(tag_ready(f), TAG);
		assert_int_equal(link_socket_read(&f->link), -ECONNRESET);
		assert_false(link_socket_is_up(&f->link));
		// Nothing of the old link is watched any more.
		assert_int_equal(eventfd_write(f->kick_fd, 1), 0);
		assert_int_equal(tag_ready(f), 0);
		assert_int_equal(eventfd_read(f->kick_fd, &count), 0);
	}
}

static unsigned descriptors_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++) {
		int copy = dup(fd);

		n += copy >= 0;
		if (copy >= 0)
			close(copy);
	}
	return n;
}

static void test_odd_messages(void **state)
{
	struct fixture *f = *state;
	int fds[3] = {f->kick_fd, f->kick_fd, f->kick_fd};
	unsigned before;
	int server;

	listen_start(f);
	assert_int_equal(link_socket_connect(&f->link), 0);
	server = accept(f->listen_fd, NULL, NULL);
	before = descriptors_open();
	descriptors_send(server, NULL, 0);
	assert_int_equal(link_socket_read(&f->link), 0);
	assert_false(link_socket_is_up(&f->link));
	descriptors_send(server, fds, 1);
	assert_int_equal(link_socket_read(&f->link), 1);
	// The second wakes the workers. Further ones, or several at once, are not kept.
	descriptors_send(server, fds, 1);
	assert_int_equal(link_socket_read(&f->link), 0);
	assert_true(f->link.wake_fd >= 0);
	descriptors_send(server, fds, 1);
	assert_int_equal(link_socket_read(&f->link), 0);
	descriptors_send(server, fds, 3);
	assert_int_equal(link_socket_read(&f->link), 0);
	assert_int_equal(descriptors_open(), before + 2);
	close(server);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	const struct tp_observe_request request = {1, 2, 3, 4};
	struct tp_observe_request got;
	int server, fd;

	assert_int_equal(link_socket_ask(&f->link, &request, sizeof(request), -1), -ENOTCONN);
	listen_start(f);
	assert_int_equal(link_socket_connect(&f->link), 0);
	server = accept(f->listen_fd, NULL, NULL);
	descriptors_send(server, &f->kick_fd, 1);
	assert_int_equal(link_socket_read(&f->link), 1);
	assert_int_equal(link_socket_ask(&f->link, &request, sizeof(request), f->kick_fd), 0);
	assert_int_equal(fdpass_receive(server, &got, sizeof(got), &fd, 0), sizeof(got));
	assert_memory_equal(&got, &request, sizeof(got));
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(link_socket_ask(&f->link, &request, sizeof(request), -1), 0);
	assert_int_equal(fdpass_receive(server, &got, sizeof(got), &fd, 0), sizeof(got));
	assert_int_equal(fd, -1);
	close(server);
	assert_int_equal(link_socket_read(&f->link), -ECONNRESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nobody_is_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kicks_and_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
