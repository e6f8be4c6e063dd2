// SPDX-License-Identifier: BSD-3-Clause
// Putting an entry's ready-made header in front of a payload. Part of <core/rewrite.h>, always
// inlined like <core/payload.h>.
#pragma once

#include <core/payload.h>
#include <core/wire.h>

#define CORE_DF_ABOVE 1260u // RFC 7915 5.1

// What a worker counts up. Seeded by its owner.
struct core_context {
	uint64_t txid_state;
	uint16_t ip_id;
};

// The IP packet that came out, somewhere in low..high.
struct core_out {
	uint8_t *ip;
	uint32_t ip_len;  // of its header: which tells the family
	uint32_t max_len; // that the port takes
	uint32_t len;
	uint32_t payload_len; // octets relayed: UDP payload to a peer, data to a client
};

// Whom a Data indication names.
struct core_peer {
	const uint8_t *ip; // 16 octets to read, if only 4 to use: UDP's header follows IPv4's
	uint16_t port_be;
	uint8_t family;
};

// Twelve octets of transaction id for a message of our own, as words. No two are the same, and they
// look like nothing: that is enough, as nothing answers an indication.
CORE_INLINE void core_txid_next(struct core_context *c, uint32_t txid[3])
{
	uint64_t state = c->txid_state + 0x9e3779b97f4a7c15ull, z = state;

	c->txid_state = state;
	z = (z ^ z >> 32) * 0xbf58476d1ce4e5b9ull;
	z ^= z >> 32;
	txid[0] = (uint32_t)z;
	txid[1] = (uint32_t)(z >> 32);
	txid[2] = (uint32_t)state;
}

// The first twelve octets of the header, as eight and four; the addresses follow them. Sums may be
// formed in either order of octets (RFC 1071 2 B), here it is the host's.
CORE_INLINE void core_put_ipv4(struct core_context *c, uint8_t *ip, uint16_t sum_ip, uint32_t total,
	uint32_t tos, uint32_t ttl, bool df)
{
	uint32_t id = df ? 0 : (uint16_t)(c->ip_id + 1);
	uint32_t rest = df ? CORE_IPV4_DF : id << 16, sum;

	if (!df)
		c->ip_id = (uint16_t)id;
	sum = (uint32_t)tp_ntohs(sum_ip) + tos + total + (df ? CORE_IPV4_DF : id) + (ttl << 8);
	tp_store_be64(ip, 0x45ull << 56 | (uint64_t)(tos << 16 | total) << 32 | rest);
	tp_store_be32(ip + CORE_IPV4_TTL,
		ttl << 24 | CORE_PROTO_UDP << 16 | (core_sum_fold32(sum) ^ 0xffffu));
}

CORE_INLINE void core_put_ipv6(uint8_t *ip, uint32_t udp_len, uint32_t tos, uint32_t ttl)
{
	tp_store_be64(ip, (uint64_t)(0x60000000u | tos << 20) << 32 | udp_len << 16 |
				  CORE_PROTO_UDP << 8 | ttl);
}

// The length of the template's headers, 0 when it is not what its length says: the control process
// is not trusted here. `extra`: octets of it behind UDP.
CORE_INLINE unsigned core_header_ip_len(const struct tp_entry *e, unsigned extra)
{
	unsigned first = e->header[0], len = e->header_len;

	if (__builtin_expect(first == 0x45, 1))
		return len == CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN + extra
			       ? CORE_IPV4_HEADER_LEN
			       : 0;
	return first == 0x60 && len == CORE_IPV6_HEADER_LEN + CORE_UDP_HEADER_LEN + extra
		       ? CORE_IPV6_HEADER_LEN
		       : 0;
}

// Copies the entry's header in front of `front` octets that stand before the payload, and settles
// all of it but UDP's length and checksum. Fills in `out`, in which ip_len and max_len are set, as
// in all that follows. Returns the reason why not.
CORE_INLINE enum tp_drop core_put_header(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_payload *d, unsigned front, unsigned pad,
	struct core_out *out)
{
	unsigned udp_len = CORE_UDP_HEADER_LEN + front + d->len + pad;
	unsigned total = out->ip_len + udp_len;
	uint8_t *ip = d->at - front - CORE_UDP_HEADER_LEN - out->ip_len;
	bool df;

