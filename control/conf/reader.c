// SPDX-License-Identifier: BSD-3-Clause
#include "reader.h"

#include "errors.h"

#include <text/buf.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_MAX 512u
#define QUOTE_MAX   64u

static void add(struct reader *r, bool warning, const char *file, const struct spot *where,
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
	errors_add(r->errs, &e);
}

void reader_complain(
	struct reader *r, const struct spot *where, const char *remedy, const char *problem, ...)
{
	va_list ap;

	va_start(ap, problem);
	add(r, false, r->file, where, remedy, problem, ap);
	va_end(ap);
}

void reader_warn(
	struct reader *r, const struct spot *where, const char *remedy, const char *problem, ...)
{
	va_list ap;

	va_start(ap, problem);
	add(r, true, r->file, where, remedy, problem, ap);
	va_end(ap);
}

void reader_complain_in(struct reader *r, const char *file, unsigned line, const char *remedy,
	const char *problem, ...)
{
	struct spot where = {.line = line};
	va_list ap;

	va_start(ap, problem);
	add(r, false, file, &where, remedy, problem, ap);
	va_end(ap);
}

const char *reader_quote(struct reader *r, const char *s)
{
	char text[QUOTE_MAX * 12 + 8];
	struct text_buf b;
	char *copy;

	text_buf_init(&b, text, sizeof(text));
	text_buf_add_quoted(&b, s, strlen(s), QUOTE_MAX);
	copy = arena_text(&r->scratch, text, b.len);
	if (copy == NULL)
		r->out_of_memory = true;
	return copy != NULL ? copy : "\"\"";
}

const char *reader_textf(struct reader *r, const char *format, ...)
{
	char *text = NULL, *copy = NULL;
	va_list ap;
	int len;

	va_start(ap, format);
	len = vasprintf(&text, format, ap);
	va_end(ap);
	if (len >= 0) {
		copy = arena_text(&r->scratch, text, (size_t)len);
		free(text);
	}
	if (copy == NULL)
		r->out_of_memory = true;
	return copy != NULL ? copy : "";
}

void *reader_array(struct reader *r, size_t n, size_t size)
{
	void *p = arena_array(&r->arena, n, size);

	if (p == NULL)
		r->out_of_memory = true;
	return p;
}

void reader_note_spot(struct reader *r, const struct spot *spot)
{
	if (r->n_spots == r->spots_capacity) {
		size_t capacity = r->spots_capacity == 0 ? 64 : r->spots_capacity * 2;
		struct spot *spots = realloc(r->spots, capacity * sizeof(*spots));

		if (spots == NULL) {
			r->out_of_memory = true;
			return;
		}
		r->spots = spots;
		r->spots_capacity = capacity;
	}
	r->spots[r->n_spots++] = *spot;
}

static int spot_compare(const void *a, const void *b)
{
	const struct spot *x = a, *y = b;

	if (x->at != y->at)
		return (const char *)x->at < (const char *)y->at ? -1 : 1;
	return (int)x->is_struct - (int)y->is_struct;
}

void reader_sort_spots(struct reader *r)
{
	if (r->n_spots > 0)
		qsort(r->spots, r->n_spots, sizeof(*r->spots), spot_compare);
}

static const struct spot *spot_find(const struct reader *r, const void *at, bool is_struct)
{
	struct spot like = {.at = at, .is_struct = is_struct};

	if (r->n_spots == 0)
		return NULL;
	return bsearch(&like, r->spots, r->n_spots, sizeof(like), spot_compare);
}

const struct spot *reader_find_value(const struct reader *r, const void *at)
{
	return spot_find(r, at, false);
}

const struct spot *reader_find_struct(const struct reader *r, const void *at)
{
	return spot_find(r, at, true);
}

// Equal values in the order of the file.
static int pair_compare(const void *a, const void *b, void *ctx)
{
	const struct spot *x = *(const struct spot *const *)a;
	const struct spot *y = *(const struct spot *const *)b;
	const struct reader_pairs *in = ctx;
	int c = in->compare(x->at, y->at);

	if (c != 0)
		return c;
	return (const char *)x->at < (const char *)y->at ? -1 : 1;
}

void reader_find_pairs(struct reader *r, const struct reader_pairs *in)
{
	const struct spot **found = arena_array(&r->scratch, in->n, sizeof(*found));
	struct reader_pairs order = *in;
	size_t n_found = 0;

	if (found == NULL) {
		r->out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < in->n; i++) {
		const void *at = (const char *)in->base + i * in->size;
		const struct spot *s = spot_find(r, at, in->structs);

		if (s != NULL)
			found[n_found++] = s;
	}
	if (n_found > 0)
		qsort_r(found, n_found, sizeof(*found), pair_compare, &order);
	for (size_t i = 1; i < n_found; i++) {
		if (in->compare(found[i - 1]->at, found[i]->at) == 0)
			in->tell(r, found[i - 1], found[i]);
	}
}
