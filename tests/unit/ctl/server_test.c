// SPDX-License-Identifier: BSD-3-Clause
#include <ctl/server.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <turnpike/base.h>

#include <cmocka.h>

#define LIST_PARTS  400u
#define MAX_CLIENTS 4u
#define PATIENCE_NS (5 * TP_NS_PER_S)

struct fixture {
	char dir[64];
	char path[96];
	struct ctl_server *s;
	uint64_t now_ns;
	unsigned steps; // of `allocation list`
};

// ---- handlers ---------------------------------------------------------------------------------

static enum ctl_step run_status(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("{s:s}", "verdict", "ok");
	return CTL_DONE;
}

// Parts of about 32 KiB.
static enum ctl_step run_list(void *ctx, struct ctl_call *call)
{
	struct fixture *f = ctx;
	char fill[1024];

	memset(fill, 'x', sizeof(fill) - 1);
	fill[sizeof(fill) - 1] = '\0';
	call->result = json_array();
	for (unsigned i = 0; i < 32; i++)
		json_array_append_new(
			call->result, json_pack("{s:I, s:s}", "n",
					      (json_int_t)(call->cursor * 32 + i), "fill", fill));
	f->steps++;
	return ++call->cursor < LIST_PARTS ? CTL_MORE : CTL_DONE;
}

static enum ctl_step run_show(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	return ctl_call_fail(call, "not_found", "relayctl allocation list", "no allocation %s",
		ctl_call_text(call, "id"));
}

static enum ctl_step run_mint(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("{s:s, s:I}", "username", ctl_call_text(call, "user"), "ttl",
		(json_int_t)ctl_call_number(call, "ttl"));
	return CTL_DONE;
}

// Longer than a frame may be.
static enum ctl_step run_huge(void *ctx, struct ctl_call *call)
{
	char *fill = malloc(TP_CTL_FRAME_MAX + 1);

	(void)ctx;
	memset(fill, 'x', TP_CTL_FRAME_MAX);
	fill[TP_CTL_FRAME_MAX] = '\0';
	call->result = json_pack("{s:s}", "fill", fill);
	free(fill);
	return CTL_DONE;
}

static enum ctl_step run_nothing(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	(void)call;
	return CTL_DONE;
}

static const struct ctl_handler handlers[] = {
	{"status", run_status},
	{"allocation list", run_list},
	{"allocation show", run_show},
	{"credential mint", run_mint},
	{"worker show", run_huge},
	{"port show", run_nothing},
	{"log level", run_status},
};

// ---- fixture ----------------------------------------------------------------------------------

static struct ctl_server_conf conf_of(struct fixture *f)
{
	return (struct ctl_server_conf){
		.path = f->path,
		.group = "no such group",
		.version = "1.2.3",
		.layout_version = 7,
		.handlers = handlers,
		.n_handlers = TP_ARRAY_LEN(handlers),
		.ctx = f,
		.max_clients = MAX_CLIENTS,
		.patience_ns = PATIENCE_NS,
	};
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	struct ctl_server_conf conf;

