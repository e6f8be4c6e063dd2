// SPDX-License-Identifier: BSD-3-Clause
// The program itself against the server in a child process.
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctl/server.h>
#include <turnpike/base.h>

#include <cmocka.h>

static const char *relayctl;

struct fixture {
	char dir[64];
	char path[96];
	pid_t pid;
	char out[8192];
};

static enum ctl_step run_list(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("[{s:s, s:s}]", "id", call->cursor == 0 ? "1" : "2", "user", "u");
	return call->cursor++ == 0 ? CTL_MORE : CTL_DONE;
}

static enum ctl_step run_level(void *ctx, struct ctl_call *call)
{
	const char *level = ctl_call_text(call, "level");

	(void)ctx;
	call->result = json_pack("{s:s}", "level", level == NULL ? "info" : level);
	return CTL_DONE;
}

static enum ctl_step run_kill(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	return ctl_call_fail(call, "not_found", "relayctl allocation list", "no allocation %s",
		ctl_call_text(call, "id"));
}

static enum ctl_step run_check(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("[{s:s, s:i, s:s}, {s:s, s:i, s:s}]", "severity", "warning",
		"line", 1, "problem", "odd", "severity", "error", "line", 2, "problem", "wrong");
	return CTL_DONE;
}

// Each answer is another.
static enum ctl_step run_top(void *ctx, struct ctl_call *call)
{
	static int asked;

	(void)ctx;
	call->result = json_pack("{s:i, s:I}", "allocations", ++asked, "hot",
		(json_int_t)ctl_call_number(call, "hot"));
	return CTL_DONE;
}

static enum ctl_step run_trace(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	if (strcmp(ctl_call_text(call, "client"), "nobody") == 0)
		return ctl_call_fail(call, "usage", "give an address", "client is no address");
	call->result = json_pack("{s:i, s:I, s:i}", "trace", 1, "packets",
		(json_int_t)ctl_call_number(call, "packets"), "seconds", 60);
	return CTL_DONE;
}

// One more each time.
static enum ctl_step run_trace_read(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	call->result = json_pack("[{s:I, s:s}]", "n",
		(json_int_t)ctl_call_number(call, "after") + 1, "result", "sent");
	return CTL_DONE;
}

static enum ctl_step run_crash(void *ctx, struct ctl_call *call)
{
	(void)ctx;
	(void)call;
	_exit(1);
}

static void serve(const char *path, int ready)
{
	static const struct ctl_handler handlers[] = {
		{"allocation list", run_list},
		{"allocation kill", run_kill},
		{"log level", run_level},
		{"config check", run_check},
		{"top", run_top},
		{"trace start", run_trace},
		{"trace read", run_trace_read},
		{"worker show", run_crash},
	};
	struct ctl_server_conf conf = {.path = path,
		.version = "1",
		.layout_version = 1,
		.handlers = handlers,
		.n_handlers = TP_ARRAY_LEN(handlers),
		.max_clients = 4,
		.patience_ns = 5 * TP_NS_PER_S};
	struct ctl_server *s;

	if (ctl_server_create(&conf, &s) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	// The parent kills us; should it die first, so do we.
	for (unsigned i = 0; i < 600; i++) {
		struct pollfd p = {.fd = ctl_server_fd(s), .events = POLLIN};

		poll(&p, 1, 100);
		ctl_server_poll(s, 1);
	}
	_exit(1);
}

static int setup(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));
	int ready[2];
	char octet;

	strcpy(f->dir, "/tmp/relayctl_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/control.sock", f->dir);
	assert_int_equal(pipe(ready), 0);
	f->pid = fork();
	if (f->pid == 0)
		serve(f->path, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	unlink(f->path);
	rmdir(f->dir);
	test_free(f);
	return 0;
}

