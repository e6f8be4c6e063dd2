// SPDX-License-Identifier: BSD-3-Clause
// The part of our nonce that the packet path can tell: the last TP_NONCE_TAG_LEN characters are a
// lower-case hexadecimal tag over the client's IP address and port under the segment's punt key. A
// sender that never received our 401 cannot know it, so requests that carry it are queued before
// first contacts. It grants nothing else: the control process checks the nonce's own MAC, whose
// key the packet path does not have.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/siphash.h>

#define TP_NONCE_TAG_LEN 8u

static inline void tp_nonce_tag(
	const uint8_t punt_key[16], const struct tp_addr *client, char tag[TP_NONCE_TAG_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t h = tp_siphash24(punt_key, client, sizeof(*client));

	for (unsigned i = 0; i < TP_NONCE_TAG_LEN; i++)
		tag[i] = digits[(h >> (4 * i)) & 0xf];
}
