// SPDX-License-Identifier: BSD-3-Clause
// Reads the headers of one fragment.
#include <frag/table.h>

#include <entry/wire.h>
#include <turnpike/addr.h>

static void read_ipv4(struct frag_piece *f, const uint8_t *ip)
{
	unsigned word = tp_load_be16(ip + WIRE_IPV4_FRAG);

	f->family = TP_FAMILY_IPV4;
	f->src = ip + WIRE_IPV4_SRC;
	f->dst = ip + WIRE_IPV4_DST;
	f->head_len = WIRE_ETH_LEN + WIRE_IPV4_HEADER_LEN;
	f->body = ip + WIRE_IPV4_HEADER_LEN;
	f->len = (uint32_t)tp_load_be16(ip + WIRE_IPV4_TOTAL_LEN) - WIRE_IPV4_HEADER_LEN;
	f->at = (word & WIRE_IPV4_OFFSET_MASK) * 8u;
	f->more = word & WIRE_IPV4_MORE_FRAGMENTS;
	f->id = tp_load_be16(ip + WIRE_IPV4_ID);
	f->ecn = ip[WIRE_IPV4_TOS] & 3u;
}

static void read_ipv6(struct frag_piece *f, const uint8_t *ip)
{
	const uint8_t *header = ip + WIRE_IPV6_HEADER_LEN;
	unsigned word = tp_load_be16(header + 2);

	f->family = TP_FAMILY_IPV6;
	f->src = ip + WIRE_IPV6_SRC;
	f->dst = ip + WIRE_IPV6_DST;
	f->head_len = WIRE_ETH_LEN + WIRE_IPV6_HEADER_LEN;
	f->body = header + WIRE_FRAGMENT_LEN;
	f->len = (uint32_t)tp_load_be16(ip + WIRE_IPV6_PAYLOAD_LEN) - WIRE_FRAGMENT_LEN;
	f->at = word & WIRE_IPV6_OFFSET_MASK;
	f->more = word & 1u;
	f->id = tp_load_be32(header + 4);
	f->ecn = ip[1] >> 4 & 3u;
}

enum tp_drop frag_read(struct frag_piece *f, const uint8_t *frame)
{
	const uint8_t *ip = frame + WIRE_ETH_LEN;

	f->head = frame;
	f->rx_port = 0;
	if (ip[0] >> 4 == 4)
		read_ipv4(f, ip);
	else
		read_ipv6(f, ip);
	if (f->len == 0 || (f->more && f->len % 8 != 0))
		return TP_DROP_fragment_bad;
	// Nobody could say to which port it is (RFC 1858 3).
	return f->at == 0 && f->len < WIRE_UDP_HEADER_LEN ? TP_DROP_fragment_tiny : TP_DROP_none;
}
