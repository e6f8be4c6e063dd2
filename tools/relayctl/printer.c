// SPDX-License-Identifier: BSD-3-Clause
#include "printer.h"

#include "value.h"

#include <string.h>

#include <turnpike/base.h>

void rctl_printer_init(
	struct rctl_printer *p, FILE *out, enum rctl_style style, const struct ctl_command *command)
{
	*p = (struct rctl_printer){.out = out, .style = style, .command = command};
}

// ---- tables -----------------------------------------------------------------------------------

// Columns of a terminal that one cell takes at most.
#define CELL_MAX 40u

struct table {
	FILE *out;
	const struct ctl_column *columns;
	size_t n_columns;
	unsigned *widths;
};

// Columns a text takes on a terminal: characters, as far as one is one column wide.
static unsigned text_width(const char *s)
{
	unsigned n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *cell_show(
	const json_t *row, const struct ctl_column *column, char buf[RCTL_VALUE_SIZE])
{
	struct text_buf b;

	text_buf_init(&b, buf, RCTL_VALUE_SIZE);
	rctl_value_show(&b, rctl_member(row, column->key), column->format);
	return buf;
}

// Cuts a text to `max` columns, the last of which is a dot.
static void text_cut(char *s, unsigned max)
{
	unsigned n = 0;

	if (text_width(s) <= max)
		return;
	for (; n + 1 < max || ((unsigned char)*s & 0xc0) == 0x80; s++)
		n += ((unsigned char)s[1] & 0xc0) != 0x80;
	strcpy(s, "\u2026");
}

// A cell of a table. A name of 508 characters must not push the other columns off the screen; the
// last column has none behind it.
static const char *table_cell(
	const struct table *t, const json_t *row, size_t c, char buf[RCTL_VALUE_SIZE])
{
	cell_show(row, &t->columns[c], buf);
	if (c + 1 < t->n_columns)
		text_cut(buf, CELL_MAX);
	return buf;
}

static void table_measure(const struct table *t, const json_t *rows)
{
	char buf[RCTL_VALUE_SIZE];
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		for (size_t c = 0; c < t->n_columns; c++) {
			unsigned width = text_width(table_cell(t, row, c, buf));

			if (width > t->widths[c])
				t->widths[c] = width;
		}
	}
}

static void cell_print(const struct table *t, size_t c, const char *text)
{
	bool right = rctl_format_is_number(t->columns[c].format);
	unsigned width = text_width(text);
	int pad = width < t->widths[c] ? (int)(t->widths[c] - width) : 0;
	bool last = c + 1 == t->n_columns;

	fprintf(t->out, "%*s%s%*s%s", right ? pad : 0, "", text, right || last ? 0 : pad, "",
		last ? "\n" : "  ");
}

static void table_head(const struct table *t)
{
	for (size_t c = 0; c < t->n_columns; c++) {
		unsigned width = text_width(t->columns[c].title);

		if (width > t->widths[c])
			t->widths[c] = width;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		cell_print(t, c, t->columns[c].title);
}

static void table_rows(const struct table *t, const json_t *rows)
{
	char buf[RCTL_VALUE_SIZE];
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		for (size_t c = 0; c < t->n_columns; c++)
			cell_print(t, c, table_cell(t, row, c, buf));
	}
}

static struct table table_of(struct rctl_printer *p)
{
	size_t n = p->command->n_columns;

	return (struct table){.out = p->out,
		.columns = p->command->columns,
		.n_columns = n < TP_ARRAY_LEN(p->widths) ? n : TP_ARRAY_LEN(p->widths),
		.widths = p->widths};
}

static void rows_print(struct rctl_printer *p, const struct ctl_column *column, const json_t *rows)
{
	unsigned widths[TP_ARRAY_LEN(p->widths)] = {0};
	struct table t = {.out = p->out,
		.columns = column->rows,
		.n_columns = column->n_rows,
		.widths = widths};

	if (json_array_size(rows) == 0)
		return;
	fputc('\n', p->out);
	table_measure(&t, rows);
	table_head(&t);
	table_rows(&t, rows);
	fputc('\n', p->out);
}

