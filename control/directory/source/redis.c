// SPDX-License-Identifier: BSD-3-Clause
// Redis in coturn's key scheme: turn/realm/REALM/user/NAME/key, the set turn/realm/REALM/secret,
// and hashes turn/oauth/kid/ID. The connection string has the keys of coturn's: ip or host (or the
// path of a Unix socket), port, dbname, user, password. The library of Debian 12 has no TLS: a
// string that asks for it is refused.
#include <source/source.h>

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include <proc/clock.h>

#include "connection.h"

struct redis {
	struct source base;
	redisContext *c; // NULL: not connected
};

static struct source *redis_open(const struct conf_source *conf)
{
	struct redis *s = calloc(1, sizeof(*s));

	(void)conf;
	return s != NULL ? &s->base : NULL;
}

static void redis_shut(struct redis *s)
{
	if (s->c != NULL)
		redisFree(s->c);
	s->c = NULL;
}

static void redis_close(struct source *base)
{
	struct redis *s = (struct redis *)base;

	redis_shut(s);
	free(s);
}

static bool redis_failed(struct redis *s, struct source_answer *a, const char *step)
{
	source_fail(a, true, "%s: %s", step,
		s->c == NULL	 ? "no memory"
		: s->c->err != 0 ? s->c->errstr
				 : "refused");
	redis_shut(s);
	return false;
}

// A command of the start, whose answer has no use but its success.
static bool command_run(
	struct redis *s, struct source_answer *a, const char *step, int argc, const char **argv)
{
	redisReply *reply = redisCommandArgv(s->c, argc, argv, NULL);
	bool good = reply != NULL && reply->type != REDIS_REPLY_ERROR;

	if (reply != NULL)
		freeReplyObject(reply);
	return good || redis_failed(s, a, step);
}

static bool login(struct redis *s, const struct connection *text, struct source_answer *a)
{
	const char *password = connection_get(text, "password", NULL);
	const char *user = connection_get(text, "user", NULL);
	const char *number = connection_get(text, "dbname", NULL);
	const char *auth[] = {"AUTH", password, NULL};
	const char *auth_user[] = {"AUTH", user, password};
	const char *select[] = {"SELECT", number};

	if (password != NULL && user == NULL && !command_run(s, a, "AUTH", 2, auth))
		return false;
	if (password != NULL && user != NULL && !command_run(s, a, "AUTH", 3, auth_user))
		return false;
	return number == NULL || command_run(s, a, "SELECT", 2, select);
}

static bool text_connect(struct redis *s, const struct connection *text, struct source_answer *a)
{
	uint32_t ms = s->base.conf->timeout_ms;
	const struct timeval wait = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
	const char *host = connection_get(text, "ip", connection_get(text, "host", "127.0.0.1"));
	int port = atoi(connection_get(text, "port", "6379"));

	s->c = host[0] == '/' ? redisConnectUnixWithTimeout(host, wait)
			      : redisConnectWithTimeout(host, port, wait);
	if (s->c == NULL || s->c->err != 0)
		return redis_failed(s, a, "connecting");
	if (redisSetTimeout(s->c, wait) != REDIS_OK)
		return redis_failed(s, a, "connecting");
	return login(s, text, a);
}

static bool redis_ready(struct redis *s, struct source_answer *a)
{
	static const char *const known[] = {
		"ip", "host", "port", "dbname", "user", "password", "connect_timeout", "tls", NULL};
	const struct conf_octets *from = &s->base.conf->connection;
	struct connection text;
	bool good = true;

	if (s->c != NULL)
		return true;
	if (!connection_parse(&text, (const char *)from->data, from->len, known)) {
		source_fail(a, false,
			"connection_file %s; write ip=ADDRESS port=NUMBER dbname=NUMBER "
			"password=TEXT",
			text.problem);
		good = false;
	} else if (connection_get(&text, "tls", NULL) != NULL) {
		source_fail(a, false,
			"connection_file asks for tls, which this source has not; use a Unix "
			"socket (ip=PATH) or a tunnel");
		good = false;
	}
	good = good && text_connect(s, &text, a);
	connection_fini(&text);
	return good;
}

// Its first word is the kind of error; a message may quote the command.
static void reply_fail(struct source_answer *a, const char *step, const redisReply *reply)
{
	const char *text = reply->type == REDIS_REPLY_ERROR && reply->str != NULL ? reply->str
										  : "no such type";

	source_fail(a, true, "%s: %.*s", step, (int)strcspn(text, " "), text);
}

// A key that has another type of value than the command's: a fault of that key alone.
static bool is_of_key(const redisReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR &&
	       strncmp(reply->str, "WRONGTYPE ", 10) == 0;
}

static void redis_ask(struct source *base, const struct source_question *q, struct source_answer *a)
{
	struct redis *s = (struct redis *)base;
	redisReply *reply;

	if (!source_by_name(q, a) || !redis_ready(s, a))
		return;
	reply = redisCommand(s->c, "GET turn/realm/%b/user/%b/key", q->realm, q->realm_len, q->name,
		q->name_len);
	if (reply == NULL) {
		(void)redis_failed(s, a, "GET");
		return;
	}
	if (reply->type == REDIS_REPLY_NIL)
		a->status = TP_LOOKUP_UNKNOWN;
	else if (reply->type == REDIS_REPLY_STRING)
		source_found_hex(a, reply->str, reply->len);
	else if (is_of_key(reply))
		source_fail_name(a, "a user's key in it is no string");
	else
		reply_fail(a, "GET", reply);
	if (reply->str != NULL)
		explicit_bzero(reply->str, reply->len);
	freeReplyObject(reply);
}

