// SPDX-License-Identifier: BSD-3-Clause
#include "encap.h"

#include <string.h>

#define ETHERNET_LEN 14u
#define IPV4_LEN     20u
#define IPV6_LEN     40u
#define TCP_LEN	     20u
#define UDP_LEN	     8u
#define PROTO_TCP    6u
#define PROTO_UDP    17u
#define TTL	     64u
#define DATA_OFFSET  0x50u // five words
#define PSH_ACK	     0x18u
#define WINDOW	     0xffffu

static uint16_t ipv4_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < IPV4_LEN; i += 2)
		sum += tp_load_be16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

static void ipv4_write(uint8_t *ip, const struct tp_addr *from, const struct tp_addr *to,
	uint8_t proto, uint32_t len)
{
	ip[0] = 0x45;
	tp_store_be16(ip + 2, (uint16_t)(IPV4_LEN + len));
	ip[8] = TTL;
	ip[9] = proto;
	memcpy(ip + 12, from->ip, 4);
	memcpy(ip + 16, to->ip, 4);
	tp_store_be16(ip + 10, ipv4_checksum(ip));
}

static void ipv6_write(uint8_t *ip, const struct tp_addr *from, const struct tp_addr *to,
	uint8_t proto, uint32_t len)
{
	ip[0] = 0x60;
	tp_store_be16(ip + 4, (uint16_t)len);
	ip[6] = proto;
	ip[7] = TTL;
	memcpy(ip + 8, from->ip, 16);
	memcpy(ip + 24, to->ip, 16);
}

static void tcp_write(struct rctl_encap *e, uint8_t *tcp, bool outbound, uint16_t len)
{
	tp_store_be32(tcp + 4, 1 + e->next_seq[outbound]);
	tp_store_be32(tcp + 8, 1 + e->next_seq[!outbound]);
	tcp[12] = DATA_OFFSET;
	tcp[13] = PSH_ACK;
	tp_store_be16(tcp + 14, WINDOW);
	e->next_seq[outbound] += len;
}

uint32_t rctl_encap_headers(
	struct rctl_encap *e, bool outbound, uint16_t len, uint8_t out[RCTL_ENCAP_MAX])
{
	const struct tp_addr *from = outbound ? &e->listener : &e->client;
	const struct tp_addr *to = outbound ? &e->client : &e->listener;
	bool six = from->family == TP_FAMILY_IPV6;
	uint8_t proto = e->by_tcp ? PROTO_TCP : PROTO_UDP;
	uint32_t l4_len = e->by_tcp ? TCP_LEN : UDP_LEN;
	uint8_t *ip = out + ETHERNET_LEN, *l4 = ip + (six ? IPV6_LEN : IPV4_LEN);

	memset(out, 0, RCTL_ENCAP_MAX);
	tp_store_be16(out + 12, six ? 0x86dd : 0x0800);
	if (six)
		ipv6_write(ip, from, to, proto, l4_len + len);
	else
		ipv4_write(ip, from, to, proto, l4_len + len);
	memcpy(l4, &from->port_be, 2);
	memcpy(l4 + 2, &to->port_be, 2);
	if (e->by_tcp)
		tcp_write(e, l4, outbound, len);
	else
		tp_store_be16(l4 + 4, (uint16_t)(UDP_LEN + len));
	return (uint32_t)(l4 - out) + l4_len;
}
