// SPDX-License-Identifier: BSD-3-Clause
#include <traffic/frame.h>

#include <entry/csum.h>
#include <core/message.h>
#include <stun/fingerprint.h>
#include <turnpike/stun.h>

#define ETH_LEN	    14u
#define UDP_LEN	    8u
#define PROTO_UDP   17u
#define TTL	    64u
#define V4_SRC	    12u
#define V6_SRC	    8u
#define FINGERPRINT 8u

static const struct {
	const char *name;
	enum tp_path path;
} directions[BENCH_DIRECTIONS] = {
	[BENCH_MIX] = {"mix", TP_PATH_COUNT},
	[BENCH_CLIENT_TO_PEER] = {"client-to-peer", TP_PATH_channel_to_peer},
	[BENCH_PEER_TO_CLIENT] = {"peer-to-client", TP_PATH_peer_to_channel},
	[BENCH_HAIRPIN] = {"hairpin", TP_PATH_hairpin},
	[BENCH_SEND] = {"send", TP_PATH_send_to_peer},
	[BENCH_DATA] = {"data", TP_PATH_peer_to_data},
	[BENCH_BINDING] = {"binding", TP_PATH_binding},
};

const char *bench_direction_name(enum bench_direction direction)
{
	return directions[direction].name;
}

bool bench_direction_fits(enum bench_direction direction, const struct bench_population *p)
{
	return (direction == BENCH_HAIRPIN) == p->hairpin && (direction == BENCH_MIX) == p->mixed;
}

enum tp_path bench_direction_path(enum bench_direction direction)
{
	return directions[direction].path;
}

static bool from_peer(enum bench_direction direction)
{
	return direction == BENCH_PEER_TO_CLIENT || direction == BENCH_DATA;
}

static void payload_fill(uint8_t *p, size_t len, uint64_t seed)
{
	uint64_t z = seed * 2 + 1;

	for (size_t i = 0; i < len; i++) {
		z = z * 6364136223846793005ull + 1442695040888963407ull;
		p[i] = (uint8_t)(z >> 56);
	}
}

// The UDP payload in front of and around the relayed bytes. Returns its length; varying fields
// stay zero, fixed ones are final.
static unsigned message_write(struct bench_template *t, uint8_t *msg, uint64_t seed)
{
	unsigned at = (unsigned)(msg - t->octets), value_len, padded = (t->payload_len + 3u) & ~3u;

	switch (t->direction) {
	case BENCH_CLIENT_TO_PEER:
	case BENCH_HAIRPIN:
		t->number_at = (uint16_t)at;
		tp_store_be16(msg + 2, t->payload_len);
		t->data_at = (uint16_t)(at + TP_CHANNEL_HEADER_LEN);
		payload_fill(t->octets + t->data_at, t->payload_len, seed);
		return TP_CHANNEL_HEADER_LEN + t->payload_len;
	case BENCH_SEND:
		// As Firefox forms it: XOR-PEER-ADDRESS, DATA, FINGERPRINT.
		value_len = 4 + tp_family_ip_len(bench_relay_family(t->population.family));
		tp_store_be16(msg, TP_TURN_SEND_INDICATION);
		tp_store_be16(msg + 2, (uint16_t)(4 + value_len + 4 + padded + FINGERPRINT));
		tp_store_be32(msg + 4, TP_STUN_MAGIC_COOKIE);
		payload_fill(msg + 8, TP_STUN_TXID_LEN, seed + 1);
		tp_store_be16(msg + 20, TP_ATTR_XOR_PEER_ADDRESS);
		tp_store_be16(msg + 22, (uint16_t)value_len);
		t->xor_at = (uint16_t)(at + 24);
		msg += 24 + value_len;
		tp_store_be16(msg, TP_ATTR_DATA);
		tp_store_be16(msg + 2, t->payload_len);
		t->data_at = (uint16_t)(msg + 4 - t->octets);
		payload_fill(msg + 4, t->payload_len, seed);
		msg += 4 + padded;
		tp_store_be16(msg, TP_ATTR_FINGERPRINT);
		tp_store_be16(msg + 2, 4);
		return (unsigned)(msg + FINGERPRINT - t->octets) - at;
	case BENCH_BINDING:
		tp_store_be16(msg, TP_STUN_BINDING_REQUEST);
		tp_store_be32(msg + 4, TP_STUN_MAGIC_COOKIE);
		payload_fill(msg + 8, TP_STUN_TXID_LEN, seed + 1);
		t->data_at = (uint16_t)(at + TP_STUN_HEADER_LEN);
		return TP_STUN_HEADER_LEN;
	default:
		t->data_at = (uint16_t)at;
		payload_fill(msg, t->payload_len, seed);
		return t->payload_len;
	}
}

