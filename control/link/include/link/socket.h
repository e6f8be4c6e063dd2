// SPDX-License-Identifier: BSD-3-Clause
// The connection to the data plane's socket: it brings the timers by which both sides
// wake each other, and its end tells
// that the data plane is gone. One thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include <shm/place.h>
#include <turnpike/capture.h>

#define LINK_CAPTURES 64u

struct link_socket {
	const char *path;	       // the data plane's socket; borrowed
	const struct shm_place *place; // its groups may listen there; borrowed
	int epoll_fd;		       // where its descriptors are watched; borrowed
	uint32_t tag;		       // epoll data of the socket
	uint32_t kick_tag;
	int fd;	     // -1: not connected
	int kick_fd; // -1: not (yet) received
	int wake_fd; // likewise
	// Those asked for last: the data plane may have refused the newest for the sake of one
	// before.
	struct {
		uint32_t number; // 0: none
		uint32_t ref;	 // its allocation
	} captures[LINK_CAPTURES];
	unsigned n_captures;
	uid_t stranger; // (uid_t)-1, or of the process that listened at the last attempt in vain
};

void link_socket_init(struct link_socket *l, const char *path, const struct shm_place *place,
	int epoll_fd, uint32_t tag, uint32_t kick_tag);
void link_socket_fini(struct link_socket *l);

static inline bool link_socket_is_up(const struct link_socket *l)
{
	return l->kick_fd >= 0;
}

// Tries to connect, once, without waiting. 0, or a negative errno (-ENOENT, -ECONNREFUSED: the data
// plane is not there; -EPERM: a process listens that is none of <shm/group.h>'s; logged once).
int link_socket_connect(struct link_socket *l);
// The socket is readable. 1: the timer that wakes us has come; 0: nothing new; -ECONNRESET: the
// data plane is gone and the link is closed; another negative errno, closed too.
int link_socket_read(struct link_socket *l);
// Sends a request of <turnpike/observe.h>; `fd` goes along and stays the caller's (-1: none). 0;
// -ENOTCONN, another negative errno: not taken.
int link_socket_ask(struct link_socket *l, const void *request, size_t size, int fd);
// Asks for a capture of allocation `ref`. Likewise.
int link_socket_capture(
	struct link_socket *l, const struct tp_capture_request *request, int fd, uint32_t ref);
// The allocation is gone: its addresses may become another's.
void link_socket_capture_end(struct link_socket *l, uint32_t ref);
// Wakes workers that sleep: there is something in their rings. Never blocks.
void link_socket_wake(const struct link_socket *l);
// The timer that wakes us is readable: takes its count.
void link_socket_kicked(struct link_socket *l);
