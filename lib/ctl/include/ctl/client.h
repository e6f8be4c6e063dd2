// SPDX-License-Identifier: BSD-3-Clause
// The connection to the control process: <turnpike/ctl.h>. Blocking, with a time limit.
#pragma once

#include <jansson.h>

#define CTL_CLIENT_TIMEOUT_S 10

struct ctl_client {
	int fd;
	json_t *hello;
	json_int_t id;
};

// 0; -ECONNREFUSED or -ENOENT: nobody is there; -EPROTO: not our server, or another version of it;
// -EBUSY: too many clients; another negative errno.
int ctl_client_open(struct ctl_client *c, const char *path);
void ctl_client_close(struct ctl_client *c);

int ctl_client_send(struct ctl_client *c, const char *command, json_t *arguments);
// Likewise, with a descriptor, which stays the caller's; -1: none.
int ctl_client_send_with(
	struct ctl_client *c, const char *command, json_t *arguments, int descriptor);
// The next answer: 0 with a new reference, or a negative errno (-EPIPE: the server is gone,
// -EAGAIN: it said nothing for CTL_CLIENT_TIMEOUT_S).
int ctl_client_receive(struct ctl_client *c, json_t **answer);
