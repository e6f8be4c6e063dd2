// SPDX-License-Identifier: BSD-3-Clause
// One end of a stream: a UDP socket in a network namespace, either a TURN client's or a plain
// peer's. Single-threaded.
#pragma once

#include <turnclient/client.h>

#define SM_CHECKS 3u // requests of a check

// ICMP errors of the network, from the socket's error queue.
struct sm_errors {
	uint32_t count;
	uint8_t type, code; // of the last one
	bool v6;
};

struct sm_end {
	int fd;
	bool relayed; // a TURN client; else a plain socket
	struct tc_client client;
	union tc_addr own;
	union tc_addr remote; // plain: where it sends, once known
	bool remote_known;
	uint32_t other_source;	// plain: datagrams from elsewhere than the expected address
	union tc_addr expected; // plain: the relayed address
	struct sm_errors errors;
	struct tc_request *checks[SM_CHECKS]; // of a check that is under way
};

// Opens a socket in the namespace (NULL: this one), bound to `bind_to`, connected to `server` if
// that is not NULL. Negative errno on failure.
int sm_end_open(struct sm_end *e, const char *netns, const union tc_addr *bind_to,
	const union tc_addr *server);
void sm_end_close(struct sm_end *e);

// Receives one datagram without waiting: its length, or -EAGAIN. Errors reported by ICMP are
// collected on the way.
int sm_end_receive(struct sm_end *e, uint8_t *buf, size_t len, union tc_addr *from);
