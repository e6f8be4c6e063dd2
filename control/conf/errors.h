// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <conf/errors.h>

// More are counted in n_errors, but not kept.
#define ERRORS_MAX 1000u

// Copies what *from points to.
void errors_add(struct conf_errors *e, const struct conf_error *from);

// By line, those of main_file first; the order of equals stays.
void errors_sort(struct conf_errors *e, const char *main_file);
