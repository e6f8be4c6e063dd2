// SPDX-License-Identifier: BSD-3-Clause
// Capturing one allocation's frames. relayctl makes a pair of SOCK_SEQPACKET Unix sockets and gives
// one end to the control process (SCM_RIGHTS), which passes it on to the data plane with a request
// over that one's socket (TP_PUNT_SOCKET_NAME). From then on the data plane writes messages to it:
// one BEGIN, then RECORDS, then one END; each is a struct tp_capture_message and what its kind
// says. Either side ends the capture by closing its end; relayctl by shutting down what it sends,
// too, which brings the END. A socket that closes without an END: the data plane died. Host order.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/limits.h>

#define TP_CAPTURE_REQUEST_MAGIC 0x54504351u // changes with the shapes below
#define TP_CAPTURE_MESSAGE_MAGIC 0x5450434du
#define TP_CAPTURE_FRAMES_MAX	 100000000u
#define TP_CAPTURE_SECONDS_MAX	 86400u
#define TP_CAPTURE_MESSAGE_MAX	 32768u // octets of one message

struct tp_capture_request {
	uint32_t magic;
	uint32_t number;    // of the capture, not 0
	uint32_t frames;    // at most; 0: end this capture
	uint32_t seconds;   // at most
	uint32_t snaplen;   // octets of each frame at most; 0: all
	uint32_t n_relayed; // 0 to 2
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed[2]; // on the wire, not as advertised
};
TP_ASSERT_SIZE(struct tp_capture_request, 104);

enum tp_capture_kind { TP_CAPTURE_BEGIN = 1, TP_CAPTURE_RECORDS, TP_CAPTURE_END };

struct tp_capture_message {
	uint32_t magic;
	uint32_t kind; // enum tp_capture_kind
};
TP_ASSERT_SIZE(struct tp_capture_message, 8);

enum tp_capture_state {
	TP_CAPTURE_RUNS,
	TP_CAPTURE_BUSY,     // another one runs
	TP_CAPTURE_UNUSABLE, // the request makes no sense
	TP_CAPTURE_NO_MEMORY,
};

// After TP_CAPTURE_BEGIN. Nothing but the socket's end follows another state than RUNS.
struct tp_capture_begin {
	uint64_t wall_ns; // what to add to CLOCK_BOOTTIME for the wall clock
	uint32_t state;	  // enum tp_capture_state
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_capture_begin, 16);

enum tp_capture_way { TP_CAPTURE_RECEIVED, TP_CAPTURE_SENT };

// After TP_CAPTURE_RECORDS, one behind the other to the end of the message.
struct tp_capture_record {
	uint32_t size;	  // octets of this, the frame, and zeros up to a multiple of 8
	uint32_t number;  // of the capture
	uint64_t time_ns; // CLOCK_BOOTTIME
	uint16_t len;	  // octets of the frame
	uint16_t taken;	  // octets of it that follow
	uint8_t way;	  // enum tp_capture_way
	uint8_t port;
	uint8_t verdict; // 0 dropped, 1 sent; RECEIVED: 2 to the control process, 3 not ours
	uint8_t reason;	 // TP_DROP_* of a dropped one; SENT: the port refused it
	uint32_t worker;
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_capture_record, 32);

enum tp_capture_end_cause {
	TP_CAPTURE_FULL,    // as many frames as were asked for
	TP_CAPTURE_OVER,    // so many seconds
	TP_CAPTURE_LEFT,    // the reader wants no more
	TP_CAPTURE_ENDED,   // by the control process: the allocation is gone
	TP_CAPTURE_ALONE,   // the control process is gone
	TP_CAPTURE_STOPPED, // the data plane stops
};

// After TP_CAPTURE_END.
struct tp_capture_end {
	uint32_t cause; // enum tp_capture_end_cause
	uint32_t reserved;
	uint64_t missed[TP_PORTS_MAX]; // frames that found no room, by port
};
TP_ASSERT_SIZE(struct tp_capture_end, 136);
