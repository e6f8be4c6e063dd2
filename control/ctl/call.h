// SPDX-License-Identifier: BSD-3-Clause
// From a request's text to its handler, and from the handler's answer to a frame.
#pragma once

#include "connection.h"

// Reads the request and opens the client's call, or queues the answer that refuses it. 0, or a
// negative errno when the client must go: this was no request.
int ctl_call_open(struct ctl_connection *c, const struct ctl_server_conf *conf, const char *text,
	size_t len, uint64_t now_ns);
// Runs one step of the client's open call and queues its output. 0 or a negative errno.
int ctl_call_step(struct ctl_connection *c, void *ctx, uint64_t now_ns);
