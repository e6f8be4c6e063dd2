// SPDX-License-Identifier: BSD-3-Clause
// The processes themselves: starts them, signals them, reads their notifications.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "supervisor.h"

enum children_service {
	CHILDREN_CONTROL, // ends first, so that it reports the ends of allocations
	CHILDREN_DATAPLANE,
	CHILDREN_EDGE,	    // where there is a listener of tcp, tls or dtls
	CHILDREN_DIRECTORY, // where there are directory.sources
	CHILDREN_COUNT,
};

struct children {
	const struct options *options;
	char programs[CHILDREN_COUNT][4096];
	// Services that the configuration needs; a service is a number below n everywhere else.
	unsigned n;
	enum children_service kinds[CHILDREN_COUNT];
	const char *names[CHILDREN_COUNT];
	pid_t pids[SUPERVISOR_SERVICES_MAX]; // 0: not running
	int notify_fd;
	char notify_path[64]; // for NOTIFY_SOCKET
};

// `needed`: a bit 1 << kind for each service. Finds their programs, and opens the notify socket. 0,
// or -1 after a message.
int children_init(struct children *c, const struct options *o, unsigned needed);

// 0 or a negative errno.
int children_start(struct children *c, unsigned service);
void children_signal(const struct children *c, unsigned service, int signal);

// One process that ended: its service, or -1 for an orphan that this process inherited; false when
// none has ended.
bool children_reap(struct children *c, int *service, int *status);

// One message that waits on notify_fd. False: none.
struct children_notice {
	int service; // -1: of another process
	bool ready;
	bool alive;
};
bool children_hear(struct children *c, struct children_notice *out);
