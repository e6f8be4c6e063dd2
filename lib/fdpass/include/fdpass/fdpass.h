// SPDX-License-Identifier: BSD-3-Clause
// A descriptor that goes along with data over a Unix socket (SCM_RIGHTS): one, or none.
//
// A descriptor comes with the first of the bytes that it was sent with, so that nobody may read
// those with anything but fdpass_receive. Any thread.
#pragma once

#include <stddef.h>
#include <sys/types.h>

// `fd` stays the caller's; -1: none. Octets that were sent, or a negative errno. Never SIGPIPE;
// `flags` are those of sendmsg(2) besides.
ssize_t fdpass_send(int socket, const void *data, size_t len, int fd, int flags);

// `*fd`: the first descriptor that came along, close-on-exec and the caller's, or -1; there are
// never more to care for. Octets, 0 at the end of the stream, or a negative errno. `flags` are
// those of recvmsg(2).
ssize_t fdpass_receive(int socket, void *data, size_t len, int *fd, int flags);
