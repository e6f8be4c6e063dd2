// SPDX-License-Identifier: BSD-3-Clause
// Putting an entry's ready-made header in front of a payload. Part of <core/rewrite.h>, always
// inlined like <core/payload.h>.
#pragma once

#include <core/fit.h>
#include <core/payload.h>
#include <entry/wire.h>

#include <endian.h>

#define CORE_DF_ABOVE 1260u // RFC 7915 5.1

// A worker's running numbers. Seeded by its owner.
struct core_context {
	uint64_t txid_state;
	uint16_t ip_id;
};

// Added to it by each packet of a burst.
#define CORE_TXID_STEP 0x9e3779b97f4a7c15ull

// The context as packet `number` of a burst finds it.
CORE_INLINE struct core_context core_context_at(const struct core_context *first, uint32_t number)
{
	return (struct core_context){
		.txid_state = first->txid_state + number * CORE_TXID_STEP,
		.ip_id = (uint16_t)(first->ip_id + number),
	};
}

// The IPv4 id that core_put_ipv4 gives that packet, as stored.
CORE_INLINE uint32_t core_ip_id_at(const struct core_context *first, uint32_t number)
{
	return entry_sum_be16((uint16_t)(first->ip_id + number + 1));
}

// Writes an Ethernet header of fourteen bytes, as eight and, overlapping them, eight. `dst`: in the
// lower 48 bits, the first byte lowest. `src`: eight bytes can be read there.
CORE_INLINE void core_ethernet_write(uint8_t *eth, bool v4, uint64_t dst, const uint8_t *src)
{
	uint16_t type = v4 ? tp_htons(WIRE_ETHERTYPE_IPV4) : tp_htons(WIRE_ETHERTYPE_IPV6);
	uint64_t from;

	dst = htole64(dst);
	memcpy(&from, src, sizeof(from));
	memcpy(eth + WIRE_ETH_DST, &dst, sizeof(dst));
	memcpy(eth + WIRE_ETH_SRC, &from, sizeof(from));
	memcpy(eth + WIRE_ETH_TYPE, &type, sizeof(type));
}

// The IP packet that came out, somewhere in low..high.
struct core_out {
	uint8_t *ip;
	uint32_t ip_len;      // of its header; tells the families apart
	uint32_t max_len;     // that the port, or the path, takes
	uint32_t len;	      // above max_len: it leaves in fragments
	uint32_t payload_len; // bytes relayed: UDP payload to a peer, data to a client
};

// Whom a Data indication names.
struct core_peer {
	const uint8_t *ip; // 16 bytes to read, if only 4 to use: UDP's header follows IPv4's
	uint16_t port_be;
	uint8_t family;
};

// Twelve bytes of transaction id for a message of our own, as words. No two are the same, and they
// look like nothing: that is enough, as nothing answers an indication.
CORE_INLINE void core_txid_next(struct core_context *c, uint32_t txid[3])
{
	uint64_t state = c->txid_state + CORE_TXID_STEP, z = state;

	c->txid_state = state;
	z = (z ^ z >> 32) * 0xbf58476d1ce4e5b9ull;
	z ^= z >> 32;
	txid[0] = (uint32_t)z;
	txid[1] = (uint32_t)(z >> 32);
	txid[2] = (uint32_t)state;
}

// The first twelve bytes of the header, as eight and four; the addresses follow them. Sums may be
// formed in either order of bytes (RFC 1071 2 B), here it is the host's.
CORE_INLINE void core_put_ipv4(struct core_context *c, uint8_t *ip, uint16_t sum_ip, uint32_t total,
	uint32_t tos, uint32_t ttl, bool df)
{
	uint32_t id = df ? 0 : (uint16_t)(c->ip_id + 1);
	uint32_t rest = df ? WIRE_IPV4_DF : id << 16, sum;

	if (!df)
		c->ip_id = (uint16_t)id;
	sum = (uint32_t)tp_ntohs(sum_ip) + tos + total + (df ? WIRE_IPV4_DF : id) + (ttl << 8);
	tp_store_be64(ip, 0x45ull << 56 | (uint64_t)(tos << 16 | total) << 32 | rest);
	tp_store_be32(ip + WIRE_IPV4_TTL,
		ttl << 24 | WIRE_PROTO_UDP << 16 | (entry_sum_fold32(sum) ^ 0xffffu));
}

CORE_INLINE void core_put_ipv6(uint8_t *ip, uint32_t udp_len, uint32_t tos, uint32_t ttl)
{
	tp_store_be64(ip, (uint64_t)(0x60000000u | tos << 20) << 32 | udp_len << 16 |
				  WIRE_PROTO_UDP << 8 | ttl);
}

