// SPDX-License-Identifier: BSD-3-Clause
// The socket by which one edge process finds the one before it (SOCK_STREAM), and the records of
// <takeover/form.h> over it. One thread at a time for each way of a channel.
#pragma once

#include <sys/types.h>

#include <takeover/form.h>

// In the run directory, mode 0600: for the edge's own user, and root.
#define TAKEOVER_SOCKET_NAME "edge-takeover.sock"
#define TAKEOVER_PATH_SIZE   108u
// After the name of a socket whose name is still that of the process before.
#define TAKEOVER_LATER	     ".next"
// The patience of a new channel.
#define TAKEOVER_STEP_MS     5000u

// Listens, writing the path, which has the suffix. A descriptor (non-blocking, close-on-exec) or a
// negative errno.
int takeover_listen(char path[TAKEOVER_PATH_SIZE], const char *run_directory, const char *suffix);
// Connects, and checks that the other side is of the user or root. A descriptor, blocking, or a
// negative errno: -ECONNREFUSED or -ENOENT where no edge runs, -EPERM where a stranger listens.
int takeover_connect(const char *run_directory, uid_t user);
// Takes a connection that waits. A descriptor, blocking, or a negative errno; -EPERM: `*uid` is
// neither the caller's nor root's, and it is closed.
int takeover_accept(int listen_fd, uid_t *uid);

// Both wait for so long at most, in all calls from now on.
void takeover_patience(int fd, unsigned ms);

// Sends a record whose body has `len` bytes, with a descriptor unless it is -1. 0 or a negative
// errno, after which nothing more can be sent.
int takeover_send(int fd, enum takeover_kind kind, const void *body, size_t len, int passed);

// Whether something has come, or the end.
bool takeover_has_come(int fd);

struct takeover_record {
	struct takeover_head head;
	uint8_t *body; // of head.len bytes and a zero byte, the caller's: takeover_record_free
	int fd;	       // the caller's; -1: none
};

// Receives one. 0; -EPIPE: the end; -EPROTO: no record of an edge; -EPROTONOSUPPORT: of another
// version; or another negative errno. After a failure there is nothing to free.
int takeover_receive(int fd, struct takeover_record *r);
// Frees the body, and closes the descriptor if it is still there.
void takeover_record_free(struct takeover_record *r);
