// SPDX-License-Identifier: BSD-3-Clause
// Takes out of a copied frame everything by which another could act as the client.
#pragma once

#include "endpoints.h"

#include <turnpike/stun.h>

#define ATTR_ACCESS_TOKEN      0x001bu
#define ATTR_RESERVATION_TOKEN 0x0022u
#define ATTR_MOBILITY_TICKET   0x8030u

static inline bool is_secret(uint16_t type)
{
	switch (type) {
	case TP_ATTR_MESSAGE_INTEGRITY:
	case TP_ATTR_MESSAGE_INTEGRITY_SHA256:
	case ATTR_ACCESS_TOKEN:
	case ATTR_RESERVATION_TOKEN:
	case ATTR_MOBILITY_TICKET:
		return true;
	default:
		return false;
	}
}

// Zeroes the values of these attributes in a STUN message, as far as its first `len` bytes go.
static inline void secrets_blank_message(uint8_t *msg, uint32_t len)
{
	uint32_t at = TP_STUN_HEADER_LEN;

	if (len < TP_STUN_HEADER_LEN || msg[0] >= 0x40 ||
		tp_load_be32(msg + 4) != TP_STUN_MAGIC_COOKIE)
		return;
	while (at + 4 <= len) {
		uint32_t size = tp_load_be16(msg + at + 2), room = len - at - 4;

		if (is_secret(tp_load_be16(msg + at)))
			memset(msg + at + 4, 0, size < room ? size : room);
		at += 4 + ((size + 3) & ~3u);
	}
}

// The same in the first `taken` bytes of a frame between a client and that listener.
static inline void secrets_blank(
	uint8_t *frame, uint16_t taken, const struct tp_addr *listener, bool sent)
{
	struct tp_addr from, to;
	uint16_t payload;

	if (endpoints_read(frame, taken, &from, &to, &payload) && payload < taken &&
		tp_addr_equal(sent ? &from : &to, listener))
		secrets_blank_message(frame + payload, (uint32_t)taken - payload);
}
