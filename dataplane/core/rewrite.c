// SPDX-License-Identifier: BSD-3-Clause
#include <core/rewrite.h>

#define OWN_TTL 64u

// The value of tp_entry.sum_ip for a pair of addresses.
static uint16_t sum_of_template(const struct tp_addr *src, const struct tp_addr *dst)
{
	return entry_sum_fold(entry_sum_addresses(src->ip, dst->ip, 4) + entry_sum_be16(0x4500));
}

void core_datagram_write(struct core_context *c, uint8_t *payload, uint16_t len,
	const struct tp_addr *src, const struct tp_addr *dst, struct core_out *out)
{
	uint8_t *udp = payload - WIRE_UDP_HEADER_LEN;
	unsigned ip_len = tp_family_ip_len(src->family);
	unsigned udp_len = WIRE_UDP_HEADER_LEN + len;
	uint16_t csum = 0;

	memcpy(udp + WIRE_UDP_SPORT, &src->port_be, 2);
	memcpy(udp + WIRE_UDP_DPORT, &dst->port_be, 2);
	tp_store_be16(udp + WIRE_UDP_LEN, (uint16_t)udp_len);
	memcpy(udp + WIRE_UDP_CSUM, &csum, 2);
	csum = entry_csum_udp(entry_sum_addresses(src->ip, dst->ip, ip_len) +
			      entry_sum_be16((uint16_t)udp_len) + entry_sum(udp, udp_len));
	memcpy(udp + WIRE_UDP_CSUM, &csum, 2);

	out->payload_len = len;
	if (src->family == TP_FAMILY_IPV4) {
		out->ip_len = WIRE_IPV4_HEADER_LEN;
		out->ip = udp - WIRE_IPV4_HEADER_LEN;
		out->len = (WIRE_IPV4_HEADER_LEN + udp_len);
		memcpy(out->ip + WIRE_IPV4_SRC, src->ip, 4);
		memcpy(out->ip + WIRE_IPV4_DST, dst->ip, 4);
		core_put_ipv4(c, out->ip, sum_of_template(src, dst), out->len, 0, OWN_TTL, false);
		return;
	}
	out->ip_len = WIRE_IPV6_HEADER_LEN;
	out->ip = udp - WIRE_IPV6_HEADER_LEN;
	out->len = (WIRE_IPV6_HEADER_LEN + udp_len);
	core_put_ipv6(out->ip, udp_len, 0, OWN_TTL);
	memcpy(out->ip + WIRE_IPV6_SRC, src->ip, 16);
	memcpy(out->ip + WIRE_IPV6_DST, dst->ip, 16);
}
