// SPDX-License-Identifier: BSD-3-Clause
// An indication at one end and IPv4 at both, the peer's too: <core/rewrite.h>'s core_send_to_peer
// and core_peer_to_data with all that varies taken out. It writes what they would.
//
// Between the UDP header and DATA's value stand CORE_INDICATION4_FRONT octets, at these offsets of
// the message:
//
//    0  type, length        20  XOR-PEER-ADDRESS, 8
//    4  magic cookie        24  family, port
//    8  transaction id      28  address
//                           32  DATA, its length
#pragma once

#include <core/channel4.h>

#define CORE_INDICATION4_FRONT (TP_STUN_HEADER_LEN + 16u)
#define CORE_FINGERPRINT_LEN   8u // of the attribute

// Zero as a ones' complement sum of 64 bits, and larger than what is subtracted from it.
#define CORE_SUM_ZERO_64       (0xffffull << 36)

// Octets that fill the last word of `data_len`.
CORE_INLINE uint32_t core_indication4_pad(uint32_t data_len)
{
	return -data_len & 3;
}

// Which octets of the last word of `data_len` are filled, as stored.
CORE_INLINE uint32_t core_indication4_pad_mask(uint32_t data_len)
{
	static const uint8_t mask[4][4] = {
		{0}, {0, 0xff, 0xff, 0xff}, {0, 0, 0xff, 0xff}, {0, 0, 0, 0xff}};

	return (uint32_t)core_sum_4(mask[data_len & 3]);
}

// Whether a datagram of `len` octets is a Send indication of the form that clients nearly always
// use: XOR-PEER-ADDRESS of IPv4, DATA and at most a FINGERPRINT. False: nothing is known.
CORE_INLINE bool core_send4_shape(const uint8_t *msg, uint32_t len)
{
	const uint64_t head = (uint64_t)TP_TURN_SEND_INDICATION << 48 | TP_STUN_MAGIC_COOKIE;
	const uint64_t attribute =
		(uint64_t)TP_ATTR_XOR_PEER_ADDRESS << 48 | 8ull << 32 | TP_FAMILY_IPV4 << 16;
	uint32_t data, left;
	uint64_t peer;

	if (len < CORE_INDICATION4_FRONT || (len & 3) != 0 ||
		tp_load_be64(msg) != (head | (uint64_t)(len - TP_STUN_HEADER_LEN) << 32))
		return false;
	peer = tp_load_be64(msg + 20) & ~0xff000000ull; // the octet in front of the family is any
	data = tp_load_be32(msg + CORE_INDICATION4_FRONT - 4) ^ TP_ATTR_DATA << 16;
	left = len - CORE_INDICATION4_FRONT;
	if (peer >> 16 != attribute >> 16 || (uint16_t)peer == TP_STUN_MAGIC_COOKIE >> 16 ||
		data > left)
		return false;
	left -= (data + 3u) & ~3u;
	return left == 0 || (left == CORE_FINGERPRINT_LEN &&
				    tp_load_be32(msg + len - 8) == (TP_ATTR_FINGERPRINT << 16 | 4));
}

// The peer that it names, as stored.
CORE_INLINE uint32_t core_send4_peer_ip(const uint8_t *msg)
{
	uint32_t ip;

	memcpy(&ip, msg + 28, sizeof(ip));
	return ip ^ tp_htonl(TP_STUN_MAGIC_COOKIE);
}

CORE_INLINE uint32_t core_send4_peer_port_be(const uint8_t *msg)
{
	return core_sum_word(msg + 26) ^ core_sum_be16(TP_STUN_MAGIC_COOKIE >> 16);
}

CORE_INLINE uint32_t core_send4_data_len(const uint8_t *msg)
{
	return tp_load_be16(msg + CORE_INDICATION4_FRONT - 2);
}

// What the sender's checksum says, less the headers that it came with and plus those it leaves
// with: but for all of the message outside DATA, and the peer's port. More than 0xffff, less than
// ten times that. In 32 bits to be added up where it is, rather than in part and late.
CORE_INLINE uint32_t core_indication4_changed(const uint8_t *udp, const struct tp_entry *arriving,
	const struct tp_entry *leaving, uint32_t udp_len_be)
{
	uint32_t sum = 5u * 0xffffu + (core_sum_word(udp + CORE_UDP_CSUM) ^ 0xffffu);

	sum += leaving->sum_out + 2u * udp_len_be;
	return sum - arriving->sum_in - 2u * core_sum_word(udp + CORE_UDP_LEN);
}

// The sum of what stands behind the data of a message of `len` octets: padding and FINGERPRINT.
CORE_INLINE uint64_t core_send4_sum_behind(const uint8_t *msg, uint32_t len, uint32_t data_len)
{
	uint32_t end = CORE_INDICATION4_FRONT + ((data_len + 3u) & ~3u), word;
	uint64_t sum;

	memcpy(&word, msg + end - 4, sizeof(word));
	sum = word & core_indication4_pad_mask(data_len);
	if (len != end)
		sum += core_sum_4(msg + end) + core_sum_4(msg + end + 4);
	return sum;
}

