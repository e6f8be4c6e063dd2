// SPDX-License-Identifier: BSD-3-Clause
// What a client's datagram to a listener is (RFC 7983, RFC 8489, RFC 8656), as far as the packet
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

// The same for the form that clients nearly always use, in their usual order: XOR-PEER-ADDRESS of
// IPv4, DATA and at most a FINGERPRINT. False: nothing is known yet, not
// even that it is a Send indication.
static inline bool core_send_plain(const uint8_t *msg, size_t len, struct core_send *send)
{
	const uint32_t data_off = TP_STUN_HEADER_LEN + 16;
	uint32_t family, data, left;
	uint16_t port;

	if (len < data_off || (len & 3) != 0 ||
		tp_load_be32(msg) !=
			(TP_TURN_SEND_INDICATION << 16 | (uint32_t)(len - TP_STUN_HEADER_LEN)) ||
		tp_load_be32(msg + 4) != TP_STUN_MAGIC_COOKIE ||
		tp_load_be32(msg + 20) != (TP_ATTR_XOR_PEER_ADDRESS << 16 | 8))
		return false;
	family = tp_load_be32(msg + 24);
	data = tp_load_be32(msg + data_off - 4);
	port = (uint16_t)(family ^ TP_STUN_MAGIC_COOKIE >> 16);
	left = (uint32_t)len - data_off;
	if ((family >> 16 & 0xff) != TP_FAMILY_IPV4 || port == 0 || data >> 16 != TP_ATTR_DATA)
		return false;
	data &= 0xffffu;
	if (data > left)
		return false;
	left -= (data + 3u) & ~3u;
	if (left != 0 &&
		(left != 8 || tp_load_be32(msg + len - 8) != (TP_ATTR_FINGERPRINT << 16 | 4)))
		return false;
	tp_addr_ipv4_set(&send->peer, tp_load_be32(msg + 28) ^ TP_STUN_MAGIC_COOKIE, port);
	send->data_off = (uint16_t)data_off;
	send->data_len = (uint16_t)data;
	send->dont_fragment = false;
	return true;
}

enum core_binding {
	CORE_BINDING_DROP,   // malformed or wrong FINGERPRINT: bad_stun
	CORE_BINDING_ANSWER, // the worker may answer
	CORE_BINDING_PUNT,   // has attributes that only the control process understands
};

// `*fingerprint` tells whether the request had one (and the answer needs one).
enum core_binding core_binding_parse(const uint8_t *msg, size_t len, bool *fingerprint);

// Octets of the longest answer to a Binding request.
#define CORE_BINDING_ANSWER_MAX 52u

// Writes the success response with XOR-MAPPED-ADDRESS; returns its length. `txid` must not overlap
// `out`.
size_t core_binding_answer(uint8_t out[CORE_BINDING_ANSWER_MAX], const uint8_t *txid,
	const struct tp_addr *client, bool fingerprint);

// The value of NONCE, or NULL.
const uint8_t *core_nonce_find(const uint8_t *msg, size_t len, size_t *nonce_len);

// An XOR-mapped address attribute's value (RFC 8489 14.2): octets written, 8 or 20.
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

// FINGERPRINT's value over everything in front of the attribute (RFC 8489 14.7).
uint32_t core_fingerprint(const uint8_t *msg, size_t len);
