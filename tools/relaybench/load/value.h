// SPDX-License-Identifier: BSD-3-Clause
// Values of the command line. Each function returns 0, or -EINVAL after a message on stderr that
// names `what`.
#pragma once

#include <stddef.h>

#include "frame.h"

int load_value_refuse(const char *what, const char *value, const char *allowed);
int load_value_number(const char *what, const char *text, double low, double high, double *out);
int load_value_whole(const char *what, const char *text, double low, double high, uint32_t *out);
// ADDRESS or ADDRESS:PORT; default port 0: no port is allowed.
int load_value_address(const char *what, const char *text, uint16_t port, struct load_addr *out);
// The place of the text among the words.
int load_value_word(
	const char *what, const char *text, const char *const words[], unsigned n, unsigned *out);
// The first line of a file, or (NULL) $RELAYBENCH_PASSWORD, or nothing.
int load_value_password(char *password, size_t size, const char *file);
