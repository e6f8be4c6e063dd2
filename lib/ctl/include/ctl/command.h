// SPDX-License-Identifier: BSD-3-Clause
// The operator's commands: one table for the server's checks, relayctl's parser, printer, help,
// manual page and completion. Const data: any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum ctl_argument_type {
	CTL_ARGUMENT_TEXT,
	CTL_ARGUMENT_NUMBER, // a whole number, 0 or more
	CTL_ARGUMENT_FLAG,   // true where it is named; has no value
};

// On the command line arguments come in this order, each as VALUE alone or as
// "--name VALUE"; optional ones also as "name VALUE". In a request they are members of "arguments".
struct ctl_argument {
	const char *name;
	enum ctl_argument_type type;
	bool required;
	const char *values; // "a|b|c" where only these words are taken, else NULL
	const char *text;
};

enum ctl_shape {
	CTL_SHAPE_LIST,	  // an array of objects, in as many answers as it takes
	CTL_SHAPE_OBJECT, // one object
};

// How a member is shown to people; programs get the JSON value.
enum ctl_format {
	CTL_FORMAT_TEXT,    // an array is shown as its members
	CTL_FORMAT_NUMBER,  // plain: a number that names something
	CTL_FORMAT_COUNT,   // 1,234,567
	CTL_FORMAT_OCTETS,  // 1.2 MB
	CTL_FORMAT_SECONDS, // 1 h 02 min
	CTL_FORMAT_NS,	    // 12.3 us
	CTL_FORMAT_PERCENT, // of a number between 0 and 1
	CTL_FORMAT_YES_NO,
	CTL_FORMAT_ROWS, // an array of objects: a table of its own
};

struct ctl_column {
	const char *key; // member of the object; "a.b" reaches into a member object
	const char *title;
	enum ctl_format format;
	const struct ctl_column *rows; // ROWS: the columns of the table below
	size_t n_rows;
};

struct ctl_command {
	const char *name; // "noun verb", or one word
	const char *text; // its effect, in one line
	const struct ctl_argument *arguments;
	size_t n_arguments;
	enum ctl_shape shape;
	const struct ctl_column *columns;
	size_t n_columns;
	bool edge; // turnpike-edge answers it, else turnpike-control
};

size_t ctl_command_count(void);
const struct ctl_command *ctl_command_at(size_t i);
// NULL: there is none of this name.
const struct ctl_command *ctl_command_find(const char *name);