// Rewrites an exact and simple frame of `len` octets with a message of that shape, by the client's
// ALLOCATION and its PERMISSION for the peer, whose header fits like a CHANNEL's. `eth` and what is
// returned as in core_channel4_move: the frame begins CORE_INDICATION4_FRONT octets further on.
CORE_INLINE uint8_t *core_send4_move(struct core_context *c, uint8_t *frame, uint32_t len,
	const struct tp_entry *client, const struct tp_entry *permission, const uint8_t eth[16],
	uint32_t data_len)
{
	uint8_t *in = frame + CORE_ETH_LEN, *udp = in + CORE_IPV4_HEADER_LEN;
	uint8_t *msg = udp + CORE_UDP_HEADER_LEN, *out = in + CORE_INDICATION4_FRONT;
	uint32_t port_be = core_send4_peer_port_be(msg), csum;
	uint32_t udp_len_be = core_sum_be16((uint16_t)(CORE_UDP_HEADER_LEN + data_len));
	uint32_t changed = core_indication4_changed(udp, client, permission, udp_len_be);
	uint64_t sum = CORE_SUM_ZERO_64 + changed + port_be -
		       core_send4_sum_behind(msg, len - CORE_CHANNEL4_HEADERS, data_len);
	struct core_move4 ip;

	csum = core_csum_udp(core_sum_add(sum, ~core_sum_full_36(msg)));
	ip = core_move4_read(
		c, in, permission->sum_ip, CORE_IPV4_HEADER_LEN + CORE_UDP_HEADER_LEN + data_len);
	memcpy(out - CORE_ETH_LEN, eth, 16);
	core_move4_write(&ip, out);
	memcpy(out + CORE_IPV4_SRC, permission->header + CORE_IPV4_SRC, 8);
	udp = out + CORE_IPV4_HEADER_LEN;
	memcpy(udp, permission->header + CORE_IPV4_HEADER_LEN, 2);
	core_channel4_put2(udp + CORE_UDP_DPORT, port_be);
	core_channel4_put2(udp + CORE_UDP_LEN, udp_len_be);
	core_channel4_put2(udp + CORE_UDP_CSUM, csum);
	return out - CORE_ETH_LEN;
}

// Puts the front of a Data indication at `msg`; returns its sum.
CORE_INLINE uint64_t core_data4_put_front(struct core_context *c, uint8_t *msg, uint32_t ip,
	uint32_t port_be, uint32_t data_len, uint32_t pad)
{
	const uint32_t cookie = tp_htonl(TP_STUN_MAGIC_COOKIE);
	const uint32_t attribute = tp_htonl(TP_ATTR_XOR_PEER_ADDRESS << 16 | 8);
	const uint32_t type = core_sum_be16(TP_TURN_DATA_INDICATION);
	const uint32_t family = core_sum_be16(TP_FAMILY_IPV4), data = core_sum_be16(TP_ATTR_DATA);
	uint32_t len_be = core_sum_be16(
		(uint16_t)(CORE_INDICATION4_FRONT - TP_STUN_HEADER_LEN + data_len + pad));
	uint32_t data_len_be = core_sum_be16((uint16_t)data_len);
	uint32_t txid[3];

	core_txid_next(c, txid);
	ip ^= cookie;
	port_be ^= core_sum_be16(TP_STUN_MAGIC_COOKIE >> 16);
	core_channel4_put2(msg, type);
	core_channel4_put2(msg + 2, len_be);
	memcpy(msg + 4, &cookie, 4);
	memcpy(msg + 8, txid, sizeof(txid));
	memcpy(msg + 20, &attribute, 4);
	core_channel4_put2(msg + 24, family);
	core_channel4_put2(msg + 26, port_be);
	memcpy(msg + 28, &ip, 4);
	core_channel4_put2(msg + 32, data);
	core_channel4_put2(msg + 34, data_len_be);
	return (uint64_t)cookie + attribute + type + family + data + txid[0] + txid[1] + txid[2] +
	       ip + port_be + len_be + data_len_be;
}

// Rewrites an exact and simple frame with `data_len` octets of payload, by the receiver's
// PERMISSION for the peer and its ALLOCATION, whose header fits like a CHANNEL's. The frame begins
// CORE_INDICATION4_FRONT octets earlier and ends core_indication4_pad octets later afterwards, for
// which there must be room; returns where it begins.
CORE_INLINE uint8_t *core_data4_move(struct core_context *c, uint8_t *frame,
	const struct tp_entry *permission, const struct tp_entry *allocation, const uint8_t eth[16],
	uint32_t data_len)
{
	uint8_t *in = frame + CORE_ETH_LEN, *udp = in + CORE_IPV4_HEADER_LEN;
	uint8_t *out = in - CORE_INDICATION4_FRONT, *msg = in - 8;
	uint32_t pad = core_indication4_pad(data_len), ip, word, csum;
	uint32_t udp_len = CORE_UDP_HEADER_LEN + CORE_INDICATION4_FRONT + data_len + pad;
	uint32_t udp_len_be = core_sum_be16((uint16_t)udp_len);
	uint32_t port_be = core_sum_word(udp + CORE_UDP_SPORT);
	uint32_t changed = core_indication4_changed(udp, permission, allocation, udp_len_be);
	uint8_t *last = udp + CORE_UDP_HEADER_LEN + data_len + pad - 4;
	struct core_move4 header;

	memcpy(&ip, in + CORE_IPV4_SRC, sizeof(ip));
	memcpy(&word, last, sizeof(word));
	word &= ~core_indication4_pad_mask(data_len);
	memcpy(last, &word, sizeof(word));
	header = core_move4_read(c, in, allocation->sum_ip, CORE_IPV4_HEADER_LEN + udp_len);
	memcpy(out - CORE_ETH_LEN, eth, 16);
	core_move4_write(&header, out);
	memcpy(out + CORE_IPV4_SRC, allocation->header + CORE_IPV4_SRC, 12);
	csum = core_csum_udp(
		changed - port_be + core_data4_put_front(c, msg, ip, port_be, data_len, pad));
	udp = out + CORE_IPV4_HEADER_LEN;
	core_channel4_put2(udp + CORE_UDP_LEN, udp_len_be);
	core_channel4_put2(udp + CORE_UDP_CSUM, csum);
	return out - CORE_ETH_LEN;
}
