// SPDX-License-Identifier: BSD-3-Clause
#include <core/rewrite.h>

#include <core/csum.h>

#include "wire.h"

// Each direction gets its own copy of the steps below, with its constants folded in.
#define INLINE		static inline __attribute__((always_inline))

#define OWN_TTL		64u
#define DATA_HEADER_MAX (TP_STUN_HEADER_LEN + 4u + 20u + 4u)
#define DF_ABOVE	1260u // RFC 7915 5.1
#define IP_PACKET_MAX	65535u

// What is to be relayed, taken out of what arrived.
struct payload {
	uint8_t *at;
	uint32_t len;
	uint64_t sum;
	bool dont_fragment; // the client asked for it
};

// Whom a Data indication names.
struct peer {
	const uint8_t *ip; // 16 octets to read, if only 4 to use: UDP's header follows IPv4's
	uint16_t port_be;
	uint8_t family;
};

// ---- taking the payload out ---------------------------------------------------------------------

// The sum of the payload alone: what the sender's checksum leaves of it.
INLINE uint64_t sum_left(const struct core_packet *p, uint64_t taken)
{
	uint16_t lengths = core_sum_be16(p->l4_len);

	return (uint64_t)(uint16_t)~p->csum + (uint16_t)~core_sum_fold(taken + lengths + lengths);
}

INLINE struct payload take_channel(const struct core_packet *p, const struct tp_entry *channel)
{
	uint8_t *msg = core_packet_payload(p);
	uint16_t len = tp_load_be16(msg + 2);
	size_t behind = core_packet_payload_len(p) - TP_CHANNEL_HEADER_LEN - len;
	struct payload d = {.at = msg + TP_CHANNEL_HEADER_LEN, .len = len};
	uint64_t taken = (uint64_t)channel->sum_in + core_sum_be16(len);

	// Padding is allowed over UDP too (RFC 8656 12.5) and is not relayed.
	if (behind != 0)
		taken += core_sum_at(d.at + len, behind, len & 1);
	d.sum = sum_left(p, taken);
	return d;
}

INLINE struct payload take_send(
	const struct core_packet *p, const struct core_send *send, const struct tp_entry *client)
{
	uint8_t *msg = core_packet_payload(p);
	size_t end = (size_t)send->data_off + send->data_len;
	struct payload d = {.at = msg + send->data_off,
		.len = send->data_len,
		.dont_fragment = send->dont_fragment};
	uint64_t taken = client->sum_in + core_sum(msg, send->data_off);

	if (end != core_packet_payload_len(p))
		taken += core_sum_at(msg + end, core_packet_payload_len(p) - end, end & 1);
	d.sum = sum_left(p, taken);
	return d;
}

INLINE struct payload take_datagram(const struct core_packet *p, uint64_t sum_in)
{
	struct payload d = {.at = core_packet_payload(p), .len = core_packet_payload_len(p)};

	d.sum = sum_left(p, sum_in);
	return d;
}

// ---- putting headers in front -------------------------------------------------------------------

// The first twelve octets of the header, as three words; the addresses follow them.
INLINE void put_ipv4(struct core_context *c, uint8_t *ip, uint16_t sum_ip, uint32_t total,
	uint32_t tos, uint32_t ttl, bool df)
{
	uint32_t varies = tp_htonl(tos << 16 | total);
	uint32_t id = tp_htonl(df ? CORE_IPV4_DF : (uint32_t)++c->ip_id << 16);
	uint32_t first = tp_htonl(0x45u << 24) | varies;
	uint32_t csum;

	csum = core_sum_fold((uint64_t)sum_ip + varies + id + tp_htonl(ttl << 24)) ^ 0xffffu;
	memcpy(ip, &first, 4);
	memcpy(ip + CORE_IPV4_ID, &id, 4);
	csum = tp_htonl(ttl << 24 | CORE_PROTO_UDP << 16 | tp_ntohs((uint16_t)csum));
	memcpy(ip + CORE_IPV4_TTL, &csum, 4);
}

INLINE void put_ipv6(uint8_t *ip, uint32_t udp_len, uint32_t tos, uint32_t ttl)
{
	tp_store_be32(ip, 0x60000000u | tos << 20);
	tp_store_be32(ip + CORE_IPV6_PAYLOAD_LEN, udp_len << 16 | CORE_PROTO_UDP << 8 | ttl);
}

