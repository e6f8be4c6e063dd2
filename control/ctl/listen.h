// SPDX-License-Identifier: BSD-3-Clause
// The operators' socket in the file system.
#pragma once

#include <sys/un.h>

// Removes the file of a socket at which nobody listens. 0; -EADDRINUSE: somebody does; -EEXIST: it
// is no socket; or another negative errno.
int ctl_address_clear(const struct sockaddr_un *address);
// Listens there, mode 0660 and of the group; NULL: the process's. 0 or a negative errno; *fd is to
// be closed in both cases, or -1.
int ctl_listen_open(const struct sockaddr_un *address, const char *group_name, int *fd);
