// SPDX-License-Identifier: BSD-3-Clause
// Reports and sockets of TCP allocations, for their tests.
#pragma once

#include <relay/relay.h>

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline struct sockaddr_in sockaddr_of(const struct tp_addr *a)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = a->port_be};

	memcpy(&at.sin_addr, a->ip, 4);
	return at;
}

// The next report, as soon as an event brings one.
static inline struct edge_relay_report told_next(struct edge_relay *r, uint64_t now_ns)
{
	struct pollfd p = {.fd = edge_relay_fd(r), .events = POLLIN};
	struct edge_relay_report report;

	for (unsigned i = 0; i < 100 && !edge_relay_due(r, &report); i++) {
		(void)poll(&p, 1, 1000);
		edge_relay_poll(r, now_ns);
	}
	assert_true(edge_relay_due(r, &report));
	edge_relay_told(r);
	return report;
}
