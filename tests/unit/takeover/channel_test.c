// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

#define OWNER	 4242u
#define STRANGER 65534u

// One side of the socket, in a process of this user; the exit status is the result, without its
// sign.
static pid_t side_start(uid_t uid, const char *directory, bool accepts, int listen_fd)
{
	pid_t pid = fork();
	uid_t other;
	int rc;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (uid != 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
				setresuid(uid, uid, uid) < 0))
		_exit(255);
	rc = accepts ? takeover_accept(listen_fd, &other) : takeover_connect(directory, OWNER);
	_exit(rc < 0 ? -rc : 0);
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

// The process of `listener` waits at the socket, that of `caller` comes. Returns both results.
static void meet(uid_t listener, uid_t caller, int *accepted, int *connected)
{
	char directory[] = "/tmp/takeover-test-XXXXXX", path[TAKEOVER_PATH_SIZE];
	int listen_fd;

	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	listen_fd = takeover_listen(path, directory, "");
	assert_true(listen_fd >= 0);
	// The mode alone keeps no stranger off here.
	assert_int_equal(chmod(path, 0666), 0);
	// The other side sees the user that called listen().
	assert_int_equal(seteuid(listener), 0);
	assert_int_equal(listen(listen_fd, 2), 0);
	assert_int_equal(seteuid(0), 0);
	*connected = status_of(side_start(caller, directory, false, -1));
	*accepted = status_of(side_start(listener, directory, true, listen_fd));
	close(listen_fd);
	unlink(path);
	rmdir(directory);
}

// Neither side believes another user, even where the mode of the socket lets it in.
static void strangers_are_refused(void **state)
{
	int accepted, connected;

	(void)state;
	if (geteuid() != 0)
		skip();
	meet(OWNER, OWNER, &accepted, &connected);
	assert_true(accepted == 0 && connected == 0);
	meet(0, 0, &accepted, &connected);
	assert_true(accepted == 0 && connected == 0);
	meet(OWNER, STRANGER, &accepted, &connected);
	assert_true(accepted == EPERM && connected == 0);
	meet(STRANGER, OWNER, &accepted, &connected);
	assert_true(accepted == EPERM && connected == EPERM);
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
	listen_fd = takeover_listen(path, directory, "");
	assert_true(listen_fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	near = takeover_connect(directory, geteuid());
	assert_true(near >= 0);
	far = takeover_accept(listen_fd, &uid);
	assert_true(far >= 0);
	assert_int_equal(uid, geteuid());
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
		cmocka_unit_test(strangers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
