// SPDX-License-Identifier: BSD-3-Clause
// The socket, and clients that are slow, too many, idle or not ours.
#include "server_stand.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void test_slow_reader(void **state)
{
	struct stand *f = *state;
	int slow = stand_greeted_client(f);
	int other;

	stand_put(slow, "{\"id\": 5, \"command\": \"allocation list\"}");
	for (unsigned i = 0; i < 1000; i++)
		ctl_server_poll(f->s, f->now_ns);
	// Parts that the client does not read are not made.
	assert_in_range(f->steps, 1, LIST_PARTS / 4);
	other = stand_greeted_client(f);
	stand_put(other, "{\"id\": 1, \"command\": \"status\"}");
	stand_expect(f, other, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	assert_int_equal(ctl_server_deadline(f->s), f->now_ns + PATIENCE_NS);
	f->now_ns += PATIENCE_NS - 1;
	ctl_server_advance(f->s, f->now_ns);
	assert_int_equal(ctl_server_get_counters(f->s)->dropped, 0);
	f->now_ns += 1;
	ctl_server_advance(f->s, f->now_ns);
	assert_int_equal(ctl_server_get_counters(f->s)->dropped, 1);
	// A client that reads, even slowly, or asks nothing, stays.
	assert_int_equal(ctl_server_deadline(f->s), f->now_ns - PATIENCE_NS + IDLE_NS);
	stand_put(other, "{\"id\": 1, \"command\": \"status\"}");
	stand_expect(f, other, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	close(other);
	close(slow);
}

static void test_half_a_frame(void **state)
{
	struct stand *f = *state;
	int fd = stand_greeted_client(f);

	stand_put_raw(fd, "\0\0\0\x20{\"id\"", 9);
	ctl_server_poll(f->s, f->now_ns);
	assert_int_equal(ctl_server_deadline(f->s), f->now_ns + PATIENCE_NS);
	// A drop of data now and then does not win time.
	f->now_ns += PATIENCE_NS - 1;
	stand_put_raw(fd, ":", 1);
	ctl_server_poll(f->s, f->now_ns);
	f->now_ns += 1;
	ctl_server_advance(f->s, f->now_ns);
	assert_null(stand_get(f, fd));
	close(fd);
}

static void test_frames_that_are_none(void **state)
{
	static const struct {
		const char *octets;
		size_t len;
	} rows[] = {
		{"\x00\x01\x00\x01", 4}, // longer than a request may be
		{"\xff\xff\xff\xff", 4},
		{"GET / HTTP/1.1\r\n\r\n", 18},
		{"\0\0\0\0", 4},
		{"\0\0\0\x02[]", 6},
		{"\0\0\0\x02{}", 6},
		{"\0\0\0\x08{\"id\":1,", 12},
		{"\0\0\0\x0f{\"id\":1,\"id\":2}", 19},
		{"\0\0\0\x0a{\"id\":\"1\"}", 14},
	};
	struct stand *f = *state;

	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		int fd = stand_greeted_client(f);

		stand_put_raw(fd, rows[i].octets, rows[i].len);
		assert_null(stand_get(f, fd));
		assert_int_equal(ctl_server_get_counters(f->s)->dropped, i + 1);
		close(fd);
	}
}

// Places for clients of this user: the last is for refusals, the one before for uid 0.
static unsigned places(uid_t uid)
{
	return MAX_CLIENTS - (uid == 0 ? 1 : 2);
}

static void assert_busy(struct stand *f, int fd)
{
	json_t *got = stand_get(f, fd);

	assert_string_equal(
		json_string_value(json_object_get(json_object_get(got, "error"), "code")), "busy");
	json_decref(got);
	assert_null(stand_get(f, fd));
	close(fd);
}

static void test_too_many_clients(void **state)
{
	struct stand *f = *state;
	unsigned n = places(geteuid());
	int fds[MAX_CLIENTS];

	for (unsigned i = 0; i < n; i++)
		fds[i] = stand_greeted_client(f);
	assert_busy(f, stand_client(f));
	assert_int_equal(ctl_server_get_counters(f->s)->refused, 1);
	close(fds[0]);
	ctl_server_poll(f->s, f->now_ns);
	fds[0] = stand_greeted_client(f);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

// Idle connections lock nobody out: the one that has been idle for the longest time gives way.
static void test_idle_clients_give_way(void **state)
{
	struct stand *f = *state;
	unsigned n = places(geteuid());
	int fds[MAX_CLIENTS], fd;

	for (unsigned i = 0; i < n; i++) {
		fds[i] = stand_greeted_client(f);
		f->now_ns += TP_NS_PER_S;
	}
	// The first asks something: the second is idle for longer now.
	stand_put(fds[0], "{\"id\": 1, \"command\": \"status\"}");
	stand_expect(f, fds[0], "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	ctl_server_poll(f->s, f->now_ns);
	fd = stand_greeted_client(f);
	assert_null(stand_get(f, fds[n > 1]));
	assert_int_equal(ctl_server_get_counters(f->s)->evicted, 1);
	assert_int_equal(ctl_server_get_counters(f->s)->refused, 0);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
	close(fd);
}

static void test_idle_limit(void **state)
{
	struct stand *f = *state;
	int fd = stand_greeted_client(f);

	assert_int_equal(ctl_server_deadline(f->s), f->now_ns + IDLE_NS);
	f->now_ns += IDLE_NS - 1;
	stand_put(fd, "{\"id\": 1, \"command\": \"status\"}");
	stand_expect(f, fd, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	ctl_server_poll(f->s, f->now_ns);
	assert_int_equal(ctl_server_deadline(f->s), f->now_ns + IDLE_NS);
	f->now_ns += IDLE_NS;
	ctl_server_advance(f->s, f->now_ns);
	assert_null(stand_get(f, fd));
	assert_int_equal(ctl_server_get_counters(f->s)->evicted, 1);
	assert_int_equal(ctl_server_deadline(f->s), UINT64_MAX);
	close(fd);
}

// Connections of another user leave a place for uid 0.
static void test_a_place_for_root(void **state)
{
	struct stand *f = *state;
	int fds[MAX_CLIENTS];

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->path, 0666), 0);
	assert_int_equal(seteuid(65534), 0);
	for (unsigned i = 0; i < places(65534); i++)
		fds[i] = stand_greeted_client(f);
	assert_busy(f, stand_client(f));
	assert_int_equal(seteuid(0), 0);
	fds[MAX_CLIENTS - 1] = stand_greeted_client(f);
	for (unsigned i = 0; i < places(65534); i++)
		close(fds[i]);
	close(fds[MAX_CLIENTS - 1]);
}

static bool server_has_work(const struct stand *f)
{
	struct pollfd p = {.fd = ctl_server_fd(f->s), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

// At the descriptor limit a connection is refused at once, and the loop does not spin on it.
static void test_no_descriptor_left(void **state)
{
	struct stand *f = *state;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct rlimit before, none;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int next = dup(fd);

	strcpy(a.sun_path, f->path);
	assert_int_equal(close(next), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)next;
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	ctl_server_poll(f->s, f->now_ns);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(ctl_server_get_counters(f->s)->refused, 1);
	assert_null(stand_get(f, fd));
	assert_false(server_has_work(f));
	close(fd);
	fd = stand_greeted_client(f);
	close(fd);
}

static void test_socket_file(void **state)
{
	struct stand *f = *state;
	struct stand g = *f;
	struct ctl_server_conf conf;
	struct ctl_server *second;
	struct stat st;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	conf = stand_conf(f);
	assert_int_equal(ctl_server_create(&conf, &second), -EADDRINUSE);
	// A left-over of a killed process is replaced, a file that is no socket is not.
	snprintf(g.path, sizeof(g.path), "%s/stale.sock", f->dir);
	strcpy(a.sun_path, g.path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	conf = stand_conf(&g);
	assert_int_equal(ctl_server_create(&conf, &second), 0);
	ctl_server_destroy(second);
	fd = open(g.path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ctl_server_create(&conf, &second), -EEXIST);
	assert_int_equal(unlink(g.path), 0);
}

// Operators are of the group; where there is none the process's own is left.
static void test_socket_group(void **state)
{
	const struct group *other = getgrgid(getegid() + 1);
	struct stand *f = *state;
	struct stand g = *f;
	struct ctl_server_conf conf;
	struct ctl_server *s;
	struct stat st;

	if (geteuid() != 0 || other == NULL)
		skip();
	snprintf(g.path, sizeof(g.path), "%s/group.sock", f->dir);
	conf = stand_conf(&g);
	conf.group = other->gr_name;
	assert_int_equal(ctl_server_create(&conf, &s), 0);
	assert_int_equal(stat(g.path, &st), 0);
	assert_int_equal(st.st_gid, getegid() + 1);
	ctl_server_destroy(s);
	conf.group = "no such group";
	assert_int_equal(ctl_server_create(&conf, &s), 0);
	assert_int_equal(stat(g.path, &st), 0);
	assert_int_equal(st.st_gid, getegid());
	ctl_server_destroy(s);
}

static void test_handlers_are_commands(void **state)
{
	static const struct ctl_handler bad[] = {{"status quo", NULL}};
	struct stand *f = *state;
	struct ctl_server_conf conf = stand_conf(f);
	struct ctl_server *s;

	conf.handlers = bad;
	conf.n_handlers = 1;
	assert_int_equal(ctl_server_create(&conf, &s), -EINVAL);
}

int main(void)
{
#define SERVER_TEST(t) cmocka_unit_test_setup_teardown(t, stand_open, stand_close)
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_slow_reader),
		SERVER_TEST(test_half_a_frame),
		SERVER_TEST(test_frames_that_are_none),
		SERVER_TEST(test_too_many_clients),
		SERVER_TEST(test_idle_clients_give_way),
		SERVER_TEST(test_idle_limit),
		SERVER_TEST(test_a_place_for_root),
		SERVER_TEST(test_no_descriptor_left),
		SERVER_TEST(test_socket_file),
		SERVER_TEST(test_socket_group),
		SERVER_TEST(test_handlers_are_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
