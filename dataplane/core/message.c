// SPDX-License-Identifier: BSD-3-Clause
#include <core/message.h>

#include <stun/fingerprint.h>

#define CLASS_MASK	 0x0110u
#define CLASS_REQUEST	 0x0000u
#define CLASS_INDICATION 0x0010u
#define REQUIRED_BELOW	 0x8000u // types below must be understood (RFC 8489 14)
#define FINGERPRINT_LEN	 8u

// The comprehension-required types of RFC 8489 and RFC 8656, all below 64: known, so ignored where
// they do not belong.
#define KNOWN_REQUIRED                                                                             \
	(1ull << 0x01 | 1ull << 0x06 | 1ull << 0x08 | 1ull << 0x09 | 1ull << 0x0a | 1ull << 0x0c | \
		1ull << 0x0d | 1ull << 0x12 | 1ull << 0x13 | 1ull << 0x14 | 1ull << 0x15 |         \
		1ull << 0x16 | 1ull << 0x17 | 1ull << 0x18 | 1ull << 0x19 | 1ull << 0x1a |         \
		1ull << 0x1c | 1ull << 0x1d | 1ull << 0x1e | 1ull << 0x20 | 1ull << 0x22)

struct attribute {
	uint16_t type;
	uint16_t len;
	const uint8_t *value;
};

// Steps from *at (a multiple of 4, at most len) to the next attribute. False at the end; `*broken`
// when an attribute runs over it.
static bool attribute_next(
	const uint8_t *msg, size_t len, size_t *at, struct attribute *a, bool *broken)
{
	if (*at == len)
		return false;
	if (len - *at < 4) {
		*broken = true;
		return false;
	}
	a->type = tp_load_be16(msg + *at);
	a->len = tp_load_be16(msg + *at + 2);
	a->value = msg + *at + 4;
	*at += 4;
	if (((a->len + 3u) & ~3u) > len - *at) {
		*broken = true;
		return false;
	}
	*at += (a->len + 3u) & ~3u;
	return true;
}

static enum core_message drop(enum tp_drop *reason, enum tp_drop why)
{
	*reason = why;
	return CORE_MESSAGE_DROP;
}

static enum core_message channel_kind(
	const uint8_t *msg, size_t len, uint16_t channel_max, enum tp_drop *reason)
{
	if (len < TP_CHANNEL_HEADER_LEN)
		return drop(reason, TP_DROP_bad_channel_length);
	if (tp_load_be16(msg) > channel_max)
		return drop(reason, TP_DROP_bad_channel_number);
	if (tp_load_be16(msg + 2) > len - TP_CHANNEL_HEADER_LEN)
		return drop(reason, TP_DROP_bad_channel_length);
	return CORE_MESSAGE_CHANNEL;
}

static enum core_message stun_kind(const uint8_t *msg, size_t len, enum tp_drop *reason)
{
	unsigned type;

	if (len < TP_STUN_HEADER_LEN || tp_load_be16(msg + 2) != len - TP_STUN_HEADER_LEN ||
		(len & 3) != 0)
		return drop(reason, TP_DROP_bad_stun);
	type = tp_load_be16(msg);
	if (tp_load_be32(msg + 4) != TP_STUN_MAGIC_COOKIE)
		return type == TP_STUN_BINDING_REQUEST ? CORE_MESSAGE_CLASSIC
						       : drop(reason, TP_DROP_bad_stun);
	if (type == TP_TURN_SEND_INDICATION)
		return CORE_MESSAGE_SEND;
	if (type == TP_STUN_BINDING_REQUEST)
		return CORE_MESSAGE_BINDING;
	if (type == TP_STUN_BINDING_INDICATION)
		return drop(reason, TP_DROP_binding_indication);
	if ((type & CLASS_MASK) == CLASS_REQUEST)
		return CORE_MESSAGE_STUN;
	if ((type & CLASS_MASK) == CLASS_INDICATION)
		return drop(reason, TP_DROP_bad_stun);
	return drop(reason, TP_DROP_stun_response);
}