// Whether the template is what its length says: the control process is not trusted here.
INLINE bool header_shape_right(const struct tp_entry *e, unsigned extra)
{
	unsigned ip_len = (e->header[0] == 0x45) ? CORE_IPV4_HEADER_LEN : CORE_IPV6_HEADER_LEN;

	return (e->header[0] == 0x45 || e->header[0] == 0x60) &&
	       e->header_len == ip_len + CORE_UDP_HEADER_LEN + extra;
}

// Copies the entry's header in front of `front` octets that stand before the payload, and settles
// all of it but the UDP checksum. Returns the UDP header, or NULL with the reason in `why`.
INLINE uint8_t *put_header(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct payload *d, unsigned front, unsigned pad,
	struct core_out *out, enum tp_drop *why)
{
	bool v4 = e->header[0] == 0x45;
	unsigned ip_len = v4 ? CORE_IPV4_HEADER_LEN : CORE_IPV6_HEADER_LEN;
	unsigned udp_len = CORE_UDP_HEADER_LEN + front + d->len + pad;
	unsigned total = ip_len + udp_len;
	uint8_t *udp = d->at - front - CORE_UDP_HEADER_LEN;
	uint8_t *ip = udp - ip_len;
	bool df;

	*why = TP_DROP_ttl_expired;
	if (p->ttl <= 1)
		return NULL;
	*why = TP_DROP_too_big;
	if (total > IP_PACKET_MAX)
		return NULL;
	*why = TP_DROP_no_memory;
	if ((size_t)(d->at - p->low) < CORE_ETH_LEN + ip_len + CORE_UDP_HEADER_LEN + front ||
		(size_t)(p->high - d->at) < d->len + pad)
		return NULL;
	if (v4) {
		memcpy(ip + CORE_IPV4_SRC, e->header + CORE_IPV4_SRC, 12); // addresses and ports
		df = p->family == TP_FAMILY_IPV4 ? p->df || d->dont_fragment : total > DF_ABOVE;
		put_ipv4(c, ip, e->sum_ip, total, p->tos, p->ttl - 1u, df);
	} else {
		memcpy(ip + CORE_IPV6_SRC, e->header + CORE_IPV6_SRC, 36);
		put_ipv6(ip, udp_len, p->tos, p->ttl - 1u);
	}
	tp_store_be16(udp + CORE_UDP_LEN, (uint16_t)udp_len);
	out->ip = ip;
	out->len = (uint16_t)total;
	out->payload_len = (uint16_t)d->len;
	out->family = v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6;
	return udp;
}

// `sum`: everything but the two UDP lengths and the payload.
INLINE void put_csum(const struct core_packet *p, const struct payload *d, uint8_t *udp,
	uint8_t out_family, uint64_t sum)
{
	uint16_t len_be = core_sum_word(udp + CORE_UDP_LEN);
	uint16_t csum = 0;

	sum += (uint64_t)len_be + len_be;
	if (p->csum != 0)
		csum = core_csum_udp(sum + d->sum);
	else if (out_family == TP_FAMILY_IPV6)
		csum = core_csum_udp(sum + core_sum(d->at, d->len));
	memcpy(udp + CORE_UDP_CSUM, &csum, 2);
}

INLINE enum tp_drop put_peer(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct payload *d, struct core_out *out)
{
	enum tp_drop why;
	uint8_t *udp;

	if (!header_shape_right(e, 0))
		return TP_DROP_table_corrupt;
	udp = put_header(c, p, e, d, 0, 0, out, &why);
	if (udp == NULL)
		return why;
	put_csum(p, d, udp, out->family, e->sum_out);
	return TP_DROP_none;
}

