// SPDX-License-Identifier: BSD-3-Clause
// The TURN side of a load: every allocation of a population set up by real requests (401, nonce,
// long-term credential), kept alive, replaced on demand, deleted at the end. Lost requests are
// sent again (RFC 8489 section 6.2.1). Messages and time in, messages out; no socket, no clock.
// One thread; times are any monotonic clock's nanoseconds.
#pragma once

#include <load/population.h>

#define LOAD_NONCE_MAX 104u
#define LOAD_CODES_MAX 700u // error codes counted: 0 to 699

enum load_state {
	LOAD_ABSENT,
	LOAD_CHALLENGE, // the Allocate without credentials is out
	LOAD_ALLOCATE,
	LOAD_PERMIT,
	LOAD_BIND, // channel slot.channel is out
	LOAD_LIVE,
	LOAD_REFRESH, // live: the allocation's lifetime is asked for anew
	LOAD_REBIND,  // live: channel slot.channel is asked for anew, and with it its permission
	LOAD_DELETE,
	LOAD_FAILED
};

struct load_slot {
	uint32_t client; // of the population
	uint32_t serial; // of its last request: the transaction
	uint8_t state;	 // enum load_state
	uint8_t tries;
	bool media;   // may be sent
	bool replace; // set up again after its deletion
	uint16_t channel;
	uint16_t nonce_len;
	struct load_addr relayed;
	uint32_t flight; // place among the requests in flight
	uint64_t started_ns;
	uint64_t next_ns;    // of its retransmission
	uint64_t renewed_ns; // the last time that all of it was fresh
	char nonce[LOAD_NONCE_MAX];
};

struct load_client_options {
	struct load_population population;
	const char *user, *password;
	uint32_t window;     // requests in flight at most
	uint32_t lifetime_s; // asked for
	uint32_t run; // in each transaction id: no other run has it
	// The message of client number `client` to the server; valid during the call.
	void (*send)(void *ctx, uint32_t client, const uint8_t *msg, size_t len);
	void *ctx;
};

struct load_client_counts {
	uint64_t requests, again; // sent; sent again because no answer came
	uint64_t set_up, deleted, replaced, refreshed;
	uint64_t failed;	// allocations given up
	uint64_t bad_integrity; // success responses that were not signed by the server
	uint64_t strange;	// answers to nothing we asked
	uint64_t codes[LOAD_CODES_MAX];
	uint64_t setup_ns; // sum over set-ups, first request to last answer
};

struct load_client;

int load_client_create(struct load_client **out, const struct load_client_options *o);
void load_client_destroy(struct load_client *c); // NULL is fine

const struct load_slot *load_client_slot(const struct load_client *c, uint32_t allocation);
const struct load_client_counts *load_client_counts(const struct load_client *c);
uint32_t load_client_live(const struct load_client *c);
// Requests in flight and waiting.
uint32_t load_client_pending(const struct load_client *c);

// Asks for every allocation that is absent / for the end of every live one.
void load_client_open(struct load_client *c);
void load_client_close(struct load_client *c);
// Ends one live allocation, media first; another client takes its place. False when it is not live.
bool load_client_replace(struct load_client *c, uint32_t allocation, uint64_t now_ns);

// A datagram from the server to that client. True if it was STUN.
bool load_client_input(
	struct load_client *c, uint32_t client, const uint8_t *msg, size_t len, uint64_t now_ns);
// Sends due requests; must be called at least every few milliseconds.
void load_client_tick(struct load_client *c, uint64_t now_ns);
