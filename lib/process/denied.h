// SPDX-License-Identifier: BSD-3-Clause
// Denied system calls arrive as a signal, so that each is seen: the handler notes the call, which
// returns EPERM.
#pragma once

#include <stdbool.h>

// False: this machine's calls can't return from the handler; the filter must answer by itself.
bool denied_install(void);