// ---- keys of a realm ----------------------------------------------------------------------------

static struct source_text text_of(const redisReply *reply)
{
	return (struct source_text){reply->str, reply->str != NULL ? reply->len : 0};
}

static void array_free(redisReply *reply)
{
	for (size_t i = 0; i < reply->elements; i++) {
		if (reply->element[i]->str != NULL)
			explicit_bzero(reply->element[i]->str, reply->element[i]->len);
	}
	freeReplyObject(reply);
}

// The reply if it is an array; NULL: the answer says why.
static redisReply *array_take(
	struct redis *s, redisReply *reply, const char *step, struct source_answer *a)
{
	if (reply == NULL) {
		(void)redis_failed(s, a, step);
		return NULL;
	}
	if (reply->type == REDIS_REPLY_ARRAY)
		return reply;
	reply_fail(a, step, reply);
	freeReplyObject(reply);
	return NULL;
}

static bool secrets_read(struct redis *s, const struct source_question *q,
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	redisReply *reply =
		redisCommand(s->c, "SMEMBERS turn/realm/%b/secret", q->realm, q->realm_len);

	reply = array_take(s, reply, "SMEMBERS", a);
	if (reply == NULL)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		source_secret_add(keys, text_of(reply->element[i]));
	array_free(reply);
	return true;
}

// A field of a hash; empty: it has none.
static struct source_text field_of(const redisReply *hash, const char *name)
{
	for (size_t i = 0; i + 1 < hash->elements; i += 2) {
		if (hash->element[i]->str != NULL && strcmp(hash->element[i]->str, name) == 0)
			return text_of(hash->element[i + 1]);
	}
	return (struct source_text){"", 0};
}

static bool token_key_read(struct redis *s, const struct source_question *q,
	struct source_text name, struct tp_lookup_keys *keys, struct source_answer *a)
{
	static const size_t front = sizeof("turn/oauth/kid/") - 1;
	redisReply *hash = redisCommand(s->c, "HGETALL %b", name.s, name.len);
	struct source_text realm;

	if (is_of_key(hash)) {
		keys->skipped++;
		freeReplyObject(hash);
		return true;
	}
	hash = array_take(s, hash, "HGETALL", a);
	if (hash == NULL)
		return false;
	realm = field_of(hash, "realm");
	if (name.len > front && hash->elements > 0 &&
		(realm.len == 0 ||
			(realm.len == q->realm_len && memcmp(realm.s, q->realm, realm.len) == 0))) {
		const struct source_token_row row = {
			.id = {name.s + front, name.len - front},
			.key = field_of(hash, "ikm_key"),
			.timestamp = field_of(hash, "timestamp"),
			.lifetime = field_of(hash, "lifetime"),
			.algorithm = field_of(hash, "as_rs_alg"),
		};

		source_token_key_add(keys, &row);
	}
	array_free(hash);
	return true;
}

#define TOO_MANY "SCAN: too many keys"

static bool page_read(struct redis *s, const struct source_question *q, const redisReply *names,
	struct tp_lookup_keys *keys, uint64_t end_ns, struct source_answer *a)
{
	for (size_t i = 0; i < names->elements; i++) {
		if (proc_now_ns() > end_ns) {
			source_fail(a, true, TOO_MANY);
			return false;
		}
		if (!token_key_read(s, q, text_of(names->element[i]), keys, a))
			return false;
	}
	return true;
}

// SCAN, since KEYS would hold up everybody else's commands. It may name a key twice, and goes
// through all keys of the database, those of others too: so the time-out is that of all pages.
static bool token_keys_read(struct redis *s, const struct source_question *q,
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	uint64_t end_ns = proc_now_ns() + s->base.conf->timeout_ms * TP_NS_PER_MS;
	char cursor[24] = "0";
	bool good = true;

	do {
		redisReply *page =
			redisCommand(s->c, "SCAN %s MATCH turn/oauth/kid/* COUNT 1000", cursor);

		page = array_take(s, page, "SCAN", a);
		if (page == NULL)
			return false;
		good = page->elements == 2 && page->element[0]->str != NULL &&
		       page->element[0]->len < sizeof(cursor);
		if (!good)
			source_fail(a, true, "SCAN: no cursor");
		good = good && page_read(s, q, page->element[1], keys, end_ns, a);
		if (good)
			memcpy(cursor, page->element[0]->str, page->element[0]->len + 1);
		freeReplyObject(page);
	} while (good && strcmp(cursor, "0") != 0 && proc_now_ns() <= end_ns);
	if (good && strcmp(cursor, "0") != 0)
		source_fail(a, true, TOO_MANY);
	return good && strcmp(cursor, "0") == 0;
}

static void redis_keys(struct source *base, const struct source_question *q,
	struct tp_lookup_keys *keys, struct source_answer *a)
{
	struct redis *s = (struct redis *)base;

	if (!redis_ready(s, a))
		return;
	if ((q->wanted & TP_LOOKUP_SECRETS) != 0 && !secrets_read(s, q, keys, a))
		return;
	if ((q->wanted & TP_LOOKUP_TOKEN_KEYS) != 0 && !token_keys_read(s, q, keys, a))
		return;
	a->status = TP_LOOKUP_FOUND;
}

const struct source_kind source_redis = {redis_open, redis_ask, redis_keys, redis_close};