	if (p->ttl <= 1)
		return TP_DROP_ttl_expired;
	if (total > out->max_len)
		return TP_DROP_too_big;
	if ((size_t)(d->at - p->low) < CORE_ETH_LEN + out->ip_len + CORE_UDP_HEADER_LEN + front ||
		(size_t)(p->high - d->at) < d->len + pad)
		return TP_DROP_no_memory;
	if (out->ip_len == CORE_IPV4_HEADER_LEN) {
		memcpy(ip + CORE_IPV4_SRC, e->header + CORE_IPV4_SRC, 12); // addresses and ports
		df = p->family == TP_FAMILY_IPV4 ? p->df || d->dont_fragment
						 : total > CORE_DF_ABOVE;
		core_put_ipv4(c, ip, e->sum_ip, total, p->tos, p->ttl - 1u, df);
	} else {
		memcpy(ip + CORE_IPV6_SRC, e->header + CORE_IPV6_SRC, 36);
		core_put_ipv6(ip, udp_len, p->tos, p->ttl - 1u);
	}
	out->ip = ip;
	out->len = total;
	out->payload_len = d->len;
	return TP_DROP_none;
}

// UDP's length and checksum, of a datagram with `udp_len` octets. `sum`: everything but the two UDP
// lengths and the payload, at most ten times 0xffff.
CORE_INLINE uint32_t core_udp_csum(const struct core_packet *p, const struct core_payload *d,
	unsigned ip_len, uint32_t udp_len, uint32_t sum)
{
	sum += 2u * core_sum_be16((uint16_t)udp_len);
	if (__builtin_expect(p->csum != 0, 1))
		return core_csum_udp32(sum + d->sum);
	return ip_len == CORE_IPV6_HEADER_LEN ? core_csum_udp(sum + core_sum(d->at, d->len)) : 0;
}

CORE_INLINE void core_put_udp(const struct core_out *out, uint32_t csum)
{
	uint8_t *udp = out->ip + out->ip_len;
	uint16_t csum_be = (uint16_t)csum;

	tp_store_be16(udp + CORE_UDP_LEN, (uint16_t)(out->len - out->ip_len));
	memcpy(udp + CORE_UDP_CSUM, &csum_be, 2);
}

// The checksum comes first, so that what it needs is out of the way of the headers.
CORE_INLINE enum tp_drop core_put_peer(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_payload *d, struct core_out *out)
{
	uint32_t csum = core_udp_csum(p, d, out->ip_len, CORE_UDP_HEADER_LEN + d->len, e->sum_out);
	enum tp_drop why = core_put_header(c, p, e, d, 0, 0, out);

	if (why == TP_DROP_none)
		core_put_udp(out, csum);
	return why;
}

CORE_INLINE enum tp_drop core_put_channel(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_payload *d, struct core_out *out)
{
	uint16_t len_be = core_sum_be16((uint16_t)d->len);
	uint32_t csum = core_udp_csum(p, d, out->ip_len,
		CORE_UDP_HEADER_LEN + TP_CHANNEL_HEADER_LEN + d->len,
		(uint32_t)e->sum_out + len_be);
	enum tp_drop why = core_put_header(c, p, e, d, TP_CHANNEL_HEADER_LEN, 0, out);
	uint8_t *msg;

	if (why != TP_DROP_none)
		return why;
	msg = out->ip + out->ip_len + CORE_UDP_HEADER_LEN;
	memcpy(msg, e->header + out->ip_len + CORE_UDP_HEADER_LEN, 2);
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

CORE_INLINE enum tp_drop core_put_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *e, const struct core_peer *from, const struct core_payload *d,
	struct core_out *out)
{
	unsigned front = TP_STUN_HEADER_LEN + 8 + tp_family_ip_len(from->family) + 4;
	unsigned pad = -d->len & 3;
	enum tp_drop why;
	uint32_t ip[4], txid[3];
	uint64_t sum;
	uint8_t *msg;

	// Out of the way of the new header.
	memcpy(ip, from->ip, sizeof(ip));
	why = core_put_header(c, p, e, d, front, pad, out);
	if (why != TP_DROP_none)
		return why;
	msg = out->ip + out->ip_len + CORE_UDP_HEADER_LEN;
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
	core_put_udp(out, core_udp_csum(p, d, out->ip_len, out->len - out->ip_len,
				  (uint32_t)e->sum_out + core_sum_fold(sum)));
	return TP_DROP_none;
}
