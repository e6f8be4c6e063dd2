// SPDX-License-Identifier: BSD-3-Clause
#include "value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const json_t *rctl_member(const json_t *object, const char *key)
{
	while (object != NULL) {
		size_t len = strcspn(key, ".");
		char name[64];

		if (len >= sizeof(name))
			return NULL;
		memcpy(name, key, len);
		name[len] = '\0';
		object = json_object_get(object, name);
		if (key[len] == '\0')
			return object;
		key += len + 1;
	}
	return NULL;
}

bool rctl_format_is_number(enum ctl_format format)
{
	return format != CTL_FORMAT_TEXT && format != CTL_FORMAT_YES_NO &&
	       format != CTL_FORMAT_ROWS;
}

static void count_add(struct text_buf *b, json_int_t v)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, (uint64_t)(v < 0 ? -v : v));

	text_buf_add(b, v < 0 ? "-" : "");
	for (int i = 0; i < len; i++)
		text_buf_addf(b, "%s%c", i > 0 && (len - i) % 3 == 0 ? "," : "", digits[i]);
}

static void scaled_add(struct text_buf *b, double v, const char *const *units, size_t n)
{
	size_t u = 0;

	// 999.95 would be shown as 1000.0.
	while (u + 1 < n && v >= 999.95) {
		v /= 1000;
		u++;
	}
	text_buf_addf(b, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
}

static void seconds_add(struct text_buf *b, json_int_t s)
{
	if (s < 0) {
		text_buf_add(b, "-");
		s = -s;
	}
	if (s < 120)
		text_buf_addf(b, "%" PRId64 " s", (int64_t)s);
	else if (s < 7200)
		text_buf_addf(b, "%" PRId64 " min %02d s", (int64_t)(s / 60), (int)(s % 60));
	else if (s < 2 * 86400)
		text_buf_addf(
			b, "%" PRId64 " h %02d min", (int64_t)(s / 3600), (int)(s % 3600 / 60));
	else
		text_buf_addf(
			b, "%" PRId64 " d %02d h", (int64_t)(s / 86400), (int)(s % 86400 / 3600));
}

static void text_add(struct text_buf *b, const char *s, size_t len)
{
	size_t room = b->size - b->len > 16 ? b->size - b->len - 16 : 0;

	if (len <= room && text_is_printable(s, len))
		text_buf_addf(b, "%.*s", (int)len, s);
	else
		// One byte may become six.
		text_buf_add_quoted(b, s, len, room / 6);
}

static void array_add(struct text_buf *b, const json_t *v)
{
	size_t i;
	const json_t *item;

	json_array_foreach((json_t *)v, i, item)
	{
		text_buf_add(b, i == 0 ? "" : " ");
		rctl_value_plain(b, item);
	}
}

void rctl_value_plain(struct text_buf *b, const json_t *v)
{
	if (json_is_string(v))
		text_add(b, json_string_value(v), json_string_length(v));
	else if (json_is_integer(v))
		text_buf_addf(b, "%" PRId64, (int64_t)json_integer_value(v));
	else if (json_is_real(v))
		text_buf_addf(b, "%g", json_real_value(v));
	else if (json_is_boolean(v))
		text_buf_add(b, json_is_true(v) ? "true" : "false");
	else if (json_is_array(v))
		array_add(b, v);
}

void rctl_value_show(struct text_buf *b, const json_t *v, enum ctl_format format)
{
	static const char *const octets[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	static const char *const times[] = {"ns", "us", "ms", "s"};

	if (v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
		text_buf_add(b, "-");
	else if (json_is_boolean(v))
		text_buf_add(b, json_is_true(v) ? "yes" : "no");
	else if (!json_is_number(v))
		rctl_value_plain(b, v);
	else if (format == CTL_FORMAT_COUNT && json_is_integer(v))
		count_add(b, json_integer_value(v));
	else if (format == CTL_FORMAT_OCTETS)
		scaled_add(b, json_number_value(v), octets, sizeof(octets) / sizeof(octets[0]));
	else if (format == CTL_FORMAT_NS)
		scaled_add(b, json_number_value(v), times, sizeof(times) / sizeof(times[0]));
	else if (format == CTL_FORMAT_SECONDS)
		seconds_add(b, (json_int_t)json_number_value(v));
	else if (format == CTL_FORMAT_PERCENT)
		text_buf_addf(b, "%.1f %%", json_number_value(v) * 100);
	else
		rctl_value_plain(b, v);
}