static void object_table(struct rctl_printer *p, const json_t *object)
{
	char buf[RCTL_VALUE_SIZE];
	unsigned width = 0;

	for (size_t c = 0; c < p->command->n_columns; c++) {
		unsigned w = text_width(p->command->columns[c].title);

		if (p->command->columns[c].format != CTL_FORMAT_ROWS && w > width)
			width = w;
	}
	for (size_t c = 0; c < p->command->n_columns; c++) {
		const struct ctl_column *column = &p->command->columns[c];
		const json_t *value = rctl_member(object, column->key);

		if (column->format == CTL_FORMAT_ROWS)
			rows_print(p, column, value);
		else if (value != NULL)
			fprintf(p->out, "%s%*s  %s\n", column->title,
				(int)(width - text_width(column->title)), "",
				cell_show(object, column, buf));
	}
}

// ---- tab-separated ----------------------------------------------------------------------------

static void plain_print(struct rctl_printer *p, const json_t *value)
{
	char buf[4 * RCTL_VALUE_SIZE];
	struct text_buf b;

	// A tab or an end of line in a value is escaped: it is no printable text.
	text_buf_init(&b, buf, sizeof(buf));
	rctl_value_plain(&b, value);
	fputs(buf, p->out);
}

static void rows_tsv(struct rctl_printer *p, const struct ctl_column *column, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		for (size_t c = 0; c < column->n_rows; c++) {
			fprintf(p->out, "%s.%zu.%s\t", column->key, i, column->rows[c].key);
			plain_print(p, rctl_member(row, column->rows[c].key));
			fputc('\n', p->out);
		}
	}
}

static void object_tsv(struct rctl_printer *p, const json_t *object)
{
	for (size_t c = 0; c < p->command->n_columns; c++) {
		const struct ctl_column *column = &p->command->columns[c];
		const json_t *value = rctl_member(object, column->key);

		if (column->format == CTL_FORMAT_ROWS) {
			rows_tsv(p, column, value);
			continue;
		}
		fprintf(p->out, "%s\t", column->key);
		plain_print(p, value);
		fputc('\n', p->out);
	}
}

static void list_tsv(struct rctl_printer *p, const json_t *rows)
{
	const json_t *row;
	size_t n = p->command->n_columns;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		for (size_t c = 0; c < n; c++) {
			plain_print(p, rctl_member(row, p->command->columns[c].key));
			fputc(c + 1 < n ? '\t' : '\n', p->out);
		}
	}
}

static void list_head_tsv(struct rctl_printer *p)
{
	size_t n = p->command->n_columns;

	for (size_t c = 0; c < n; c++)
		fprintf(p->out, "%s%c", p->command->columns[c].key, c + 1 < n ? '\t' : '\n');
}

// ---- JSON -------------------------------------------------------------------------------------

static void list_json(struct rctl_printer *p, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		fputs(p->n_rows + i == 0 ? "[\n  " : ",\n  ", p->out);
		json_dumpf(row, p->out, JSON_ENCODE_ANY);
	}
}

// ---- results ----------------------------------------------------------------------------------

static void list_add(struct rctl_printer *p, const json_t *rows)
{
	struct table t = table_of(p);

	switch (p->style) {
	case RCTL_TABLE:
		table_measure(&t, rows);
		if (p->n_rows == 0 && json_array_size(rows) > 0)
			table_head(&t);
		table_rows(&t, rows);
		break;
	case RCTL_TSV:
		if (p->n_rows == 0 && json_array_size(rows) > 0)
			list_head_tsv(p);
		list_tsv(p, rows);
		break;
	case RCTL_JSON:
		list_json(p, rows);
		break;
	}
	p->n_rows += json_array_size(rows);
}

void rctl_printer_add(struct rctl_printer *p, const json_t *result)
{
	if (p->command->shape == CTL_SHAPE_LIST) {
		list_add(p, result);
	} else if (p->style == RCTL_JSON) {
		json_dumpf(result, p->out, p->lines ? JSON_COMPACT : JSON_INDENT(2));
		fputc('\n', p->out);
	} else if (p->style == RCTL_TSV) {
		object_tsv(p, result);
	} else {
		object_table(p, result);
	}
}

void rctl_printer_end(struct rctl_printer *p)
{
	if (p->command->shape != CTL_SHAPE_LIST)
		return;
	if (p->style == RCTL_JSON)
		fputs(p->n_rows == 0 ? "[]\n" : "\n]\n", p->out);
	else if (p->style == RCTL_TABLE && p->n_rows == 0)
		fputs("none\n", p->out);
	else if (p->style == RCTL_TSV && p->n_rows == 0)
		list_head_tsv(p);
}
