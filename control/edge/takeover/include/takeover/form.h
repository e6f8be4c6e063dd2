// SPDX-License-Identifier: BSD-3-Clause
// The bytes by which one edge process hands over to the next: records of a head and a body, over a
// Unix socket of one host, so host order. A descriptor may come with a record.
//
//   successor to predecessor   HELLO, then GO when all that may fail has been done, and TAKEN
//   predecessor to successor   WELCOME, a SOCKET for each listening socket; after GO: LINK, a
//                              DESCRIPTOR for each of the link's, for each channel to a
//                              process that drains and for the lock of the role, a RELAY for
//                              each socket and peer connection of TCP allocations, a
//                              CONNECTION for each that moves, after a FAR where it has
//                              another side, END; after TAKEN: YOURS, and from then on
//                              CONNECTION where a handshake of TLS was under way
//   predecessor to successor   REFUSED, with a reason; after WELCOME the reason comes by a
//                              pipe, since the channel may be full
//
// The channel stays open while the predecessor drains, and passes on with all else: its end tells
// the predecessor that nobody serves its clients any more.
//
// Until YOURS nothing has changed for the predecessor. No input, output or clock here; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <turnpike/addr.h>

#define TAKEOVER_MAGIC	    0x54502d45444745ull
#define TAKEOVER_VERSION    4u // of everything below, and of the content of blobs
#define TAKEOVER_BODY_MAX   (128u << 20)
// Processes that drain at once and still have a successor.
#define TAKEOVER_DRAINS_MAX 16u

enum takeover_kind {
	TAKEOVER_HELLO = 1, // struct takeover_hello
	TAKEOVER_WELCOME,   // struct takeover_welcome, with the end of a pipe
	TAKEOVER_SOCKET,    // struct takeover_socket, with a descriptor
	TAKEOVER_GO,
	TAKEOVER_LINK,	     // struct takeover_link, then `n_listeners` of the session's items
	TAKEOVER_DESCRIPTOR, // struct takeover_descriptor, with a descriptor
	TAKEOVER_RELAY,	     // of TCP allocations, with a descriptor unless it is joined
	TAKEOVER_CONNECTION, // takeover_connection_write, with a descriptor
	TAKEOVER_END,	     // struct takeover_end
	TAKEOVER_TAKEN,
	TAKEOVER_YOURS,
	TAKEOVER_REFUSED, // text
	TAKEOVER_FAR,	  // the socket of a backend or peer of the connection that follows
	TAKEOVER_KINDS,
};

struct takeover_head {
	uint64_t magic;
	uint32_t version;
	uint32_t kind; // enum takeover_kind
	uint32_t len;  // of the body
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct takeover_head, 24);

struct takeover_hello {
	uint32_t layout_version; // of the segment
	uint32_t pid;
};

struct takeover_welcome {
	uint32_t pid;
	uint32_t n_threads;
	uint32_t connections_max; // of one thread: handles name slots below
	uint32_t n_sockets;
};

struct takeover_socket {
	struct tp_addr addr;
	uint32_t thread;
};

struct takeover_link {
	uint64_t pair_id;     // of the tables, as the control process told it; 0: it has not
	uint32_t dataplane;   // 1: its timer has come
	uint32_t n_listeners; // items of <turnpike/session.h>
	uint64_t session;     // TP_SESSION_MAGIC of a session that is passed; 0: none is
};

enum takeover_descriptor_kind {
	TAKEOVER_ROLE,	  // the lock
	TAKEOVER_SESSION, // with the control process
	TAKEOVER_WAKING,  // the socket to the data plane
	TAKEOVER_WAKE,	  // its timer
	TAKEOVER_TIMER,	  // of our thread `index`
	TAKEOVER_DRAINS,  // the channel to a process that drains: it may send CONNECTION
	TAKEOVER_DESCRIPTORS,
};

struct takeover_descriptor {
	uint32_t kind; // enum takeover_descriptor_kind
	uint32_t index;
};

struct takeover_end {
	uint32_t n_connections;
	uint32_t reserved;
	uint8_t cookie_key[32]; // of DTLS
};
TP_ASSERT_SIZE(struct takeover_end, 40);

enum takeover_verdict {
	TAKEOVER_RIGHT,
	TAKEOVER_NOT_OURS, // another magic, an unknown kind, or a length that its body can't have
	TAKEOVER_OTHER_VERSION,
};

struct takeover_head takeover_head_make(enum takeover_kind kind, uint32_t len);
enum takeover_verdict takeover_head_check(const struct takeover_head *h);

// ---- a connection -------------------------------------------------------------------------------

