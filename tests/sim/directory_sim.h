// SPDX-License-Identifier: BSD-3-Clause
// A server, its clients and a directory, as directory_sim.c brings them together. One thread; each
// check that fails ends the process with the seed.
#pragma once

#include <state.h>

#include <fake_store.h>
#include <stun_client.h>

#define REALM		"sim.example"
#define CLIENTS		96u // of these every third comes by stream
#define USERS		24u // of the directory
#define STATICS		4u
#define TRANSACTIONS	8u // that a client remembers
#define QUESTIONS	4096u
#define UDP_LISTENER	1u
#define STREAM_LISTENER 2u

enum mode { MODE_HONEST, MODE_SLOW, MODE_LYING, MODE_DYING, MODES };

struct transaction {
	uint8_t txid[12];
	struct msg msg;
	uint64_t since_ns; // of a waiting one
	bool waits;
	bool right; // its password is
};

struct client {
	struct turn_tuple tuple;
	char nonce[64];
	struct transaction last[TRANSACTIONS];
	unsigned next;
	uint32_t n_txids;
	bool is_stream;
	bool is_open;
};

struct question {
	uint64_t ticket;
	uint64_t due_ns;
	char name[32];
	bool is_due; // false: never
};

struct sim {
	uint64_t random;
	uint64_t seed;
	uint64_t now_ns;
	struct fake_store store;
	struct turn_listener listeners[2];
	struct turn_relay_address relay;
	struct turn_realm_conf realm;
	struct turn_user statics[STATICS];
	char static_names[STATICS][16];
	struct turn_conf conf;
	struct turn_server *server;
	struct client clients[CLIENTS];
	struct question questions[QUESTIONS];
	size_t n_questions;
	enum mode mode;
	uint64_t mode_until_ns;
	uint64_t n_requests;
	uint64_t n_replies;
	uint64_t n_waits;
	uint64_t n_ended; // waiting ones: answered, or dropped with their connection
	uint64_t n_codes[600];
	unsigned max_waiting;
};

_Noreturn void sim_fail(const struct sim *s, const char *text);
// At random, less than n.
uint32_t sim_below(struct sim *s, uint32_t n);

// ---- directory_clients.c ----

// The name of a user: of the configuration below STATICS, else of the directory.
void sim_name_of(unsigned user, char name[32]);
// Takes all outputs of the server; whether one of them answered `now`, the transaction that this
// call handed in (NULL: none).
bool sim_outputs_take(struct sim *s, const struct transaction *now);
// A request of the client, new or repeated.
void sim_request_send(struct sim *s, unsigned client);
// A stream client's connection opens, or ends with what waits on it.
void sim_stream_turn(struct sim *s, unsigned client);

// ---- directory.c ----

// The server asks.
void sim_question_note(struct sim *s, const struct turn_lookup *lookup);
// Answers what is due, honestly or not.
void sim_directory_turn(struct sim *s);
