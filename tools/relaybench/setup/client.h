// SPDX-License-Identifier: BSD-3-Clause
// Clients that set an allocation up: their requests, signed before anything is measured, and the
// verdict on the answers, given afterwards. One thread.
#pragma once

#include <traffic/flow.h>

enum bench_stage {
	BENCH_CHALLENGE, // Allocate without credentials: brings the nonce
	BENCH_ALLOCATE,
	BENCH_PERMISSION,
	BENCH_CHANNEL,
	BENCH_STAGES
};

#define BENCH_MESSAGE_MAX 254u

struct bench_message {
	uint16_t len; // 0: none
	uint8_t octets[BENCH_MESSAGE_MAX];
};

struct bench_client {
	struct tp_addr addr;
	struct bench_message requests[BENCH_STAGES];
	struct bench_message answers[BENCH_STAGES];
};

struct bench_clients {
	uint32_t first; // number of the first client
	uint32_t n;
	uint32_t users;
	bool rest;
	struct bench_client *all; // [n]
	char wrong[160];
};

int bench_clients_init(struct bench_clients *c, uint32_t n, uint32_t users, bool rest); // -ENOMEM
void bench_clients_fini(struct bench_clients *c);

// Begins with the n clients from `first` on: their challenges are ready to be sent.
void bench_clients_begin(struct bench_clients *c, uint32_t first, uint32_t n);
// Takes the nonces out of the answers to the challenges and signs the other requests. -EPROTO with
// the reason in c->wrong.
int bench_clients_sign(struct bench_clients *c);
// Every answer a success of its request, under the user's key, and an address of our relay in those
// to Allocate. -EPROTO with the reason in c->wrong.
int bench_clients_verify(struct bench_clients *c);
