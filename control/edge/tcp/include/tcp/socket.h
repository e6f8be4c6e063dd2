// SPDX-License-Identifier: BSD-3-Clause
// TCP sockets that do not block and are closed at exec. Any thread may call these functions, each
// on descriptors of its own.
#pragma once

#include <stdbool.h>

#include <sys/socket.h>

#include <turnpike/addr.h>

// Returns the length of the address in `out`.
socklen_t tcp_sockaddr(const struct tp_addr *a, struct sockaddr_storage *out);

// A socket bound to `local`, of whose port there may be several. `is_early`: the address may come
// to its interface later. A descriptor, or a negative errno.
int tcp_bind(const struct tp_addr *local, bool is_early);

// The next connection that waits at a listening socket, and the address it comes from. A
// descriptor, or a negative errno: -EAGAIN if none waits.
int tcp_accept(int fd, struct tp_addr *from);