INLINE enum tp_drop put_channel(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct payload *d, struct core_out *out)
{
	uint16_t len_be = core_sum_be16((uint16_t)d->len);
	enum tp_drop why;
	uint8_t *udp;

	if (!header_shape_right(e, TP_CHANNEL_HEADER_LEN))
		return TP_DROP_table_corrupt;
	udp = put_header(c, p, e, d, TP_CHANNEL_HEADER_LEN, 0, out, &why);
	if (udp == NULL)
		return why;
	memcpy(udp + CORE_UDP_HEADER_LEN, e->header + e->header_len - TP_CHANNEL_HEADER_LEN, 2);
	memcpy(udp + CORE_UDP_HEADER_LEN + 2, &len_be, 2);
	put_csum(p, d, udp, out->family, (uint64_t)e->sum_out + len_be);
	return TP_DROP_none;
}

INLINE enum tp_drop put_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct peer *from, const struct payload *d,
	struct core_out *out)
{
	unsigned value_len = 4 + tp_family_ip_len(from->family);
	unsigned front = TP_STUN_HEADER_LEN + 4 + value_len + 4;
	unsigned pad = -d->len & 3;
	enum tp_drop why;
	uint8_t *udp, *msg;
	uint8_t ip[16];

	// Out of the way of the new header.
	memcpy(ip, from->ip, sizeof(ip));
	if (!header_shape_right(e, 0))
		return TP_DROP_table_corrupt;
	udp = put_header(c, p, e, d, front, pad, out, &why);
	if (udp == NULL)
		return why;
	msg = udp + CORE_UDP_HEADER_LEN;
	tp_store_be16(msg, TP_TURN_DATA_INDICATION);
	tp_store_be16(msg + 2, (uint16_t)(front - TP_STUN_HEADER_LEN + d->len + pad));
	tp_store_be32(msg + 4, TP_STUN_MAGIC_COOKIE);
	core_txid_next(c, msg + 8);
	tp_store_be16(msg + 20, TP_ATTR_XOR_PEER_ADDRESS);
	tp_store_be16(msg + 22, (uint16_t)value_len);
	core_xor_address_write(msg + 24, from->family, ip, from->port_be, msg + 8);
	tp_store_be16(msg + front - 4, TP_ATTR_DATA);
	tp_store_be16(msg + front - 2, (uint16_t)d->len);
	memset(d->at + d->len, 0, pad);
	put_csum(p, d, udp, out->family, e->sum_out + core_sum(msg, front));
	return TP_DROP_none;
}

// ---- one function per direction -----------------------------------------------------------------

enum tp_drop core_channel_to_peer(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *channel, struct core_out *out)
{
	struct payload d = take_channel(p, channel);

	return put_peer(c, p, channel, &d, out);
}

enum tp_drop core_send_to_peer(struct core_context *c, const struct core_packet *p,
	const struct core_send *send, const struct tp_entry *client,
	const struct tp_entry *permission, struct core_out *out)
{
	struct payload d = take_send(p, send, client);
	enum tp_drop why;
	uint8_t *udp;

	if (!header_shape_right(permission, 0))
		return TP_DROP_table_corrupt;
	udp = put_header(c, p, permission, &d, 0, 0, out, &why);
	if (udp == NULL)
		return why;
	memcpy(udp + CORE_UDP_DPORT, &send->peer.port_be, 2);
	put_csum(p, &d, udp, out->family, (uint64_t)permission->sum_out + send->peer.port_be);
	return TP_DROP_none;
}

enum tp_drop core_peer_to_channel(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *peer, struct core_out *out)
{
	struct payload d = take_datagram(p, peer->sum_in);

	return put_channel(c, p, peer, &d, out);
}

enum tp_drop core_peer_to_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *in, const struct tp_entry *allocation, struct core_out *out)
{
	struct payload d = take_datagram(p, (uint64_t)in->sum_in + p->ports.src_be);
	struct peer from = {.ip = p->src_ip, .port_be = p->ports.src_be, .family = p->family};

	return put_data(c, p, allocation, &from, &d, out);
}

enum tp_drop core_channel_to_channel(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *channel, const struct tp_entry *peer, struct core_out *out)
{
	struct payload d = take_channel(p, channel);

	return put_channel(c, p, peer, &d, out);
}

enum tp_drop core_channel_to_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *channel, const struct tp_entry *allocation,
	const struct tp_addr *shown, struct core_out *out)
{
	struct payload d = take_channel(p, channel);

	struct peer from = {.ip = shown->ip, .port_be = shown->port_be, .family = shown->family};

	return put_data(c, p, allocation, &from, &d, out);
}

