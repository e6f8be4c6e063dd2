// SPDX-License-Identifier: BSD-3-Clause
// Capturing one allocation's frames: the request and the records of <turnpike/observe.h>.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/observe.h>

#define TP_CAPTURE_REQUEST_MAGIC 0x54504351u // changes with the shapes below
#define TP_CAPTURE_FRAMES_MAX	 100000000u
#define TP_CAPTURE_SECONDS_MAX	 86400u

struct tp_capture_request {
	struct tp_observe_request ask; // count: frames
	uint32_t snaplen;	       // bytes of each frame at most; 0: all
	uint32_t n_relayed;	       // 0 to 2
	struct tp_addr client;
	struct tp_addr listener;
	struct tp_addr relayed[2]; // on the wire, not as advertised
};
TP_ASSERT_SIZE(struct tp_capture_request, 104);

enum tp_capture_direction { TP_CAPTURE_RECEIVED, TP_CAPTURE_SENT };

// The frame follows, and zeros up to the record's size.
struct tp_capture_record {
	struct tp_observe_record head;
	uint16_t len;	   // bytes of the frame
	uint16_t taken;	   // bytes of it that follow
	uint8_t direction; // enum tp_capture_direction
	uint8_t port;
	uint8_t verdict; // 0 dropped, 1 sent; RECEIVED: 2 to the control process, 3 not ours, 4 to
			 // a stream, 5 fragment
	uint8_t reason;	 // TP_DROP_* of a dropped one; SENT: the port refused it
	uint32_t worker;
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_capture_record, 32);
