// SPDX-License-Identifier: BSD-3-Clause
// Capturing one allocation's frames: the request and the records of <turnpike/observe.h>.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/observe.h>

#define TP_CAPTURE_REQUEST_MAGIC 0x54504352u // changes with the shapes below
#define TP_CAPTURE_FRAMES_MAX	 100000000u
#define TP_CAPTURE_SECONDS_MAX	 86400u
#define TP_CAPTURE_TAKEN_MAX	 16384u // bytes of a frame; the rest of a longer one is left out

struct tp_capture_request {
	struct tp_observe_request ask; // count: frames
	uint32_t snaplen;	       // bytes of each frame at most; 0: all
	uint32_t n_relayed;	       // 0 to 2
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed[2]; // on the wire, not as advertised
	// Handle of a stream client's connection, whose messages are captured too; 0: none.
	uint64_t connection;
};
TP_ASSERT_SIZE(struct tp_capture_request, 112);

enum tp_capture_direction { TP_CAPTURE_RECEIVED, TP_CAPTURE_SENT };

enum tp_capture_form {
	TP_CAPTURE_FRAME,
	// A message of the stream client, in the clear and without headers, between the edge and
	// the packet path; `port` is TP_OBSERVE_EDGE.
	TP_CAPTURE_MESSAGE,
};

// The frame or message follows, and zeros up to the record's size.
struct tp_capture_record {
	struct tp_observe_record head;
	uint16_t len;	   // bytes of the frame
	uint16_t taken;	   // bytes of it that follow
	uint8_t direction; // enum tp_capture_direction
	uint8_t port;
	uint8_t verdict; // 0 dropped, 1 sent; RECEIVED: 2 to the control process, 3 not ours, 4 to
			 // a stream, 5 fragment
	uint8_t reason;	 // TP_DROP_* of a dropped one; SENT: the port or the edge's ring refused it
	uint32_t worker;
	uint8_t form; // enum tp_capture_form
	uint8_t reserved[3];
};
TP_ASSERT_SIZE(struct tp_capture_record, 32);
