// SPDX-License-Identifier: BSD-3-Clause
// Tracing one client's packets: what goes over the data plane's socket (TP_PUNT_SOCKET_NAME) after
// the eventfd. The control process asks, the data plane answers with records until as many have
// gone out as were asked for, until the time is over, or until the next request. Neither trusts the
// other: a message without its magic and size ends nothing but itself. Host order; no packet's
// payload but its first two octets.
#pragma once

#include <turnpike/addr.h>
#include <turnpike/limits.h>

#define TP_TRACE_REQUEST_MAGIC 0x54505452u // changes with the shapes below
#define TP_TRACE_RECORD_MAGIC  0x54505244u
#define TP_TRACE_PACKETS_MAX   10000u
#define TP_TRACE_SECONDS_MAX   600u

struct tp_trace_request {
	uint32_t magic;
	uint32_t trace;	       // its number, not 0; comes back in each record
	uint32_t packets;      // at most; 0: stop
	uint32_t seconds;      // at most
	struct tp_addr client; // port 0: any port of this address
	uint32_t reserved;
};
TP_ASSERT_SIZE(struct tp_trace_request, 40);

// One packet on its way through a worker.
struct tp_trace_record {
	uint32_t magic;
	uint32_t trace;
	uint64_t time_ns;    // CLOCK_BOOTTIME of its burst
	struct tp_addr from; // as received
	struct tp_addr to;
	struct tp_addr sent_from; // as sent, STAGE_SEND
	struct tp_addr sent_to;
	uint32_t cycles; // between receive and transmit, alone in its burst
	uint32_t ways;	 // bit per TP_PATH_* it was counted under
	uint32_t lost;	 // records that found no room so far
	uint16_t len;	 // octets of the frame
	uint16_t sent_len;
	uint16_t first;	 // the payload's first two octets, host order
	uint8_t verdict; // 0 dropped, 1 sent, 2 to the control process, 3 not ours
	uint8_t reason;	 // TP_DROP_*
	uint8_t mac[6];	 // next hop
	uint8_t rx_port;
	uint8_t tx_port;
	uint32_t worker;
	uint32_t laps[4]; // of the cycles: classify, look up, settle and rewrite; 0
};
TP_ASSERT_SIZE(struct tp_trace_record, 144);