enum tp_drop core_send_to_channel(struct core_context *c, const struct core_packet *p,
	const struct core_send *send, const struct tp_entry *client, const struct tp_entry *peer,
	struct core_out *out)
{
	struct payload d = take_send(p, send, client);

	return put_channel(c, p, peer, &d, out);
}

enum tp_drop core_send_to_data(struct core_context *c, const struct core_packet *p,
	const struct core_send *send, const struct tp_entry *client,
	const struct tp_entry *allocation, const struct tp_addr *shown, struct core_out *out)
{
	struct payload d = take_send(p, send, client);

	struct peer from = {.ip = shown->ip, .port_be = shown->port_be, .family = shown->family};

	return put_data(c, p, allocation, &from, &d, out);
}

// ---- our own datagrams --------------------------------------------------------------------------

// What tp_entry.sum_ip is for a pair of addresses.
static uint16_t sum_of_template(const struct tp_addr *src, const struct tp_addr *dst)
{
	return core_sum_fold(core_sum_addresses(src->ip, dst->ip, 4) + core_sum_be16(0x4500));
}

void core_datagram_write(struct core_context *c, uint8_t *payload, uint16_t len,
	const struct tp_addr *src, const struct tp_addr *dst, struct core_out *out)
{
	uint8_t *udp = payload - CORE_UDP_HEADER_LEN;
	unsigned ip_len = tp_family_ip_len(src->family);
	unsigned udp_len = CORE_UDP_HEADER_LEN + len;
	uint16_t csum = 0;

	memcpy(udp + CORE_UDP_SPORT, &src->port_be, 2);
	memcpy(udp + CORE_UDP_DPORT, &dst->port_be, 2);
	tp_store_be16(udp + CORE_UDP_LEN, (uint16_t)udp_len);
	memcpy(udp + CORE_UDP_CSUM, &csum, 2);
	csum = core_csum_udp(core_sum_addresses(src->ip, dst->ip, ip_len) +
			     core_sum_be16((uint16_t)udp_len) + core_sum(udp, udp_len));
	memcpy(udp + CORE_UDP_CSUM, &csum, 2);

	out->family = src->family;
	out->payload_len = len;
	if (src->family == TP_FAMILY_IPV4) {
		out->ip = udp - CORE_IPV4_HEADER_LEN;
		out->len = (uint16_t)(CORE_IPV4_HEADER_LEN + udp_len);
		memcpy(out->ip + CORE_IPV4_SRC, src->ip, 4);
		memcpy(out->ip + CORE_IPV4_DST, dst->ip, 4);
		put_ipv4(c, out->ip, sum_of_template(src, dst), out->len, 0, OWN_TTL, false);
		return;
	}
	out->ip = udp - CORE_IPV6_HEADER_LEN;
	out->len = (uint16_t)(CORE_IPV6_HEADER_LEN + udp_len);
	put_ipv6(out->ip, udp_len, 0, OWN_TTL);
	memcpy(out->ip + CORE_IPV6_SRC, src->ip, 16);
	memcpy(out->ip + CORE_IPV6_DST, dst->ip, 16);
}

void core_ethernet_write(const struct core_out *out, const uint8_t dst[6], const uint8_t src[6])
{
	uint8_t *eth = out->ip - CORE_ETH_LEN;

	memcpy(eth + CORE_ETH_DST, dst, 6);
	memcpy(eth + CORE_ETH_SRC, src, 6);
	tp_store_be16(eth + CORE_ETH_TYPE,
		out->family == TP_FAMILY_IPV4 ? CORE_ETHERTYPE_IPV4 : CORE_ETHERTYPE_IPV6);
}

void core_txid_next(struct core_context *c, uint8_t txid[TP_STUN_TXID_LEN])
{
	// SplitMix64 (Steele, Lea, Flood 2014); unique is enough, nothing answers an indication.
	uint64_t z = c->txid_state += 0x9e3779b97f4a7c15ull;
	uint32_t low = (uint32_t)(c->txid_state >> 32) ^ (uint32_t)c->txid_state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	z ^= z >> 31;
	memcpy(txid, &z, 8);
	memcpy(txid + 8, &low, 4);
}
