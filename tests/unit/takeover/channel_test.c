// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <takeover/channel.h>

static void records_arrive_with_their_descriptors(void **state)
{
	const struct takeover_end end = {.n_connections = 5};
	struct takeover_record r;
	int fds[2], ends[2];
	char byte = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(takeover_send(fds[0], TAKEOVER_GO, NULL, 0, -1), 0);
	assert_int_equal(takeover_send(fds[0], TAKEOVER_REFUSED, "no", 2, ends[1]), 0);
	assert_int_equal(takeover_send(fds[0], TAKEOVER_END, &end, sizeof(end), -1), 0);
	close(fds[0]);
	assert_int_equal(takeover_receive(fds[1], &r), 0);
	assert_int_equal(r.head.kind, TAKEOVER_GO);
	assert_int_equal(r.fd, -1);
	takeover_record_free(&r);
	assert_int_equal(takeover_receive(fds[1], &r), 0);
	assert_string_equal((const char *)r.body, "no");
	assert_int_equal(write(r.fd, "x", 1), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	takeover_record_free(&r);
	assert_int_equal(takeover_receive(fds[1], &r), 0);
	assert_memory_equal(r.body, &end, sizeof(end));
	takeover_record_free(&r);
	assert_int_equal(takeover_receive(fds[1], &r), -EPIPE);
	close(fds[1]);
	close(ends[0]);
	close(ends[1]);
}

static int received(const void *bytes, size_t len)
{
	struct takeover_record r;
	int fds[2], rc;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[0], bytes, len), (ssize_t)len);
	close(fds[0]);
	rc = takeover_receive(fds[1], &r);
	if (rc == 0)
		takeover_record_free(&r);
	close(fds[1]);
	return rc;
}

static void strange_bytes_are_refused(void **state)
{
	struct {
		struct takeover_head head;
		struct takeover_hello hello;
	} m = {.head = takeover_head_make(TAKEOVER_HELLO, sizeof(m.hello))};

	(void)state;
	assert_int_equal(received(&m, sizeof(m)), 0);
	assert_int_equal(received(&m, sizeof(m) - 1), -EPIPE);
	assert_int_equal(received(&m, 3), -EPIPE);
	m.head.version++;
	assert_int_equal(received(&m, sizeof(m)), -EPROTONOSUPPORT);
	assert_int_equal(received("GET / HTTP/1.1\r\nHost: edge\r\n\r\n", 30), -EPROTO);
}

static void a_socket_is_found_by_its_owner(void **state)
{
	char directory[] = "/tmp/takeover-test-XXXXXX", path[TAKEOVER_PATH_SIZE];
	int listen_fd, near, far;
	struct stat st;
	uid_t uid;

	(void)state;
	assert_non_null(mkdtemp(directory));
	assert_int_equal(takeover_connect(directory, geteuid()), -ENOENT);
	listen_fd = takeover_listen(path, directory);
	assert_true(listen_fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	near = takeover_connect(directory, geteuid());
	assert_true(near >= 0);
	far = takeover_accept(listen_fd, &uid);
	assert_true(far >= 0);
	assert_int_equal(uid, geteuid());
	// Neither side believes a stranger, which root is to nobody.
	if (geteuid() != 0)
		assert_int_equal(takeover_connect(directory, geteuid() + 1), -EPERM);
	close(near);
	close(far);
	close(listen_fd);
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_arrive_with_their_descriptors),
		cmocka_unit_test(strange_bytes_are_refused),
		cmocka_unit_test(a_socket_is_found_by_its_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
