// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

static uint32_t add_octets(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (i & 1) ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static size_t ip_header_len(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? (ip[0] & 15u) * 4u : 40;
}

// Sum over pseudo header and the datagram with its checksum field: 0xffff when right.
static uint32_t udp_sum(const uint8_t *ip)
{
	const uint8_t *udp = ip + ip_header_len(ip);
	size_t len = tp_load_be16(udp + 4);
	uint32_t sum = ip[0] >> 4 == 4 ? add_octets(0, ip + 12, 8) : add_octets(0, ip + 8, 32);

	return add_octets(sum + 17 + (uint32_t)len, udp, len);
}

void frame_fix_ip_csum(struct frame *f)
{
	uint8_t *ip = frame_data(f) + 14;

	if (ip[0] >> 4 != 4)
		return;
	tp_store_be16(ip + 10, 0);
	tp_store_be16(ip + 10, (uint16_t)~add_octets(0, ip, ip_header_len(ip)));
}

void frame_fix_udp_csum(struct frame *f)
{
	uint8_t *ip = frame_data(f) + 14;
	uint8_t *udp = ip + ip_header_len(ip);
	uint16_t csum;

	tp_store_be16(udp + 6, 0);
	csum = (uint16_t)~udp_sum(ip);
	tp_store_be16(udp + 6, csum == 0 ? 0xffff : csum);
}

void frame_build(struct frame *f, const struct frame_spec *s)
{
	uint8_t *eth = frame_data(f);
	uint8_t *ip = eth + 14;
	bool v4 = s->src.family == TP_FAMILY_IPV4;
	uint8_t *udp = ip + (v4 ? 20 : 40);
	uint16_t udp_len = (uint16_t)(8 + s->len);
	uint8_t ttl = s->ttl == 0 ? 64 : s->ttl;

	memset(f->memory, 0xee, sizeof(f->memory));
	memcpy(eth, frame_mac_relay, 6);
	memcpy(eth + 6, frame_mac_other, 6);
	tp_store_be16(eth + 12, v4 ? 0x0800 : 0x86dd);
	memset(ip, 0, v4 ? 20 : 40);
	if (v4) {
		ip[0] = 0x45;
		ip[1] = s->tos;
		tp_store_be16(ip + 2, (uint16_t)(20 + udp_len));
		tp_store_be16(ip + 4, s->id);
		tp_store_be16(ip + 6, s->df ? 0x4000 : 0);
		ip[8] = ttl;
		ip[9] = 17;
		memcpy(ip + 12, s->src.ip, 4);
		memcpy(ip + 16, s->dst.ip, 4);
	} else {
		tp_store_be32(ip, 6u << 28 | (uint32_t)s->tos << 20 | 0xabcde);
		tp_store_be16(ip + 4, udp_len);
		ip[6] = 17;
		ip[7] = ttl;
		memcpy(ip + 8, s->src.ip, 16);
		memcpy(ip + 24, s->dst.ip, 16);
	}
	memcpy(udp, &s->src.port_be, 2);
	memcpy(udp + 2, &s->dst.port_be, 2);
	tp_store_be16(udp + 4, udp_len);
	tp_store_be16(udp + 6, 0);
	if (s->len != 0)
		memcpy(udp + 8, s->payload, s->len);
	f->len = (uint16_t)(14 + (v4 ? 20 : 40) + udp_len);
	frame_fix_ip_csum(f);
	if (!s->no_csum)
		frame_fix_udp_csum(f);
}

static const char *read_ipv4(const uint8_t *ip, size_t len, struct frame_view *v)
{
	if (len < 28 || ip[0] != 0x45)
		return "no plain IPv4 header";
	if (tp_load_be16(ip + 2) != len)
		return "IPv4 total length is wrong";
	if (add_octets(0, ip, 20) != 0xffff)
		return "IPv4 header checksum is wrong";
	if (ip[9] != 17)
		return "protocol is not UDP";
	if (tp_load_be16(ip + 6) & 0xbfff)
		return "fragment, or a reserved flag";
	v->tos = ip[1];
	v->id = tp_load_be16(ip + 4);
	v->df = tp_load_be16(ip + 6) & 0x4000;
	v->ttl = ip[8];
	v->src = tp_addr_ipv4(tp_load_be32(ip + 12), tp_load_be16(ip + 20));
	v->dst = tp_addr_ipv4(tp_load_be32(ip + 16), tp_load_be16(ip + 22));
	return NULL;
}

static const char *read_ipv6(const uint8_t *ip, size_t len, struct frame_view *v)
{
	if (len < 48 || ip[0] >> 4 != 6)
		return "no IPv6 header";
	if (tp_load_be16(ip + 4) != len - 40)
		return "IPv6 payload length is wrong";
	if (ip[6] != 17)
		return "next header is not UDP";
	v->tos = (uint8_t)(tp_load_be32(ip) >> 20);
	v->flow_label = tp_load_be32(ip) & 0xfffff;
	v->ttl = ip[7];
	v->src = tp_addr_ipv6(ip + 8, tp_load_be16(ip + 40));
	v->dst = tp_addr_ipv6(ip + 24, tp_load_be16(ip + 42));
	return NULL;
}

const char *frame_read(const uint8_t *data, size_t len, struct frame_view *v)
{
	const uint8_t *ip = data + 14, *udp;
	const char *wrong;

	memset(v, 0, sizeof(*v));
	if (len < 14 + 20)
		return "too short";
	if (tp_load_be16(data + 12) == 0x0800)
		wrong = read_ipv4(ip, len - 14, v);
	else if (tp_load_be16(data + 12) == 0x86dd)
		wrong = read_ipv6(ip, len - 14, v);
	else
		wrong = "neither IPv4 nor IPv6";
	if (wrong != NULL)
		return wrong;
	v->mac_dst = data;
	v->mac_src = data + 6;
	udp = ip + ip_header_len(ip);
	if (tp_load_be16(udp + 4) != data + len - udp)
		return "UDP length is wrong";
	v->payload = udp + 8;
	v->len = (uint16_t)(tp_load_be16(udp + 4) - 8);
	v->csum = tp_load_be16(udp + 6);
	v->udp_csum_right = v->csum == 0 ? v->src.family == TP_FAMILY_IPV4 : udp_sum(ip) == 0xffff;
	return NULL;
}

uint32_t frame_csum_off(const uint8_t *data)
{
	return udp_sum(data + 14) % 0xffff;
}

uint32_t frame_random_next(struct frame_random *r)
{
	r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(r->state >> 33) ^ (uint32_t)(r->state >> 15);
}

uint32_t frame_random_below(struct frame_random *r, uint32_t n)
{
	return frame_random_next(r) % n;
}

void frame_random_fill(struct frame_random *r, void *p, size_t len)
{
	uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)frame_random_next(r);
}

