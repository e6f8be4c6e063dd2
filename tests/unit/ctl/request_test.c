// SPDX-License-Identifier: BSD-3-Clause
// Requests, refusals and answers in parts.
#include "server_stand.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_hello_and_request(void **state)
{
	struct stand *f = *state;
	int fd = stand_greeted_client(f);

	stand_put(fd, "{\"id\": 41, \"command\": \"status\"}");
	stand_expect(f, fd, "{\"id\":41,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	stand_put(fd, "{\"id\": 42, \"command\": \"credential mint\","
		      " \"arguments\": {\"user\": \"a\", \"ttl\": 60}}");
	stand_expect(f, fd, "{\"id\":42,\"ok\":true,\"result\":{\"ttl\":60,\"username\":\"a\"}}");
	close(fd);
}

static void test_requests_in_a_row(void **state)
{
	struct stand *f = *state;
	int fd = stand_greeted_client(f);

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 50; i++)
			stand_put(fd, "{\"id\": 1, \"command\": \"status\"}");
		// Requests sent before the end are answered after it.
		if (round == 1)
			assert_int_equal(shutdown(fd, SHUT_WR), 0);
		for (unsigned i = 0; i < 50; i++)
			stand_expect(
				f, fd, "{\"id\":1,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	}
	assert_null(stand_get(f, fd));
	assert_int_equal(ctl_server_get_counters(f->s)->requests, 100);
	close(fd);
}

static void refusal_expect(struct stand *f, int fd, const char *request, const char *code)
{
	json_t *got;

	stand_put(fd, request);
	got = stand_get(f, fd);
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
	struct stand *f = *state;
	int fd = stand_greeted_client(f);

	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++)
		refusal_expect(f, fd, rows[i].request, rows[i].code);
	stand_put(fd, "{\"id\":2,\"command\":\"log level\",\"arguments\":{\"level\":\"warning\"}}");
	stand_expect(f, fd, "{\"id\":2,\"ok\":true,\"result\":{\"verdict\":\"ok\"}}");
	close(fd);
}

static void test_list_in_parts(void **state)
{
	struct stand *f = *state;
	int fd = stand_greeted_client(f);
	json_int_t next = 0;
	bool more = true;

	stand_put(fd, "{\"id\": 5, \"command\": \"allocation list\"}");
	for (unsigned part = 0; more; part++) {
		json_t *got = stand_get(f, fd);
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

// The kernel, not the client, identifies the operator.
static void test_operator(void **state)
{
	struct stand *f = *state;
	int fd = stand_greeted_client(f);
	char wanted[96];

	snprintf(wanted, sizeof(wanted),
		"{\"id\":3,\"ok\":true,\"result\":{\"pid\":%d,\"uid\":%u}}", (int)getpid(),
		(unsigned)getuid());
	stand_put(fd, "{\"id\": 3, \"command\": \"config check\"}");
	stand_expect(f, fd, wanted);
	close(fd);
}

int main(void)
{
#define SERVER_TEST(t) cmocka_unit_test_setup_teardown(t, stand_open, stand_close)
	const struct CMUnitTest tests[] = {
		SERVER_TEST(test_hello_and_request),
		SERVER_TEST(test_requests_in_a_row),
		SERVER_TEST(test_refusals),
		SERVER_TEST(test_list_in_parts),
		SERVER_TEST(test_operator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
