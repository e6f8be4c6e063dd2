// SPDX-License-Identifier: BSD-3-Clause
// The STUN attributes this server understands (RFC 8489 18.3, RFC 8656 18), as one const table.
//
// A comprehension-required attribute (type below 0x8000) that is not in the table is unknown: a
// request that carries it is answered 420. Implementing an attribute therefore begins with a row
// here.
#pragma once

#include <turnpike/stun.h>

// X(id, type, shortest value, longest value, name on the wire)
#define STUN_ATTRS(X)                                                                              \
	X(MAPPED_ADDRESS, TP_ATTR_MAPPED_ADDRESS, 8, 20, "MAPPED-ADDRESS")                         \
	X(CHANGE_REQUEST, TP_ATTR_CHANGE_REQUEST, 4, 4, "CHANGE-REQUEST")                          \
	X(USERNAME, TP_ATTR_USERNAME, 0, 763, "USERNAME")                                          \
	X(MESSAGE_INTEGRITY, TP_ATTR_MESSAGE_INTEGRITY, 20, 20, "MESSAGE-INTEGRITY")               \
	X(ERROR_CODE, TP_ATTR_ERROR_CODE, 4, 767, "ERROR-CODE")                                    \
	X(UNKNOWN_ATTRIBUTES, 0x000a, 0, 65535, "UNKNOWN-ATTRIBUTES")                              \
	X(CHANNEL_NUMBER, TP_ATTR_CHANNEL_NUMBER, 4, 4, "CHANNEL-NUMBER")                          \
	X(LIFETIME, TP_ATTR_LIFETIME, 4, 4, "LIFETIME")                                            \
	X(XOR_PEER_ADDRESS, TP_ATTR_XOR_PEER_ADDRESS, 8, 20, "XOR-PEER-ADDRESS")                   \
	X(DATA, TP_ATTR_DATA, 0, 65535, "DATA")                                                    \
	X(REALM, TP_ATTR_REALM, 0, 763, "REALM")                                                   \
	X(NONCE, TP_ATTR_NONCE, 0, 763, "NONCE")                                                   \
	X(XOR_RELAYED_ADDRESS, 0x0016, 8, 20, "XOR-RELAYED-ADDRESS")                               \
	X(REQUESTED_ADDRESS_FAMILY, 0x0017, 4, 4, "REQUESTED-ADDRESS-FAMILY")                      \
	X(EVEN_PORT, 0x0018, 1, 1, "EVEN-PORT")                                                    \
	X(REQUESTED_TRANSPORT, 0x0019, 4, 4, "REQUESTED-TRANSPORT")                                \
	X(DONT_FRAGMENT, TP_ATTR_DONT_FRAGMENT, 0, 0, "DONT-FRAGMENT")                             \
	X(ACCESS_TOKEN, 0x001b, 0, 65535, "ACCESS-TOKEN")                                          \
	X(MESSAGE_INTEGRITY_SHA256, TP_ATTR_MESSAGE_INTEGRITY_SHA256, 16, 32,                      \
		"MESSAGE-INTEGRITY-SHA256")                                                        \
	X(PASSWORD_ALGORITHM, TP_ATTR_PASSWORD_ALGORITHM, 4, 763, "PASSWORD-ALGORITHM")            \
	X(USERHASH, TP_ATTR_USERHASH, 32, 32, "USERHASH")                                          \
	X(XOR_MAPPED_ADDRESS, TP_ATTR_XOR_MAPPED_ADDRESS, 8, 20, "XOR-MAPPED-ADDRESS")             \
	X(RESERVATION_TOKEN, 0x0022, 8, 8, "RESERVATION-TOKEN")                                    \
	X(PADDING, 0x0026, 0, 65535, "PADDING")                                                    \
	X(RESPONSE_PORT, 0x0027, 2, 4, "RESPONSE-PORT")                                            \
	X(CONNECTION_ID, 0x002a, 4, 4, "CONNECTION-ID")                                            \
	X(ADDITIONAL_ADDRESS_FAMILY, 0x8000, 4, 4, "ADDITIONAL-ADDRESS-FAMILY")                    \
	X(PASSWORD_ALGORITHMS, TP_ATTR_PASSWORD_ALGORITHMS, 4, 763, "PASSWORD-ALGORITHMS")         \
	X(ALTERNATE_DOMAIN, 0x8003, 0, 255, "ALTERNATE-DOMAIN")                                    \
	X(ADDRESS_ERROR_CODE, 0x8001, 4, 767, "ADDRESS-ERROR-CODE")                                \
	X(ICMP, 0x8004, 8, 8, "ICMP")                                                              \
	X(SOFTWARE, 0x8022, 0, 763, "SOFTWARE")                                                    \
	X(ALTERNATE_SERVER, 0x8023, 8, 20, "ALTERNATE-SERVER")                                     \
	X(TRANSMIT_COUNTER, TP_ATTR_TRANSMIT_COUNTER, 4, 4, "TRANSACTION-TRANSMIT-COUNTER")        \
	X(FINGERPRINT, TP_ATTR_FINGERPRINT, 4, 4, "FINGERPRINT")                                   \
	X(RESPONSE_ORIGIN, 0x802b, 8, 20, "RESPONSE-ORIGIN")                                       \
	X(OTHER_ADDRESS, 0x802c, 8, 20, "OTHER-ADDRESS")                                           \
	X(MOBILITY_TICKET, 0x8030, 0, 65535, "MOBILITY-TICKET")                                    \
	X(ADDITIONAL_FAMILY_DRAFT, 0x8032, 4, 4, "ADDITIONAL-ADDRESS-FAMILY of the draft")         \
	X(ADDRESS_ERROR_DRAFT, 0x8033, 4, 767, "ADDRESS-ERROR-CODE of the draft")                  \
	X(ORIGIN, TP_ATTR_ORIGIN, 0, 1024, "ORIGIN")

enum stun_attr {
#define STUN_ATTR_ID(id, type, min, max, name) STUN_##id,
	STUN_ATTRS(STUN_ATTR_ID)
#undef STUN_ATTR_ID
		STUN_ATTR_COUNT
};

struct stun_attr_info {
	uint16_t type;
	uint16_t min_len;
	uint16_t max_len;
	const char *name;
};

// Indexed by enum stun_attr.
extern const struct stun_attr_info stun_attr_table[STUN_ATTR_COUNT];

// The row of a wire type; STUN_ATTR_COUNT when there is none.
enum stun_attr stun_attr_find(uint16_t type);

static inline bool stun_attr_required(uint16_t type)
{
	return type < 0x8000;
}
