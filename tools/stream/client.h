// SPDX-License-Identifier: BSD-3-Clause
// One TURN client over a connected UDP socket: requests with retransmission (RFC 8489 section
// 6.2.1: 500 ms, doubled), long-term credentials, one peer with a permission and a channel.
// Single-threaded; times are CLOCK_MONOTONIC nanoseconds.
#pragma once

#include "stun.h"

#define SM_REQUESTS_MAX	 64u
#define SM_CHANNEL_FIRST 0x4000u

enum sm_kind {
	SM_K_ALLOCATE,
	SM_K_ALLOCATE_AGAIN, // the very octets of the first successful Allocate
	SM_K_REFRESH,
	SM_K_REFRESH_ZERO,
	SM_K_PERMISSION,
	SM_K_CHANNEL,
	SM_K_COUNT,
};

enum sm_answer {
	SM_WAITING,
	SM_SUCCEEDED,
	SM_FAILED, // an error response; see error_code
	SM_UNANSWERED,
};

struct sm_request {
	enum sm_kind kind;
	enum sm_answer answer;
	int error_code;
	unsigned tries;
	unsigned rebuilt;  // times a 401 or 438 gave it a new nonce
	bool integrity_ok; // of the response
	bool same_relayed; // ALLOCATE_AGAIN: the response named the same relayed address
	bool reported;	   // appears in the report; keep-alives do not
	uint64_t sent_ns, next_ns, answered_ns;
	uint8_t id[SM_STUN_ID];
	uint8_t msg[SM_STUN_MAX];
	size_t msg_len;
};

struct sm_credential {
	char user[256];
	char password[256];
};

struct sm_client {
	int fd;
	const struct sm_credential *credential;
	int family; // of the relayed address asked for: 0 (none named), AF_INET, AF_INET6
	char realm[128], nonce[256];
	uint8_t key[16];
	bool has_key;
	union sm_addr relayed, peer;
	uint16_t channel; // 0: data goes by indications; set by the owner once it is bound
	uint32_t lifetime_s;
	uint8_t allocate[SM_STUN_MAX]; // as it succeeded
	size_t allocate_len;
	uint8_t allocate_id[SM_STUN_ID];
	struct sm_request *requests; // SM_REQUESTS_MAX of them
	unsigned n_requests;
	uint32_t strange; // messages that were no answer and no data of ours
};

const char *sm_kind_name(enum sm_kind kind);
// The kind named by text, or SM_K_COUNT.
enum sm_kind sm_kind_parse(const char *text);

int sm_client_init(struct sm_client *c, int fd, const struct sm_credential *credential, int family);
void sm_client_fini(struct sm_client *c);

// Sends a request and returns its record, which lives as long as the client; NULL if all are used.
struct sm_request *sm_client_request(struct sm_client *c, enum sm_kind kind, uint64_t now_ns);
// Retransmits what is due; a request is given up after 32 s.
void sm_client_tick(struct sm_client *c, uint64_t now_ns);
// Takes one datagram from the server. Data of the peer: its length, *payload points into msg.
// Anything else: -1.
int sm_client_input(struct sm_client *c, const uint8_t *msg, size_t len, uint64_t now_ns,
	const uint8_t **payload);
// Sends payload to the peer by channel or indication: 0 or negative errno.
int sm_client_send(struct sm_client *c, const uint8_t *payload, size_t len);
