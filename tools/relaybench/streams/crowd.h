// SPDX-License-Identifier: BSD-3-Clause
// The clients: each connects and, if asked to, allocates and binds one channel to the peer by real
// requests with the long-term credential. One thread.
#pragma once

#include <load/sequence.h>

#include "conn.h"

enum streams_state {
	STREAMS_ABSENT,
	STREAMS_CONNECTING,
	STREAMS_CHALLENGE, // the Allocate without credentials is out
	STREAMS_ALLOCATING,
	STREAMS_BINDING, // the ChannelBind is out
	STREAMS_ASKING,	 // a Binding request is out
	STREAMS_LIVE,
	STREAMS_GONE, // failed, or closed by the server
};

enum streams_goal { STREAMS_GOAL_CONNECT, STREAMS_GOAL_ALLOCATE, STREAMS_GOAL_BINDING };
enum streams_direction { STREAMS_UP, STREAMS_DOWN, STREAMS_DIRECTIONS };

struct streams_client {
	struct streams_conn conn;
	uint8_t state; // enum streams_state
	bool writable_wanted;
	uint32_t serial; // of its last request
	uint64_t began_ns, asked_ns;
	uint32_t number[STREAMS_DIRECTIONS]; // of the next packet
	struct load_sequence seen[STREAMS_DIRECTIONS];
	union tc_addr relayed;
	SSL_SESSION *session; // the last that the server gave; NULL: none
	char nonce[128];
	uint8_t nonce_len;
};

struct streams_crowd {
	const struct streams_options *o;
	enum streams_goal goal;
	SSL_CTX *tls;
	int epoll_fd;
	struct streams_client *clients; // o->clients of them
	uint32_t n_pending, n_live, n_gone;
	uint32_t run; // in each transaction id
	char realm[128];
	uint8_t key[16];
	bool has_key;
	int problem; // of the first that failed: a negative errno, or the code of an error response
	// A packet for a live client.
	void (*media)(void *ctx, uint32_t client, const uint8_t *payload, size_t len);
	// A client's goal is reached.
	void (*reached)(void *ctx, uint32_t client);
	void *ctx;
};

// Without clients yet. 0 or a negative errno after a message on stderr.
int streams_crowd_open(
	struct streams_crowd *c, const struct streams_options *o, enum streams_goal goal);
void streams_crowd_close(struct streams_crowd *c);
// Starts client `i`, which is absent or gone; a failure leaves it gone.
void streams_crowd_begin(struct streams_crowd *c, uint32_t i);
// Ends client `i` and leaves it absent.
void streams_crowd_end(struct streams_crowd *c, uint32_t i);
// Serves all that has come, after a wait of at most `wait_ms`. Returns the number of events.
unsigned streams_crowd_poll(struct streams_crowd *c, int wait_ms);
// All clients to their goal, at most o->window at a time. 0, -ETIMEDOUT, -EIO or -EINTR.
int streams_crowd_set_up(struct streams_crowd *c);
// Asks the server a Binding request for each live client, likewise; c->n_live are those answered.
int streams_crowd_ask(struct streams_crowd *c);

uint64_t streams_now_ns(void); // CLOCK_MONOTONIC
