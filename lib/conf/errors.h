// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <conf/errors.h>

// Further errors are counted in n_errors, but not kept.
#define ERRORS_MAX 1000u

// Whether a further error is counted only: its remedy is not worth computing.
bool conf_errors_full(const struct conf_errors *e);

// Copies the strings of *from.
void conf_errors_add(struct conf_errors *e, const struct conf_error *from);

// By line, those of main_file first; the order of equals stays.
void conf_errors_sort(struct conf_errors *e, const char *main_file);
