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
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctl/server.h>
#include <turnpike/base.h>
#include <turnpike/drop.h>
#include <turnpike/stats.h>
#include <turnpike/trace.h>

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
	call->result =
		json_pack("[{s:s, s:i}, {s:s, s:i}]", "id", call->cursor == 0 ? "1" : "4", "age_s",
			5, "id", call->cursor == 0 ? "2" : "3", "age_s", call->cursor == 0 ? 4 : 9);
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

struct trace_message {
	struct tp_observe_message head;
	union {
		struct tp_observe_begin begin;
		struct tp_observe_end end;
		struct tp_trace_record records[2];
	};
};

static void trace_send(int fd, enum tp_observe_kind kind, struct trace_message *m, size_t size)
{
	m->head = (struct tp_observe_message){TP_OBSERVE_MESSAGE_MAGIC, kind};
	assert_int_equal(send(fd, m, sizeof(m->head) + size, MSG_NOSIGNAL), sizeof(m->head) + size);
}

// Two packets as the data plane tells of them: one of the client, one to it that is dropped.
static enum ctl_step run_trace(void *ctx, struct ctl_call *call)
{
	struct trace_message m = {.begin = {.state = TP_OBSERVE_RUNS}};

	(void)ctx;
	if (strcmp(ctl_call_text(call, "client"), "nobody") == 0)
		return ctl_call_fail(call, "usage", "give an address", "client is no address");
	trace_send(call->fd, TP_OBSERVE_BEGIN, &m, sizeof(m.begin));
	for (unsigned i = 0; i < 2; i++)
		m.records[i] = (struct tp_trace_record){
			.head = {sizeof(m.records[i]), 1, 1000},
			.from = tp_addr_ipv4(0x0a000001, 7),
			.to = tp_addr_ipv4(0x0a000002, i == 0 ? 3478 : 50000),
			.first = 0x4001,
			.len = 60,
			.cycles = 300,
			.verdict = i == 0 ? 1 : 0,
			.reason = i == 0 ? 0 : TP_DROP_no_permission,
			.paths = i == 0 ? 1u << TP_PATH_channel_to_peer : 0,
			.sent_from = tp_addr_ipv4(0x0a000002, 50000),
			.sent_to = tp_addr_ipv4(0x0a000003, 5000),
			.sent_len = i == 0 ? 56 : 0,
			.mac = {2, 0, 0, 0, 0, 9},
		};
	trace_send(call->fd, TP_OBSERVE_RECORDS, &m, sizeof(m.records));
	memset(&m, 0, sizeof(m));
	trace_send(call->fd, TP_OBSERVE_END, &m, sizeof(m.end));
	call->result = json_pack("{s:i, s:I, s:i, s:[s]}", "trace", 1, "packets",
		(json_int_t)ctl_call_number(call, "packets"), "seconds", 60, "listeners",
		"10.0.0.2:3478");
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
		{"worker show", run_crash},
	};
	struct ctl_server_conf conf = {.path = path,
		.version = "1",
		.instance = path,
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
// `socket`: for -s; "": none.
static int run_at(struct fixture *f, const char *input, const char *socket, const char *arguments)
{
	char command[1024];
	size_t len;
	FILE *p;
	int rc;

	snprintf(command, sizeof(command),
		"printf '%%b' '%s' | %s %s %s %s 2>%s/err; rc=$?; "
		"cat %s/err; rm %s/err; exit $rc",
		input, relayctl, *socket == '\0' ? "" : "-s", socket, arguments, f->dir, f->dir,
		f->dir);
	p = popen(command, "r");
	assert_non_null(p);
	len = fread(f->out, 1, sizeof(f->out) - 1, p);
	f->out[len] = '\0';
	rc = pclose(p);
	assert_true(WIFEXITED(rc));
	return WEXITSTATUS(rc);
}

static int run(struct fixture *f, const char *input, const char *arguments)
{
	return run_at(f, input, f->path, arguments);
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

// The answer to the first request, which only starts the sampling, is not shown.
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
	assert_non_null(strstr(f->out, "\"n\": 1,"));
	assert_non_null(strstr(f->out, "\"message\": \"ChannelData 0x4001\""));
	assert_non_null(strstr(f->out, "channel 0x4001 of 10.0.0.1:7 at 10.0.0.2:3478"));
	assert_non_null(strstr(f->out, "\"way\": \"channel_to_peer\", \"result\": \"sent\""));
	assert_non_null(strstr(f->out, "\"next_hop\": \"02:00:00:00:00:09\""));
	assert_non_null(strstr(f->out, "\"n\": 2,"));
	assert_non_null(strstr(f->out, "peer 10.0.0.1:7 at 10.0.0.2:50000"));
	assert_non_null(strstr(f->out, "\"reason\": \"no_permission\""));
	assert_int_equal(run(f, "", "trace start nobody -n 2"), 2);
	assert_int_equal(run(f, "", "trace start"), 2);
}

static void test_parts_are_one_list(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "-j allocation list"), 0);
	assert_string_equal(f->out,
		"[\n  {\"id\": \"3\", \"age_s\": 9},\n  {\"id\": \"1\", \"age_s\": 5},\n"
		"  {\"id\": \"4\", \"age_s\": 5},\n  {\"id\": \"2\", \"age_s\": 4}\n]\n");
}

