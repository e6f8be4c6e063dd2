// SPDX-License-Identifier: BSD-3-Clause
// How an operator looks on at running traffic: a trace (<turnpike/trace.h>) or a capture
// (<turnpike/capture.h>). relayctl makes a pair of SOCK_SEQPACKET Unix sockets and gives one end to
// the control process (SCM_RIGHTS), which passes it on to the data plane with a request over that
// one's socket (TP_PUNT_SOCKET_NAME). From then on the data plane writes messages to it: one BEGIN,
// then RECORDS, then one END; each is a struct tp_observe_message and the body of its kind. Either
// side ends the observation by closing its end; relayctl also by shutting down its sending side,
// which brings the END. A socket that closes without an END: the data plane died. Neither side
// trusts the other: a request without its magic and size ends nothing but itself. Host order.
#pragma once

#include <turnpike/base.h>
#include <turnpike/limits.h>

#define TP_OBSERVE_MESSAGE_MAGIC 0x5450434eu
#define TP_OBSERVE_MESSAGE_MAX	 32768u // bytes of one message
// Where records come from: the data plane's ports, then the edge, whose messages have no frame.
#define TP_OBSERVE_EDGE		 TP_PORTS_MAX
#define TP_OBSERVE_SOURCES	 (TP_PORTS_MAX + 1u)

// How each request begins.
struct tp_observe_request {
	uint32_t magic;	  // changes with the request's shape
	uint32_t number;  // of the observation, not 0; comes back in each record
	uint32_t count;	  // records at most; 0: end the one of this number, or with number 0 any
	uint32_t seconds; // at most
};
TP_ASSERT_SIZE(struct tp_observe_request, 16);

enum tp_observe_kind { TP_OBSERVE_BEGIN = 1, TP_OBSERVE_RECORDS, TP_OBSERVE_END };

struct tp_observe_message {
	uint32_t magic;
	uint32_t kind; // enum tp_observe_kind
};
TP_ASSERT_SIZE(struct tp_observe_message, 8);

enum tp_observe_state {
	TP_OBSERVE_RUNS,
	TP_OBSERVE_BUSY,     // another one runs
	TP_OBSERVE_UNUSABLE, // the request makes no sense
	TP_OBSERVE_NO_MEMORY,
};

// After TP_OBSERVE_BEGIN. Nothing but the socket's end follows another state than RUNS.
struct tp_observe_begin {
	uint64_t wall_ns; // to be added to CLOCK_BOOTTIME for the wall clock
	uint32_t state;	  // enum tp_observe_state
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_observe_begin, 16);

// How each record begins. After TP_OBSERVE_RECORDS, one behind the other to the message's end.
struct tp_observe_record {
	uint32_t size;	  // bytes of the record, a multiple of 8
	uint32_t number;  // of the observation
	uint64_t time_ns; // CLOCK_BOOTTIME
};
TP_ASSERT_SIZE(struct tp_observe_record, 16);

enum tp_observe_end_cause {
	TP_OBSERVE_FULL,    // as many records as were asked for
	TP_OBSERVE_OVER,    // so many seconds
	TP_OBSERVE_LEFT,    // the reader wants no more
	TP_OBSERVE_ENDED,   // by a request
	TP_OBSERVE_ALONE,   // the control process is gone
	TP_OBSERVE_STOPPED, // the data plane stops
};

// After TP_OBSERVE_END.
struct tp_observe_end {
	uint32_t cause; // enum tp_observe_end_cause
	uint32_t reserved;
	uint64_t missed[TP_OBSERVE_SOURCES]; // records that found no room, by source
};
TP_ASSERT_SIZE(struct tp_observe_end, 144);
