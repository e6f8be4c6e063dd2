// SPDX-License-Identifier: BSD-3-Clause
// Finds the sockets of a relay.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

#define RCTL_SOCKET_SIZE 108u

struct rctl_place {
	char control[RCTL_SOCKET_SIZE];	  // the operator socket
	char dataplane[RCTL_SOCKET_SIZE]; // the data plane's socket, if it runs
	char edge[RCTL_SOCKET_SIZE];	  // the operator socket of the edge, if it runs
};

// By --socket (a socket or its directory), else by the configuration of --config, else by the
// instance. An instance with a runtime directory of its own is found by the name that its control
// process gives. Returns RCTL_EXIT_OK, or an exit code after a message.
int rctl_locate(const struct rctl_options *o, struct rctl_place *p);

// Whether a socket of this path is bound in this network namespace. Makes no connection, which the
// data plane would take for the control process.
bool rctl_socket_is_bound(const char *path);

// The path of the first bound socket of this file name; false if there is none.
bool rctl_socket_named(const char *name, char path[RCTL_SOCKET_SIZE]);
