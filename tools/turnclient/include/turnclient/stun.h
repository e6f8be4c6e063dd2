// SPDX-License-Identifier: BSD-3-Clause
// Writes and reads the STUN and TURN messages of a client (RFC 8489, RFC 8656). Shares no code
// with the server's library, so that neither repeats a mistake of the other unnoticed.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TC_STUN_HEADER	 20u
#define TC_STUN_MAX	 1500u // of a message that fits an Ethernet frame
#define TC_STUN_ID	 12u
#define TC_STUN_COOKIE	 0x2112a442u
#define TC_SHA1_LEN	 20u

#define TC_BINDING	 0x0001u
#define TC_ALLOCATE	 0x0003u
#define TC_REFRESH	 0x0004u
#define TC_PERMISSION	 0x0008u
#define TC_CHANNEL	 0x0009u
#define TC_SEND		 0x0016u // indication
#define TC_DATA		 0x0017u // indication
#define TC_SUCCESS	 0x0100u // added to a method
#define TC_ERROR	 0x0110u

#define TC_A_USERNAME	 0x0006u
#define TC_A_INTEGRITY	 0x0008u
#define TC_A_ERROR	 0x0009u
#define TC_A_CHANNEL	 0x000cu
#define TC_A_LIFETIME	 0x000du
#define TC_A_XOR_PEER	 0x0012u
#define TC_A_DATA	 0x0013u
#define TC_A_REALM	 0x0014u
#define TC_A_NONCE	 0x0015u
#define TC_A_XOR_RELAYED 0x0016u
#define TC_A_FAMILY	 0x0017u
#define TC_A_TRANSPORT	 0x0019u
#define TC_A_INTEGRITY2	 0x001cu // MESSAGE-INTEGRITY-SHA256
#define TC_A_XOR_MAPPED	 0x0020u
#define TC_A_FINGERPRINT 0x8028u

union tc_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

// A message being written. An attribute that does not fit is left out and sets `full`.
struct tc_stun {
	uint8_t *buf;
	size_t size; // of buf
	size_t len;
	uint8_t padding; // value of padding bytes, which a server must ignore
	bool full;
};

// Starts a message of `type` (host order) in a buffer of at least TC_STUN_HEADER bytes.
void tc_stun_init(
	struct tc_stun *m, uint8_t *buf, size_t size, uint16_t type, const uint8_t id[TC_STUN_ID]);
void tc_stun_put(struct tc_stun *m, uint16_t attr, const void *value, size_t len);
void tc_stun_put_text(struct tc_stun *m, uint16_t attr, const char *text);
void tc_stun_put_u32(struct tc_stun *m, uint16_t attr, uint32_t value);
void tc_stun_put_addr(struct tc_stun *m, uint16_t attr, const union tc_addr *addr);
// Adds MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 or FINGERPRINT over everything before it.
void tc_stun_put_integrity(struct tc_stun *m, const uint8_t key[16]);
void tc_stun_put_integrity_sha256(struct tc_stun *m, const uint8_t key[16]);
void tc_stun_put_fingerprint(struct tc_stun *m);

// The key of a long-term credential (RFC 8489 section 9.2.2). False: OpenSSL failed or the texts
// are longer than 2,000 bytes together.
bool tc_key(const char *user, const char *realm, const char *password, uint8_t key[16]);

#define TC_REST_PASSWORD 29u // bytes of a time-limited password, with its NUL

// The password of a time-limited user name under a shared secret: base64 of HMAC-SHA1 over the
// name. False: OpenSSL failed.
bool tc_rest_password(const char *secret, const char *name, char password[TC_REST_PASSWORD]);

// True for a whole, well-formed STUN message of exactly `len` bytes. The functions below must be
// given a message of at least TC_STUN_HEADER bytes; attributes that reach past its end are not
// found.
bool tc_stun_valid(const uint8_t *msg, size_t len);
uint16_t tc_stun_type(const uint8_t *msg);
// The value of an attribute of that type, or NULL; `nth` counts from 0.
const uint8_t *tc_stun_find_nth(
	const uint8_t *msg, size_t len, uint16_t attr, unsigned nth, size_t *value_len);
const uint8_t *tc_stun_find(const uint8_t *msg, size_t len, uint16_t attr, size_t *value_len);
// Removes the XOR of an address attribute's value. False: not an address.
bool tc_stun_read_addr(
	const uint8_t *msg, const uint8_t *value, size_t value_len, union tc_addr *addr);
bool tc_stun_find_addr(const uint8_t *msg, size_t len, uint16_t attr, union tc_addr *addr);
// The code of an ERROR-CODE, or 0.
int tc_stun_error(const uint8_t *msg, size_t len);
// True if the message carries a correct MESSAGE-INTEGRITY.
bool tc_stun_integrity_ok(const uint8_t *msg, size_t len, const uint8_t key[16]);
// True if the message ends with a correct FINGERPRINT.
bool tc_stun_fingerprint_ok(const uint8_t *msg, size_t len);

bool tc_addr_equal(const union tc_addr *a, const union tc_addr *b);
socklen_t tc_addr_len(const union tc_addr *a);
uint16_t tc_addr_port(const union tc_addr *a);
// Reads numeric text: 10.0.0.1:80, [::1]:80 or an address alone. 0 or -EINVAL.
int tc_addr_parse(union tc_addr *a, const char *text, uint16_t default_port);
const char *tc_addr_text(const union tc_addr *a, char buf[64]);
