// SPDX-License-Identifier: BSD-3-Clause
// Numbers of the STUN and TURN wire formats (RFC 8489, RFC 8656) and of ChannelData framing.
#pragma once

#include <turnpike/base.h>

#define TP_STUN_HEADER_LEN		 20u
#define TP_STUN_MAGIC_COOKIE		 0x2112a442u
#define TP_STUN_TXID_LEN		 12u
#define TP_CHANNEL_HEADER_LEN		 4u

// RFC 8656 12: channel numbers. 0x5000 to 0x7FFF only by the operator's option.
#define TP_CHANNEL_MIN			 0x4000u
#define TP_CHANNEL_MAX			 0x4fffu
#define TP_CHANNEL_MAX_COMPAT		 0x7fffu

// Message types: class and method in one, as on the wire (RFC 8489 5).
#define TP_STUN_BINDING_REQUEST		 0x0001u
#define TP_STUN_BINDING_INDICATION	 0x0011u
#define TP_STUN_BINDING_SUCCESS		 0x0101u
#define TP_TURN_ALLOCATE_REQUEST	 0x0003u
#define TP_TURN_REFRESH_REQUEST		 0x0004u
#define TP_TURN_PERMISSION_REQUEST	 0x0008u
#define TP_TURN_CHANNEL_BIND_REQUEST	 0x0009u
#define TP_TURN_CONNECT_REQUEST		 0x000au // RFC 6062, and below
#define TP_TURN_CONNECTION_BIND_REQUEST	 0x000bu
#define TP_TURN_SEND_INDICATION		 0x0016u
#define TP_TURN_DATA_INDICATION		 0x0017u

// Attributes that the packet path itself reads or writes; control has the whole table.
#define TP_ATTR_MAPPED_ADDRESS		 0x0001u
#define TP_ATTR_CHANGE_REQUEST		 0x0003u
#define TP_ATTR_USERNAME		 0x0006u
#define TP_ATTR_MESSAGE_INTEGRITY	 0x0008u
#define TP_ATTR_ERROR_CODE		 0x0009u
#define TP_ATTR_CHANNEL_NUMBER		 0x000cu
#define TP_ATTR_LIFETIME		 0x000du
#define TP_ATTR_XOR_PEER_ADDRESS	 0x0012u
#define TP_ATTR_DATA			 0x0013u
#define TP_ATTR_REALM			 0x0014u
#define TP_ATTR_NONCE			 0x0015u
#define TP_ATTR_DONT_FRAGMENT		 0x001au
#define TP_ATTR_MESSAGE_INTEGRITY_SHA256 0x001cu
#define TP_ATTR_PASSWORD_ALGORITHM	 0x001du
#define TP_ATTR_USERHASH		 0x001eu
#define TP_ATTR_XOR_MAPPED_ADDRESS	 0x0020u
#define TP_ATTR_PASSWORD_ALGORITHMS	 0x8002u
#define TP_ATTR_TRANSMIT_COUNTER	 0x8025u
#define TP_ATTR_FINGERPRINT		 0x8028u
#define TP_ATTR_ORIGIN			 0x802fu

// RFC 8489 18.5.1, by the server's preference: SHA-256, then MD5, both without parameters.
#define TP_PASSWORD_ALGORITHMS		 "\0\2\0\0\0\1\0\0"
#define TP_PASSWORD_ALGORITHMS_LEN	 8u
#define TP_PASSWORD_MD5			 1u
#define TP_PASSWORD_SHA256		 2u

// The reason phrase of error 401.
#define TP_STUN_REASON_401		 "Unauthenticated"

#define TP_STUN_FINGERPRINT_XOR		 0x5354554eu

// RFC 7983 7: whether a datagram with this first byte holds DTLS records.
static inline bool tp_is_dtls(uint8_t first)
{
	return first >= 20 && first <= 63;
}
