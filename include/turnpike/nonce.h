// SPDX-License-Identifier: BSD-3-Clause
// The stateless nonce (RFC 8489 9.2, 14.10): 40 characters,
//
//   "obMatJos2"          with the base64 of 24 security features: the cookie
//   8 hexadecimal digits time of issue, CLOCK_BOOTTIME seconds
//   11 of base64         SipHash-2-4 over time, client address and port, features and realm
//   8 hexadecimal digits tag for the packet path
//
// Both processes make nonces, under a key that serves nothing else; the control process checks
// them. Several are valid at once; nothing is remembered about any.
//
// The tag is over the client's IP address and port under the segment's punt key. A sender that
// never received our 401 cannot know it, so requests that carry it are queued apart from first
// contacts. It grants nothing else.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/siphash.h>

#define TP_NONCE_TAG_LEN	       8u
#define TP_NONCE_LEN		       40u

#define TP_NONCE_TIME_OFFSET	       13u

// RFC 8489 18.1: bits of the security features, bit 0 the leftmost of 24.
#define TP_FEATURE_PASSWORD_ALGORITHMS 0x800000u
#define TP_FEATURE_USERHASH	       0x400000u

#define TP_NONCE_TIME_LEN	       8u
#define TP_NONCE_MAC_OFFSET	       (TP_NONCE_TIME_OFFSET + TP_NONCE_TIME_LEN)
#define TP_NONCE_MAC_LEN	       11u
#define TP_NONCE_TAG_OFFSET	       (TP_NONCE_MAC_OFFSET + TP_NONCE_MAC_LEN)
_Static_assert(TP_NONCE_TAG_OFFSET + TP_NONCE_TAG_LEN == TP_NONCE_LEN, "the parts of a nonce");

static inline void tp_nonce_tag(
	const uint8_t punt_key[16], const struct tp_addr *client, char tag[TP_NONCE_TAG_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t h = tp_siphash24(punt_key, client, sizeof(*client));

	for (unsigned i = 0; i < TP_NONCE_TAG_LEN; i++)
		tag[i] = digits[(h >> (4 * i)) & 0xf];
}

// Covered by the MAC; no padding in it.
struct tp_nonce_covered {
	struct tp_addr client;
	uint32_t issued_s;
	uint64_t features;
	uint64_t realm_hash;
};
TP_ASSERT_SIZE(struct tp_nonce_covered, 40);

// The hash of a realm's name. A nonce of one realm is none of another.
static inline uint64_t tp_nonce_realm_hash(
	const uint8_t nonce_key[16], const void *name, size_t len)
{
	return tp_siphash24(nonce_key, name, len);
}

// The base64 of 64 bits, without its padding.
static inline void tp_nonce_base64(uint64_t v, char out[TP_NONCE_MAC_LEN])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (unsigned i = 0; i < TP_NONCE_MAC_LEN - 1; i++)
		out[i] = digits[v >> (58 - 6 * i) & 0x3f];
	out[TP_NONCE_MAC_LEN - 1] = digits[v << 2 & 0x3f];
}

// A realm as its nonces need it.
struct tp_nonce_realm {
	uint64_t hash;	   // tp_nonce_realm_hash of its name
	uint32_t features; // TP_FEATURE_*
};

// Whether these are the first bytes of a nonce that has the feature.
static inline bool tp_nonce_has(const uint8_t *nonce, size_t len, uint32_t feature)
{
	static const char features[] = "AQgw";
	const char *at;

	if (len < TP_NONCE_TIME_OFFSET || memcmp(nonce, "obMatJos2", 9) != 0 || nonce[9] == '\0')
		return false;
	at = strchr(features, nonce[9]);
	return at != NULL && ((uint32_t)(at - features) << 22 & feature) != 0;
}

static inline void tp_nonce_make(const uint8_t nonce_key[16], const uint8_t punt_key[16],
	const struct tp_nonce_realm *realm, uint32_t now_s, const struct tp_addr *client,
	char nonce[TP_NONCE_LEN])
{
	static const char digits[] = "0123456789abcdef";
	const struct tp_nonce_covered covered = {.client = *client,
		.issued_s = now_s,
		.features = realm->features,
		.realm_hash = realm->hash};

	memcpy(nonce, "obMatJos2AAAA", TP_NONCE_TIME_OFFSET);
	nonce[9] = "AQgw"[realm->features >> 22 & 3];
	for (unsigned i = 0; i < TP_NONCE_TIME_LEN; i++)
		nonce[TP_NONCE_TIME_OFFSET + i] = digits[now_s >> (28 - 4 * i) & 0xf];
	tp_nonce_base64(
		tp_siphash24(nonce_key, &covered, sizeof(covered)), nonce + TP_NONCE_MAC_OFFSET);
	tp_nonce_tag(punt_key, client, nonce + TP_NONCE_TAG_OFFSET);
}
