// SPDX-License-Identifier: BSD-3-Clause
// What the process gives away before it reads what strangers send. Each answers 0 or a negative
// errno.
#pragma once

#include <sys/types.h>

// Becomes the user, with its groups and `group` ((gid_t)-1: the user's own) as the first one.
// -ENOENT: there is no such user.
int io_privilege_become(const char *user, gid_t group);
// The directory becomes the user's, and the group may write there as well: where the process makes
// its files after io_privilege_become.
int io_privilege_give(const char *directory, const char *user, gid_t group);
// No capability is left, none can be gained, no core dump and no debugger sees the keys.
int io_privilege_drop(void);

// From here on the process serves what it has open: it makes no file, truncates none, runs no
// program, maps no code, opens no network socket.
int io_sandbox_enter(void);