// The exit code; standard output and error, in this order, are in f->out.
static int run(struct fixture *f, const char *input, const char *arguments)
{
	char command[512];
	size_t len;
	FILE *p;
	int rc;

	snprintf(command, sizeof(command),
		"printf '%%b' '%s' | %s -s %s %s 2>%s/err; rc=$?; "
		"cat %s/err; rm %s/err; exit $rc",
		input, relayctl, f->path, arguments, f->dir, f->dir, f->dir);
	p = popen(command, "r");
	assert_non_null(p);
	len = fread(f->out, 1, sizeof(f->out) - 1, p);
	f->out[len] = '\0';
	rc = pclose(p);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static void test_exit_codes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "-t log level"), 0);
	assert_string_equal(f->out, "level\tinfo\n");
	assert_int_equal(run(f, "", "log level --level=debug"), 2);
	assert_int_equal(run(f, "", "log -t level --level debug"), 0);
	assert_string_equal(f->out, "level\tdebug\n");
	assert_int_equal(run(f, "", "log level debug --tsv"), 0);
	assert_string_equal(f->out, "level\tdebug\n");
	assert_int_equal(run(f, "", "-- allocation kill -t"), 1);
	assert_non_null(strstr(f->out, "no allocation -t"));
	assert_int_equal(run(f, "", "allocation kill 7"), 1);
	assert_string_equal(
		f->out, "relayctl: no allocation 7\n  next: relayctl allocation list\n");
	assert_int_equal(run(f, "", "log"), 2);
	assert_int_equal(run(f, "", "log level loud"), 2);
	assert_int_equal(run(f, "", "--no-such-option"), 2);
	assert_int_equal(run(f, "", "-q"), 2);
	assert_int_equal(run(f, "", "log level --json=1"), 2);
	assert_int_equal(run(f, "", "log level --instance"), 2);
	assert_int_equal(run(f, "", "-s /nonexistent/control.sock log level"), 3);
	assert_non_null(strstr(f->out, "turnpike-control is not running"));
	// The server dies while it is asked.
	assert_int_equal(run(f, "", "worker show"), 3);
	assert_non_null(strstr(f->out, "went away"));
	assert_int_equal(run(f, "", "log level"), 3);
	assert_non_null(strstr(f->out, "turnpike-control is not running"));
}

// What the first question only woke is not shown.
static void test_top_repeats(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "top -j -n 2 --hot 5"), 0);
	assert_string_equal(
		f->out, "{\"allocations\":2,\"hot\":5}\n{\"allocations\":3,\"hot\":5}\n");
	assert_int_equal(run(f, "", "top -n 0"), 2);
	assert_int_equal(run(f, "", "top -n"), 2);
}

static void test_trace_follows(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "-j trace start --client 10.0.0.1 -n 2"), 0);
	assert_string_equal(f->out,
		"[\n  {\"n\": 1, \"result\": \"sent\"},\n  {\"n\": 2, \"result\": \"sent\"}\n]\n");
	assert_int_equal(run(f, "", "trace start nobody -n 2"), 2);
	assert_int_equal(run(f, "", "trace start"), 2);
}

static void test_parts_are_one_list(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "-j allocation list"), 0);
	assert_string_equal(f->out,
		"[\n  {\"id\": \"1\", \"user\": \"u\"},\n  {\"id\": \"2\", \"user\": \"u\"}\n]\n");
}

static void test_batch(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f,
				 "# nothing\\n\\nlog level debug # why\\n"
				 "allocation kill \"a b\"\\nlog level error\\n",
				 "-t -x -f -"),
		1);
	assert_string_equal(f->out,
		"> log level debug # why\nlevel\tdebug\n> allocation kill \"a b\"\n"
		"> log level error\nlevel\terror\n"
		"relayctl: no allocation a b\n  next: relayctl allocation list\n  at -:4\n");
	assert_int_equal(run(f, "allocation kill 1\\nlog level error\\n", "-t -e -f -"), 1);
	assert_null(strstr(f->out, "level"));
	assert_int_equal(run(f, "log level debug\\nlog level error\\n", "-t -e -f -"), 0);
	assert_string_equal(f->out, "level\tdebug\nlevel\terror\n");
	assert_int_equal(run(f, "log level \"error\\n", "-f -"), 2);
	assert_int_equal(run(f, "", "-f - log level"), 2);
}

static void test_pages(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "--version"), 0);
	assert_non_null(strstr(f->out, "segment layout"));
	for (size_t i = 0; i < ctl_command_count(); i++) {
		assert_int_equal(run(f, "", "--help"), 0);
		assert_non_null(strstr(f->out, ctl_command_at(i)->name));
		assert_int_equal(run(f, "", "--man"), 0);
		assert_non_null(strstr(f->out, ctl_command_at(i)->name));
	}
	assert_int_equal(run(f, "", "--completion | bash -n"), 0);
}

static void test_configuration_with_mistakes(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "config check"), 1);
	assert_non_null(strstr(f->out, "wrong"));
	assert_int_equal(run(f, "", "-j config check"), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exit_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_top_repeats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trace_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts_are_one_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configuration_with_mistakes, setup, teardown),
	};

	relayctl = argc > 1 ? argv[1] : "relayctl";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
