// SPDX-License-Identifier: BSD-3-Clause
// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and the keys behind them (RFC 8489 9.2.2, 14.5,
// 14.6).
//
// A `stun_crypto` keeps OpenSSL's fetched algorithms and the keyed HMAC states of late, because
// fetching and keying cost more than the digest of a request. One thread at a time.
#pragma once

#include <stun/read.h>

#define STUN_KEY_MD5_LEN     16u
#define STUN_KEY_SHA256_LEN  32u
#define STUN_USERHASH_LEN    32u
#define STUN_HMAC_SHA1_LEN   20u
#define STUN_HMAC_SHA256_LEN 32u

struct stun_crypto;

// NULL with errno set (ENOMEM, or ENOTSUP when the library refuses MD5, SHA-1 or SHA-256).
struct stun_crypto *stun_crypto_create(void);
void stun_crypto_destroy(struct stun_crypto *x);

// A text by length, not terminated.
struct stun_text {
	const char *chars;
	size_t len;
};

// key = MD5(user ":" realm ":" password). 0 or -EIO.
int stun_key_md5(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	struct stun_text password, uint8_t key[STUN_KEY_MD5_LEN]);

// RFC 8489 18.5.1.2, key = SHA-256(user ":" realm ":" password). 0 or -EIO.
int stun_key_sha256(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	struct stun_text password, uint8_t key[STUN_KEY_SHA256_LEN]);
// RFC 8489 14.4, SHA-256(user ":" realm). 0 or -EIO.
int stun_userhash(struct stun_crypto *x, struct stun_text user, struct stun_text realm,
	uint8_t hash[STUN_USERHASH_LEN]);

// HMAC of any data: HMAC-SHA1 for a mac_len of 20, HMAC-SHA256 for 32; keys of any length but 0.
// Returns 0, -EINVAL or -EIO.
int stun_hmac(struct stun_crypto *x, const uint8_t *key, size_t key_len, const void *data,
	size_t len, uint8_t *mac, size_t mac_len);

// Whether the message carries an integrity attribute that verifies under the key:
// MESSAGE-INTEGRITY-SHA256 where there is one, also truncated to 16 bytes or more, else
// MESSAGE-INTEGRITY. Compares in constant time.
bool stun_integrity_check(
	struct stun_crypto *x, const struct stun_message *m, const uint8_t *key, size_t key_len);

// MAC of a message whose integrity attribute starts at `attr_offset` and has a value of `mac_len`
// octets, as in stun_hmac. 0, -EINVAL or -EIO.
int stun_integrity_compute(struct stun_crypto *x, const uint8_t *octets, size_t attr_offset,
	const uint8_t *key, size_t key_len, uint8_t *mac, size_t mac_len);
