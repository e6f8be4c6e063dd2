// SPDX-License-Identifier: BSD-3-Clause
// Values of the command line that load and export share. Each function returns NULL, or a phrase
// for the expected text.
#pragma once

#include <stddef.h>

#include <load/frame.h>

// ADDRESS or ADDRESS:PORT; default port 0: no port is allowed.
const char *load_value_address(const char *text, uint16_t port, struct load_addr *out);
