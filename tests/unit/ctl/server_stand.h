// SPDX-License-Identifier: BSD-3-Clause
// A server with handlers of many kinds, on a socket in a folder of its own, and clients that run it
// while they wait.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctl/server.h>
#include <turnpike/base.h>

#define LIST_PARTS  400u // of `allocation list`, 32 rows each
#define MAX_CLIENTS 4u
#define PATIENCE_NS (5 * TP_NS_PER_S)
#define IDLE_NS	    (60 * TP_NS_PER_S)

struct stand {
	char dir[64];
	char path[96];
	struct ctl_server *s;
	uint64_t now_ns;
	unsigned steps; // of `allocation list`
};

// Set-up for cmocka's tests: the state is a struct stand.
int stand_open(void **state);
int stand_close(void **state);

struct ctl_server_conf stand_conf(struct stand *f);

// A connection; the second has read its hello.
int stand_client(struct stand *f);
int stand_greeted_client(struct stand *f);

void stand_put_raw(int fd, const void *data, size_t len);
// A frame.
void stand_put(int fd, const char *json);
// The next frame, a new reference; NULL: the connection has ended.
json_t *stand_get(struct stand *f, int fd);
// The next frame must be that, compact and its keys in order.
void stand_expect(struct stand *f, int fd, const char *wanted);
