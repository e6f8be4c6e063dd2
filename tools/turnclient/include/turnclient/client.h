// SPDX-License-Identifier: BSD-3-Clause
// One TURN client over a connected UDP socket: requests with retransmission (RFC 8489 section
// 6.2.1: 500 ms, doubled), long-term credentials, one peer with a permission and a channel.
// Single-threaded; times are CLOCK_MONOTONIC nanoseconds.
#pragma once

#include <turnclient/stun.h>

#define TC_REQUESTS_MAX	 64u
#define TC_CHANNEL_FIRST 0x4000u

enum tc_kind {
	TC_K_ALLOCATE,
	TC_K_ALLOCATE_AGAIN, // the very bytes of the first successful Allocate
	TC_K_REFRESH,
	TC_K_REFRESH_ZERO,
	TC_K_PERMISSION,
	TC_K_CHANNEL,
	TC_K_COUNT,
};

enum tc_answer {
	TC_WAITING,
	TC_SUCCEEDED,
	TC_FAILED, // an error response; see error_code
	TC_UNANSWERED,
};

struct tc_request {
	enum tc_kind kind;
	enum tc_answer answer;
	int error_code;
	unsigned tries;
	unsigned rebuilt;  // times a 401 or 438 gave it a new nonce
	bool integrity_ok; // of the response
	bool same_relayed; // ALLOCATE_AGAIN: the response named the same relayed address
	bool reported;	   // appears in the report; keep-alives do not
	uint64_t sent_ns, next_ns, answered_ns;
	uint8_t id[TC_STUN_ID];
	uint8_t msg[TC_STUN_MAX];
	size_t msg_len;
};

struct tc_credential {
	char user[256];
	char password[256];
};

struct tc_client {
	int fd;
	const struct tc_credential *credential;
	int family; // of the relayed address asked for: 0 (none named), AF_INET, AF_INET6
	char realm[128], nonce[256];
	uint8_t key[16];
	bool has_key;
	union tc_addr relayed, peer;
	uint16_t channel; // 0: data goes by indications; set by the owner once it is bound
	uint32_t lifetime_s;
	uint8_t allocate[TC_STUN_MAX]; // as it succeeded
	size_t allocate_len;
	uint8_t allocate_id[TC_STUN_ID];
	struct tc_request *requests; // TC_REQUESTS_MAX of them
	unsigned n_requests;
	uint32_t strange; // messages that were no answer and no data of ours
};

const char *tc_kind_name(enum tc_kind kind);
// The kind named by text, or TC_K_COUNT.
enum tc_kind tc_kind_parse(const char *text);

int tc_client_init(struct tc_client *c, int fd, const struct tc_credential *credential, int family);
void tc_client_fini(struct tc_client *c);

// Sends a request and returns its record, which lives as long as the client; NULL if all are used.
struct tc_request *tc_client_request(struct tc_client *c, enum tc_kind kind, uint64_t now_ns);
// Retransmits due requests; a request is given up after 32 s.
void tc_client_tick(struct tc_client *c, uint64_t now_ns);
// Takes one datagram from the server. Data of the peer: its length, *payload points into msg.
// Anything else: -1.
int tc_client_input(struct tc_client *c, const uint8_t *msg, size_t len, uint64_t now_ns,
	const uint8_t **payload);
// Sends payload to the peer by channel or indication: 0 or negative errno.
int tc_client_send(struct tc_client *c, const uint8_t *payload, size_t len);
