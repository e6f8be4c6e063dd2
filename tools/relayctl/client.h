// SPDX-License-Identifier: BSD-3-Clause
// The connection to the control process: <turnpike/ctl.h>. Blocking, with a time limit.
#pragma once

#include <jansson.h>

#define RCTL_TIMEOUT_S 10

struct rctl_client {
	int fd;
	json_t *hello;
	json_int_t id;
};

// 0; -ECONNREFUSED or -ENOENT: nobody is there; -EPROTO: not our server, or another version of it;
// -EBUSY: too many clients; another negative errno.
int rctl_client_open(struct rctl_client *c, const char *path);
void rctl_client_close(struct rctl_client *c);

int rctl_client_send(struct rctl_client *c, const char *command, json_t *arguments);
// Likewise, with a descriptor, which stays the caller's; -1: none.
int rctl_client_send_with(
	struct rctl_client *c, const char *command, json_t *arguments, int descriptor);
// The next answer: 0 with a new reference, or a negative errno (-EPIPE: the server is gone,
// -EAGAIN: it said nothing for RCTL_TIMEOUT_S).
int rctl_client_receive(struct rctl_client *c, json_t **answer);
