// SPDX-License-Identifier: BSD-3-Clause
// Questions of the control process to the directory of users. turnpike-directory listens at
// TP_LOOKUP_SOCKET_NAME in the instance's run directory (SOCK_SEQPACKET); the control process
// connects, asks, and gets one answer for each question, in any order: a tp_lookup_answer, or the
// tp_lookup_keys of a realm. Each message begins with a
// tp_lookup_head; one of another magic, version or size ends the connection. Host byte order.
//
// Each side looks at the other's user (SO_PEERCRED): the run directory is shared with the data
// plane, which must neither ask for keys nor answer in the directory's place.
#pragma once

#include <turnpike/base.h>

#define TP_LOOKUP_SOCKET_NAME	 "directory.sock"
#define TP_LOOKUP_USER_CONTROL	 "turnpike-control"
#define TP_LOOKUP_USER_DIRECTORY "turnpike-directory"

#define TP_LOOKUP_MAGIC		 0x54504c4bu
#define TP_LOOKUP_VERSION	 2u
#define TP_LOOKUP_REALM_MAX	 508u // bytes: RFC 8489 14.9, 127 characters
#define TP_LOOKUP_NAME_MAX	 763u // bytes
#define TP_LOOKUP_KEY_MAX	 32u
#define TP_LOOKUP_PATIENCE_S	 5u // then nobody waits for the answer any more

enum tp_lookup_kind { TP_LOOKUP_ASK = 1, TP_LOOKUP_ANSWER, TP_LOOKUP_KEYS };

struct tp_lookup_head {
	uint32_t magic;
	uint16_t version;
	uint16_t kind; // enum tp_lookup_kind
};
TP_ASSERT_SIZE(struct tp_lookup_head, 8);

enum tp_lookup_by {
	TP_LOOKUP_BY_NAME,
	TP_LOOKUP_BY_USERHASH,
	TP_LOOKUP_BY_TOKEN,
	TP_LOOKUP_BY_REALM, // the keys of the realm, without a name
};

// Keys of a realm.
#define TP_LOOKUP_SECRETS    1u // of time-limited credentials
#define TP_LOOKUP_TOKEN_KEYS 2u // of tokens (RFC 7635)

// The message ends with the name: it is as long as tp_lookup_ask_size says.
struct tp_lookup_ask {
	struct tp_lookup_head head;
	uint64_t ticket; // comes back in the answer
	uint16_t by;	 // enum tp_lookup_by
	uint16_t realm_len;
	uint16_t name_len;
	uint16_t wanted; // BY_REALM: TP_LOOKUP_SECRETS, TP_LOOKUP_TOKEN_KEYS, or both
	uint8_t text[TP_LOOKUP_REALM_MAX + TP_LOOKUP_NAME_MAX + 1]; // realm, then name
};
TP_ASSERT_SIZE(struct tp_lookup_ask, 24 + 1272);

static inline size_t tp_lookup_ask_size(const struct tp_lookup_ask *m)
{
	return offsetof(struct tp_lookup_ask, text) + m->realm_len + m->name_len;
}

enum tp_lookup_status {
	TP_LOOKUP_FOUND,
	TP_LOOKUP_UNKNOWN, // no such user
	TP_LOOKUP_FAILED,  // the source of the realm's users can't tell, or there is none
};

// RFC 8489 18.5.
enum tp_lookup_algorithm { TP_LOOKUP_NONE, TP_LOOKUP_MD5, TP_LOOKUP_SHA256 };

struct tp_lookup_answer {
	struct tp_lookup_head head;
	uint64_t ticket;
	uint8_t status;	   // enum tp_lookup_status
	uint8_t algorithm; // FOUND: enum tp_lookup_algorithm
	uint8_t key_len;   // FOUND: 16 or 32
	uint8_t reserved;
	uint32_t life_s; // FOUND, UNKNOWN: the answer may be kept for as long
	uint8_t key[TP_LOOKUP_KEY_MAX];
};
TP_ASSERT_SIZE(struct tp_lookup_answer, 56);

#define TP_LOOKUP_KEYS_MAX	 64u
#define TP_LOOKUP_KEY_ID_MAX	 128u
#define TP_LOOKUP_KEY_OCTETS_MAX 256u

enum tp_lookup_key_kind { TP_LOOKUP_SECRET, TP_LOOKUP_A256GCM, TP_LOOKUP_A128GCM };

struct tp_lookup_key {
	uint8_t kind;	// enum tp_lookup_key_kind
	uint8_t id_len; // 0 of a secret
	uint16_t len;
	uint32_t reserved;
	uint64_t not_after_s; // wall clock, inclusive; 0: for ever
	uint8_t id[TP_LOOKUP_KEY_ID_MAX];
	uint8_t octets[TP_LOOKUP_KEY_OCTETS_MAX]; // of a token's key 32, with zeros at its end
};
TP_ASSERT_SIZE(struct tp_lookup_key, 400);

// The answer to a question BY_REALM, where its source can tell; else a tp_lookup_answer says that
// it can't. The message ends with the last key: it is as long as tp_lookup_keys_size says.
struct tp_lookup_keys {
	struct tp_lookup_head head;
	uint64_t ticket;
	uint16_t n;
	uint16_t skipped; // rows that hold no usable key, or that have no room
	uint32_t life_s;  // then they are asked for again
	struct tp_lookup_key items[TP_LOOKUP_KEYS_MAX];
};
TP_ASSERT_SIZE(struct tp_lookup_keys, 24 + 64 * 400);

static inline size_t tp_lookup_keys_size(const struct tp_lookup_keys *m)
{
	return offsetof(struct tp_lookup_keys, items) + m->n * sizeof(m->items[0]);
}

static inline bool tp_lookup_head_is(const struct tp_lookup_head *h, enum tp_lookup_kind kind)
{
	return h->magic == TP_LOOKUP_MAGIC && h->version == TP_LOOKUP_VERSION && h->kind == kind;
}

// Whether `size` received bytes are a whole question.
static inline bool tp_lookup_ask_is_whole(const struct tp_lookup_ask *m, size_t size)
{
	return size >= offsetof(struct tp_lookup_ask, text) &&
	       tp_lookup_head_is(&m->head, TP_LOOKUP_ASK) && m->realm_len <= TP_LOOKUP_REALM_MAX &&
	       m->name_len <= TP_LOOKUP_NAME_MAX && size == tp_lookup_ask_size(m);
}

// Whether `size` received bytes are the whole keys of a realm.
static inline bool tp_lookup_keys_are_whole(const struct tp_lookup_keys *m, size_t size)
{
	if (size < offsetof(struct tp_lookup_keys, items) ||
		!tp_lookup_head_is(&m->head, TP_LOOKUP_KEYS) || m->n > TP_LOOKUP_KEYS_MAX ||
		size != tp_lookup_keys_size(m))
		return false;
	for (uint16_t i = 0; i < m->n; i++) {
		const struct tp_lookup_key *k = &m->items[i];

		if (k->kind > TP_LOOKUP_A128GCM || k->id_len > TP_LOOKUP_KEY_ID_MAX ||
			k->len > TP_LOOKUP_KEY_OCTETS_MAX)
			return false;
	}
	return true;
}
