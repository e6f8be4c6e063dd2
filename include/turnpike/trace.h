// SPDX-License-Identifier: BSD-3-Clause
// Tracing one client's packets: the request and the records of <turnpike/observe.h>. A record holds
// nothing of a packet's payload but its first two bytes.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/observe.h>

#define TP_TRACE_REQUEST_MAGIC 0x54505454u // changes with the shapes below
#define TP_TRACE_PACKETS_MAX   10000u
#define TP_TRACE_SECONDS_MAX   600u

struct tp_trace_request {
	struct tp_observe_request ask; // count: packets
	struct tp_addr client;	       // port 0: any port of this address
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_trace_request, 40);

// One packet, or one message of a stream client, on its way through a worker.
struct tp_trace_record {
	struct tp_observe_record head; // time_ns: of its burst
	struct tp_addr from;	       // as received
	struct tp_addr to;
	struct tp_addr sent_from; // as sent; only where sent_len is not 0
	struct tp_addr sent_to;
	uint32_t cycles; // between receive and transmit, alone in its burst
	uint32_t paths;	 // bit per TP_PATH_* it was counted under
	uint32_t lost;	 // records of its worker that found no room so far
	uint16_t len;	 // bytes of the frame
	uint16_t sent_len;
	uint16_t first;	 // the payload's first two bytes, host order
	uint8_t verdict; // 0 dropped, 1 sent, 2 to the control process, 3 not ours, 4 to a stream,
			 // 5 fragment
	uint8_t reason;	 // TP_DROP_*
	uint8_t mac[6];	 // next hop
	uint8_t rx_port;
	uint8_t tx_port;
	uint16_t worker;
	// TP_TRANSPORT_* of a stream client, whose message came or left by the edge; 0: a frame.
	uint8_t in_transport;
	uint8_t out_transport;
};
TP_ASSERT_SIZE(struct tp_trace_record, 128);
