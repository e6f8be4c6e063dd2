// SPDX-License-Identifier: BSD-3-Clause
#include <options/options.h>

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX  64u
#define COLUMN	  24 // where --help's texts begin
#define LONG_BASE 256

static const struct options_row common[] = {
	{.name = "help", .letter = 'h', .help = "print this"},
	{.name = "version", .letter = 'V', .help = "print the version"},
};

// ---- help ---------------------------------------------------------------------------------------

static void name_print(FILE *out, const struct options_command *c)
{
	fprintf(out, "%s%s%s", c->program, c->name != NULL ? " " : "",
		c->name != NULL ? c->name : "");
}

static void row_print(FILE *out, const struct options_row *row)
{
	const char *text = row->help, *end;
	int width = row->letter != '\0' ? fprintf(out, "  -%c, --%s", row->letter, row->name)
					: fprintf(out, "  --%s", row->name);

	if (row->value != NULL)
		width += fprintf(out, " %s", row->value);
	if (width > COLUMN - 2) {
		fputc('\n', out);
		width = 0;
	}
	for (; *text != '\0'; text = end, width = 0) {
		end = text + strcspn(text, "\n");
		fprintf(out, "%*s%.*s\n", COLUMN - width, "", (int)(end - text), text);
		end += *end == '\n';
	}
}

static void help_print(FILE *out, const struct options_command *c)
{
	name_print(out, c);
	fprintf(out, " %s\n\n%s\n", c->synopsis, c->about);
	for (size_t i = 0; i < c->n_rows; i++)
		row_print(out, &c->rows[i]);
	for (size_t i = 0; i < 2; i++)
		row_print(out, &common[i]);
	if (c->notes != NULL)
		fprintf(out, "\n%s", c->notes);
}

// ---- messages -----------------------------------------------------------------------------------

int options_refuse(const struct options_command *c, const char *problem)
{
	fprintf(stderr, "%s: %s; see ", c->program, problem);
	name_print(stderr, c);
	fputs(" --help\n", stderr);
	return -EINVAL;
}

static int value_refuse(const struct options_command *c, const struct options_row *row,
	const char *text, const char *wanted)
{
	char problem[512];

	snprintf(problem, sizeof(problem), "--%s: \"%.100s\" is not %s", row->name, text, wanted);
	return options_refuse(c, problem);
}

static int words_refuse(
	const struct options_command *c, const struct options_row *row, const char *text)
{
	char wanted[256] = "one of";
	size_t len = strlen(wanted);

	for (unsigned i = 0; row->words[i] != NULL && len < sizeof(wanted); i++)
		len += (size_t)snprintf(wanted + len, sizeof(wanted) - len, "%s %s",
			i == 0 ? "" : ",", row->words[i]);
	return value_refuse(c, row, text, wanted);
}

// ---- values -------------------------------------------------------------------------------------

bool options_number(const char *text, double low, double high, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && *end == '\0' && *out >= low && *out <= high;
}

bool options_word(const char *text, const char *const *words, unsigned *out)
{
	for (*out = 0; words[*out] != NULL; (*out)++)
		if (strcmp(text, words[*out]) == 0)
			return true;
	return false;
}

static void whole_store(void *field, size_t size, uint64_t v)
{
	const uint8_t v8 = (uint8_t)v;
	const uint16_t v16 = (uint16_t)v;
	const uint32_t v32 = (uint32_t)v;

	memcpy(field,
		size == 1   ? (const void *)&v8
		: size == 2 ? (const void *)&v16
		: size == 4 ? (const void *)&v32
			    : (const void *)&v,
		size);
}

static int number_take(const struct options_command *c, const struct options_row *row, void *field,
	const char *text)
{
	bool whole = row->kind == OPTIONS_WHOLE;
	char wanted[96];
	double v;

	if (options_number(text, row->low, row->high, &v) && (!whole || v == floor(v))) {
		if (whole)
			whole_store(field, row->size, (uint64_t)v);
		else
			memcpy(field, &v, sizeof(v));
		return 0;
	}
	snprintf(wanted, sizeof(wanted), "a %snumber from %.10g to %.10g", whole ? "whole " : "",
		row->low, row->high);
	return value_refuse(c, row, text, wanted);
}

