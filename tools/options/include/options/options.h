// SPDX-License-Identifier: BSD-3-Clause
// Reads a command line by a table of rows: the same table is parser, --help and the remedy in
// messages. -h, --help, -V and --version belong to every command.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum options_kind {
	OPTIONS_FLAG,	// bool
	OPTIONS_TEXT,	// const char *, into argv
	OPTIONS_NUMBER, // double, from low to high
	OPTIONS_WHOLE,	// integer of any size, from low to high
	OPTIONS_WORD,	// integer of any size: low plus the place among the words
	OPTIONS_CALL,	// by `read`
};

struct options_row {
	const char *name;
	const char *value; // how --help calls the value; NULL for a flag
	const char *help;  // lines end with \n, but for the last
	char letter;	   // '\0': none
	bool list;	   // comma-separated words, each read by `read`
	uint8_t kind;	   // enum options_kind
	// The field of the struct that takes the value; see OPTIONS_FIELD.
	size_t at, size;
	double low, high;
	const char *const *words; // NULL-terminated
	// Returns NULL, or a phrase for the expected text: "an even number".
	const char *(*read)(void *out, const char *text);
};

#define OPTIONS_FIELD(type, field)                                                                 \
	.at = offsetof(type, field), .size = sizeof(((type *)NULL)->field)

struct options_command {
	const char *program; // at the head of messages
	const char *name;    // NULL: the program has no commands
	const char *synopsis;
	const char *about; // before the rows in --help; lines end with \n
	const char *notes; // after them
	const struct options_row *rows;
	size_t n_rows;
};

// Reads into `out`, which holds the defaults; argv[0] is not looked at. 0; 1 after a page that was
// asked for; -EINVAL after a message on stderr that names the option and the remedy.
int options_read(const struct options_command *c, void *out, int argc, char **argv);

// Says on stderr that `problem`, with a pointer to --help. Returns -EINVAL.
int options_refuse(const struct options_command *c, const char *problem);

// Helpers for `read`. False if the text is no such number, or none of the words.
bool options_number(const char *text, double low, double high, double *out);
bool options_word(const char *text, const char *const *words, unsigned *out);
