// SPDX-License-Identifier: BSD-3-Clause
// The rows of an answer on their way to the printer. Those of `allocation list` are put in order,
// oldest first, and cut to the limit afterwards.
#pragma once

#include <stdint.h>

#include "printer.h"
#include "request.h"

struct rctl_rows {
	struct rctl_printer *printer;
	bool ordered;	// rows are kept until all of them are there
	uint64_t limit; // rows that are printed; 0: all
	json_t **kept;	// n references
	size_t n;
	size_t capacity;
};

// Takes the limit out of the request: the server would apply it to rows in no order.
void rctl_rows_init(
	struct rctl_rows *w, const struct rctl_request *r, struct rctl_printer *printer);
void rctl_rows_fini(struct rctl_rows *w);

// One part of the answer.
void rctl_rows_add(struct rctl_rows *w, const json_t *part);
// Prints the rows that were kept; a line on stderr says how many the limit left out.
void rctl_rows_end(struct rctl_rows *w);
