// SPDX-License-Identifier: BSD-3-Clause
// The data plane's socket (TP_PUNT_SOCKET_NAME): a control process that connects is given the
// eventfd by which workers wake it. Its end-of-file tells that the other process died.
// Housekeeping's thread only; workers write to the eventfd.
#pragma once

#include <sys/types.h>

#include <turnpike/capture.h>
#include <turnpike/ctl.h>
#include <turnpike/limits.h>
#include <turnpike/trace.h>

#define KICK_CLIENTS_MAX 4u

struct kick {
	int event_fd; // non-blocking
	int listen_fd;
	int clients[KICK_CLIENTS_MAX]; // -1: free
	char path[108];
	int tracer; // the client whose request is news or whose trace runs; -1: none
	bool asked; // `request` is news; the owner clears it
	struct tp_trace_request request;
	int capturer;	    // the client whose capture is news or runs; -1: none, or it is gone
	bool capture_asked; // `capture` is news; the owner clears it and takes capture_fd
	int capture_fd;	    // what came with it; -1: nothing
	struct tp_capture_request capture;
};

// Makes the eventfd and the socket, 0660, of `group` unless that is (gid_t)-1.
int kick_init(struct kick *k, const char *run_directory, gid_t group);

// Accepts and notices ends, without waiting. *came and *went count clients.
void kick_poll(struct kick *k, unsigned *came, unsigned *went);

// A record to the client that asked last. False: it did not take it, or there is none.
bool kick_send(struct kick *k, const struct tp_trace_record *record);

// Closes and removes the socket.
void kick_fini(struct kick *k);
