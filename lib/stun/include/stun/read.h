// SPDX-License-Identifier: BSD-3-Clause
// Reading STUN messages (RFC 8489 5, 6.3, 14). Nothing is copied: a parsed message points into the
// caller's bytes, which must stay unchanged while it is used. No function allocates, and all are
// safe on any thread.
#pragma once

#include <stun/attr.h>
#include <turnpike/addr.h>

// A cursor with a sticky error: read several fields, test `failed` once. After a failure every
// read returns zero and moves nothing.
struct stun_cursor {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct stun_cursor stun_cursor_init(const uint8_t *p, size_t len)
{
	return (struct stun_cursor){.at = p, .end = p + len};
}

static inline size_t stun_cursor_left(const struct stun_cursor *c)
{
	return (size_t)(c->end - c->at);
}

// The next n bytes, NULL on failure.
const uint8_t *stun_cursor_bytes(struct stun_cursor *c, size_t n);
uint8_t stun_cursor_u8(struct stun_cursor *c);
uint16_t stun_cursor_u16(struct stun_cursor *c);
uint32_t stun_cursor_u32(struct stun_cursor *c);

enum stun_class {
	STUN_REQUEST,
	STUN_INDICATION,
	STUN_SUCCESS,
	STUN_ERROR,
};

enum stun_method {
	STUN_BINDING = 0x001,
	STUN_ALLOCATE = 0x003,
	STUN_REFRESH = 0x004,
	STUN_SEND = 0x006,
	STUN_DATA_METHOD = 0x007,
	STUN_CREATE_PERMISSION = 0x008,
	STUN_CHANNEL_BIND = 0x009,
	STUN_CONNECT = 0x00a, // RFC 6062
	STUN_CONNECTION_BIND = 0x00b,
	STUN_CONNECTION_ATTEMPT = 0x00c,
};

// RFC 8489 5: the bits of class and method are interleaved in the message type.
static inline enum stun_class stun_type_class(uint16_t type)
{
	return (enum stun_class)((type >> 4 & 1) | (type >> 7 & 2));
}

static inline uint16_t stun_type_method(uint16_t type)
{
	return (uint16_t)((type & 0xf) | (type >> 1 & 0x70) | (type >> 2 & 0xf80));
}

static inline uint16_t stun_type_make(enum stun_class class, uint16_t method)
{
	return (uint16_t)((method & 0xf) | (method & 0x70) << 1 | (method & 0xf80) << 2 |
			  (class & 1) << 4 | (class & 2) << 7);
}

struct stun_value {
	const uint8_t *octets; // NULL: the attribute is absent
	uint16_t len;
};

// As many unknown comprehension-required types as a 420 lists; the rest is left out of the list.
#define STUN_UNKNOWN_MAX 32u

struct stun_message {
	const uint8_t *octets;
	size_t len;	    // whole message
	size_t covered_len; // up to where attributes count: those behind the integrity do not
	const uint8_t *txid;
	uint16_t type;
	uint16_t method;
	enum stun_class class;
	struct stun_value attr[STUN_ATTR_COUNT]; // the first of each type
	uint64_t malformed; // bit per enum stun_attr: present, but of an impossible length
	uint16_t n_unknown;
	uint16_t unknown[STUN_UNKNOWN_MAX]; // comprehension-required, each once, in order
};
_Static_assert(STUN_ATTR_COUNT <= 64, "the bits of stun_message.malformed");

enum stun_parse_result {
	STUN_PARSE_OK,
	STUN_PARSE_NOT_STUN,	    // first two bits or magic cookie
	STUN_PARSE_BAD_LENGTH,	    // header's length against the datagram, or an attribute's
	STUN_PARSE_BAD_FINGERPRINT, // wrong value, wrong length or not the last attribute
};

// Takes one whole datagram apart. `m` is defined only after STUN_PARSE_OK.
enum stun_parse_result stun_message_parse(
	struct stun_message *m, const uint8_t *octets, size_t len);

static inline bool stun_has(const struct stun_message *m, enum stun_attr id)
{
	return m->attr[id].octets != NULL;
}

static inline bool stun_is_malformed(const struct stun_message *m, enum stun_attr id)
{
	return (m->malformed & (UINT64_C(1) << id)) != 0;
}

// All attributes of one type in turn: start with *offset = 0; false at the end. Lengths are not
// checked against the table.
bool stun_message_next(
	const struct stun_message *m, enum stun_attr id, size_t *offset, struct stun_value *value);

// Takes the attribute for one that is not known, as where its extension is not in use.
void stun_message_disown(struct stun_message *m, enum stun_attr id);

// Values of attributes; false when absent or malformed.
bool stun_get_u32(const struct stun_message *m, enum stun_attr id, uint32_t *value);
bool stun_get_u16(const struct stun_message *m, enum stun_attr id, uint16_t *value);
bool stun_get_u8(const struct stun_message *m, enum stun_attr id, uint8_t *value);
// RFC 8489 14.2. An IPv4-mapped IPv6 address becomes IPv4.
bool stun_value_xor_address(
	const struct stun_message *m, struct stun_value value, struct tp_addr *addr);
