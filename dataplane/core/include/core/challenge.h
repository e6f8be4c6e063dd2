// SPDX-License-Identifier: BSD-3-Clause
// The 401 of a request without credentials (RFC 8489 9.2.4): the one error response that needs no
// state. Byte-identical to the control process's, but for the time in the nonce.
#pragma once

#include <core/message.h>
#include <turnpike/nonce.h>
#include <turnpike/segment.h>
#include <turnpike/stun.h>

#define CORE_CHALLENGE_ATTRS_MAX                                                                   \
	(4u + 20u + 4u + TP_PATH_REALM_MAX + 4u + TP_PASSWORD_ALGORITHMS_LEN)

// ERROR-CODE, REALM and PASSWORD-ALGORITHMS, as they stand in each challenge of a realm.
struct core_challenge {
	uint16_t len; // 0: none is made
	uint8_t attrs[CORE_CHALLENGE_ATTRS_MAX];
};

// `len`: 1 to TP_PATH_REALM_MAX. `features`: TP_FEATURE_*.
void core_challenge_prepare(
	struct core_challenge *c, const uint8_t *realm, size_t len, uint32_t features);

// Whether a request of this type gets a challenge if it has no integrity. `secure_stun`: so does
// Binding.
bool core_challenge_is_due(uint16_t type, bool secure_stun);

static inline size_t core_challenge_len(
	const struct core_challenge *c, const struct core_request *r)
{
	return TP_STUN_HEADER_LEN + c->len + 4 + TP_NONCE_LEN + (r->counts_copies ? 8 : 0) +
	       (r->has_fingerprint ? 8 : 0);
}

// Writes core_challenge_len bytes. `type` is the request's. `txid` must not overlap `out`.
void core_challenge_write(uint8_t *out, const struct core_challenge *c, uint16_t type,
	const uint8_t *txid, const char nonce[TP_NONCE_LEN], const struct core_request *r);
