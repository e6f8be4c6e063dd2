// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "session.h"

// Commands of a file, one a line; "-": standard input. The first failure's exit code.
int rctl_batch_run(struct rctl_session *s, const char *path);
