// SPDX-License-Identifier: BSD-3-Clause
// One end of a stream: a UDP socket in a network namespace, either a TURN client's or a plain
// peer's. Single-threaded.
#pragma once

#include "client.h"

// What the network said by ICMP, from the socket's error queue.
struct sm_errors {
	uint32_t count;
	uint8_t type, code; // of the last one
	bool v6;
};

struct sm_end {
	int fd;
	bool relayed; // a TURN client; else a plain socket
	struct sm_client client;
	union sm_addr own;
	union sm_addr remote; // plain: where it sends, once known
	bool remote_known;
	uint32_t other_source;	// plain: datagrams from elsewhere than the expected address
	union sm_addr expected; // plain: the relayed address
	struct sm_errors errors;
};

// Opens a socket in the namespace (NULL: this one), bound to `bind_to`, connected to `server` if
// that is not NULL. Negative errno on failure.
int sm_end_open(struct sm_end *e, const char *netns, const union sm_addr *bind_to,
	const union sm_addr *server);
void sm_end_close(struct sm_end *e);

// Receives one datagram without waiting: its length, or -EAGAIN. Errors reported by ICMP are
// collected on the way.
int sm_end_receive(struct sm_end *e, uint8_t *buf, size_t len, union sm_addr *from);
