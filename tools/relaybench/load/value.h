// SPDX-License-Identifier: BSD-3-Clause
// Values of the command line that only a load has. Each function returns 0, or -EINVAL after a
// message on stderr that names `what`.
#pragma once

#include <stddef.h>

#include "frame.h"

// ADDRESS or ADDRESS:PORT; default port 0: no port is allowed.
int load_value_address(const char *what, const char *text, uint16_t port, struct load_addr *out);
// The first line of a file, or (NULL) $RELAYBENCH_PASSWORD, or nothing.
int load_value_password(char *password, size_t size, const char *file);