	strcpy(f->dir, "/tmp/ctl_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->dir);
	f->now_ns = 1000 * TP_NS_PER_S;
	conf = conf_of(f);
	assert_int_equal(ctl_server_create(&conf, &f->s), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ctl_server_destroy(f->s);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(rmdir(f->dir), 0);
	test_free(f);
	return 0;
}

static int client(struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, f->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ctl_server_poll(f->s, f->now_ns);
	return fd;
}

static void put_raw(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void put(int fd, const char *json)
{
	uint8_t length[4];

	tp_store_be32(length, (uint32_t)strlen(json));
	put_raw(fd, length, 4);
	put_raw(fd, json, strlen(json));
}

// Reads exactly len octets while the server runs; false at the end of the stream.
static bool get_raw(struct fixture *f, int fd, void *data, size_t len)
{
	size_t got = 0;

	for (unsigned idle = 0; got < len;) {
		ssize_t n = recv(fd, (uint8_t *)data + got, len - got, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return false;
		if (n > 0) {
			got += (size_t)n;
			idle = 0;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		assert_true(idle++ < 1000);
		ctl_server_poll(f->s, f->now_ns);
	}
	return true;
}

static json_t *get(struct fixture *f, int fd)
{
	uint8_t length[4];
	char *text;
	json_t *json;

	if (!get_raw(f, fd, length, 4))
		return NULL;
	assert_in_range(tp_load_be32(length), 1, TP_CTL_FRAME_MAX);
	text = malloc(tp_load_be32(length));
	assert_true(get_raw(f, fd, text, tp_load_be32(length)));
	json = json_loadb(text, tp_load_be32(length), 0, NULL);
	free(text);
	assert_non_null(json);
	return json;
}

static void expect(struct fixture *f, int fd, const char *wanted)
{
	json_t *got = get(f, fd);
	char *text;

	assert_non_null(got);
	text = json_dumps(got, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(got);
}

static int greeted_client(struct fixture *f)
{
	int fd = client(f);

	expect(f, fd, "{\"layout\":7,\"turnpike\":1,\"version\":\"1.2.3\"}");
	return fd;
}

// ---- tests ------------------------------------------------------------------------------------

static void test_hello_and_request(void **state)
{
	struct fixture *f = *state;
	int fd = greeted_client(f);

	put(fd, "{\"id\": 41, \"command\": \"status\"}");
	expect(f, fd, "{\"id\":41,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	put(fd, "{\"id\": 42, \"command\": \"credential mint\","
		" \"arguments\": {\"user\": \"a\", \"ttl\": 60}}");
	expect(f, fd, "{\"id\":42,\"ok\":true,\"result\":{\"ttl\":60,\"username\":\"a\"}}");
	close(fd);
}

static void test_requests_in_a_row(void **state)
{
	struct fixture *f = *state;
	int fd = greeted_client(f);

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 50; i++)
			put(fd, "{\"id\": 1, \"command\": \"status\"}");
		// What was asked before the end is answered after it.
		if (round == 1)
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
		for (unsigned i = 0; i < 50; i++)
			expect(f, fd, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	}
	assert_null(get(f, fd));
	assert_int_equal(ctl_server_get_counters(f->s)->requests, 100);
	close(fd);
}

static void refusal_expect(struct fixture *f, int fd, const char *request, const char *code)
{
	json_t *got;

	put(fd, request);
	got = get(f, fd);
	assert_false(json_is_true(json_object_get(got, "ok")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(got, "error"), "code")), code);
	assert_true(json_is_string(json_object_get(json_object_get(got, "error"), "message")));
	assert_true(json_is_string(json_object_get(json_object_get(got, "error"), "remedy")));
	json_decref(got);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *request;
		const char *code;
	} rows[] = {
		{"{\"id\":1}", "unknown_command"},
		{"{\"id\":1,\"command\":7}", "unknown_command"},
		{"{\"id\":1,\"command\":\"launch missiles\"}", "unknown_command"},
		{"{\"id\":1,\"command\":\"drop show\"}", "unknown_command"}, // no handler
		{"{\"id\":1,\"command\":\"status\",\"arguments\":[]}", "usage"},
		{"{\"id\":1,\"command\":\"status\",\"arguments\":{\"x\":1}}", "usage"},
		{"{\"id\":1,\"command\":\"allocation show\"}", "usage"},
		{"{\"id\":1,\"command\":\"allocation show\",\"arguments\":{\"id\":1}}", "usage"},
		{"{\"id\":1,\"command\":\"credential mint\","
		 "\"arguments\":{\"user\":\"a\",\"ttl\":-1}}",
			"usage"},
		{"{\"id\":1,\"command\":\"credential mint\","
		 "\"arguments\":{\"user\":\"a\",\"ttl\":1.5}}",
			"usage"},
		{"{\"id\":1,\"command\":\"log level\",\"arguments\":{\"level\":\"warn\"}}",
			"usage"},
		{"{\"id\":1,\"command\":\"log level\",\"arguments\":{\"level\":\"error|warning\"}}",
			"usage"},
		{"{\"id\":1,\"command\":\"allocation show\",\"arguments\":{\"id\":\"9\"}}",
			"not_found"},
		{"{\"id\":1,\"command\":\"worker show\"}", "internal"},
		{"{\"id\":1,\"command\":\"port show\"}", "internal"},
	};
	struct fixture *f = *state;
	int fd = greeted_client(f);

	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		refusal_expect(f, fd, rows[i].request, rows[i].code);
	put(fd, "{\"id\":2,\"command\":\"log level\",\"arguments\":{\"level\":\"warning\"}}");
	expect(f, fd, "{\"id\":2,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	close(fd);
}

static void test_list_in_parts(void **state)
{
	struct fixture *f = *state;
	int fd = greeted_client(f);
	json_int_t next = 0;
	bool more = true;

	put(fd, "{\"id\": 5, \"command\": \"allocation list\"}");
	for (unsigned part = 0; more; part++) {
		json_t *got = get(f, fd);
		json_t *result = json_object_get(got, "result");

		more = json_is_true(json_object_get(got, "more"));
		assert_int_equal(more, part + 1 < LIST_PARTS);
		for (size_t i = 0; i < json_array_size(result); i++)
			assert_int_equal(
				json_integer_value(json_object_get(json_array_get(result, i), "n")),
				next++);
		json_decref(got);
	}
	assert_int_equal(next, LIST_PARTS * 32);
	close(fd);
}

static void test_slow_reader(void **state)
{
	struct fixture *f = *state;
	int slow = greeted_client(f);
	int other;

	put(slow, "{\"id\": 5, \"command\": \"allocation list\"}");
	for (unsigned i = 0; i < 1000; i++)
		ctl_server_poll(f->s, f->now_ns);
	// What it does not read is not made.
	assert_in_range(f->steps, 1, LIST_PARTS / 4);
	other = greeted_client(f);
	put(other, "{\"id\": 1, \"command\": \"status\"}");
	expect(f, other, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	assert_int_equal(ctl_server_deadline(f->s), f->now_ns + PATIENCE_NS);
	f->now_ns += PATIENCE_NS - 1;
	ctl_server_advance(f->s, f->now_ns);
	assert_int_equal(ctl_server_get_counters(f->s)->dropped, 0);
	f->now_ns += 1;
	ctl_server_advance(f->s, f->now_ns);
	assert_int_equal(ctl_server_get_counters(f->s)->dropped, 1);
	assert_int_equal(ctl_server_deadline(f->s), UINT64_MAX);
	// Whoever reads, even slowly, and whoever asks nothing, stays.
	put(other, "{\"id\": 1, \"command\": \"status\"}");
	expect(f, other, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	close(other);
	close(slow);
}

static void test_half_a_frame(void **state)
{
	struct fixture *f = *state;
	int fd = greeted_client(f);

	put_raw(fd, "\0\0\0\x20{\"id\"", 9);
	ctl_server_poll(f->s, f->now_ns);
	assert_int_equal(ctl_server_deadline(f->s), f->now_ns + PATIENCE_NS);
	// A drop of data now and then does not win time.
	f->now_ns += PATIENCE_NS - 1;
	put_raw(fd, ":", 1);
	ctl_server_poll(f->s, f->now_ns);
	f->now_ns += 1;
	ctl_server_advance(f->s, f->now_ns);
	assert_null(get(f, fd));
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
	struct fixture *f = *state;

	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		int fd = greeted_client(f);

		put_raw(fd, rows[i].octets, rows[i].len);
		assert_null(get(f, fd));
		assert_int_equal(ctl_server_get_counters(f->s)->dropped, i + 1);
		close(fd);
	}
}

static void test_too_many_clients(void **state)
{
	struct fixture *f = *state;
	int fds[MAX_CLIENTS - 1];
	json_t *got;
	int fd;

	for (unsigned i = 0; i < TP_ARRAY_LEN(fds); i++)
		fds[i] = greeted_client(f);
	fd = client(f);
	got = get(f, fd);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(got, "error"), "code")), "busy");
	json_decref(got);
	assert_null(get(f, fd));
	close(fd);
	assert_int_equal(ctl_server_get_counters(f->s)->refused, 1);
	close(fds[0]);
	ctl_server_poll(f->s, f->now_ns);
	fds[0] = greeted_client(f);
	for (unsigned i = 0; i < TP_ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void test_socket_file(void **state)
{
	struct fixture *f = *state;
	struct fixture g = *f;
	struct ctl_server_conf conf;
	struct ctl_server *second;
	struct stat st;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	conf = conf_of(f);
	assert_int_equal(ctl_server_create(&conf, &second), -EADDRINUSE);
	// A left-over of a killed process is replaced, a file that is no socket is not.
	snprintf(g.path, sizeof(g.path), "%s/stale.sock", f->dir);
	strcpy(a.sun_path, g.path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	conf = conf_of(&g);
	assert_int_equal(ctl_server_create(&conf, &second), 0);
	ctl_server_destroy(second);
	fd = open(g.path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ctl_server_create(&conf, &second), -EEXIST);
	assert_int_equal(unlink(g.path), 0);
}

static void test_handlers_are_commands(void **state)
{
	static const struct ctl_handler bad[] = {{"status quo", run_status}};
	struct fixture *f = *state;
	struct ctl_server_conf conf = conf_of(f);
	struct ctl_server *s;

	conf.handlers = bad;
	conf.n_handlers = 1;
	assert_int_equal(ctl_server_create(&conf, &s), -EINVAL);
}

int main(void)
{
#define SERVER_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_hello_and_request),
		SERVER_TEST(test_requests_in_a_row),
		SERVER_TEST(test_refusals),
		SERVER_TEST(test_list_in_parts),
		SERVER_TEST(test_slow_reader),
		SERVER_TEST(test_half_a_frame),
		SERVER_TEST(test_frames_that_are_none),
		SERVER_TEST(test_too_many_clients),
		SERVER_TEST(test_socket_file),
		SERVER_TEST(test_handlers_are_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
