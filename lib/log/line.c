// SPDX-License-Identifier: BSD-3-Clause
#include "line.h"

#include <text/addr.h>

#include <inttypes.h>
#include <time.h>

#define TEXT_FIELD_MAX 256u
// Kept free for the marks at a line's end.
#define TAIL_SIZE      64u

static void add_digits(struct text_buf *b, int number, unsigned width, const char *behind)
{
	text_buf_add_number(b, (uint64_t)number, 10, width);
	text_buf_add(b, behind);
}

static void add_time(struct text_buf *b, uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / TP_NS_PER_S);
	struct tm tm;

	gmtime_r(&s, &tm);
	add_digits(b, tm.tm_year + 1900, 4, "-");
	add_digits(b, tm.tm_mon + 1, 2, "-");
	add_digits(b, tm.tm_mday, 2, "T");
	add_digits(b, tm.tm_hour, 2, ":");
	add_digits(b, tm.tm_min, 2, ":");
	add_digits(b, tm.tm_sec, 2, ".");
	add_digits(b, (int)(wall_ns % TP_NS_PER_S / TP_NS_PER_US), 6, "Z");
}

static void add_text(struct text_buf *b, enum log_format format, const char *s, size_t len)
{
	if (format == LOG_FORMAT_JSON)
		text_buf_add_quoted(b, s, len, TEXT_FIELD_MAX);
	else
		text_buf_add_word(b, s, len, TEXT_FIELD_MAX);
}

static void add_string(struct text_buf *b, enum log_format format, const char *s)
{
	add_text(b, format, s, strlen(s));
}

static void add_key(struct text_buf *b, enum log_format format, const char *key)
{
	text_buf_add(b, format == LOG_FORMAT_JSON ? ",\"" : " ");
	text_buf_add(b, key);
	text_buf_add(b, format == LOG_FORMAT_JSON ? "\":" : "=");
}

static void add_errno(struct text_buf *b, enum log_format format, int64_t err)
{
	char text[128];

	add_string(b, format, strerror_r((int)(err < 0 ? -err : err), text, sizeof(text)));
}

static void add_value(struct text_buf *b, enum log_format format, const struct log_field *f)
{
	char text[TEXT_ADDR_SIZE];

	switch (f->type) {
	case LOG_TYPE_TEXT:
		add_text(b, format, f->data, f->len);
		break;
	case LOG_TYPE_U64:
		text_buf_add_number(b, f->u64, 10, 1);
		break;
	case LOG_TYPE_I64:
		text_buf_addf(b, "%" PRId64, f->i64);
		break;
	case LOG_TYPE_BOOL:
		text_buf_add(b, f->u64 != 0 ? "true" : "false");
		break;
	case LOG_TYPE_ADDR:
		add_string(b, format, text_addr_format(f->data, text));
		break;
	case LOG_TYPE_IP:
		add_string(b, format, text_ip_format(f->data, text));
		break;
	case LOG_TYPE_ID:
		text_buf_add(b, format == LOG_FORMAT_JSON ? "\"" : "");
		text_buf_add_number(b, f->u64, 16, 1);
		text_buf_add(b, format == LOG_FORMAT_JSON ? "\"" : "");
		break;
	case LOG_TYPE_ERRNO:
		add_errno(b, format, f->i64);
		break;
	case LOG_TYPE_END:
		break;
	}
}

static void add_head(struct text_buf *b, const struct line_head *h)
{
	const char *level = log_level_name(h->event->level);

	if (h->format == LOG_FORMAT_TEXT) {
		add_time(b, h->wall_ns);
		text_buf_add(b, " ");
		text_buf_add(b, level);
		text_buf_add(b, " ");
		text_buf_add(b, h->event->name);
		return;
	}
	text_buf_add(b, "{\"time\":\"");
	add_time(b, h->wall_ns);
	text_buf_addf(b, "\",\"level\":\"%s\"", level);
	if (h->process != NULL) {
		add_key(b, h->format, "process");
		add_string(b, h->format, h->process);
	}
	if (h->instance != NULL) {
		add_key(b, h->format, "instance");
		add_string(b, h->format, h->instance);
	}
	add_key(b, h->format, "event");
	add_string(b, h->format, h->event->name);
}

size_t log_line_format(char *buf, const struct line_head *head, const struct log_field *fields)
{
	struct text_buf b;
	bool cut = false;

	text_buf_init(&b, buf, LINE_SIZE - TAIL_SIZE);
	add_head(&b, head);
	for (; fields != NULL && fields->type != LOG_TYPE_END; fields++) {
		size_t before = b.len;

		add_key(&b, head->format, fields->key);
		add_value(&b, head->format, fields);
		if (b.truncated) {
			b.len = before;
			b.data[before] = '\0';
			cut = true;
			break;
		}
	}
	b.size = LINE_SIZE;
	if (cut) {
		add_key(&b, head->format, "truncated");
		text_buf_add(&b, "true");
	}
	if (head->suppressed > 0) {
		add_key(&b, head->format, "suppressed");
		text_buf_addf(&b, "%" PRIu64, head->suppressed);
	}
	text_buf_add(&b, head->format == LOG_FORMAT_JSON ? "}\n" : "\n");
	return b.len;
}