enum core_message core_message_kind(
	const uint8_t *msg, size_t len, uint16_t channel_max, enum tp_drop *reason)
{
	if (len == 0)
		return drop(reason, TP_DROP_not_stun);
	if (msg[0] >= 64 && msg[0] < 128)
		return channel_kind(msg, len, channel_max, reason);
	if (msg[0] < 4)
		return stun_kind(msg, len, reason);
	return drop(reason, TP_DROP_not_stun);
}

// RFC 8489 14.2; false: wrong length or family.
static bool xor_address_read(const struct attribute *a, const uint8_t *msg, struct tp_addr *addr)
{
	uint16_t port;
	uint8_t ip[16];

	if (a->len < 8)
		return false;
	port = tp_load_be16(a->value + 2) ^ (uint16_t)(TP_STUN_MAGIC_COOKIE >> 16);
	if (a->value[1] == TP_FAMILY_IPV4 && a->len == 8) {
		*addr = tp_addr_ipv4(tp_load_be32(a->value + 4) ^ TP_STUN_MAGIC_COOKIE, port);
		return true;
	}
	if (a->value[1] == TP_FAMILY_IPV6 && a->len == 20) {
		// Cookie and transaction id stand next to each other in the header.
		for (unsigned i = 0; i < 16; i++)
			ip[i] = a->value[4 + i] ^ msg[4 + i];
		*addr = tp_addr_ipv6(ip, port);
		return true;
	}
	return false;
}

enum tp_drop core_send_parse(const uint8_t *msg, size_t len, struct core_send *send)
{
	size_t at = TP_STUN_HEADER_LEN;
	bool broken = false, has_peer = false, has_data = false;
	struct attribute a;

	send->dont_fragment = false;
	while (attribute_next(msg, len, &at, &a, &broken)) {
		if (a.type == TP_ATTR_XOR_PEER_ADDRESS) {
			if (!has_peer && !xor_address_read(&a, msg, &send->peer))
				return TP_DROP_bad_send;
			has_peer = true;
		} else if (a.type == TP_ATTR_DATA) {
			if (has_data)
				continue;
			send->data_off = (uint16_t)(a.value - msg);
			send->data_len = a.len;
			has_data = true;
		} else if (a.type == TP_ATTR_DONT_FRAGMENT) {
			send->dont_fragment = true;
		} else if (a.type == TP_ATTR_MESSAGE_INTEGRITY ||
			   a.type == TP_ATTR_MESSAGE_INTEGRITY_SHA256) {
			break; // later attributes must be ignored (RFC 8489 14.5)
		} else if (a.type < REQUIRED_BELOW &&
			   (a.type >= 64 || !(KNOWN_REQUIRED >> a.type & 1))) {
			return TP_DROP_unknown_attribute;
		}
	}
	if (broken || !has_peer || !has_data || send->peer.port_be == 0)
		return TP_DROP_bad_send;
	return TP_DROP_none;
}

// FINGERPRINT must be the last attribute; `at` is where the next one would begin.
static bool fingerprint_right(const uint8_t *msg, size_t len, size_t at, const struct attribute *a)
{
	return a->len == 4 && at == len &&
	       tp_load_be32(a->value) == stun_fingerprint(msg, len - FINGERPRINT_LEN);
}

enum core_binding core_binding_parse(const uint8_t *msg, size_t len, bool *fingerprint)
{
	size_t at = TP_STUN_HEADER_LEN;
	bool broken = false, punt = false;
	struct attribute a;

	*fingerprint = false;
	while (attribute_next(msg, len, &at, &a, &broken)) {
		if (a.type == TP_ATTR_FINGERPRINT) {
			if (!fingerprint_right(msg, len, at, &a))
				return CORE_BINDING_DROP;
			*fingerprint = true;
		} else if (a.type < REQUIRED_BELOW || a.type == TP_ATTR_TRANSMIT_COUNTER) {
			punt = true;
		}
	}
	if (broken)
		return CORE_BINDING_DROP;
	return punt ? CORE_BINDING_PUNT : CORE_BINDING_ANSWER;
}

