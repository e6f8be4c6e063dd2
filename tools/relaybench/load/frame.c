// SPDX-License-Identifier: BSD-3-Clause
#include "frame.h"

#include <string.h>

#define IP_AT	    LOAD_ETH_LEN
#define UDP_AT	    (IP_AT + 20u)
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

// All headers but the UDP checksum, which stays zero.
static void headers(uint8_t *frame, const struct load_road *road, struct load_addr from,
	struct load_addr to, size_t udp_payload)
{
	uint8_t *ip = frame + IP_AT, *udp = frame + UDP_AT;

	memcpy(frame, road->ethernet, LOAD_ETH_LEN);
	put16(ip, 0x4500);
	put16(ip + 2, 28 + (uint32_t)udp_payload);
	put32(ip + 4, 0x00004000); // don't fragment
	put32(ip + 8, TTL << 24 | PROTO_UDP << 16);
	put32(ip + 12, from.ip);
	put32(ip + 16, to.ip);
	put16(ip + 10, load_sum_fold(load_sum(0, ip, 20)));
	put16(udp, from.port);
	put16(udp + 2, to.port);
	put16(udp + 4, 8 + (uint32_t)udp_payload);
	put16(udp + 6, 0);
}

// `sum` covers the octets behind the first `summed` ones of the UDP payload.
static void seal(uint8_t *frame, size_t udp_payload, size_t summed, uint32_t sum)
{
	uint16_t check;

	sum += PROTO_UDP + 8 + (uint32_t)udp_payload;
	sum = load_sum(sum, frame + IP_AT + 12, 8);
	check = load_sum_fold(load_sum(sum, frame + UDP_AT, 8 + summed));
	put16(frame + UDP_AT + 6, check == 0 ? 0xffff : check);
}

size_t load_frame_datagram(uint8_t *frame, const struct load_road *road, struct load_addr from,
	struct load_addr to, const void *payload, size_t payload_len)
{
	headers(frame, road, from, to, payload_len);
	memcpy(frame + LOAD_HEADERS_LEN, payload, payload_len);
	seal(frame, payload_len, payload_len, 0);
	return LOAD_HEADERS_LEN + payload_len;
}

uint32_t load_frame_filler(uint8_t *frame, bool channel, uint16_t payload_len)
{
	uint8_t *filler =
		frame + LOAD_HEADERS_LEN + (channel ? LOAD_CHANNEL_LEN : 0) + LOAD_STAMP_LEN;
	size_t len = payload_len - LOAD_STAMP_LEN;

	for (size_t i = 0; i < len; i++)
		filler[i] = (uint8_t)(i * FILLER_STEP);
	return load_sum(0, filler, len);
}

size_t load_frame_media(uint8_t *frame, const struct load_road *road, const struct load_media *m,
	uint32_t filler_sum)
{
	size_t framing = m->channel != 0 ? LOAD_CHANNEL_LEN : 0;
	uint8_t *payload = frame + LOAD_HEADERS_LEN;

	headers(frame, road, m->from, m->to, framing + m->payload_len);
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
	seal(frame, framing + m->payload_len, framing + LOAD_STAMP_LEN, filler_sum);
	return LOAD_HEADERS_LEN + framing + m->payload_len;
}

bool load_frame_read(const uint8_t *frame, size_t len, size_t wire_len, struct load_seen *seen)
{
	const uint8_t *ip = frame + IP_AT, *udp = frame + UDP_AT;
	size_t udp_len;

	if (len < LOAD_HEADERS_LEN || get16(frame + 12) != 0x0800 || ip[0] != 0x45 ||
		ip[9] != PROTO_UDP || (get16(ip + 6) & 0x3fff) != 0)
		return false;
	udp_len = get16(udp + 4);
	if (udp_len < 8 || UDP_AT + udp_len > wire_len)
		return false;
	seen->from = (struct load_addr){get32(ip + 12), (uint16_t)get16(udp)};
	seen->to = (struct load_addr){get32(ip + 16), (uint16_t)get16(udp + 2)};
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
