// SPDX-License-Identifier: BSD-3-Clause
// Values of the command line. Each function returns 0, or -EINVAL after a message on stderr that
// names `what`.
#pragma once

#include <stdint.h>

int bench_value_refuse(const char *what, const char *value, const char *allowed);
int bench_value_number(const char *what, const char *text, double low, double high, double *out);
// A number without a fraction.
int bench_value_whole(const char *what, const char *text, double low, double high, uint32_t *out);
// The place of the text among the n words.
int bench_value_word(
	const char *what, const char *text, const char *const words[], unsigned n, unsigned *out);
