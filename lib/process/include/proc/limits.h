// SPDX-License-Identifier: BSD-3-Clause
// Checks at the start of a process what it would miss later under another name.
#pragma once

// Raises the limit of open files to what is allowed; fails if fewer than `descriptors` are, or if
// sockets of netlink are refused. Returns 0, or the exit status after a line that names the cause
// and the remedy.
int proc_limits_check(unsigned descriptors);
