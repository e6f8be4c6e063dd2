// SPDX-License-Identifier: BSD-3-Clause
// The socket, and clients that are slow, too many or none of ours.
#include "server_stand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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
	// What it does not read is not made.
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
	assert_int_equal(ctl_server_deadline(f->s), UINT64_MAX);
	// Whoever reads, even slowly, and whoever asks nothing, stays.
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

static void test_too_many_clients(void **state)
{
	struct stand *f = *state;
	int fds[MAX_CLIENTS - 1];
	json_t *got;
	int fd;

	for (unsigned i = 0; i < TP_ARRAY_LEN(fds); i++)
		fds[i] = stand_greeted_client(f);
	fd = stand_client(f);
	got = stand_get(f, fd);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(got, "error"), "code")), "busy");
	json_decref(got);
	assert_null(stand_get(f, fd));
	close(fd);
	assert_int_equal(ctl_server_get_counters(f->s)->refused, 1);
	close(fds[0]);
	ctl_server_poll(f->s, f->now_ns);
	fds[0] = stand_greeted_client(f);
	for (unsigned i = 0; i < TP_ARRAY_LEN(fds); i++)
		close(fds[i]);
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
		SERVER_TEST(test_socket_file),
		SERVER_TEST(test_handlers_are_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
