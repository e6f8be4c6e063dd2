// SPDX-License-Identifier: BSD-3-Clause
// PostgreSQL in coturn's schema. The library's calls that wait have no limit of their own, so
// everything goes by those that do not, and by poll.
#include <source/source.h>

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <proc/clock.h>

struct postgresql {
	struct source base;
	PGconn *c;	 // NULL: not connected
	uint64_t end_ns; // of the question under way
};

static struct source *postgresql_open(const struct conf_source *conf)
{
	struct postgresql *s = calloc(1, sizeof(*s));

	(void)conf;
	return s != NULL ? &s->base : NULL;
}

static void postgresql_shut(struct postgresql *s)
{
	PQfinish(s->c);
	s->c = NULL;
}

static void postgresql_close(struct source *base)
{
	struct postgresql *s = (struct postgresql *)base;

	postgresql_shut(s);
	free(s);
}

// The first line of the library's message, which names host and user but no password.
static bool postgresql_failed(struct postgresql *s, struct source_answer *a, const char *problem)
{
	const char *text = problem != NULL ? problem : PQerrorMessage(s->c);

	source_fail(a, true, "%.*s", (int)strcspn(text, "\n"), text);
	postgresql_shut(s);
	return false;
}

// Until the socket is ready or the question's time is over.
static bool socket_wait(const struct postgresql *s, short events)
{
	struct pollfd fd = {.fd = PQsocket(s->c), .events = events};
	uint64_t now_ns = proc_now_ns();
	int n;

	if (now_ns >= s->end_ns || fd.fd < 0)
		return false;
	do {
		n = poll(&fd, 1, (int)((s->end_ns - now_ns + TP_NS_PER_MS - 1) / TP_NS_PER_MS));
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool connect_finish(struct postgresql *s, struct source_answer *a)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED)
			return postgresql_failed(s, a, NULL);
		if (!socket_wait(s, state == PGRES_POLLING_READING ? POLLIN : POLLOUT))
			return postgresql_failed(s, a, "no connection within the time-out");
		state = PQconnectPoll(s->c);
	}
	return PQsetnonblocking(s->c, 1) == 0 || postgresql_failed(s, a, NULL);
}

static bool postgresql_ready(struct postgresql *s, struct source_answer *a)
{
	static const char *const keys[] = {"dbname", "fallback_application_name", NULL};
	const struct conf_octets *from = &s->base.conf->connection;
	const char *values[] = {NULL, "turnpike-directory", NULL};
	char *text;

	if (s->c != NULL && PQstatus(s->c) == CONNECTION_OK)
		return true;
	postgresql_shut(s);
	text = calloc(1, from->len + 1);
	if (text == NULL) {
		source_fail(a, true, "no memory");
		return false;
	}
	memcpy(text, from->data, from->len);
	values[0] = text;
	s->c = PQconnectStartParams(keys, values, 1);
	explicit_bzero(text, from->len);
	free(text);
	if (s->c == NULL || PQstatus(s->c) == CONNECTION_BAD)
		return postgresql_failed(s, a, s->c == NULL ? "no memory" : NULL);
	return connect_finish(s, a);
}

// With the realm and, where the text has $2, the name.
static bool query_send(struct postgresql *s, const struct source_question *q, const char *text,
	struct source_answer *a)
{
	const char *values[] = {q->realm, (const char *)q->name};
	const int lengths[] = {(int)q->realm_len, (int)q->name_len};
	// As text, but with their lengths: neither ends with a zero.
	const int formats[] = {1, 1};
	int rc = PQsendQueryParams(
		s->c, text, strstr(text, "$2") != NULL ? 2 : 1, NULL, values, lengths, formats, 0);

	if (rc != 1)
		return postgresql_failed(s, a, NULL);
	while ((rc = PQflush(s->c)) == 1) {
		if (!socket_wait(s, POLLOUT))
			return postgresql_failed(s, a, "no answer within the time-out");
	}
	return rc == 0 || postgresql_failed(s, a, NULL);
}

// The one result of a query; NULL: the answer says why.
static PGresult *result_take(struct postgresql *s, struct source_answer *a)
{
	PGresult *first, *more;

	while (PQisBusy(s->c)) {
		if (!socket_wait(s, POLLIN)) {
			(void)postgresql_failed(s, a, "no answer within the time-out");
			return NULL;
		}
		if (PQconsumeInput(s->c) != 1) {
			(void)postgresql_failed(s, a, NULL);
			return NULL;
		}
	}
	first = PQgetResult(s->c);
	// Nothing but the end follows, and it came with the result.
	while (first != NULL && (more = PQgetResult(s->c)) != NULL)
		PQclear(more);
	return first;
}

