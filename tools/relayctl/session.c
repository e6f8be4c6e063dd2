// SPDX-License-Identifier: BSD-3-Clause
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <turnpike/ctl.h>

#include "capture.h"
#include "check.h"
#include "printer.h"

void rctl_session_init(struct rctl_session *s, const struct rctl_options *o)
{
	*s = (struct rctl_session){.options = o};
	if (o->socket != NULL)
		snprintf(s->socket, sizeof(s->socket), "%s", o->socket);
	else
		snprintf(s->socket, sizeof(s->socket), "/run/turnpike/%s/%s", o->instance,
			TP_CTL_SOCKET_NAME);
}

void rctl_session_fini(struct rctl_session *s)
{
	if (s->connected)
		rctl_client_close(&s->client);
	s->connected = false;
}

// Whether the data plane of the same instance listens: the kernel's list tells without a
// connection, which the data plane would take for the control process.
static bool dataplane_listens(const char *control_socket)
{
	const char *slash = strrchr(control_socket, '/');
	char line[512], path[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%.*s/%s", slash == NULL ? 1 : (int)(slash - control_socket),
		slash == NULL ? "." : control_socket, TP_PUNT_SOCKET_NAME);
	f = fopen("/proc/net/unix", "r");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		found = strlen(line) > strlen(path) &&
			strcmp(line + strlen(line) - strlen(path), path) == 0;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

static int connect_failed(const struct rctl_session *s, int rc)
{
	switch (rc) {
	case -ENOENT:
	case -ECONNREFUSED:
		fprintf(stderr,
			"relayctl: turnpike-control is not running: nobody listens on %s\n"
			"  turnpike-dataplane: %s\n"
			"  next: start turnpike-control, or name another --instance or --socket\n",
			s->socket,
			dataplane_listens(s->socket)
				? "running; what is set up is relayed on"
				: "not running either, or of another instance");
		return RCTL_EXIT_NO_DAEMON;
	case -EACCES:
	case -EPERM:
		fprintf(stderr,
			"relayctl: %s: permission denied\n"
			"  next: run relayctl as root or as a member of the socket's group\n",
			s->socket);
		return RCTL_EXIT_REFUSED;
	case -EBUSY:
		fprintf(stderr, "relayctl: %s: too many operators are connected\n", s->socket);
		return RCTL_EXIT_REFUSED;
	case -EPROTO:
		fprintf(stderr,
			"relayctl: %s: no turnpike-control of this version listens there\n"
			"  next: use the relayctl of the same version\n",
			s->socket);
		return RCTL_EXIT_NO_DAEMON;
	case -EAGAIN:
		fprintf(stderr,
			"relayctl: turnpike-control listens on %s but does not answer\n"
			"  next: look at its log\n",
			s->socket);
		return RCTL_EXIT_NO_DAEMON;
	default:
		fprintf(stderr, "relayctl: %s: %s\n", s->socket, strerror(-rc));
		return RCTL_EXIT_NO_DAEMON;
	}
}

static int refusal_print(const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *remedy = json_string_value(json_object_get(error, "remedy"));
	const char *code = json_string_value(json_object_get(error, "code"));

	fprintf(stderr, "relayctl: %s\n", message == NULL ? "refused" : message);
	if (remedy != NULL && *remedy != '\0')
		fprintf(stderr, "  next: %s\n", remedy);
	return code != NULL && (strcmp(code, "usage") == 0 || strcmp(code, "unknown_command") == 0)
		       ? RCTL_EXIT_USAGE
		       : RCTL_EXIT_REFUSED;
}

// What is looked at again and again.
static bool is_repeated(const struct rctl_request *r)
{
	return strcmp(r->command->name, "top") == 0;
}

static int answers_print(struct rctl_session *s, const struct rctl_request *r)
{
	struct rctl_printer printer;
	int status = RCTL_EXIT_OK;
	bool more = true;

	rctl_printer_init(&printer, stdout, s->options->style, r->command);
	printer.lines = is_repeated(r);
	while (more) {
		json_t *answer;
		int rc = rctl_client_receive(&s->client, &answer);

		if (rc < 0)
			return rc;
		if (!json_is_true(json_object_get(answer, "ok"))) {
			rc = refusal_print(answer);
			json_decref(answer);
			return rc;
		}
		more = json_is_true(json_object_get(answer, "more"));
		rctl_printer_add(&printer, json_object_get(answer, "result"));
		rc = rctl_check_verdict(r, json_object_get(answer, "result"));
		if (rc != RCTL_EXIT_OK)
			status = rc;
		json_decref(answer);
	}
	rctl_printer_end(&printer);
	return status;
}

static int request_run(struct rctl_session *s, const struct rctl_request *r)
{
	int rc = 0;

	if (!s->connected)
		rc = rctl_client_open(&s->client, s->socket);
	if (rc < 0)
		return connect_failed(s, rc);
	s->connected = true;
	rc = rctl_client_send(&s->client, r->command->name, r->arguments);
	if (rc == 0)
		rc = answers_print(s, r);
	if (rc >= 0)
		return rc;
	rctl_session_fini(s);
	fflush(stdout);
	fprintf(stderr, "relayctl: turnpike-control went away during %s: %s\n", r->command->name,
		strerror(-rc));
	return RCTL_EXIT_NO_DAEMON;
}

static void second_pass(void)
{
	const struct timespec second = {.tv_sec = 1};

	nanosleep(&second, NULL);
}

// The first question only wakes what looks for busy allocations.
static int top_prime(struct rctl_session *s, const struct rctl_request *r)
{
	json_t *answer = NULL;
	int rc = rctl_client_open(&s->client, s->socket);

	if (rc < 0)
		return connect_failed(s, rc);
	s->connected = true;
	rc = rctl_client_send(&s->client, r->command->name, r->arguments);
	if (rc == 0)
		rc = rctl_client_receive(&s->client, &answer);
	json_decref(answer);
	if (rc < 0)
		rctl_session_fini(s);
	else
		second_pass();
	return RCTL_EXIT_OK;
}

static int top_run(struct rctl_session *s, const struct rctl_request *r)
{
	bool screen = s->options->style == RCTL_TABLE && isatty(STDOUT_FILENO) == 1;
	int rc = s->connected ? RCTL_EXIT_OK : top_prime(s, r);

	for (unsigned i = 0; rc == RCTL_EXIT_OK; i++) {
		if (screen)
			fputs("\033[H\033[2J", stdout);
		rc = request_run(s, r);
		if (fflush(stdout) != 0 || i + 1 == s->options->count)
			break;
		second_pass();
	}
	return rc;
}

// One request's only answer: 0 with a new reference to its result, or the exit code after a
// message.
static int ask_with(
	struct rctl_session *s, const char *command, json_t *arguments, int fd, json_t **result)
{
	json_t *answer = NULL;
	int rc = rctl_client_send_with(&s->client, command, arguments, fd);

	if (rc == 0)
		rc = rctl_client_receive(&s->client, &answer);
	if (rc < 0) {
		rctl_session_fini(s);
		fprintf(stderr, "relayctl: turnpike-control went away during %s: %s\n", command,
			strerror(-rc));
		return RCTL_EXIT_NO_DAEMON;
	}
	if (!json_is_true(json_object_get(answer, "ok"))) {
		rc = refusal_print(answer);
	} else {
		*result = json_incref(json_object_get(answer, "result"));
		rc = RCTL_EXIT_OK;
	}
	json_decref(answer);
	return rc;
}

static int ask(struct rctl_session *s, const char *command, json_t *arguments, json_t **result)
{
	return ask_with(s, command, arguments, -1, result);
}

static int trace_follow(struct rctl_session *s, json_int_t packets, json_int_t seconds)
{
	const struct timespec gap = {.tv_nsec = 200000000};
	json_int_t after = 0;
	struct rctl_printer printer;
	time_t end = time(NULL) + (time_t)seconds + 1;
	int rc = RCTL_EXIT_OK;

	rctl_printer_init(&printer, stdout, s->options->style, ctl_command_find("trace read"));
	while (rc == RCTL_EXIT_OK && after < packets && time(NULL) <= end) {
		json_t *arguments = json_pack("{s:I}", "after", after);
		json_t *rows = NULL;
		size_t n;

		nanosleep(&gap, NULL);
		rc = ask(s, "trace read", arguments, &rows);
		json_decref(arguments);
		n = json_array_size(rows);
		if (n > 0) {
			rctl_printer_add(&printer, rows);
			fflush(stdout);
			after = json_integer_value(
				json_object_get(json_array_get(rows, n - 1), "n"));
		}
		json_decref(rows);
	}
	rctl_printer_end(&printer);
	return rc;
}

static int trace_run(struct rctl_session *s, const struct rctl_request *r)
{
	json_t *result = NULL;
	int rc = s->connected ? 0 : rctl_client_open(&s->client, s->socket);

	if (rc < 0)
		return connect_failed(s, rc);
	s->connected = true;
	if (s->options->count != 0)
		json_object_set_new(
			r->arguments, "packets", json_integer((json_int_t)s->options->count));
	rc = ask(s, r->command->name, r->arguments, &result);
	if (rc == RCTL_EXIT_OK)
		rc = trace_follow(s, json_integer_value(json_object_get(result, "packets")),
			json_integer_value(json_object_get(result, "seconds")));
	json_decref(result);
	return rc;
}

// The frames come from the data plane by a socket of which the other end goes with the request.
static int capture_ask(struct rctl_session *s, const struct rctl_request *r, const char *path)
{
	uint32_t snaplen = (uint32_t)json_integer_value(json_object_get(r->arguments, "snaplen"));
	json_t *result = NULL;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		perror("relayctl: socketpair");
		return RCTL_EXIT_REFUSED;
	}
	rc = ask_with(s, r->command->name, r->arguments, pair[0], &result);
	close(pair[0]);
	if (rc == RCTL_EXIT_OK)
		rc = rctl_capture_run(pair[1], path, result, snaplen);
	close(pair[1]);
	json_decref(result);
	return rc;
}

