// SPDX-License-Identifier: BSD-3-Clause
// Octet by byte, and without the packet path's own code: a fast relay that is wrong is no figure.
#include <traffic/frame.h>

#include <turnpike/stun.h>

#define ETH_LEN 14u
#define UDP_LEN 8u

struct expected {
	struct tp_addr src;
	struct tp_addr dst;
	uint8_t message[BENCH_FRAME_MAX];
	size_t len;
	uint8_t ttl;
};

static uint32_t sum_octets(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (i & 1) ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void expect_octets(struct expected *e, const void *p, size_t len)
{
	memcpy(e->message + e->len, p, len);
	e->len += len;
}

static void expect_u16(struct expected *e, unsigned v)
{
	tp_store_be16(e->message + e->len, (uint16_t)v);
	e->len += 2;
}

// `seen`: the message under judgement, for its transaction id.
static void expect_address(
	struct expected *e, unsigned type, const struct tp_addr *a, const uint8_t *seen)
{
	unsigned ip_len = tp_family_ip_len(a->family);

	expect_u16(e, type);
	expect_u16(e, 4 + ip_len);
	expect_u16(e, a->family);
	expect_u16(e, tp_addr_port(a) ^ TP_STUN_MAGIC_COOKIE >> 16);
	for (unsigned i = 0; i < ip_len; i++)
		e->message[e->len++] = a->ip[i] ^ seen[4 + i];
}

static void expect_header(struct expected *e, unsigned type, unsigned len, const uint8_t *seen)
{
	expect_u16(e, type);
	expect_u16(e, len);
	expect_u16(e, TP_STUN_MAGIC_COOKIE >> 16);
	expect_u16(e, TP_STUN_MAGIC_COOKIE & 0xffff);
	expect_octets(e, seen + 8, TP_STUN_TXID_LEN);
}

static void expect_message(struct expected *e, const struct bench_template *t,
	const struct bench_flow *flow, const uint8_t *seen)
{
	const uint8_t *data = t->octets + t->data_at;
	unsigned pad = -t->payload_len & 3u;
	const uint8_t zero[4] = {0};

	switch (t->direction) {
	case BENCH_PEER_TO_CLIENT:
	case BENCH_HAIRPIN:
		expect_u16(e, flow->number);
		expect_u16(e, t->payload_len);
		break;
	case BENCH_DATA:
		expect_header(e, TP_TURN_DATA_INDICATION,
			8 + tp_family_ip_len(flow->visitor.family) + 4 + t->payload_len + pad,
			seen);
		expect_address(e, TP_ATTR_XOR_PEER_ADDRESS, &flow->visitor, seen);
		expect_u16(e, TP_ATTR_DATA);
		expect_u16(e, t->payload_len);
		break;
	case BENCH_BINDING:
		expect_header(e, TP_STUN_BINDING_SUCCESS, 8 + tp_family_ip_len(flow->client.family),
			t->octets + t->data_at - 20);
		expect_address(
			e, TP_ATTR_XOR_MAPPED_ADDRESS, &flow->client, t->octets + t->data_at - 20);
		return;
	default:
		break;
	}
	expect_octets(e, data, t->payload_len);
	if (t->direction == BENCH_DATA)
		expect_octets(e, zero, pad);
}

static void expect(
	struct expected *e, const struct bench_template *t, uint32_t i, const uint8_t *seen)
{
	struct bench_flow flow;

	e->len = 0;
	e->ttl = t->direction == BENCH_BINDING ? 64 : 63;
	bench_flow_at(&t->population, t->direction == BENCH_HAIRPIN ? i ^ 1 : i, &flow);
	if (t->direction == BENCH_CLIENT_TO_PEER || t->direction == BENCH_SEND) {
		e->src = flow.relayed;
		e->dst = t->direction == BENCH_SEND ? flow.visitor : flow.peer;
	} else {
		e->src = bench_listener(t->population.family);
		e->dst = flow.client;
	}
	expect_message(e, t, &flow, seen);
}

static const char *verify_ip(const struct expected *e, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_LEN;
	bool v4 = e->src.family == TP_FAMILY_IPV4;
	unsigned n = v4 ? 4 : 16, at = v4 ? 12 : 8;

	if (len != ETH_LEN + (v4 ? 20 : 40) + UDP_LEN + e->len)
		return "length of the frame";
	if (tp_load_be16(frame + 12) != (v4 ? 0x0800 : 0x86dd))
		return "Ethernet type";
	if (v4 && (ip[0] != 0x45 || tp_load_be16(ip + 2) != len - ETH_LEN || ip[9] != 17 ||
			  ip[8] != e->ttl || sum_octets(0, ip, 20) != 0xffff))
		return "IPv4 header";
	if (!v4 && (ip[0] >> 4 != 6 || tp_load_be16(ip + 4) != len - ETH_LEN - 40 || ip[6] != 17 ||
			   ip[7] != e->ttl))
		return "IPv6 header";
	if (memcmp(ip + at, e->src.ip, n) != 0 || memcmp(ip + at + n, e->dst.ip, n) != 0)
		return "IP addresses";
	return NULL;
}

const char *bench_frame_verify(
	const struct bench_template *t, uint32_t i, const uint8_t *frame, size_t len)
{
	const uint8_t *ip = frame + ETH_LEN, *udp;
	const char *wrong;
	struct expected e;
	uint32_t sum;

	// The fields read before the lengths are checked: at most a transaction id.
	if (len < ETH_LEN + 20 + UDP_LEN ||
		(t->direction == BENCH_DATA && len < ETH_LEN + 40 + UDP_LEN + 20))
		return "length of the frame";
	udp = ip + (tp_load_be16(frame + 12) == 0x0800 ? 20 : 40);
	expect(&e, t, i, udp + UDP_LEN);
	wrong = verify_ip(&e, frame, len);
	if (wrong != NULL)
		return wrong;
	if (memcmp(udp, &e.src.port_be, 2) != 0 || memcmp(udp + 2, &e.dst.port_be, 2) != 0 ||
		tp_load_be16(udp + 4) != UDP_LEN + e.len)
		return "UDP header";
	sum = e.src.family == TP_FAMILY_IPV4 ? sum_octets(17, ip + 12, 8)
					     : sum_octets(17, ip + 8, 32);
	if (sum_octets(sum + UDP_LEN + (uint32_t)e.len, udp, UDP_LEN + e.len) != 0xffff)
		return "UDP checksum";
	return memcmp(udp + UDP_LEN, e.message, e.len) == 0 ? NULL : "payload";
}