// The length of the template's headers, 0 when it contradicts its length: the control process is
// not trusted here. `extra`: bytes of it behind UDP.
CORE_INLINE unsigned core_header_ip_len(const struct tp_entry *e, unsigned extra)
{
	unsigned first = e->header[0], len = e->header_len;

	if (__builtin_expect(first == 0x45, 1))
		return len == WIRE_IPV4_HEADER_LEN + WIRE_UDP_HEADER_LEN + extra
			       ? WIRE_IPV4_HEADER_LEN
			       : 0;
	return first == 0x60 && len == WIRE_IPV6_HEADER_LEN + WIRE_UDP_HEADER_LEN + extra
		       ? WIRE_IPV6_HEADER_LEN
		       : 0;
}

// Copies the entry's header in front of `front` bytes that stand before the payload, and settles
// all of it but UDP's length and checksum. Fills in `out`, in which ip_len and max_len are set, as
// in all that follows. Returns the reason why not; the packet is as it was then.
CORE_INLINE enum tp_drop core_put_header(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_payload *d, unsigned front, unsigned pad,
	struct core_out *out)
{
	unsigned udp_len = WIRE_UDP_HEADER_LEN + front + d->len + pad;
	unsigned total = out->ip_len + udp_len;
	uint8_t *ip = d->at - front - WIRE_UDP_HEADER_LEN - out->ip_len;
	bool v4 = out->ip_len == WIRE_IPV4_HEADER_LEN;
	bool may_fragment = core_may_fragment(p, v4, d->dont_fragment);
	bool df;

	if (p->ttl <= 1)
		return TP_DROP_ttl_expired;
	if (core_fit(total, out->max_len, may_fragment) == CORE_FIT_TOO_BIG)
		return TP_DROP_too_big;
	if ((size_t)(d->at - p->low) < WIRE_ETH_LEN + out->ip_len + WIRE_UDP_HEADER_LEN + front ||
		(size_t)(p->high - d->at) < d->len + pad)
		return TP_DROP_no_memory;
	if (v4) {
		memcpy(ip + WIRE_IPV4_SRC, e->header + WIRE_IPV4_SRC, 12); // addresses and ports
		df = p->family == TP_FAMILY_IPV4
			     ? !may_fragment
			     : !p->fragmented && total > CORE_DF_ABOVE && total <= out->max_len;
		core_put_ipv4(c, ip, e->sum_ip, total, p->tos, p->ttl - 1u, df);
	} else {
		memcpy(ip + WIRE_IPV6_SRC, e->header + WIRE_IPV6_SRC, 36);
		core_put_ipv6(ip, udp_len, p->tos, p->ttl - 1u);
	}
	out->ip = ip;
	out->len = total;
	out->payload_len = d->len;
	return TP_DROP_none;
}

// UDP's length and checksum, of a datagram with `udp_len` bytes. `sum`: everything but the two UDP
// lengths and the payload, at most ten times 0xffff.
CORE_INLINE uint32_t core_udp_csum(const struct core_packet *p, const struct core_payload *d,
	unsigned ip_len, uint32_t udp_len, uint32_t sum)
{
	sum += 2u * entry_sum_be16((uint16_t)udp_len);
	if (__builtin_expect(p->csum != 0, 1))
		return entry_csum_udp32(sum + d->sum);
	return ip_len == WIRE_IPV6_HEADER_LEN ? entry_csum_udp(sum + entry_sum(d->at, d->len)) : 0;
}

CORE_INLINE void core_put_udp(const struct core_out *out, uint32_t csum)
{
	uint8_t *udp = out->ip + out->ip_len;
	uint16_t csum_be = (uint16_t)csum;

	tp_store_be16(udp + WIRE_UDP_LEN, (uint16_t)(out->len - out->ip_len));
	memcpy(udp + WIRE_UDP_CSUM, &csum_be, 2);
}

// The checksum comes first, so that its inputs are read before the headers are written.
CORE_INLINE enum tp_drop core_put_peer(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_payload *d, struct core_out *out)
{
	uint32_t csum = core_udp_csum(p, d, out->ip_len, WIRE_UDP_HEADER_LEN + d->len, e->sum_out);
	enum tp_drop why = core_put_header(c, p, e, d, 0, 0, out);

	if (why == TP_DROP_none)
		core_put_udp(out, csum);
	return why;
}

