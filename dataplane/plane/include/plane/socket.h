// SPDX-License-Identifier: BSD-3-Clause
// The data plane's socket (TP_PUNT_SOCKET_NAME): a control process that connects is given the
// descriptors of <turnpike/ctl.h> by which both sides wake each other, and asks for traces and
// captures. The end of its connection tells that it died. Housekeeping's thread only.
#pragma once

#include <sys/types.h>

#include <observe/observe.h>
#include <turnpike/ctl.h>

#define PLANE_SOCKET_CLIENTS_MAX 4u

struct plane_socket {
	int kick_fd; // wakes the control process
	int wake_fd; // wakes the workers
	int listen_fd;
	int clients[PLANE_SOCKET_CLIENTS_MAX]; // -1: free
	char path[108];
	bool asked;	// `request` is new; the owner clears it and takes request_fd
	int request_fd; // the descriptor that came with it; -1: none
	union observe_request request;
};

// Makes the descriptors and the socket, 0660, of `group` unless that is (gid_t)-1.
int plane_socket_init(struct plane_socket *s, const char *run_directory, gid_t group);

// Accepts, notices ends and takes at most one request, without waiting. *came and *went count
// clients.
void plane_socket_poll(struct plane_socket *s, unsigned *came, unsigned *went);

// Closes and removes the socket.
void plane_socket_fini(struct plane_socket *s);
