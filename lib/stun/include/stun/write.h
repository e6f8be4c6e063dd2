// SPDX-License-Identifier: BSD-3-Clause
// Writing STUN messages (RFC 8489 5, 14) into the caller's buffer. The writer's error is sticky:
// put all attributes, then test once with stun_writer_len. Padding is zeroed.
#pragma once

#include <stun/integrity.h>
#include <stun/read.h>

struct stun_writer {
	uint8_t *octets;
	size_t cap;
	size_t len;
	bool failed;
};

void stun_writer_start(
	struct stun_writer *w, uint8_t *octets, size_t cap, uint16_t type, const uint8_t *txid);
// Length of the message so far (its header says the same); 0 when something did not fit.
size_t stun_writer_len(const struct stun_writer *w);

void stun_put(struct stun_writer *w, uint16_t type, const void *value, size_t len);
void stun_put_u32(struct stun_writer *w, uint16_t type, uint32_t value);
void stun_put_text(struct stun_writer *w, uint16_t type, const char *text);
void stun_put_xor_address(struct stun_writer *w, uint16_t type, const struct tp_addr *addr);
// RFC 8489 14.1.
void stun_put_address(struct stun_writer *w, uint16_t type, const struct tp_addr *addr);
// ERROR-CODE; the reason phrase is ASCII of fewer than 128 characters.
void stun_put_error(struct stun_writer *w, unsigned code, const char *reason);
// UNKNOWN-ATTRIBUTES.
void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t n);
// MESSAGE-INTEGRITY (mac_len 20) or MESSAGE-INTEGRITY-SHA256 (mac_len 32) over all put so far.
void stun_put_integrity(struct stun_writer *w, struct stun_crypto *x, const uint8_t *key,
	size_t key_len, size_t mac_len);
// FINGERPRINT: the last attribute.
void stun_put_fingerprint(struct stun_writer *w);
