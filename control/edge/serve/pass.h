// SPDX-License-Identifier: BSD-3-Clause
// The state of a connection that is a backend's or a peer's. pass.c has both ways of it, way.c one.
#pragma once

#include "internal.h"

enum side {
	CLIENT,
	BACKEND,
};

struct way {
	enum side from;
	uint8_t *bytes; // that are to leave; NULL: none
	size_t at, n;
	struct splice spliced; // behind them
	bool ended;	       // no more comes
	bool told;	       // and the other side knows
};

struct pass {
	int fd; // of the backend
	bool connected;
	struct tp_addr backend; // family 0: a peer
	uint64_t key;		// of the peer connection; 0: a backend
	struct meter *meter;	// of a peer's allocation
	uint64_t n_up, n_down;	// bytes
	struct way up, down;
	bool down_first; // the ways have turns, too
	bool peers;	 // a peer's, although without a key here: the next process has it
	bool copies;	 // urgent bytes have come: splice(2) never gets past one
};

// 1: there may be more; 0: an event will tell; -1: the end of both, with *why.
int way_pump(struct conn *c, struct way *w, enum serve_close *why);
// A byte has passed, or a side is connected: the connection's time begins anew.
void pass_note(struct conn *c);
// Asks for all events of a side.
bool pass_watch(struct conn *c, int fd, int op);
// Bytes that a way has taken.
void pass_count(struct conn *c, const struct way *w, size_t n);
