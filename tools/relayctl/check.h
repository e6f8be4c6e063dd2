// SPDX-License-Identifier: BSD-3-Clause
// `config check FILE`: needs no daemon.
#pragma once

#include "options.h"
#include "request.h"

bool rctl_check_is_local(const struct rctl_request *r);
// RCTL_EXIT_OK where the file has no mistake (warnings are shown all the same).
int rctl_check_run(const struct rctl_request *r, enum rctl_style style);
// The exit code that one part of a daemon's answer asks for: RCTL_EXIT_REFUSED where `config check`
// lists a mistake, so that a script is told the same with and without a daemon.
int rctl_check_verdict(const struct rctl_request *r, const json_t *result);
