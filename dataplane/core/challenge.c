// SPDX-License-Identifier: BSD-3-Clause
#include <core/challenge.h>

#include <stun/fingerprint.h>

#define CLASS_ERROR 0x0110u

// Writes one attribute with its padding; returns the bytes written.
static size_t attribute_write(uint8_t *out, uint16_t type, const void *value, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	tp_store_be16(out, type);
	tp_store_be16(out + 2, (uint16_t)len);
	memset(out + 4 + len, 0, padded - len);
	memcpy(out + 4, value, len);
	return 4 + padded;
}

void core_challenge_prepare(
	struct core_challenge *c, const uint8_t *realm, size_t len, uint32_t features)
{
	static const char error[] = "\0\0\4\1" TP_STUN_REASON_401;

	_Static_assert(sizeof(error) - 1 <= 20, "the room for ERROR-CODE");
	c->len = (uint16_t)attribute_write(c->attrs, TP_ATTR_ERROR_CODE, error, sizeof(error) - 1);
	c->len = (uint16_t)(c->len + attribute_write(c->attrs + c->len, TP_ATTR_REALM, realm, len));
	if ((features & TP_FEATURE_PASSWORD_ALGORITHMS) != 0)
		c->len = (uint16_t)(c->len +
				    attribute_write(c->attrs + c->len, TP_ATTR_PASSWORD_ALGORITHMS,
					    TP_PASSWORD_ALGORITHMS, TP_PASSWORD_ALGORITHMS_LEN));
}

bool core_challenge_is_due(uint16_t type, bool secure_stun)
{
	switch (type) {
	case TP_TURN_ALLOCATE_REQUEST:
	case TP_TURN_REFRESH_REQUEST:
	case TP_TURN_PERMISSION_REQUEST:
	case TP_TURN_CHANNEL_BIND_REQUEST:
	case TP_TURN_CONNECT_REQUEST:
	case TP_TURN_CONNECTION_BIND_REQUEST:
		return true;
	case TP_STUN_BINDING_REQUEST:
		return secure_stun;
	default:
		return false;
	}
}

void core_challenge_write(uint8_t *out, const struct core_challenge *c, uint16_t type,
	const uint8_t *txid, const char nonce[TP_NONCE_LEN], const struct core_request *r)
{
	// RFC 7982: each copy of a request is answered, so as many answers as copies.
	const uint8_t counter[4] = {0, 0, r->n_copies, r->n_copies};
	size_t len = TP_STUN_HEADER_LEN;
	uint32_t value;
	uint8_t *at;

	tp_store_be16(out, type | CLASS_ERROR);
	tp_store_be32(out + 4, TP_STUN_MAGIC_COOKIE);
	memcpy(out + 8, txid, TP_STUN_TXID_LEN);
	memcpy(out + len, c->attrs, c->len);
	len += c->len;
	len += attribute_write(out + len, TP_ATTR_NONCE, nonce, TP_NONCE_LEN);
	if (r->counts_copies)
		len += attribute_write(
			out + len, TP_ATTR_TRANSMIT_COUNTER, counter, sizeof(counter));
	// The length counts FINGERPRINT before its value is computed.
	tp_store_be16(out + 2, (uint16_t)(core_challenge_len(c, r) - TP_STUN_HEADER_LEN));
	if (!r->has_fingerprint)
		return;
	at = out + len;
	value = tp_htonl(stun_fingerprint(out, len));
	attribute_write(at, TP_ATTR_FINGERPRINT, &value, sizeof(value));
}