// Works on a copy: reports repeat the words as they were given.
static int call(
	const struct options_command *c, const struct options_row *row, void *out, const char *text)
{
	char *copy = strdup(text), *at = copy, *word;
	int rc = copy == NULL ? options_refuse(c, "no memory") : 0;

	while (rc == 0 && (word = strsep(&at, row->list ? "," : "")) != NULL) {
		const char *wanted = row->read(out, word);

		if (wanted != NULL)
			rc = value_refuse(c, row, word, wanted);
	}
	free(copy);
	return rc;
}

static int row_take(
	const struct options_command *c, const struct options_row *row, void *out, const char *text)
{
	void *field = (char *)out + row->at;
	const bool yes = true;
	unsigned word;

	switch (row->kind) {
	case OPTIONS_FLAG:
		memcpy(field, &yes, sizeof(yes));
		return 0;
	case OPTIONS_TEXT:
		memcpy(field, &text, sizeof(text));
		return 0;
	case OPTIONS_WORD:
		if (!options_word(text, row->words, &word))
			return words_refuse(c, row, text);
		whole_store(field, row->size, (uint64_t)row->low + word);
		return 0;
	case OPTIONS_CALL:
		return call(c, row, out, text);
	default:
		return number_take(c, row, field, text);
	}
}

// ---- the command line ---------------------------------------------------------------------------

static const struct options_row *row_at(const struct options_command *c, size_t i)
{
	return i < c->n_rows ? &c->rows[i] : &common[i - c->n_rows];
}

static int stray_refuse(const struct options_command *c, const char *word, const char *what)
{
	char problem[256];

	snprintf(problem, sizeof(problem), "\"%.100s\" %s", word, what);
	return options_refuse(c, problem);
}

// The row of getopt_long's answer; NULL after a message.
static const struct options_row *row_find(const struct options_command *c, int option, char **argv)
{
	if (option >= LONG_BASE)
		return row_at(c, (size_t)(option - LONG_BASE));
	for (size_t i = 0; i < c->n_rows + 2; i++)
		if (row_at(c, i)->letter == option)
			return row_at(c, i);
	stray_refuse(c, argv[optind - 1], option == ':' ? "needs a value" : "is not an option");
	return NULL;
}

static void tables_fill(const struct options_command *c, struct option *longs, char *shorts)
{
	size_t n = c->n_rows + 2;

	*shorts++ = ':';
	for (size_t i = 0; i < n; i++) {
		const struct options_row *row = row_at(c, i);

		longs[i] = (struct option){.name = row->name,
			.has_arg = row->value != NULL ? required_argument : no_argument,
			.val = LONG_BASE + (int)i};
		if (row->letter == '\0')
			continue;
		*shorts++ = row->letter;
		if (row->value != NULL)
			*shorts++ = ':';
	}
	longs[n] = (struct option){.name = NULL};
	*shorts = '\0';
}

int options_read(const struct options_command *c, void *out, int argc, char **argv)
{
	struct option longs[ROWS_MAX + 3];
	char shorts[2 * ROWS_MAX + 6];
	int option;

	if (c->n_rows > ROWS_MAX)
		abort();
	tables_fill(c, longs, shorts);
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct options_row *row = row_find(c, option, argv);

		if (row == NULL)
			return -EINVAL;
		if (row == &common[0]) {
			help_print(stdout, c);
			return 1;
		}
		if (row == &common[1]) {
			printf("%s %s\n", c->program, TURNPIKE_VERSION);
			return 1;
		}
		if (row_take(c, row, out, optarg) != 0)
			return -EINVAL;
	}
	return optind < argc ? stray_refuse(c, argv[optind], "is not an option") : 0;
}
