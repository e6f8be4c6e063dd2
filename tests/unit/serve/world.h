// SPDX-License-Identifier: BSD-3-Clause
// The edge's connections in a test: real sockets on 127.0.0.1, a fake link, and the loop's turns
// called by the test, so that nothing depends on time.
#pragma once

#include <serve/serve.h>
#include <turnpike/stun.h>

#include "fake_edge_link.h"

enum world_listener {
	WORLD_TCP = 11, // ids of the fake control process
	WORLD_TLS = 12, // the same port as WORLD_TCP
	WORLD_PROXIED = 13,
	WORLD_TLS_ALONE = 14,
	WORLD_SHARED_TCP = 15,
	WORLD_SHARED_TLS = 16, // the same port
	WORLD_DTLS = 17,       // beside WORLD_TLS_ALONE
};

struct world {
	struct conf *conf;
	struct tls_tickets *tickets;
	struct serve *serve;
	struct edge_link *link;
	uint16_t ports[4]; // TCP and TLS, proxied, TLS alone, shared with backends
	// More keys of the listeners of the shared port, each after a comma; NULL: none.
	const char *shared_tcp;
	const char *shared_tls;
	unsigned n_workers; // 0: one
	bool unnamed;	    // the control process has named no listener
};

#define WORLD_MEDIA_LEN 9u // without padding

// A ChannelData message, padded as in a stream.
extern const uint8_t world_media[12];

// A Binding request with a transaction id made of `mark`. Returns its length.
size_t world_request(uint8_t out[TP_STUN_HEADER_LEN], uint8_t mark);

extern char world_directory[];
extern char world_certificate[64], world_key[64];

// Setup and teardown of a group of tests: the directory and the certificate.
int world_setup(void **state);
int world_teardown(void **state);

// `edge`: more lines of the section edge, each with its indentation.
void world_start(struct world *w, const char *edge);
void world_stop(struct world *w);
// Another process of the edge, of the same configuration, with the listening sockets of the first.
void world_next(struct world *next, struct world *w);
void world_next_stop(struct world *next);
// A configuration of these listeners, each a line of YAML with its indentation.
struct conf *world_conf(const char *listeners, const char *edge);
// Ports of 127.0.0.1 that are free, and differ.
void world_ports(uint16_t *ports, size_t n);
void world_turns(struct world *w, unsigned n);

// A connection to a port, not blocking.
int world_connect(uint16_t port);
void world_write(int fd, const void *bytes, size_t len);
// Bytes that have come; 0: none; -1: the end.
ssize_t world_read(int fd, void *out, size_t room);
// Turns until the connection is closed by the edge.
void world_closed(struct world *w, int fd);
uint64_t world_closes(struct world *w, enum serve_close why);

// The next message that the edge has handed over, after some turns. Fails if none comes.
void world_take(struct world *w, struct fake_edge_message *m);
// A message for a client.
void world_put(struct world *w, uint64_t connection, const void *data, size_t len);

// A client of TLS, not blocking.
struct world_client {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

void world_client_start(struct world_client *c, uint16_t port);
void world_client_shake(struct world *w, struct world_client *c);
void world_client_end(struct world_client *c);
