// SPDX-License-Identifier: BSD-3-Clause
// One connection of the operator socket: frames in, frames out, at most one request at a time.
// Requests that follow wait in the socket, so memory is bounded by one request, one part of an
// answer and their JSON values.
#pragma once

#include <sys/types.h>

#include <ctl/server.h>

struct ctl_connection {
	int fd;	      // -1: free place
	uint32_t uid; // of the connected process
	int32_t pid;
	uint32_t events; // epoll interest now
	uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
	size_t out_sent;
	size_t out_size;
	int passed; // descriptor that came along (SCM_RIGHTS), for the next request; -1: none
	uint64_t waiting_since_ns; // for the client to read or to end a frame; 0: not waiting
	uint64_t idle_since_ns;	   // last time that there was something to do
	bool closing;		   // when everything is sent
	bool busy;		   // call is open: its next part is due
	json_t *request;	   // of the open call
	struct ctl_call call;
	ctl_handler_fn run;
};

// Takes ownership of fd. 0, -ENOMEM, or the error of reading the peer's credentials (fd is closed).
int ctl_connection_open(struct ctl_connection *c, int fd);
void ctl_connection_close(struct ctl_connection *c);

// Queues one frame. 0, -EMSGSIZE above TP_CTL_FRAME_MAX, or -ENOMEM.
int ctl_connection_put(struct ctl_connection *c, const json_t *frame);
// Sends as much as the socket takes. 0 or a negative errno: close it.
int ctl_connection_flush(struct ctl_connection *c);
// Reads the bytes that are available, at most one request's worth. 0 or a negative errno: close it.
int ctl_connection_fill(struct ctl_connection *c, uint64_t now_ns);
// The first complete frame: 1 with its JSON in *text (until ctl_connection_skip), 0 when there is
// none yet, -EMSGSIZE when it is longer than a request may be.
int ctl_connection_peek(const struct ctl_connection *c, const char **text, size_t *len);
void ctl_connection_skip(struct ctl_connection *c);
bool ctl_connection_has_output(const struct ctl_connection *c);