enum takeover_state {
	TAKEOVER_PROXY, // nothing was read: the header of a proxy comes first
	TAKEOVER_FIRST, // nothing was read of the client
	TAKEOVER_WEB,	// `head` was: TURN or HTTP
	TAKEOVER_BEGUN, // the handshake is done, nothing else was read
	TAKEOVER_OPEN,	// `connection` is its handle
	TAKEOVER_PASS,	// a backend's, or joined with a peer: the blob of its name says more
	TAKEOVER_STATES,
};

#define TAKEOVER_BY_TLS	  0x01u // began with a ClientHello
#define TAKEOVER_FRAMED	  0x02u // its messages are in a WebSocket
#define TAKEOVER_SPOKE	  0x04u // a message has come
#define TAKEOVER_BINDING  0x08u // its ConnectionBind is not answered
#define TAKEOVER_ADMITTED 0x10u // counts against the limits
#define TAKEOVER_DTLS	  0x20u // an association: the descriptor leads to its session
#define TAKEOVER_FLAGS	  0x3fu

// Bytes; NULL: none.
struct takeover_blob {
	const uint8_t *bytes;
	size_t len;
};

enum takeover_blob_kind {
	TAKEOVER_PARTIAL, // read, and not handed on
	TAKEOVER_REST,	  // to leave before anything of the backlog
	TAKEOVER_HEAD,
	TAKEOVER_WS,
	TAKEOVER_BACKLOG,     // backlog_save
	TAKEOVER_PASSING,     // PASS: struct takeover_pass
	TAKEOVER_UP,	      // PASS: bytes for the far side
	TAKEOVER_DOWN,	      // PASS: bytes for the client
	TAKEOVER_ASSOCIATION, // DTLS: struct takeover_association
	TAKEOVER_BLOBS,
};

#define TAKEOVER_CONNECTED  0x01u
#define TAKEOVER_UP_ENDED   0x02u // no more comes from the client
#define TAKEOVER_UP_TOLD    0x04u // and the far side knows
#define TAKEOVER_DOWN_ENDED 0x08u // likewise
#define TAKEOVER_DOWN_TOLD  0x10u
#define TAKEOVER_COPIES	    0x20u // its bytes can't be spliced
#define TAKEOVER_PASS_FLAGS 0x3fu

struct takeover_pass {
	uint64_t key;		// of the peer connection; 0: a backend
	uint64_t n_up, n_down;	// bytes so far
	struct tp_addr backend; // family 0: a peer
	uint32_t flags;		// of those above
};
TP_ASSERT_SIZE(struct takeover_pass, sizeof(struct tp_addr) + 28);

struct takeover_association {
	uint8_t random[32];	// of its ClientHello
	uint64_t next_hop, tag; // the way to the client: struct edge_link_way
};
TP_ASSERT_SIZE(struct takeover_association, 48);

struct takeover_connection {
	struct tp_addr listener; // address and port that the client connected to
	struct tp_addr remote;	 // the client, as a proxy named it
	uint64_t connection;	 // OPEN, and PASS of a peer; else 0
	uint32_t thread;
	uint16_t listener_id; // of the session, where there is a handle, and of DTLS
	uint8_t state;	      // enum takeover_state
	uint8_t flags;	      // TAKEOVER_*
	uint32_t skip;	      // bytes of a message too long that are still to come
	uint16_t n_asked;     // requests without an answer yet
	struct takeover_blob blobs[TAKEOVER_BLOBS];
};

// Returns the number of bytes that takeover_connection_write writes.
size_t takeover_connection_size(const struct takeover_connection *c);
void takeover_connection_write(const struct takeover_connection *c, uint8_t *out);
// The blobs stay in `bytes`. False: no edge of this version wrote these.
bool takeover_connection_read(struct takeover_connection *c, const uint8_t *bytes, size_t len);

// ---- a session of DTLS that stays ---------------------------------------------------------------
// Both processes exchange packets over a pair of sockets (SOCK_SEQPACKET) for each association: a
// head, then the bytes. The process before has the session and knows the client by nothing else;
// the next one has the client's datagrams, its handle and its time. One that closes its end without
// OVER has died.

enum takeover_packet_kind {
	TAKEOVER_DATAGRAM = 1, // records: from the client with their way, or for it
	TAKEOVER_MESSAGE,      // of the client with the way of its record, or for it
	TAKEOVER_OVER,	       // it ends: `reason`; only the last records for the client follow
};

enum takeover_reason {
	TAKEOVER_BY_PROCESS,
	TAKEOVER_BY_CLIENT,
	TAKEOVER_BY_HANDSHAKE, // it failed
	TAKEOVER_REPLACED,     // by another one of the client, which must not be told
};

struct takeover_packet {
	uint32_t kind;		// enum takeover_packet_kind
	uint32_t reason;	// OVER: enum takeover_reason
	uint64_t next_hop, tag; // the way: struct edge_link_way
};
TP_ASSERT_SIZE(struct takeover_packet, 24);