CORE_INLINE enum tp_drop core_put_channel(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_payload *d, struct core_out *out)
{
	uint16_t len_be = entry_sum_be16((uint16_t)d->len);
	uint32_t csum = core_udp_csum(p, d, out->ip_len,
		WIRE_UDP_HEADER_LEN + TP_CHANNEL_HEADER_LEN + d->len,
		(uint32_t)e->sum_out + len_be);
	enum tp_drop why = core_put_header(c, p, e, d, TP_CHANNEL_HEADER_LEN, 0, out);
	uint8_t *msg;

	if (why != TP_DROP_none)
		return why;
	msg = out->ip + out->ip_len + WIRE_UDP_HEADER_LEN;
	memcpy(msg, e->header + out->ip_len + WIRE_UDP_HEADER_LEN, 2);
	memcpy(msg + 2, &len_be, 2);
	core_put_udp(out, csum);
	return TP_DROP_none;
}

// A word of a message: returns it as stored, to be summed up. Reading it back instead would stall.
CORE_INLINE uint32_t core_put_word(uint8_t *at, uint32_t v)
{
	v = tp_htonl(v);
	memcpy(at, &v, sizeof(v));
	return v;
}

CORE_INLINE uint32_t core_put_attribute(uint8_t *at, uint32_t type, uint32_t len)
{
	return core_put_word(at, type << 16 | len);
}

// XOR-PEER-ADDRESS (RFC 8489 14.2) of the peer whose address is `ip`; returns the sum of its words.
CORE_INLINE uint64_t core_put_peer_address(
	uint8_t *at, const uint32_t ip[4], const struct core_peer *from, const uint32_t txid[3])
{
	uint32_t value_len = 4 + tp_family_ip_len(from->family);
	uint64_t sum = core_put_attribute(at, TP_ATTR_XOR_PEER_ADDRESS, value_len);
	uint32_t word = ip[0] ^ tp_htonl(TP_STUN_MAGIC_COOKIE);

	sum += core_put_word(
		at + 4, (uint32_t)from->family << 16 |
				(tp_ntohs(from->port_be) ^ TP_STUN_MAGIC_COOKIE >> 16));
	memcpy(at + 8, &word, sizeof(word));
	sum += word;
	if (from->family == TP_FAMILY_IPV4)
		return sum;
	for (unsigned i = 0; i < 3; i++) {
		word = ip[i + 1] ^ txid[i];
		memcpy(at + 12 + 4 * i, &word, sizeof(word));
		sum += word;
	}
	return sum;
}

// Bytes in front of the payload of a Data indication that names this peer.
CORE_INLINE unsigned core_data_front(const struct core_peer *from)
{
	return TP_STUN_HEADER_LEN + 8 + tp_family_ip_len(from->family) + 4;
}

// Puts a Data indication around the payload, from `msg` on: its front and its padding, for which
// there must be room. Returns the sum of its front. `from` may be overwritten.
CORE_INLINE uint64_t core_put_data_message(struct core_context *c, uint8_t *msg,
	const struct core_peer *from, const struct core_payload *d)
{
	unsigned front = core_data_front(from), pad = -d->len & 3;
	uint32_t ip[4] = {0}, txid[3];
	uint64_t sum;

	memcpy(ip, from->ip, tp_family_ip_len(from->family));
	core_txid_next(c, txid);
	sum = core_put_attribute(
		msg, TP_TURN_DATA_INDICATION, front - TP_STUN_HEADER_LEN + d->len + pad);
	sum += core_put_word(msg + 4, TP_STUN_MAGIC_COOKIE);
	memcpy(msg + 8, txid, sizeof(txid));
	sum += (uint64_t)txid[0] + txid[1] + txid[2];
	sum += core_put_peer_address(msg + TP_STUN_HEADER_LEN, ip, from, txid);
	sum += core_put_attribute(msg + front - 4, TP_ATTR_DATA, d->len);
	for (unsigned i = 0; i < pad; i++)
		d->at[d->len + i] = 0;
	return sum;
}

CORE_INLINE enum tp_drop core_put_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_peer *from, const struct core_payload *d,
	struct core_out *out)
{
	struct core_peer kept = *from;
	uint32_t ip[4];
	enum tp_drop why;
	uint64_t sum;

	// Out of the way of the new header.
	memcpy(ip, from->ip, sizeof(ip));
	kept.ip = (const uint8_t *)ip;
	why = core_put_header(c, p, e, d, core_data_front(from), -d->len & 3, out);
	if (why != TP_DROP_none)
		return why;
	sum = core_put_data_message(c, out->ip + out->ip_len + WIRE_UDP_HEADER_LEN, &kept, d);
	core_put_udp(out, core_udp_csum(p, d, out->ip_len, out->len - out->ip_len,
				  (uint32_t)e->sum_out + entry_sum_fold(sum)));
	return TP_DROP_none;
}