static int capture_run(struct rctl_session *s, const struct rctl_request *r)
{
	json_t *write = json_incref(json_object_get(r->arguments, "write"));
	const char *path = s->options->write != NULL ? s->options->write : json_string_value(write);
	int rc = s->connected ? 0 : rctl_client_open(&s->client, s->socket);

	if (rc < 0) {
		rc = connect_failed(s, rc);
		goto end;
	}
	s->connected = true;
	rc = RCTL_EXIT_USAGE;
	if (!rctl_capture_may_write(path))
		goto end;
	json_object_del(r->arguments, "write");
	if (s->options->count != 0)
		json_object_set_new(
			r->arguments, "packets", json_integer((json_int_t)s->options->count));
	rc = capture_ask(s, r, path);
end:
	json_decref(write);
	return rc;
}

int rctl_session_run(struct rctl_session *s, const char *const *words)
{
	struct rctl_request r;
	char error[512];
	int rc;

	if (rctl_request_read(&r, words, error, sizeof(error)) < 0) {
		fprintf(stderr, "relayctl: %s\n", error);
		return RCTL_EXIT_USAGE;
	}
	if (rctl_check_is_local(&r))
		rc = rctl_check_run(&r, s->options->style);
	else if (strcmp(r.command->name, "trace start") == 0)
		rc = trace_run(s, &r);
	else if (strcmp(r.command->name, "capture") == 0)
		rc = capture_run(s, &r);
	else if (is_repeated(&r))
		rc = top_run(s, &r);
	else
		rc = request_run(s, &r);
	rctl_request_fini(&r);
	return rc;
}
