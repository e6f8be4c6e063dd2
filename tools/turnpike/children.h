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

#define CHILDREN_LEAVING_MAX 16u

struct children {
	const struct options *options;
	char programs[CHILDREN_COUNT][4096];
	// Services that the configuration needs; a service is a number below n everywhere else.
	unsigned n;
	enum children_service kinds[CHILDREN_COUNT];
	const char *names[CHILDREN_COUNT];
	pid_t pids[SUPERVISOR_SERVICES_MAX]; // 0: not running
	// That take over and are not ready yet; 0: none.
	pid_t successors[SUPERVISOR_SERVICES_MAX];
	pid_t leaving[CHILDREN_LEAVING_MAX]; // that were taken over; 0: none
	int notify_fd;
	char notify_path[64]; // for NOTIFY_SOCKET
};

// `needed`: a bit 1 << kind for each service. Finds their programs, and opens the notify socket. 0,
// or -1 after a message.
int children_init(struct children *c, const struct options *o, unsigned needed);

// 0 or a negative errno.
int children_start(struct children *c, unsigned service);
// Starts a process that takes over from the one that runs. 0 or a negative errno; -EALREADY: one
// does so; -EOPNOTSUPP: processes of this kind can't.
int children_upgrade(struct children *c, unsigned service);
// Also those that it has taken over from, and one that takes over.
void children_signal(const struct children *c, unsigned service, int signal);

// One process that ended; false when none has.
struct children_end {
	int service; // -1: an orphan that this process inherited, or one that was taken over
	int failed;  // its service, where it was to take over and did not; else -1
	int status;
};
bool children_reap(struct children *c, struct children_end *out);

// One message that waits on notify_fd. False: none.
struct children_notice {
	int service; // -1: of another process
	bool ready;
	bool took_over; // it is the service's process from now on
	bool alive;
};
bool children_hear(struct children *c, struct children_notice *out);
