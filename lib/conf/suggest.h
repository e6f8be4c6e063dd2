// SPDX-License-Identifier: BSD-3-Clause
// Suggests the known key that an unknown one was probably meant to be.
#pragma once

#include "loader.h"

// The key as it may be printed.
const char *conf_suggest_show(struct conf_loader *load, const char *key);
const char *conf_suggest_remedy(
	struct conf_loader *load, const struct section *section, const char *key);
// "workers, cores, poll"
const char *conf_suggest_known(struct conf_loader *load, const struct section *section);
