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
#include "rows.h"
#include "trace.h"

void rctl_session_init(struct rctl_session *s, const struct rctl_options *o)
{
	*s = (struct rctl_session){.options = o};
}

void rctl_session_fini(struct rctl_session *s)
{
	if (s->connected)
		ctl_client_close(&s->client);
	s->connected = false;
}

static const char *daemon_name(const struct rctl_session *s)
{
	return s->edge ? "turnpike-edge" : "turnpike-control";
}

static int not_running(const struct rctl_session *s)
{
	char other[RCTL_SOCKET_SIZE];

	if (s->edge) {
		fprintf(stderr,
			"relayctl: turnpike-edge is not running: nothing listens on %s\n"
			"  next: start it; it runs where the configuration has listeners of tcp, "
			"tls or dtls\n",
			s->place.control);
		return RCTL_EXIT_NO_DAEMON;
	}
	fprintf(stderr, "relayctl: turnpike-control is not running: nothing listens on %s\n",
		s->place.control);
	if (rctl_socket_is_bound(s->place.dataplane))
		fprintf(stderr,
			"  turnpike-dataplane: running; existing allocations are relayed\n");
	else if (rctl_socket_named(TP_PUNT_SOCKET_NAME, other))
		fprintf(stderr, "  turnpike-dataplane: not running beside it; one listens on %s\n",
			other);
	else
		fprintf(stderr, "  turnpike-dataplane: not running either\n");
	fprintf(stderr, "  next: start turnpike-control, or name another --instance, --socket or "
			"--config\n");
	return RCTL_EXIT_NO_DAEMON;
}

static int connect_failed(const struct rctl_session *s, int rc)
{
	const char *path = s->place.control;

	switch (rc) {
	case -ENOENT:
	case -ECONNREFUSED:
		return not_running(s);
	case -EACCES:
	case -EPERM:
		fprintf(stderr,
			"relayctl: %s: permission denied\n"
			"  next: run relayctl as root or as a member of the socket's group\n",
			path);
		return RCTL_EXIT_REFUSED;
	case -EBUSY:
		fprintf(stderr, "relayctl: %s: too many operators are connected\n", path);
		return RCTL_EXIT_REFUSED;
	case -EPROTO:
		fprintf(stderr,
			"relayctl: %s: no %s of this version listens there\n"
			"  next: use the relayctl of the same version\n",
			path, daemon_name(s));
		return RCTL_EXIT_NO_DAEMON;
	case -EAGAIN:
		fprintf(stderr,
			"relayctl: %s listens on %s but does not answer\n"
			"  next: look at its log\n",
			daemon_name(s), path);
		return RCTL_EXIT_NO_DAEMON;
	default:
		fprintf(stderr, "relayctl: %s: %s\n", path, strerror(-rc));
		return RCTL_EXIT_NO_DAEMON;
	}
}

