// SPDX-License-Identifier: BSD-3-Clause
// The socket by which one process of an instance is found by another: a name in the run directory,
// for its owner and a group. Any thread.
#pragma once

#include <stddef.h>
#include <sys/types.h>

// Writes DIRECTORY/NAME to `path` and listens there; `type`: SOCK_STREAM or SOCK_SEQPACKET. The
// caller holds its role's lock, so a socket that has the name is of a process that died, and is
// replaced. Mode 0660, of `group` unless it is (gid_t)-1. Returns the descriptor, non-blocking and
// close-on-exec, which is the caller's as is the name; or a negative errno, then nothing is left.
int fdpass_listen(char *path, size_t size, const char *directory, const char *name, int type,
	gid_t group, int backlog);
