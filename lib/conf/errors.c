// SPDX-License-Identifier: BSD-3-Clause
#include "errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool items_grow(struct conf_errors *e)
{
	size_t capacity = e->capacity == 0 ? 16 : e->capacity * 2;
	struct conf_error *items = realloc(e->items, capacity * sizeof(*items));

	if (items == NULL)
		return false;
	e->items = items;
	e->capacity = capacity;
	return true;
}

bool conf_errors_full(const struct conf_errors *e)
{
	return e->len >= ERRORS_MAX;
}

void conf_errors_add(struct conf_errors *e, const struct conf_error *from)
{
	size_t file = strlen(from->file) + 1, key = strlen(from->key) + 1;
	size_t problem = strlen(from->problem) + 1, remedy = strlen(from->remedy) + 1;
	struct conf_error *to;
	char *text;

	if (!from->warning)
		e->n_errors++;
	if (conf_errors_full(e))
		return;
	// One block per error, which begins with the file's name.
	text = malloc(file + key + problem + remedy);
	if (text == NULL || (e->len == e->capacity && !items_grow(e))) {
		free(text);
		e->out_of_memory = true;
		return;
	}
	to = &e->items[e->len++];
	*to = *from;
	to->file = memcpy(text, from->file, file);
	to->key = memcpy(text + file, from->key, key);
	to->problem = memcpy(text + file + key, from->problem, problem);
	to->remedy = memcpy(text + file + key + problem, from->remedy, remedy);
}

static bool error_after(
	const struct conf_error *a, const struct conf_error *b, const char *main_file)
{
	bool a_other = strcmp(a->file, main_file) != 0;
	bool b_other = strcmp(b->file, main_file) != 0;

	if (a_other != b_other)
		return a_other;
	return a->line > b->line;
}

void conf_errors_sort(struct conf_errors *e, const char *main_file)
{
	for (size_t i = 1; i < e->len; i++) {
		struct conf_error moved = e->items[i];
		size_t k = i;

		for (; k > 0 && error_after(&e->items[k - 1], &moved, main_file); k--)
			e->items[k] = e->items[k - 1];
		e->items[k] = moved;
	}
}

void conf_errors_fini(struct conf_errors *e)
{
	for (size_t i = 0; i < e->len; i++) {
		char *text;

		memcpy(&text, &e->items[i].file, sizeof(text));
		free(text);
	}
	free(e->items);
	*e = (struct conf_errors){0};
}

const char *conf_error_format(const struct conf_error *e, char *buf, size_t size)
{
	char line[16] = "";

	if (e->line > 0)
		snprintf(line, sizeof(line), ":%u", e->line);
	snprintf(buf, size, "%s%s%s%s%s%s%s; %s", e->file[0] != '\0' ? e->file : "configuration",
		line, ": ", e->warning ? "warning: " : "", e->key, e->key[0] != '\0' ? ": " : "",
		e->problem, e->remedy);
	return buf;
}
