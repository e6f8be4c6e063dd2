// SPDX-License-Identifier: BSD-3-Clause
// The tools' TURN client (tools/turnclient) in the tests' terms: addresses of the contract, a
// buffer of its own, abort where a message does not fit. Shares no code with the server.
#pragma once

#include <turnpike/addr.h>

enum {
	MSG_BINDING = 0x0001,
	MSG_ALLOCATE = 0x0003,
	MSG_REFRESH = 0x0004,
	MSG_CREATE_PERMISSION = 0x0008,
	MSG_CHANNEL_BIND = 0x0009,
	MSG_CONNECT = 0x000a,
	MSG_CONNECTION_BIND = 0x000b,
	MSG_CONNECTION_ATTEMPT = 0x001c,
};

enum {
	ATTR_MAPPED_ADDRESS = 0x0001,
	ATTR_CHANGE_REQUEST = 0x0003,
	ATTR_USERNAME = 0x0006,
	ATTR_MESSAGE_INTEGRITY = 0x0008,
	ATTR_ERROR_CODE = 0x0009,
	ATTR_UNKNOWN_ATTRIBUTES = 0x000a,
	ATTR_CHANNEL_NUMBER = 0x000c,
	ATTR_LIFETIME = 0x000d,
	ATTR_XOR_PEER_ADDRESS = 0x0012,
	ATTR_REALM = 0x0014,
	ATTR_NONCE = 0x0015,
	ATTR_XOR_RELAYED_ADDRESS = 0x0016,
	ATTR_REQUESTED_ADDRESS_FAMILY = 0x0017,
	ATTR_EVEN_PORT = 0x0018,
	ATTR_REQUESTED_TRANSPORT = 0x0019,
	ATTR_DONT_FRAGMENT = 0x001a,
	ATTR_MESSAGE_INTEGRITY_SHA256 = 0x001c,
	ATTR_PASSWORD_ALGORITHM = 0x001d,
	ATTR_USERHASH = 0x001e,
	ATTR_XOR_MAPPED_ADDRESS = 0x0020,
	ATTR_RESERVATION_TOKEN = 0x0022,
	ATTR_PADDING = 0x0026,
	ATTR_RESPONSE_PORT = 0x0027,
	ATTR_CONNECTION_ID = 0x002a,
	ATTR_PASSWORD_ALGORITHMS = 0x8002,
	ATTR_ADDITIONAL_ADDRESS_FAMILY = 0x8000,
	ATTR_ADDRESS_ERROR_CODE = 0x8001,
	ATTR_SOFTWARE = 0x8022,
	ATTR_ALTERNATE_DOMAIN = 0x8003,
	ATTR_ALTERNATE_SERVER = 0x8023,
	ATTR_TRANSMIT_COUNTER = 0x8025,
	ATTR_RESPONSE_ORIGIN = 0x802b,
	ATTR_OTHER_ADDRESS = 0x802c,
	ATTR_ADDITIONAL_FAMILY_DRAFT = 0x8032,
	ATTR_ADDRESS_ERROR_DRAFT = 0x8033,
	ATTR_FINGERPRINT = 0x8028,
};

#define MSG_MAX 4096u

struct msg {
	uint8_t octets[MSG_MAX];
	size_t len;
};

// key = MD5(user ":" realm ":" password)
void msg_key(const char *user, const char *realm, const char *password, uint8_t key[16]);

void msg_start(struct msg *m, uint16_t type, const uint8_t txid[12]);
void msg_attr(struct msg *m, uint16_t type, const void *value, size_t len);
void msg_text(struct msg *m, uint16_t type, const char *text);
void msg_u32(struct msg *m, uint16_t type, uint32_t value);
void msg_xor_addr(struct msg *m, uint16_t type, const struct tp_addr *addr);
void msg_integrity(struct msg *m, const uint8_t key[16]);
void msg_integrity_sha256(struct msg *m, const uint8_t key[16]);
void msg_fingerprint(struct msg *m);

// RFC 8489: the key of SHA-256, USERHASH, and MESSAGE-INTEGRITY-SHA256 under a key of any length
// with the first `mac_len` bytes.
void msg_key_sha256(const char *user, const char *realm, const char *password, uint8_t key[32]);
void msg_userhash(struct msg *m, const char *user, const char *realm);
void msg_integrity_sha256_by(struct msg *m, const uint8_t *key, size_t key_len, size_t mac_len);
// Whether MESSAGE-INTEGRITY-SHA256 is there, whole, and verifies.
bool reply_verifies_sha256(const uint8_t *octets, size_t len, const uint8_t *key, size_t key_len);

// Reading. An attribute's value; NULL: absent. `nth` counts from 0.
const uint8_t *reply_attr(
	const uint8_t *octets, size_t len, uint16_t type, unsigned nth, uint16_t *value_len);
// 0: a success response; else the code of its ERROR-CODE; 1: neither, or not well-formed.
unsigned reply_code(const uint8_t *octets, size_t len);
bool reply_xor_addr(
	const uint8_t *octets, size_t len, uint16_t type, unsigned nth, struct tp_addr *addr);
// Whether MESSAGE-INTEGRITY is there and verifies.
bool reply_verifies(const uint8_t *octets, size_t len, const uint8_t key[16]);
// Whether FINGERPRINT is there, last and right.
bool reply_fingerprint_ok(const uint8_t *octets, size_t len);
