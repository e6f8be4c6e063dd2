// SPDX-License-Identifier: BSD-3-Clause
// The relay's share of a host's UDP: one address with a range of ports. The steering program, the
// guard and the reserved ports are all made from the same list of these.
#pragma once

#include <turnpike/addr.h>

enum steer_kind {
	STEER_LISTENER, // port_min == port_max
	STEER_RELAY,
};

struct steer_claim {
	struct tp_addr addr; // port 0
	uint16_t port_min;   // inclusive, host order
	uint16_t port_max;
	enum steer_kind kind;
};

// The cause of a failure and the operator's remedy; both always terminated.
struct steer_fault {
	char problem[256];
	char remedy[256];
};

// Fills a fault and returns `err`, negative.
int steer_fault_set(struct steer_fault *f, int err, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
