// SPDX-License-Identifier: BSD-3-Clause
// Classes of a client's datagram to a listener (RFC 7983, RFC 8489, RFC 8656), as far as the packet
// path must know. Every function reads msg[0..len) only.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/drop.h>
#include <turnpike/stun.h>

enum core_message {
	CORE_MESSAGE_DROP,    // the reason is given
	CORE_MESSAGE_CHANNEL, // ChannelData, its length checked
	CORE_MESSAGE_SEND,    // Send indication, its header checked
	CORE_MESSAGE_BINDING, // Binding request, its header checked
	CORE_MESSAGE_CLASSIC, // Binding request of RFC 3489, its length checked
	CORE_MESSAGE_STUN,    // another request, its header checked: for the control process
};

// Header and length only. `*reason` is set for CORE_MESSAGE_DROP.
enum core_message core_message_kind(
	const uint8_t *msg, size_t len, uint16_t channel_max, enum tp_drop *reason);

// A Send indication's parts (RFC 8656 11.2).
struct core_send {
	struct tp_addr peer; // folded
	uint16_t data_off;   // even
	uint16_t data_len;
	bool dont_fragment;
};

// TP_DROP_none, bad_send or unknown_attribute. Attributes may stand in any order, the first of a
// kind counts; FINGERPRINT and integrity are not verified.
enum tp_drop core_send_parse(const uint8_t *msg, size_t len, struct core_send *send);

enum core_binding {
	CORE_BINDING_DROP,   // malformed or wrong FINGERPRINT: bad_stun
	CORE_BINDING_ANSWER, // the worker may answer
	CORE_BINDING_PUNT,   // has attributes that only the control process understands
};

// `*fingerprint`: whether the request had one (and the answer needs one).
enum core_binding core_binding_parse(const uint8_t *msg, size_t len, bool *fingerprint);

// Bytes of the longest answer to a Binding request.
#define CORE_BINDING_ANSWER_MAX 52u

// Writes the success response with XOR-MAPPED-ADDRESS; returns its length. `txid` must not overlap
// `out`.
size_t core_binding_answer(uint8_t out[CORE_BINDING_ANSWER_MAX], const uint8_t *txid,
	const struct tp_addr *client, bool fingerprint);

// Whether a Binding request of RFC 3489 asks for no more than its sender's address: attributes that
// must be understood have no place in it, but for a CHANGE-REQUEST to change nothing.
bool core_classic_is_plain(const uint8_t *msg, size_t len);

// Turns the request into its success response with MAPPED-ADDRESS; returns the length. All 16 bytes
// behind the length are the transaction id (RFC 5389 12.2, by way of RFC 8489 12). `out` has room
// for CORE_BINDING_ANSWER_MAX.
size_t core_classic_answer(uint8_t *out, const struct tp_addr *client);

// The traits of a request that decide who answers it.
struct core_request {
	bool has_integrity; // the others are not set then
	bool has_fingerprint;
	bool names_realm;   // has REALM or ORIGIN
	bool counts_copies; // has TRANSACTION-TRANSMIT-COUNTER (RFC 7982), of the right length
	uint8_t n_copies;   // Req in it
};

// False: malformed, or wrong FINGERPRINT. A request with integrity is read up to there: the control
// process judges it.
bool core_request_parse(const uint8_t *msg, size_t len, struct core_request *r);

// The value of NONCE, or NULL.
const uint8_t *core_nonce_find(const uint8_t *msg, size_t len, size_t *nonce_len);

// An XOR-mapped address attribute's value (RFC 8489 14.2): bytes written, 8 or 20.
static inline size_t core_xor_address_write(
	uint8_t *value, uint8_t family, const uint8_t *ip, uint16_t port_be, const uint8_t *txid)
{
	uint64_t a, b;

	tp_store_be16(value, family);
	tp_store_be16(value + 2, tp_ntohs(port_be) ^ (uint16_t)(TP_STUN_MAGIC_COOKIE >> 16));
	tp_store_be32(value + 4, tp_load_be32(ip) ^ TP_STUN_MAGIC_COOKIE);
	if (family == TP_FAMILY_IPV4)
		return 8;
	tp_store_be32(value + 8, tp_load_be32(ip + 4) ^ tp_load_be32(txid));
	memcpy(&a, ip + 8, sizeof(a));
	memcpy(&b, txid + 4, sizeof(b));
	a ^= b;
	memcpy(value + 12, &a, sizeof(a));
	return 20;
}