bool core_classic_is_plain(const uint8_t *msg, size_t len)
{
	size_t at = TP_STUN_HEADER_LEN;
	bool broken = false;
	struct attribute a;

	while (attribute_next(msg, len, &at, &a, &broken)) {
		bool changes_nothing = a.type == TP_ATTR_CHANGE_REQUEST && a.len == 4 &&
				       tp_load_be32(a.value) == 0;

		if (a.type < REQUIRED_BELOW && !changes_nothing)
			return false;
	}
	return !broken;
}

size_t core_classic_answer(uint8_t *out, const struct tp_addr *client)
{
	unsigned ip_len = tp_family_ip_len(client->family);
	uint8_t *attribute = out + TP_STUN_HEADER_LEN;

	tp_store_be16(out, TP_STUN_BINDING_SUCCESS);
	tp_store_be16(out + 2, (uint16_t)(8 + ip_len));
	tp_store_be16(attribute, TP_ATTR_MAPPED_ADDRESS);
	tp_store_be16(attribute + 2, (uint16_t)(4 + ip_len));
	tp_store_be16(attribute + 4, client->family);
	memcpy(attribute + 6, &client->port_be, sizeof(client->port_be));
	memcpy(attribute + 8, client->ip, ip_len);
	return TP_STUN_HEADER_LEN + 8 + ip_len;
}

bool core_request_parse(const uint8_t *msg, size_t len, struct core_request *r)
{
	size_t at = TP_STUN_HEADER_LEN;
	bool broken = false, has_counter = false;
	struct attribute a;

	*r = (struct core_request){0};
	while (attribute_next(msg, len, &at, &a, &broken)) {
		switch (a.type) {
		case TP_ATTR_MESSAGE_INTEGRITY:
		case TP_ATTR_MESSAGE_INTEGRITY_SHA256:
			r->has_integrity = true;
			return true;
		case TP_ATTR_FINGERPRINT:
			if (!fingerprint_right(msg, len, at, &a))
				return false;
			r->has_fingerprint = true;
			break;
		case TP_ATTR_REALM:
		case TP_ATTR_ORIGIN:
			r->names_realm = true;
			break;
		case TP_ATTR_TRANSMIT_COUNTER:
			// The first of several counts.
			if (!has_counter && a.len == 4) {
				r->counts_copies = true;
				r->n_copies = a.value[2];
			}
			has_counter = true;
			break;
		default:
			break;
		}
	}
	return !broken;
}

size_t core_binding_answer(uint8_t out[CORE_BINDING_ANSWER_MAX], const uint8_t *txid,
	const struct tp_addr *client, bool fingerprint)
{
	size_t len = TP_STUN_HEADER_LEN + 4;
	size_t value_len = core_xor_address_write(
		out + len, client->family, client->ip, client->port_be, txid);

	tp_store_be16(out, TP_STUN_BINDING_SUCCESS);
	tp_store_be32(out + 4, TP_STUN_MAGIC_COOKIE);
	memcpy(out + 8, txid, TP_STUN_TXID_LEN);
	tp_store_be16(out + TP_STUN_HEADER_LEN, TP_ATTR_XOR_MAPPED_ADDRESS);
	tp_store_be16(out + TP_STUN_HEADER_LEN + 2, (uint16_t)value_len);
	len += value_len;
	// The length counts FINGERPRINT before its value is computed.
	tp_store_be16(out + 2,
		(uint16_t)(len - TP_STUN_HEADER_LEN + (fingerprint ? FINGERPRINT_LEN : 0)));
	if (fingerprint) {
		tp_store_be16(out + len, TP_ATTR_FINGERPRINT);
		tp_store_be16(out + len + 2, 4);
		tp_store_be32(out + len + 4, stun_fingerprint(out, len));
		len += FINGERPRINT_LEN;
	}
	return len;
}

const uint8_t *core_nonce_find(const uint8_t *msg, size_t len, size_t *nonce_len)
{
	size_t at = TP_STUN_HEADER_LEN;
	bool broken = false;
	struct attribute a;

	while (attribute_next(msg, len, &at, &a, &broken)) {
		if (a.type == TP_ATTR_NONCE) {
			*nonce_len = a.len;
			return a.value;
		}
	}
	return NULL;
}
