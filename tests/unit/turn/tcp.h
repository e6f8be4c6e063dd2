// SPDX-License-Identifier: BSD-3-Clause
// TCP allocations (RFC 6062) on the harness: the control connection is the fixture's client. Codes
// are those of the answers, 0 for success; of a Connect that is not answered yet, 1.
#pragma once

#include "harness.h"

// The key of the first connection that came to a listener, in the edge's range.
#define TCP_CAME_IN (UINT64_C(1) << 32)

void tcp_init(struct fixture *f);
// tcp_init, then an allocation whose listener has been ordered.
void tcp_allocate(struct fixture *f);
// Another connection of a client with the credentials of `user`; NULL: of the harness's own.
void tcp_connection_open(struct fixture *f, struct client *c, uint16_t port, const char *user);
struct tp_session_order tcp_last_order(const struct fixture *f);
struct tp_addr tcp_peer(uint16_t port);
// Connect, by the control connection; NULL: without a peer.
unsigned tcp_connect(struct fixture *f, const struct tp_addr *peer);
// ConnectionBind.
unsigned tcp_join(struct fixture *f, struct client *c, uint32_t id);
// The edge's report; without a local address, the relayed one.
void tcp_report(struct fixture *f, struct tp_session_peer p);
// The edge's report of an order to connect.
void tcp_report_order(
	struct fixture *f, const struct tp_session_order *o, enum tp_peer_state state);
void tcp_report_arrival(struct fixture *f, uint64_t key, const struct tp_addr *peer);
// The answer of the client's last request, late.
void tcp_assert_answer(const struct fixture *f, unsigned code);
