// SPDX-License-Identifier: BSD-3-Clause
#include <source/source.h>

#include <curl/curl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

static const struct source_kind *kind_of(enum conf_source_type type)
{
	switch (type) {
	case CONF_SOURCE_SQLITE:
		return &source_sqlite;
	case CONF_SOURCE_POSTGRESQL:
		return &source_postgresql;
	case CONF_SOURCE_REDIS:
		return &source_redis;
	case CONF_SOURCE_HTTP:
	default:
		return &source_http;
	}
}

void source_init(void)
{
	// A server that went away is an error of its call.
	(void)signal(SIGPIPE, SIG_IGN);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct source *source_open(const struct conf_source *conf)
{
	const struct source_kind *kind = kind_of(conf->type);
	struct source *s = kind->open(conf);

	if (s == NULL)
		return NULL;
	s->kind = kind;
	s->conf = conf;
	return s;
}

void source_ask(struct source *s, const struct source_question *q, struct source_answer *a)
{
	*a = (struct source_answer){.status = TP_LOOKUP_FAILED};
	s->kind->ask(s, q, a);
}

void source_keys(struct source *s, const struct source_question *q, struct tp_lookup_keys *keys,
	struct source_answer *a)
{
	*a = (struct source_answer){.status = TP_LOOKUP_FAILED};
	keys->n = keys->skipped = 0;
	if (s->kind->keys == NULL)
		source_fail(a, false, "it has users alone");
	else
		s->kind->keys(s, q, keys, a);
}

void source_close(struct source *s)
{
	if (s != NULL)
		s->kind->close(s);
}

void source_fail(struct source_answer *a, bool again, const char *format, ...)
{
	va_list ap;

	a->status = TP_LOOKUP_FAILED;
	a->again = again;
	va_start(ap, format);
	vsnprintf(a->problem, sizeof(a->problem), format, ap);
	va_end(ap);
	for (size_t i = strlen(a->problem); i > 0 && a->problem[i - 1] == '\n'; i--)
		a->problem[i - 1] = '\0';
}

void source_fail_name(struct source_answer *a, const char *problem)
{
	source_fail(a, false, "%s", problem);
	a->answered = true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

void source_found_hex(struct source_answer *a, const char *hex, size_t len)
{
	// PostgreSQL pads the column of coturn's schema.
	while (len > 0 && hex[len - 1] == ' ')
		len--;
	if (len != 32 && len != 64) {
		source_fail_name(a, "a key in it is not 32 or 64 hexadecimal digits");
		return;
	}
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0) {
			source_fail_name(a, "a key in it is not 32 or 64 hexadecimal digits");
			return;
		}
		a->key[i] = (uint8_t)(high << 4 | low);
	}
	a->key_len = (uint8_t)(len / 2);
	a->algorithm = len == 32 ? TP_LOOKUP_MD5 : TP_LOOKUP_SHA256;
	a->status = TP_LOOKUP_FOUND;
}

bool source_by_name(const struct source_question *q, struct source_answer *a)
{
	if (q->by == TP_LOOKUP_BY_NAME && memchr(q->name, '\0', q->name_len) == NULL &&
		memchr(q->realm, '\0', q->realm_len) == NULL)
		return true;
	a->status = TP_LOOKUP_UNKNOWN;
	return false;
}
