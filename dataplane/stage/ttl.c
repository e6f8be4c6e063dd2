// SPDX-License-Identifier: BSD-3-Clause
// The TTL or hop limit of `relay.ttl: reset` (RFC 8656 13, alternate behavior), put into a burst
// that is ready to leave: the fast path and the slow one know only the usual decrement.
#include "burst.h"

// By the header checksum's difference (RFC 1624 3). The result is never 0xffff, as that of
// core_put_ipv4.
static void ipv4_put(uint8_t *ip, uint32_t ttl)
{
	uint32_t was = tp_load_be16(ip + WIRE_IPV4_TTL), now = ttl << 8 | (was & 0xff);
	uint32_t sum = (tp_load_be16(ip + WIRE_IPV4_CSUM) ^ 0xffffu) + (was ^ 0xffffu) + now;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[WIRE_IPV4_TTL] = (uint8_t)ttl;
	tp_store_be16(ip + WIRE_IPV4_CSUM, (uint16_t)~sum);
}

void burst_put_ttl(const struct burst *b, unsigned n)
{
	uint32_t ttl = b->locals->path.ttl;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *ip = b->pkts[i].data + WIRE_ETH_LEN;

		if (b->pkts[i].verdict != STAGE_SEND && b->pkts[i].verdict != STAGE_CUT)
			continue;
		if (ip[0] >> 4 == 4)
			ipv4_put(ip, ttl);
		else
			ip[WIRE_IPV6_HOP_LIMIT] = (uint8_t)ttl;
	}
}
