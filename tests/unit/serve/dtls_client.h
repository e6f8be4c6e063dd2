// SPDX-License-Identifier: BSD-3-Clause
// OpenSSL's client of DTLS behind a pair of sockets, whose datagrams a test carries to the fake
// link and back.
#pragma once

#include "world.h"

#define DTLS_ROUNDS 40u

struct dtls_client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd; // the far end of its socket
	struct tp_addr remote;
	struct edge_link_way way;
	// Messages that the edge has handed to the data plane, the last one.
	unsigned n_messages;
	struct fake_edge_message message;
	unsigned astray; // datagrams by another way than the client's
};

// A client of 192.0.2.9 with this port, in host order.
void dtls_client_start(struct dtls_client *c, uint16_t port);
void dtls_client_stop(struct dtls_client *c);
// A datagram of its address for the edge.
void dtls_client_put(struct world *w, const struct dtls_client *c, const uint8_t *data, size_t len);
// Carries what both sides have sent.
void dtls_client_carry(struct world *w, struct dtls_client *c);
// Fails if the handshake does not end.
void dtls_client_shake(struct world *w, struct dtls_client *c);
// Fails if the message does not come to the data plane.
void dtls_client_say(struct world *w, struct dtls_client *c, const void *bytes, int len);

struct serve_counters world_counters(struct world *w);