void frame_icmp(struct frame *f, const struct frame_icmp_spec *s)
{
	uint8_t *ip = frame_data(f) + 14, *icmp;
	bool v4 = s->src.family == TP_FAMILY_IPV4;
	unsigned ip_len = v4 ? 20 : 40;
	struct frame_spec outer = {
		.src = s->src, .dst = s->dst, .payload = s->quote, .len = s->quote_len};
	uint16_t len = (uint16_t)(8 + s->quote_len);
	uint8_t pseudo[40] = {0};
	uint64_t sum = 0;

	// The eight bytes of an ICMP header take the place of the UDP header.
	frame_build(f, &outer);
	icmp = ip + ip_len;
	ip[v4 ? 9 : 6] = v4 ? 1 : 58;
	frame_fix_ip_csum(f);
	memset(icmp, 0, 8);
	icmp[0] = s->type;
	icmp[1] = s->code;
	tp_store_be32(icmp + 4, s->rest);
	memcpy(pseudo, ip + 8, 32);
	tp_store_be32(pseudo + 32, len);
	pseudo[39] = 58;
	if (!v4)
		sum = add_octets(0, pseudo, sizeof(pseudo));
	tp_store_be16(icmp + 2, (uint16_t)~add_octets((uint32_t)sum, icmp, len));
}