// The limit is applied to the ordered rows and says that there are more.
static void test_limit_leaves_the_youngest_out(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(run(f, "", "-j allocation list limit 1"), 0);
	assert_string_equal(f->out, "[\n  {\"id\": \"3\", \"age_s\": 9}\n]\n"
				    "relayctl: 1 of 4 are shown; raise the limit\n");
	assert_int_equal(run(f, "", "-t allocation list limit 4"), 0);
	assert_null(strstr(f->out, "are shown"));
}

// A directory, an instance with a runtime directory of its own, a configuration.
static void test_the_socket_is_found(void **state)
{
	struct fixture *f = *state;
	char arguments[512], path[128];
	FILE *conf;

	snprintf(arguments, sizeof(arguments), "-t -s %s log level", f->dir);
	assert_int_equal(run(f, "", arguments), 0);
	assert_string_equal(f->out, "level\tinfo\n");
	// The server of this test gives its socket's path for its instance.
	assert_int_equal(run_at(f, "", "", "-t --instance no-such log level"), 3);
	assert_non_null(strstr(f->out, "nothing listens on /run/turnpike/no-such/control.sock"));
	snprintf(arguments, sizeof(arguments), "-t --instance %s log level", f->path);
	assert_int_equal(run_at(f, "", "", arguments), 0);
	assert_string_equal(f->out, "level\tinfo\n");
	snprintf(path, sizeof(path), "%s/turnpike.yaml", f->dir);
	conf = fopen(path, "w");
	assert_non_null(conf);
	fprintf(conf,
		"runtime_directory: %s\ndataplane: {ports: [{interface: nic0}]}\n"
		"listeners: [{address: 10.77.0.1}]\n",
		f->dir);
	fclose(conf);
	snprintf(arguments, sizeof(arguments), "-t --config %s log level", path);
	assert_int_equal(run_at(f, "", "", arguments), 0);
	assert_string_equal(f->out, "level\tinfo\n");
	unlink(path);
	assert_int_equal(run_at(f, "", "", arguments), 2);
	assert_non_null(strstr(f->out, "does not exist"));
}

// A data plane that runs without its control process is said to run.
static void test_dataplane_beside_the_socket(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/dataplane.sock", f->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	assert_int_equal(run_at(f, "", f->dir, "log level"), 3);
	assert_non_null(strstr(f->out, "turnpike-dataplane: running"));
	assert_int_equal(run_at(f, "", "/tmp", "log level"), 3);
	assert_non_null(strstr(f->out, a.sun_path));
	close(fd);
	unlink(a.sun_path);
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
		cmocka_unit_test_setup_teardown(
			test_limit_leaves_the_youngest_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_socket_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dataplane_beside_the_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configuration_with_mistakes, setup, teardown),
	};

	relayctl = argc > 1 ? argv[1] : "relayctl";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
