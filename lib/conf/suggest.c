// SPDX-License-Identifier: BSD-3-Clause
#include "suggest.h"

#include <text/buf.h>

#include <string.h>

#define KEY_MAX 48u

// Insertions, deletions, replacements and swaps of neighbours between two words.
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][KEY_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > KEY_MAX || m > KEY_MAX)
		return KEY_MAX;
	for (unsigned k = 0; k <= m; k++)
		rows[0][k] = k;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned k = 1; k <= m; k++) {
			unsigned d = up[k - 1] + (a[i - 1] != b[k - 1]);

			if (up[k] + 1 < d)
				d = up[k] + 1;
			if (row[k - 1] + 1 < d)
				d = row[k - 1] + 1;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
				up2[k - 2] + 1 < d)
				d = up2[k - 2] + 1;
			row[k] = d;
		}
	}
	return rows[n % 3][m];
}

// The known key that is nearest, at most `limit` slips away; NULL.
static const char *nearest(const struct section *section, const char *key, unsigned limit)
{
	const char *found = NULL;

	for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
		unsigned d = distance(key, rule->key);

		// A part of the right word is as good as a slip of one letter.
		if (d > 1 && strlen(key) > 2 && strstr(rule->key, key) != NULL)
			d = 1;
		if (d <= limit) {
			limit = d > 0 ? d - 1 : 0;
			found = rule->key;
		}
	}
	return found;
}

// Path of the section in the whole table that knows the key; "" for the top; NULL.
static const char *home_find(struct conf_loader *load, const struct section *section,
	const char *prefix, const char *key)
{
	for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
		const char *found;

		if (strcmp(rule->key, key) == 0)
			return prefix;
		if (rule->section == NULL)
			continue;
		found = home_find(load, rule->section,
			conf_textf(load, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", rule->key),
			key);
		if (found != NULL)
			return found;
	}
	return NULL;
}

const char *conf_suggest_show(struct conf_loader *load, const char *key)
{
	char text[KEY_MAX * 12 + 8];
	struct text_buf b;

	text_buf_init(&b, text, sizeof(text));
	text_buf_add_word(&b, key, strlen(key), KEY_MAX);
	return conf_textf(load, "%s", text);
}

const char *conf_suggest_known(struct conf_loader *load, const struct section *section)
{
	const char *names = "";

	for (const struct rule *rule = section->rules; rule->key != NULL; rule++)
		names = conf_textf(load, "%s%s%s", names, names[0] != '\0' ? ", " : "", rule->key);
	return names;
}

const char *conf_suggest_remedy(
	struct conf_loader *load, const struct section *section, const char *key)
{
	static const char *const inline_secrets[] = {"password", "secret", "key"};
	const char *name, *home;

	for (size_t i = 0; i < TP_ARRAY_LEN(inline_secrets); i++) {
		name = conf_textf(load, "%s_file", inline_secrets[i]);
		if (strcmp(key, inline_secrets[i]) != 0)
			continue;
		for (const struct rule *rule = section->rules; rule->key != NULL; rule++) {
			if (strcmp(rule->key, name) == 0)
				return conf_textf(load,
					"secrets are kept in separate files: write it to a file "
					"of "
					"mode 0640 and name that with %s",
					name);
		}
	}
	name = nearest(section, key, 1);
	home = name == NULL ? home_find(load, &conf_schema_top, "", key) : NULL;
	if (home != NULL)
		return home[0] != '\0' ? conf_textf(load, "it belongs into %s", home)
				       : "it belongs to the top level, without indentation";
	if (name == NULL)
		name = nearest(section, key, (unsigned)strlen(key) / 3 + 1);
	if (name != NULL)
		return conf_textf(load, "did you mean %s", name);
	return conf_textf(load, "known here: %s", conf_suggest_known(load, section));
}
