// SPDX-License-Identifier: BSD-3-Clause
// HMAC-SHA1 and HMAC-SHA256 (RFC 2104) from keyed states: the digest's state after the padded key,
// inner and outer. They are computed once per key, and a MAC then costs its own blocks.
//
// The digests are OpenSSL's low-level ones, deprecated for new programs since 3.0 in favour of EVP.
// Only they let a state be kept in 32 bytes and taken up again: a copy of an EVP context allocates
// and costs as much as the digest of a request, twice per MAC.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hmac_digest { HMAC_SHA1, HMAC_SHA256, HMAC_DIGESTS };

#define HMAC_MAC_MAX 32u

struct hmac_key {
	uint32_t inner[8];
	uint32_t outer[8];
};

struct hmac_piece {
	const void *octets;
	size_t len;
};

size_t stun_hmac_mac_len(enum hmac_digest d);

// False when the library refuses, as the two below.
bool stun_hmac_key_init(struct hmac_key *k, enum hmac_digest d, const uint8_t *key, size_t key_len);
// Over two pieces, either of which may be empty.
bool stun_hmac_pieces(const struct hmac_key *k, enum hmac_digest d,
	const struct hmac_piece pieces[2], uint8_t *mac);
