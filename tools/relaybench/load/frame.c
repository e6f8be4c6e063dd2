// SPDX-License-Identifier: BSD-3-Clause
#include <load/frame.h>

#include <string.h>

#define IP_AT	    LOAD_ETH_LEN
#define TYPE_IPV4   0x0800u
#define TYPE_IPV6   0x86ddu
#define MAGIC	    0x54706c64u // beyond the channel numbers: never taken for a framed packet
#define TTL	    64u
#define PROTO_UDP   17u
#define FILLER_STEP 37u

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

uint32_t load_sum(uint32_t sum, const void *octets, size_t len)
{
	const uint8_t *p = octets;

	for (; len >= 2; p += 2, len -= 2)
		sum += get16(p);
	return len == 0 ? sum : sum + ((uint32_t)p[0] << 8);
}

uint16_t load_sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static size_t headers_len(bool v6)
{
	return v6 ? LOAD_HEADERS6_LEN : LOAD_HEADERS_LEN;
}

static void header4(
	uint8_t *ip, const struct load_addr *from, const struct load_addr *to, uint32_t len)
{
	put16(ip, 0x4500);
	put16(ip + 2, 20 + len);
	put32(ip + 4, 0x00004000); // don't fragment
	put32(ip + 8, TTL << 24 | PROTO_UDP << 16);
	put32(ip + 12, from->ip);
	put32(ip + 16, to->ip);
	put16(ip + 10, load_sum_fold(load_sum(0, ip, 20)));
}

static void address6(uint8_t *to, const struct load_addr *a)
{
	memcpy(to, a->net.prefix, sizeof(a->net.prefix));
	put32(to + sizeof(a->net.prefix), a->ip);
}

static void header6(
	uint8_t *ip, const struct load_addr *from, const struct load_addr *to, uint32_t len)
{
	put32(ip, 0x60000000);
	put32(ip + 4, len << 16 | PROTO_UDP << 8 | TTL);
	address6(ip + 8, from);
	address6(ip + 24, to);
}

// All headers but the UDP checksum, which stays zero. Returns where UDP begins.
static uint8_t *headers(uint8_t *frame, const struct load_road *road, const struct load_addr *from,
	const struct load_addr *to, size_t udp_payload)
{
	uint8_t *udp = frame + headers_len(from->net.v6) - 8;
	uint32_t len = 8 + (uint32_t)udp_payload;

	memcpy(frame, road->ethernet, LOAD_ETH_LEN);
	if (from->net.v6)
		header6(frame + IP_AT, from, to, len);
	else
		header4(frame + IP_AT, from, to, len);
	put16(udp, from->port);
	put16(udp + 2, to->port);
	put16(udp + 4, len);
	put16(udp + 6, 0);
	return udp;
}

// `sum` covers the bytes behind the first `summed` ones of the UDP payload.
static void seal(uint8_t *udp, bool v6, size_t udp_payload, size_t summed, uint32_t sum)
{
	size_t addresses = v6 ? 32 : 8; // right in front of UDP
	uint16_t check;

	sum += PROTO_UDP + 8 + (uint32_t)udp_payload;
	check = load_sum_fold(load_sum(sum, udp - addresses, addresses + 8 + summed));
	put16(udp + 6, check == 0 ? 0xffff : check);
}

size_t load_frame_datagram(uint8_t *frame, const struct load_road *road, struct load_addr from,
	struct load_addr to, const void *payload, size_t payload_len)
{
	uint8_t *udp = headers(frame, road, &from, &to, payload_len);

	memcpy(udp + 8, payload, payload_len);
	seal(udp, from.net.v6, payload_len, payload_len, 0);
	return headers_len(from.net.v6) + payload_len;
}

uint32_t load_frame_filler(uint8_t *frame, bool v6, bool channel, uint16_t payload_len)
{
	uint8_t *filler =
		frame + headers_len(v6) + (channel ? LOAD_CHANNEL_LEN : 0) + LOAD_STAMP_LEN;
	size_t len = payload_len - LOAD_STAMP_LEN;

	for (size_t i = 0; i < len; i++)
		filler[i] = (uint8_t)(i * FILLER_STEP);
	return load_sum(0, filler, len);
}

size_t load_frame_media(uint8_t *frame, const struct load_road *road, const struct load_media *m,
	uint32_t filler_sum)
{
	size_t framing = m->channel != 0 ? LOAD_CHANNEL_LEN : 0;
	uint8_t *udp = headers(frame, road, &m->from, &m->to, framing + m->payload_len);
	uint8_t *payload = udp + 8;

	if (m->channel != 0) {
		put16(payload, m->channel);
		put16(payload + 2, m->payload_len);
		payload += LOAD_CHANNEL_LEN;
	}
	put32(payload, MAGIC);
	put32(payload + 4, m->stamp.flow);
	put32(payload + 8, m->stamp.number);
	put32(payload + 12, (uint32_t)(m->stamp.sent_ns >> 32));
	put32(payload + 16, (uint32_t)m->stamp.sent_ns);
	seal(udp, m->from.net.v6, framing + m->payload_len, framing + LOAD_STAMP_LEN, filler_sum);
	return headers_len(m->from.net.v6) + framing + m->payload_len;
}

static bool is_udp(const uint8_t *frame, size_t len, bool v6)
{
	const uint8_t *ip = frame + IP_AT;

	if (len < headers_len(v6))
		return false;
	if (v6)
		return ip[0] >> 4 == 6 && ip[6] == PROTO_UDP;
	return get16(frame + 12) == TYPE_IPV4 && ip[0] == 0x45 && ip[9] == PROTO_UDP &&
	       (get16(ip + 6) & 0x3fff) == 0;
}

static struct load_addr address_read(const uint8_t *ip, bool v6, uint32_t port)
{
	struct load_addr a = {.port = (uint16_t)port, .net = {.v6 = v6}};

	if (v6)
		memcpy(a.net.prefix, ip, sizeof(a.net.prefix));
	a.ip = get32(v6 ? ip + sizeof(a.net.prefix) : ip);
	return a;
}

bool load_frame_read(const uint8_t *frame, size_t len, size_t wire_len, struct load_seen *seen)
{
	bool v6 = len >= LOAD_ETH_LEN && get16(frame + 12) == TYPE_IPV6;
	size_t ip_len = v6 ? 16 : 4, udp_at = headers_len(v6) - 8, udp_len;
	const uint8_t *udp = frame + udp_at;

	if (!is_udp(frame, len, v6))
		return false;
	udp_len = get16(udp + 4);
	if (udp_len < 8 || udp_at + udp_len > wire_len)
		return false;
	seen->from = address_read(udp - 2 * ip_len, v6, get16(udp));
	seen->to = address_read(udp - ip_len, v6, get16(udp + 2));
	seen->payload = udp + 8;
	seen->len = udp_len - 8;
	return true;
}

bool load_stamp_read(const uint8_t *payload, size_t len, struct load_stamp *stamp)
{
	if (len < LOAD_STAMP_LEN || get32(payload) != MAGIC)
		return false;
	stamp->flow = get32(payload + 4);
	stamp->number = get32(payload + 8);
	stamp->sent_ns = (uint64_t)get32(payload + 12) << 32 | get32(payload + 16);
	return true;
}
