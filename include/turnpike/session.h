// SPDX-License-Identifier: BSD-3-Clause
// Between the edge and the control process: which connections of stream clients there are. The
// control process listens at TP_EDGE_SOCKET_NAME (SOCK_SEQPACKET, 0660) in the run directory; the
// edge connects, and connects again whenever the connection ends. One message is one packet: a
// struct tp_session_message and as many items as it says.
//
//   control to edge   LISTENERS, first of all, and again after each change; ORDER
//   edge to control   OPENED for each connection there is, RELAY and PEER likewise, and SYNCED;
//                     from then on OPENED, CLOSED, RELAY, PEER and USED as it happens; AGAIN, and
//                     all of it once more, where a process of the edge has the session of one
//                     that died while it handed over: what is not reported until SYNCED, or
//                     ten seconds later (connections), is gone
//
// TCP allocations (RFC 6062). Control decides, the edge has the sockets: one that listens at each
// relayed transport address, and one for each connection with a peer, a peer connection. Its key is
// control's where it goes out (1 to UINT32_MAX), the edge's where it came in (larger ones). Reports
// say how something is, so that repeating them does no harm; an end is reported once, and waits for
// a control process that is away. RELAY comes again when more bytes have passed, about ten times a
// second, less often where more than 256 have some, and for the last time after UNLISTEN, when all
// its peer connections are over. USED comes as often for each bucket that is watched.
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

#define TP_SESSION_MAGIC	 0x5450534535u // changes with the shape of the messages
#define TP_SESSION_REPORTS_MAX	 64u	       // of one message
#define TP_SESSION_LISTENERS_MAX 1023u
#define TP_SESSION_NOTE_LEN	 24u
#define TP_SESSION_DATA_MAX	 1280u // of an order
// A peer connection that no client connection has joined ends after so long, and one that the peer
// does not answer (RFC 6062 5.2: at least 30 s).
#define TP_SESSION_WAIT_S	 30u
#define TP_SESSION_CONNECT_S	 32u

enum tp_session_kind {
	TP_SESSION_LISTENERS = 1, // items: struct tp_session_listener
	TP_SESSION_OPENED,	  // items: struct tp_session_report
	TP_SESSION_CLOSED,	  // likewise
	TP_SESSION_SYNCED,	  // no items: everything has been reported
	TP_SESSION_ORDER,	  // one struct tp_session_order, and `data_len` bytes
	TP_SESSION_RELAY,	  // items: struct tp_session_relay
	TP_SESSION_PEER,	  // items: struct tp_session_peer
	TP_SESSION_AGAIN,	  // no items: everything is reported again
	TP_SESSION_USED,	  // items: struct tp_session_used
};

struct tp_session_message {
	uint64_t magic;
	uint32_t kind; // enum tp_session_kind
	uint32_t n;    // items that follow
	union {
		uint64_t pair_id;	    // LISTENERS: that of the tables, for the edge's file
		struct {		    // SYNCED
			uint32_t peers_max; // peer connections the edge can have; 0: unknown
			// From the first expiry of the edge's certificates to the last.
			uint32_t expires_span_s;
		};
	}; // else 0
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

// A connection that can't become a data connection: a WebSocket, whose bytes are frames.
#define TP_REPORT_FRAMED 0x0001u

struct tp_session_report {
	uint64_t connection; // handle, <turnpike/entry.h>
	struct tp_addr remote;
	uint16_t listener_id;
	uint16_t flags; // TP_REPORT_*
};
TP_ASSERT_SIZE(struct tp_session_report, 32);

enum tp_order_kind {
	TP_ORDER_LISTEN = 1, // at `local`, under caps; again: under other caps
	TP_ORDER_UNLISTEN,   // and end every peer connection of `local`
	TP_ORDER_CONNECT,    // from `local` to `peer`, as `key`
	TP_ORDER_KEEP,	     // the peer connection that came in, with its note
	TP_ORDER_JOIN,	     // the peer connection and the client's, which gets the data first
	TP_ORDER_CLOSE,	     // the peer connection
	TP_ORDER_CAPS,	     // buckets that there are keep to these caps
};

// The bytes of the bucket are reported (USED).
#define TP_CAP_WATCHED	    0x0001u

// A cap on the bandwidth of data connections, both ways together. Those of one id share one bucket.
#define TP_SESSION_CAPS_MAX 4u

struct tp_session_cap {
	uint64_t bits_per_s; // not 0
	uint64_t burst_bits;
	uint32_t id;
	uint32_t flags; // TP_CAP_*
};
TP_ASSERT_SIZE(struct tp_session_cap, 24);

struct tp_session_order {
	// Of the peer connection; LISTEN, UNLISTEN: control's, comes back with each RELAY.
	uint64_t key;
	uint64_t connection;  // JOIN: handle of the client's
	struct tp_addr local; // LISTEN, UNLISTEN, CONNECT: relayed transport address on this host
	struct tp_addr peer;  // CONNECT
	// CONNECT, KEEP: comes back with each report. The edge can't read it.
	uint8_t note[TP_SESSION_NOTE_LEN];
	uint16_t kind;	   // enum tp_order_kind
	uint16_t data_len; // JOIN: bytes that follow
	uint32_t reserved;
	// LISTEN: those of the allocation; CAPS: those that change. An id of 0 ends them.
	struct tp_session_cap caps[TP_SESSION_CAPS_MAX];
};
TP_ASSERT_SIZE(struct tp_session_order, 184);

enum tp_relay_state {
	TP_RELAY_LISTENS = 1,
	TP_RELAY_FAILED, // nothing listens there
	TP_RELAY_ENDED,	 // ordered so, and all is over: the bytes are the last
};

struct tp_session_relay {
	struct tp_addr local;
	uint16_t state;	 // enum tp_relay_state
	uint16_t failed; // FAILED: the system's error number
	// Bytes of all its data connections since it began.
	uint64_t to_peer;
	uint64_t to_client;
	uint64_t key; // of the order
};
TP_ASSERT_SIZE(struct tp_session_relay, 48);

enum tp_peer_state {
	TP_PEER_CONNECTS = 1, // goes out
	TP_PEER_ARRIVED,      // came in, and has no note yet
	TP_PEER_WAITS,	      // for the client's connection
	TP_PEER_JOINED,
	TP_PEER_GONE,
};

struct tp_session_peer {
	uint64_t key;
	uint64_t connection; // JOINED: handle of the client's; else 0
	struct tp_addr local;
	struct tp_addr peer;
	uint64_t to_peer; // GONE: bytes
	uint64_t to_client;
	uint8_t note[TP_SESSION_NOTE_LEN];
	uint16_t state;	 // enum tp_peer_state
	uint16_t failed; // GONE before it was connected: the system's error number, not 0
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_session_peer, 104);

// The use of a bucket that is watched.
struct tp_session_used {
	uint64_t octets; // since the edge made the bucket
	uint64_t at_ns;	 // CLOCK_BOOTTIME
	uint32_t id;
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_session_used, 24);