// Connects unless that is done. RCTL_EXIT_OK, or the exit code after a message.
static int session_connect(struct rctl_session *s)
{
	int rc;

	if (s->connected)
		return RCTL_EXIT_OK;
	rc = s->located ? RCTL_EXIT_OK : rctl_locate(s->options, &s->place);
	if (rc != RCTL_EXIT_OK)
		return rc;
	s->located = true;
	rc = ctl_client_open(&s->client, s->place.control);
	if (rc < 0)
		return connect_failed(s, rc);
	s->connected = true;
	return RCTL_EXIT_OK;
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

// A command that is repeated until it is interrupted.
static bool is_repeated(const struct rctl_request *r)
{
	return strcmp(r->command->name, "top") == 0;
}

static int answers_print(
	struct rctl_session *s, const struct rctl_request *r, struct rctl_rows *rows)
{
	int status = RCTL_EXIT_OK;
	bool more = true;

	while (more) {
		json_t *answer;
		int rc = ctl_client_receive(&s->client, &answer);

		if (rc == 0 && !json_is_true(json_object_get(answer, "ok"))) {
			rc = refusal_print(answer);
			json_decref(answer);
		} else if (rc == 0) {
			more = json_is_true(json_object_get(answer, "more"));
			rctl_rows_add(rows, json_object_get(answer, "result"));
			rc = rctl_check_verdict(r, json_object_get(answer, "result"));
			status = rc != RCTL_EXIT_OK ? rc : status;
			json_decref(answer);
			continue;
		}
		return rc;
	}
	rctl_rows_end(rows);
	rctl_printer_end(rows->printer);
	return status;
}

static int request_run(struct rctl_session *s, const struct rctl_request *r)
{
	struct rctl_printer printer;
	struct rctl_rows rows;
	int rc = session_connect(s);

	if (rc != RCTL_EXIT_OK)
		return rc;
	rctl_printer_init(&printer, stdout, s->options->style, r->command);
	printer.lines = is_repeated(r);
	rctl_rows_init(&rows, r, &printer);
	rc = ctl_client_send(&s->client, r->command->name, r->arguments);
	if (rc == 0)
		rc = answers_print(s, r, &rows);
	rctl_rows_fini(&rows);
	if (rc >= 0)
		return rc;
	rctl_session_fini(s);
	fflush(stdout);
	fprintf(stderr, "relayctl: %s went away during %s: %s\n", daemon_name(s), r->command->name,
		strerror(-rc));
	return RCTL_EXIT_NO_DAEMON;
}

// By a connection of its own.
static int edge_run(struct rctl_session *s, const struct rctl_request *r)
{
	struct rctl_session edge = {.options = s->options, .located = true, .edge = true};
	int rc = s->located ? RCTL_EXIT_OK : rctl_locate(s->options, &s->place);

	if (rc != RCTL_EXIT_OK)
		return rc;
	s->located = true;
	edge.place = s->place;
	strcpy(edge.place.control, s->place.edge);
	rc = request_run(&edge, r);
	rctl_session_fini(&edge);
	return rc;
}

static void second_pass(void)
{
	const struct timespec second = {.tv_sec = 1};

	nanosleep(&second, NULL);
}

// The first request only starts the search for busy allocations.
static int top_prime(struct rctl_session *s, const struct rctl_request *r)
{
	json_t *answer = NULL;
	int rc = session_connect(s);

	if (rc != RCTL_EXIT_OK)
		return rc;
	rc = ctl_client_send(&s->client, r->command->name, r->arguments);
	if (rc == 0)
		rc = ctl_client_receive(&s->client, &answer);
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
static int ask(
	struct rctl_session *s, const char *command, json_t *arguments, int fd, json_t **result)
{
	json_t *answer = NULL;
	int rc = ctl_client_send_with(&s->client, command, arguments, fd);

	if (rc == 0)
		rc = ctl_client_receive(&s->client, &answer);
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

// The records come from the data plane by a socket of which the other end goes with the request. 0
// with the descriptor to read from and the request's result, or the exit code.
static int observe_ask(
	struct rctl_session *s, const struct rctl_request *r, int *fd, json_t **result)
{
	int pair[2], rc;

	if (s->options->count != 0)
		json_object_set_new(
			r->arguments, "packets", json_integer((json_int_t)s->options->count));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		perror("relayctl: socketpair");
		return RCTL_EXIT_REFUSED;
	}
	rc = ask(s, r->command->name, r->arguments, pair[0], result);
	close(pair[0]);
	if (rc == RCTL_EXIT_OK)
		*fd = pair[1];
	else
		close(pair[1]);
	return rc;
}

static int trace_run(struct rctl_session *s, const struct rctl_request *r)
{
	json_t *result = NULL;
	int fd, rc = session_connect(s);

	if (rc != RCTL_EXIT_OK)
		return rc;
	rc = observe_ask(s, r, &fd, &result);
	if (rc == RCTL_EXIT_OK) {
		rc = rctl_trace_run(fd, result, s->options->style);
		close(fd);
	}
	json_decref(result);
	return rc;
}

static int capture_ask(struct rctl_session *s, const struct rctl_request *r, const char *path)
{
	uint32_t snaplen = (uint32_t)json_integer_value(json_object_get(r->arguments, "snaplen"));
	json_t *result = NULL;
	int fd, rc = observe_ask(s, r, &fd, &result);

	if (rc == RCTL_EXIT_OK) {
		rc = rctl_capture_run(fd, path, result, snaplen);
		close(fd);
	}
	json_decref(result);
	return rc;
}

static int capture_run(struct rctl_session *s, const struct rctl_request *r)
{
	json_t *write = json_incref(json_object_get(r->arguments, "write"));
	const char *path = s->options->write != NULL ? s->options->write : json_string_value(write);
	int rc = session_connect(s);

	if (rc != RCTL_EXIT_OK)
		goto end;
	rc = RCTL_EXIT_USAGE;
	if (!rctl_capture_may_write(path))
		goto end;
	json_object_del(r->arguments, "write");
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
	else if (r.command->edge)
		rc = edge_run(s, &r);
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
