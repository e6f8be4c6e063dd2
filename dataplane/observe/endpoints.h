// SPDX-License-Identifier: BSD-3-Clause
// Source and destination of a frame, for traces and captures.
#pragma once

#include <stage/stage.h>
#include <turnpike/addr.h>

#define ENDPOINTS_ETH_LEN 14u

// Reads an Ethernet frame with UDP in an IP packet without options. *payload: where the payload
// begins in it. False: it is none, or a fragment without the ports.
static inline bool endpoints_read(const uint8_t *data, uint16_t len, struct tp_addr *from,
	struct tp_addr *to, uint16_t *payload)
{
	const uint8_t *ip = data + ENDPOINTS_ETH_LEN, *udp;
	uint16_t type;

	if (len < ENDPOINTS_ETH_LEN + 20 + 8)
		return false;
	type = tp_load_be16(data + 12);
	if (type == 0x0800 && ip[0] == 0x45 && ip[9] == 17 &&
		(tp_load_be16(ip + 6) & 0x1fff) == 0) {
		udp = ip + 20;
		*from = tp_addr_ipv4(tp_load_be32(ip + 12), tp_load_be16(udp));
		*to = tp_addr_ipv4(tp_load_be32(ip + 16), tp_load_be16(udp + 2));
	} else if (type == 0x86dd && len >= ENDPOINTS_ETH_LEN + 40 + 8 && ip[6] == 17) {
		udp = ip + 40;
		*from = tp_addr_ipv6(ip + 8, tp_load_be16(udp));
		*to = tp_addr_ipv6(ip + 24, tp_load_be16(udp + 2));
	} else {
		return false;
	}
	*payload = (uint16_t)(udp + 8 - data);
	return true;
}

// The verdict in a record: readers know packets that leave, not in which form.
static inline uint8_t observed_verdict(const struct stage_pkt *pkt)
{
	return pkt->verdict == STAGE_CUT ? (uint8_t)STAGE_SEND : pkt->verdict;
}