// Whether the name has characters that the database's encoding lacks.
static bool is_no_text(const char *state)
{
	return strcmp(state, "22021") == 0 || strcmp(state, "22P05") == 0;
}

// A fault of the data, not of the database: class 22 of the SQL standard. Its message may quote the
// data.
static bool is_of_data(const char *state)
{
	return strncmp(state, "22", 2) == 0;
}

static void data_fail(struct source_answer *a, const struct source_question *q, const char *state)
{
	char text[48];

	snprintf(text, sizeof(text), "a fault of the data: SQLSTATE %s", state);
	if (q->name_len > 0)
		source_fail_name(a, text);
	else
		source_fail(a, true, "%s", text);
}

// The rows of a query; NULL: the answer says why. Nobody has a name that the database can't hold,
// and a row that a view stumbles over is that user's alone.
static PGresult *rows_read(struct postgresql *s, const struct source_question *q, const char *text,
	struct source_answer *a)
{
	PGresult *result = query_send(s, q, text, a) ? result_take(s, a) : NULL;
	const char *state;

	if (result == NULL || PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (q->name_len > 0 && state != NULL && is_no_text(state))
		a->status = TP_LOOKUP_UNKNOWN;
	else if (state != NULL && is_of_data(state))
		data_fail(a, q, state);
	else
		source_fail(a, true, "%.*s", (int)strcspn(PQresultErrorMessage(result), "\n"),
			PQresultErrorMessage(result));
	PQclear(result);
	return NULL;
}

static bool question_begin(struct postgresql *s, struct source_answer *a)
{
	s->end_ns = proc_now_ns() + s->base.conf->timeout_ms * TP_NS_PER_MS;
	return postgresql_ready(s, a);
}

static struct source_text column(const PGresult *result, int row, int i)
{
	return (struct source_text){
		PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i)};
}

static void postgresql_ask(
	struct source *base, const struct source_question *q, struct source_answer *a)
{
	static const char text[] =
		"SELECT hmackey FROM turnusers_lt WHERE name = $2::text AND realm = $1::text";
	struct postgresql *s = (struct postgresql *)base;
	PGresult *result;

	if (!source_by_name(q, a) || !question_begin(s, a))
		return;
	result = rows_read(s, q, text, a);
	if (result == NULL)
		return;
	if (PQntuples(result) == 0)
		a->status = TP_LOOKUP_UNKNOWN;
	else
		source_found_hex(a, PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0));
	PQclear(result);
}

static void secret_row(const PGresult *result, int row, struct tp_lookup_keys *keys)
{
	source_secret_add(keys, column(result, row, 0));
}

static void token_row(const PGresult *result, int row, struct tp_lookup_keys *keys)
{
	const struct source_token_row r = {
		.id = column(result, row, 0),
		.key = column(result, row, 1),
		.timestamp = column(result, row, 2),
		.lifetime = column(result, row, 3),
		.algorithm = column(result, row, 4),
	};

	source_token_key_add(keys, &r);
}

static bool keys_read(struct postgresql *s, const struct source_question *q, const char *text,
	void (*row)(const PGresult *result, int row, struct tp_lookup_keys *keys),
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	PGresult *result = rows_read(s, q, text, a);

	for (int i = 0; result != NULL && i < PQntuples(result); i++)
		row(result, i, keys);
	PQclear(result);
	return result != NULL;
}

static void postgresql_keys(struct source *base, const struct source_question *q,
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	static const char secrets[] = "SELECT value FROM turn_secret WHERE realm = $1::text";
	static const char tokens[] =
		"SELECT kid, ikm_key, timestamp, lifetime, as_rs_alg FROM oauth_key WHERE "
		"realm = $1::text OR realm = '' OR realm IS NULL";
	struct postgresql *s = (struct postgresql *)base;

	if (!question_begin(s, a))
		return;
	if ((q->wanted & TP_LOOKUP_SECRETS) != 0 && !keys_read(s, q, secrets, secret_row, keys, a))
		return;
	if ((q->wanted & TP_LOOKUP_TOKEN_KEYS) != 0 && !keys_read(s, q, tokens, token_row, keys, a))
		return;
	a->status = TP_LOOKUP_FOUND;
}

const struct source_kind source_postgresql = {
	postgresql_open, postgresql_ask, postgresql_keys, postgresql_close};
