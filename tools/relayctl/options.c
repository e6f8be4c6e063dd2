// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <turnpike/base.h>

static const struct option_row {
	char letter; // '\0': none
	const char *name;
	bool has_value;
} rows[] = {
	{'j', "json", false},
	{'t', "tsv", false},
	{'s', "socket", true},
	{'\0', "instance", true},
	{'\0', "config", true},
	{'f', "file", true},
	{'n', "count", true},
	{'c', "count", true},
	{'w', "write", true},
	{'e', "stop-on-error", false},
	{'x', "echo", false},
	{'h', "help", false},
	{'V', "version", false},
	{'\0', "man", false},
	{'\0', "completion", false},
};

static int count_read(const char *text, unsigned *count)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v == 0 || v > 1000000000) {
		fprintf(stderr, "relayctl: -n %s: give a number from 1\n", text);
		return -EINVAL;
	}
	*count = (unsigned)v;
	return 0;
}

static int option_set(struct rctl_options *o, const struct option_row *row, char *value)
{
	if (strcmp(row->name, "json") == 0)
		o->style = RCTL_JSON;
	else if (strcmp(row->name, "tsv") == 0)
		o->style = RCTL_TSV;
	else if (strcmp(row->name, "socket") == 0)
		o->socket = value;
	else if (strcmp(row->name, "instance") == 0)
		o->instance = value;
	else if (strcmp(row->name, "config") == 0)
		o->config = value;
	else if (strcmp(row->name, "file") == 0)
		o->batch = value;
	else if (strcmp(row->name, "count") == 0)
		return count_read(value, &o->count);
	else if (strcmp(row->name, "write") == 0)
		o->write = value;
	else if (strcmp(row->name, "stop-on-error") == 0)
		o->stop_on_error = true;
	else if (strcmp(row->name, "echo") == 0)
		o->echo = true;
	else
		o->page = row->name;
	return 0;
}

static const struct option_row *option_named(const char *name, size_t len)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	}
	return NULL;
}

static const struct option_row *option_lettered(char letter)
{
	for (size_t i = 0; i < TP_ARRAY_LEN(rows); i++) {
		if (letter != '\0' && rows[i].letter == letter)
			return &rows[i];
	}
	return NULL;
}

// Takes *word's option and its value, which may be the next word. 1; 0: a word of the command; or
// -EINVAL after a message.
static int option_take(struct rctl_options *o, char ***word)
{
	char *w = **word;
	char *value = NULL;
	const struct option_row *row;

	if (w[0] != '-' || w[1] == '\0')
		return 0;
	if (w[1] == '-') {
		size_t len = strcspn(w + 2, "=");

		// Others name an argument of the command: "--ttl 60".
		row = option_named(w + 2, len);
		if (row == NULL)
			return 0;
		value = w[2 + len] == '=' ? w + 3 + len : NULL;
	} else {
		row = option_lettered(w[1]);
		value = w[2] == '\0' ? NULL : w + 2;
	}
	if (row == NULL || (!row->has_value && value != NULL)) {
		fprintf(stderr, "relayctl: no such option: %s; relayctl --help lists them\n", w);
		return -EINVAL;
	}
	if (row->has_value && value == NULL)
		value = *++*word;
	if (row->has_value && value == NULL) {
		fprintf(stderr, "relayctl: %s needs a value\n", w);
		return -EINVAL;
	}
	return option_set(o, row, value) < 0 ? -EINVAL : 1;
}

int rctl_options_read(struct rctl_options *o, char **argv)
{
	size_t n = 0;

	*o = (struct rctl_options){.instance = getenv("TURNPIKE_INSTANCE")};
	for (char **word = argv + 1; *word != NULL; word++) {
		int rc;

		if (strcmp(*word, "--") == 0) {
			while (*++word != NULL && n + 1 < TP_ARRAY_LEN(o->words))
				o->words[n++] = *word;
			break;
		}
		rc = option_take(o, &word);
		if (rc < 0)
			return rc;
		if (rc == 0 && n + 1 < TP_ARRAY_LEN(o->words))
			o->words[n++] = *word;
	}
	if (o->batch != NULL && n > 0) {
		fprintf(stderr, "relayctl: give -f FILE or a command, not both\n");
		return -EINVAL;
	}
	return 0;
}
