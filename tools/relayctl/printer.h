// SPDX-License-Identifier: BSD-3-Clause
// The one printer: the results of a command as a table, JSON or tab-separated values.
#pragma once

#include <stdio.h>

#include <jansson.h>

#include <ctl/command.h>

#include "options.h"

struct rctl_printer {
	FILE *out;
	enum rctl_style style;
	const struct ctl_command *command;
	size_t n_rows; // printed so far, LIST
	bool lines;    // JSON of an OBJECT on one line
	unsigned widths[32];
};

void rctl_printer_init(struct rctl_printer *p, FILE *out, enum rctl_style style,
	const struct ctl_command *command);
// One answer's result: for a LIST one of its parts.
void rctl_printer_add(struct rctl_printer *p, const json_t *result);
// After the last one.
void rctl_printer_end(struct rctl_printer *p);
