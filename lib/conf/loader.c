// SPDX-License-Identifier: BSD-3-Clause
#include "loader.h"

#include "errors.h"

#include <text/buf.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_MAX 512u
#define QUOTE_MAX   64u

static void add(struct conf_loader *load, bool warning, const char *file, const struct spot *where,
	const char *remedy, const char *format, va_list ap)
{
	char problem[PROBLEM_MAX];
	struct conf_error e = {
		.warning = warning,
		.file = file,
		.line = where != NULL ? where->line : 0,
		.key = where != NULL && where->key != NULL ? where->key : "",
		.problem = problem,
		.remedy = remedy,
	};

	vsnprintf(problem, sizeof(problem), format, ap);
	conf_errors_add(load->errs, &e);
}

void conf_complain(struct conf_loader *load, const struct spot *where, const char *remedy,
	const char *problem, ...)
{
	va_list ap;

	va_start(ap, problem);
	add(load, false, load->file, where, remedy, problem, ap);
	va_end(ap);
}

void conf_warn(struct conf_loader *load, const struct spot *where, const char *remedy,
	const char *problem, ...)
{
	va_list ap;

	va_start(ap, problem);
	add(load, true, load->file, where, remedy, problem, ap);
	va_end(ap);
}

void conf_complain_in(struct conf_loader *load, const char *file, unsigned line, const char *remedy,
	const char *problem, ...)
{
	struct spot where = {.line = line};
	va_list ap;

	va_start(ap, problem);
	add(load, false, file, &where, remedy, problem, ap);
	va_end(ap);
}

const char *conf_quote(struct conf_loader *load, const char *s)
{
	char text[QUOTE_MAX * 12 + 8];
	struct text_buf b;
	char *copy;

	text_buf_init(&b, text, sizeof(text));
	text_buf_add_quoted(&b, s, strlen(s), QUOTE_MAX);
	copy = conf_arena_text(&load->scratch, text, b.len);
	if (copy == NULL)
		load->out_of_memory = true;
	return copy != NULL ? copy : "\"\"";
}

const char *conf_textf(struct conf_loader *load, const char *format, ...)
{
	char *text = NULL, *copy = NULL;
	va_list ap;
	int len;

	va_start(ap, format);
	len = vasprintf(&text, format, ap);
	va_end(ap);
	if (len >= 0) {
		copy = conf_arena_text(&load->scratch, text, (size_t)len);
		free(text);
	}
	if (copy == NULL)
		load->out_of_memory = true;
	return copy != NULL ? copy : "";
}

void *conf_array(struct conf_loader *load, size_t n, size_t size)
{
	void *p = conf_arena_array(&load->arena, n, size);

	if (p == NULL)
		load->out_of_memory = true;
	return p;
}

void conf_spot_note(struct conf_loader *load, const struct spot *spot)
{
	if (load->n_spots == load->spots_capacity) {
		size_t capacity = load->spots_capacity == 0 ? 64 : load->spots_capacity * 2;
		struct spot *spots = realloc(load->spots, capacity * sizeof(*spots));

		if (spots == NULL) {
			load->out_of_memory = true;
			return;
		}
		load->spots = spots;
		load->spots_capacity = capacity;
	}
	load->spots[load->n_spots++] = *spot;
}

static int spot_compare(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	if (x->at != y->at)
		return (const char *)x->at < (const char *)y->at ? -1 : 1;
	return (int)x->is_struct - (int)y->is_struct;
}

void conf_spots_sort(struct conf_loader *load)
{
	if (load->n_spots > 0)
		qsort(load->spots, load->n_spots, sizeof(*load->spots), spot_compare);
}

static const struct spot *spot_find(const struct conf_loader *load, const void *at, bool is_struct)
{
	struct spot like = {.at = at, .is_struct = is_struct};

	if (load->n_spots == 0)
		return NULL;
	return bsearch(&like, load->spots, load->n_spots, sizeof(like), spot_compare);
}

const struct spot *conf_spot_of_value(const struct conf_loader *load, const void *at)
{
	return spot_find(load, at, false);
}

const struct spot *conf_spot_of_struct(const struct conf_loader *load, const void *at)
{
	return spot_find(load, at, true);
}

// Equal values in the order of the file.
static int pair_compare(const void *a, const void *b, void *ctx)
{
	const struct spot *x = *(const struct spot *const *)a;
	const struct spot *y = *(const struct spot *const *)b;
	const struct conf_pairs *in = ctx;
	int c = in->compare(x->at, y->at);

	if (c != 0)
		return c;
	return (const char *)x->at < (const char *)y->at ? -1 : 1;
}

void conf_pairs_find(struct conf_loader *load, const struct conf_pairs *in)
{
	const struct spot **found = conf_arena_array(&load->scratch, in->n, sizeof(*found));
	struct conf_pairs order = *in;
	size_t n_found = 0;

	if (found == NULL) {
		load->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < in->n; i++) {
		const void *at = (const char *)in->base + i * in->size;
		const struct spot *s = spot_find(load, at, in->structs);

		if (s != NULL)
			found[n_found++] = s;
	}
	if (n_found > 0)
		qsort_r(found, n_found, sizeof(*found), pair_compare, &order);
	for (size_t i = 1; i < n_found; i++) {
		if (in->compare(found[i - 1]->at, found[i]->at) == 0)
			in->tell(load, found[i - 1], found[i]);
	}
}
