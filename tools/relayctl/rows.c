// SPDX-License-Identifier: BSD-3-Clause
#include "rows.h"

#include <stdlib.h>
#include <string.h>

// Rows above this number are printed as they come: to keep them costs 2 kB each.
#define KEPT_MAX 262144u
#define PART	 512u

void rctl_rows_init(struct rctl_rows *w, const struct rctl_request *r, struct rctl_printer *printer)
{
	*w = (struct rctl_rows){
		.printer = printer,
		.ordered = strcmp(r->command->name, "allocation list") == 0,
	};
	if (!w->ordered)
		return;
	w->limit = (uint64_t)json_integer_value(json_object_get(r->arguments, "limit"));
	json_object_del(r->arguments, "limit");
}

static void rows_forget(struct rctl_rows *w)
{
	for (size_t i = 0; i < w->n; i++)
		json_decref(w->kept[i]);
	w->n = 0;
}

void rctl_rows_fini(struct rctl_rows *w)
{
	rows_forget(w);
	free(w->kept);
	w->kept = NULL;
}

static bool row_keep(struct rctl_rows *w, json_t *row)
{
	if (w->n == w->capacity) {
		size_t capacity = w->capacity == 0 ? PART : 2 * w->capacity;
		json_t **kept = realloc(w->kept, capacity * sizeof(*kept));

		if (kept == NULL)
			return false;
		w->kept = kept;
		w->capacity = capacity;
	}
	w->kept[w->n++] = json_incref(row);
	return true;
}

static json_int_t member(const json_t *row, const char *key)
{
	return json_integer_value(json_object_get(row, key));
}

// Oldest first; allocations of one second by their id.
static int row_compare(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	json_int_t x_age = member(x, "age_s"), y_age = member(y, "age_s");
	const char *x_id = json_string_value(json_object_get(x, "id"));
	const char *y_id = json_string_value(json_object_get(y, "id"));

	if (x_age != y_age)
		return x_age > y_age ? -1 : 1;
	return strcmp(x_id == NULL ? "" : x_id, y_id == NULL ? "" : y_id);
}

static void rows_print(struct rctl_rows *w, size_t n)
{
	for (size_t i = 0; i < n; i += PART) {
		json_t *part = json_array();

		for (size_t k = i; k < n && k < i + PART; k++)
			json_array_append(part, w->kept[k]);
		rctl_printer_add(w->printer, part);
		json_decref(part);
	}
}

void rctl_rows_add(struct rctl_rows *w, const json_t *part)
{
	json_t *row;
	size_t i;

	if (!w->ordered) {
		rctl_printer_add(w->printer, part);
		return;
	}
	json_array_foreach((json_t *)part, i, row)
	{
		if (w->n < KEPT_MAX && row_keep(w, row))
			continue;
		fprintf(stderr, "relayctl: more than %zu rows: they are not in order\n", w->n);
		rows_print(w, w->n);
		rows_forget(w);
		w->ordered = false;
		rctl_printer_add(w->printer, part);
		return;
	}
}

void rctl_rows_end(struct rctl_rows *w)
{
	size_t n = w->limit != 0 && w->limit < w->n ? (size_t)w->limit : w->n;

	if (!w->ordered)
		return;
	if (w->n > 0)
		qsort(w->kept, w->n, sizeof(json_t *), row_compare);
	rows_print(w, n);
	fflush(w->printer->out);
	if (n < w->n)
		fprintf(stderr, "relayctl: %zu of %zu are shown; raise the limit\n", n, w->n);
}
