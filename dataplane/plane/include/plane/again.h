// SPDX-License-Identifier: BSD-3-Clause
// A second start in the same process, without huge pages: DPDK can't be started twice. The new
// program finds the host as after a crash, and takes over as after one.
#pragma once

// Added to the command line by plane_again.
#define PLANE_AGAIN_OPTION "--no-hugepages"

// Replaces the program by itself with PLANE_AGAIN_OPTION, with the privileges of the calling
// thread. Returns only where that fails: a negative errno.
int plane_again(void);
