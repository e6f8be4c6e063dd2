// SPDX-License-Identifier: BSD-3-Clause
// The result of a run as one JSON object.
#pragma once

#include <stdio.h>

#include "run.h"

void sm_report_print(const struct sm_run *r, FILE *to);