static void headers_write(struct bench_template *t, bool v4, unsigned udp_len)
{
	uint8_t *ip = t->octets + ETH_LEN, *udp = ip + t->ip_len;

	memcpy(t->octets, (const uint8_t[]){0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0xfe}, 12);
	tp_store_be16(t->octets + 12, v4 ? 0x0800 : 0x86dd);
	if (v4) {
		ip[0] = 0x45;
		tp_store_be16(ip + 2, (uint16_t)(t->ip_len + udp_len));
		tp_store_be16(ip + 6, 0x4000); // browsers set DF
		ip[8] = TTL;
		ip[9] = PROTO_UDP;
	} else {
		ip[0] = 0x60;
		tp_store_be16(ip + 4, (uint16_t)udp_len);
		ip[6] = PROTO_UDP;
		ip[7] = TTL;
	}
	tp_store_be16(udp + 4, (uint16_t)udp_len);
}

void bench_template_init(struct bench_template *t, const struct bench_population *p,
	enum bench_direction direction, uint16_t payload_len, uint64_t seed)
{
	uint8_t family = from_peer(direction) ? bench_relay_family(p->family)
					      : bench_client_family(p->family);
	bool v4 = family == TP_FAMILY_IPV4;
	uint8_t *udp;
	unsigned udp_len;

	memset(t, 0, sizeof(*t));
	t->population = *p;
	t->direction = direction;
	t->payload_len = direction == BENCH_BINDING ? 0 : payload_len;
	t->ip_len = v4 ? 20 : 40;
	udp = t->octets + ETH_LEN + t->ip_len;
	udp_len = UDP_LEN + message_write(t, udp + UDP_LEN, seed);
	headers_write(t, v4, udp_len);
	t->len = (uint16_t)(ETH_LEN + t->ip_len + udp_len);
	t->sum_ip = entry_sum(t->octets + ETH_LEN, v4 ? 20 : 0);
	t->sum_udp = entry_sum_be16(PROTO_UDP) + (uint64_t)entry_sum_be16((uint16_t)udp_len) +
		     entry_sum(udp, udp_len);
	if (direction == BENCH_SEND) {
		uint8_t first[BENCH_FRAME_MAX], *msg = first + ETH_LEN + t->ip_len + UDP_LEN;
		uint8_t *value = t->octets + t->len - 4;

		bench_frame_write(t, first, 0);
		tp_store_be32(value, stun_fingerprint(msg, udp_len - UDP_LEN - FINGERPRINT));
		t->sum_udp += entry_sum(value, 4);
	}
}

// XOR-PEER-ADDRESS (RFC 8489 14.2).
static void xor_write(uint8_t *value, const struct tp_addr *a, const uint8_t *msg)
{
	tp_store_be16(value, a->family);
	tp_store_be16(value + 2, tp_addr_port(a) ^ (uint16_t)(TP_STUN_MAGIC_COOKIE >> 16));
	for (unsigned i = 0; i < tp_family_ip_len(a->family); i += 4)
		tp_store_be32(value + 4 + i, tp_load_be32(a->ip + i) ^ tp_load_be32(msg + 4 + i));
}

void bench_frame_address(const struct bench_template *t, uint8_t *frame, uint32_t i)
{
	uint8_t *ip = frame + ETH_LEN, *udp = ip + t->ip_len;
	bool v4 = t->ip_len == 20;
	unsigned ip_len = v4 ? 4 : 16;
	const struct tp_addr *src, *dst;
	struct tp_addr listener;
	struct bench_flow flow;
	uint64_t ips, sum;
	uint16_t csum;

	bench_flow_at(&t->population, i, &flow);
	if (from_peer(t->direction)) {
		src = t->direction == BENCH_DATA ? &flow.visitor : &flow.peer;
		dst = &flow.relayed;
	} else {
		listener = bench_listener(t->population.family);
		src = &flow.client;
		dst = &listener;
	}
	memcpy(ip + (v4 ? V4_SRC : V6_SRC), src->ip, ip_len);
	memcpy(ip + (v4 ? V4_SRC : V6_SRC) + ip_len, dst->ip, ip_len);
	ips = entry_sum(src->ip, 16) + entry_sum(dst->ip, 16);
	if (v4) {
		csum = (uint16_t)~entry_sum_fold(t->sum_ip + ips);
		memcpy(ip + 10, &csum, 2);
	}
	memcpy(udp, &src->port_be, 2);
	memcpy(udp + 2, &dst->port_be, 2);
	sum = t->sum_udp + ips + src->port_be + dst->port_be;
	if (t->number_at != 0) {
		tp_store_be16(frame + t->number_at, flow.number);
		sum += entry_sum_be16(flow.number);
	}
	if (t->xor_at != 0) {
		uint8_t *value = frame + t->xor_at;

		// The attribute begins at an even offset, as all of the message does.
		xor_write(value, &flow.visitor, udp + UDP_LEN);
		sum += entry_sum(value, 4u + tp_family_ip_len(flow.visitor.family));
	}
	csum = entry_csum_udp(sum);
	memcpy(udp + 6, &csum, 2);
}

void bench_frame_write(const struct bench_template *t, uint8_t *frame, uint32_t i)
{
	memcpy(frame, t->octets, t->len);
	bench_frame_address(t, frame, i);
}
