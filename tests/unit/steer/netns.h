// SPDX-License-Identifier: BSD-3-Clause
// A network namespace of the test's own: nothing it does to interfaces, nft tables and sysctls is
// seen outside, and all of it ends with the process.
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#define EXIT_SKIPPED 77

static inline bool netns_enter(void)
{
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	fprintf(stderr, "skipped: needs root for a network namespace\n");
	return false;
}
