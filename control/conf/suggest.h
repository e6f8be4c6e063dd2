// SPDX-License-Identifier: BSD-3-Clause
// What an unknown key was probably meant to be.
#pragma once

#include "reader.h"

// The key as it may be printed.
const char *suggest_show(struct reader *r, const char *key);
const char *suggest_remedy(struct reader *r, const struct section *section, const char *key);
// "workers, cores, poll"
const char *suggest_known(struct reader *r, const struct section *section);
