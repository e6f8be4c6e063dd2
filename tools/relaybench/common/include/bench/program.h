// SPDX-License-Identifier: BSD-3-Clause
// Other people's programs that a command needs; looked for before anything is measured.
#pragma once

#include <stdbool.h>

// True if `name` is in $PATH. Otherwise says on stderr which Debian package has it and `remedy`.
bool bench_program_find(const char *name, const char *package, const char *remedy);
