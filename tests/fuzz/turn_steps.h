// SPDX-License-Identifier: BSD-3-Clause
// The language of the turn_server target: an input is a list of steps, each an operation's byte
// and its operands. Numbers are in network order. Octets that are no operation are skipped.
#pragma once

enum turn_step {
	STEP_SLEEP = 1, // seconds (16 bit)
	STEP_RAW,	// client, length (16 bit), datagram
	STEP_REQUEST,	// client, method, transaction, flags, length (16 bit), attributes
	STEP_KILL,	// which
	STEP_RESTART,	//
	STEP_LIMIT,	// table (0 to 2), objects it has room for
	STEP_LOOK,	//
	STEP_LATE,	// seconds (16 bit) during which no timer runs
};

// Flags of a request: the target adds the credentials, so that a fuzzer gets past them.
#define FLAG_USER	  0x03u // 0 static, 1 time-limited, 2 unknown, 3 another static one
#define FLAG_WRONG_KEY	  0x04u
#define FLAG_UNSIGNED	  0x08u
#define FLAG_SHA256	  0x10u
#define FLAG_FINGERPRINT  0x20u
#define FLAG_NONCE_BROKEN 0x40u
#define FLAG_TRAILER	  0x80u // an attribute behind the integrity

#define STEP_CLIENTS	  8u // even ones over IPv4, odd ones over IPv6
