// SPDX-License-Identifier: BSD-3-Clause
// Between the edge and the control process: which connections of stream clients there are. The
// control process listens at TP_EDGE_SOCKET_NAME (SOCK_SEQPACKET, 0660) in the run directory; the
// edge connects, and connects again whenever the connection ends. One message is one packet: a
// struct tp_session_message and as many items as it says.
//
//   control to edge   LISTENERS, first of all, and again after each change
//   edge to control   OPENED for each connection there is, and SYNCED; from then on OPENED and
//                     CLOSED as it happens
//
// A connection is reported open before the edge hands on its first message. The end of the socket
// tells the control process that the edge died, and with it all connections; the edge keeps its
// connections when the control process dies.
//
// Neither side trusts the other: a message that is not of this form ends the session. Host order.
#pragma once

#include <turnpike/addr.h>

// In the run directory.
#define TP_EDGE_SOCKET_NAME	 "edge.sock"

#define TP_SESSION_MAGIC	 0x5450534531u // changes with the shape of the messages
#define TP_SESSION_REPORTS_MAX	 64u	       // of one message
#define TP_SESSION_LISTENERS_MAX 1023u

enum tp_session_kind {
	TP_SESSION_LISTENERS = 1, // items: struct tp_session_listener
	TP_SESSION_OPENED,	  // items: struct tp_session_report
	TP_SESSION_CLOSED,	  // likewise
	TP_SESSION_SYNCED,	  // no items: every connection has been reported
};

struct tp_session_message {
	uint64_t magic;
	uint32_t kind; // enum tp_session_kind
	uint32_t n;    // items that follow
	// LISTENERS: that of the tables, for the edge's file. Else 0.
	uint64_t pair_id;
	// SYNCED, which is sent again when it changes: the first expiry of the edge's certificates,
	// seconds since 1970; 0: there are none. Else 0.
	uint64_t expires_s;
};
TP_ASSERT_SIZE(struct tp_session_message, 32);

// A listener of TCP, TLS or DTLS.
struct tp_session_listener {
	struct tp_addr addr;
	uint16_t id;
	uint8_t transport; // TP_TRANSPORT_*
	uint8_t reserved;
};
TP_ASSERT_SIZE(struct tp_session_listener, 24);

struct tp_session_report {
	uint64_t connection; // handle, <turnpike/entry.h>
	struct tp_addr remote;
	uint16_t listener_id;
	uint16_t reserved;
};
TP_ASSERT_SIZE(struct tp_session_report, 32);
