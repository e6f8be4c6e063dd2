// SPDX-License-Identifier: BSD-3-Clause
// An indication at one end and one family at both, the peer's too: <core/rewrite.h>'s
// core_send_to_peer and core_peer_to_data with the variable parts taken out. Its output is
// identical. `v4` is a constant wherever these are called.
//
// Between the UDP header and DATA's value stand core_indication_front bytes, at these offsets of
// the message (IPv4 / IPv6):
//
//    0  type, length        20       XOR-PEER-ADDRESS, 8 / 20
//    4  magic cookie        24       family, port
//    8  transaction id      28       address
//                           32 / 44  DATA, its length
#pragma once

#include <core/channel6.h>
#include <core/plain.h>

#define CORE_FINGERPRINT_LEN 8u // of the attribute

// Zero as a ones' complement sum of 64 bits, and larger than any sum subtracted from it.
#define CORE_SUM_ZERO_64     (0xffffull << 36)

CORE_INLINE uint32_t core_indication_front(bool v4)
{
	return TP_STUN_HEADER_LEN + (v4 ? 16u : 28u);
}

// Bytes that fill the last word of `data_len`.
CORE_INLINE uint32_t core_indication_pad(uint32_t data_len)
{
	return -data_len & 3;
}

// Which bytes of the last word of `data_len` are filled, as stored.
CORE_INLINE uint32_t core_indication_pad_mask(uint32_t data_len)
{
	static const uint8_t mask[4][4] = {
		{0}, {0, 0xff, 0xff, 0xff}, {0, 0, 0xff, 0xff}, {0, 0, 0, 0xff}};

	return (uint32_t)entry_sum_4(mask[data_len & 3]);
}

// Whether a datagram of `len` bytes is a Send indication of the form that clients nearly always
// use: XOR-PEER-ADDRESS of the family, DATA and at most a FINGERPRINT. False: nothing is known.
CORE_INLINE bool core_indication_shape(const uint8_t *msg, uint32_t len, bool v4)
{
	const uint32_t front = core_indication_front(v4);
	const uint64_t head = (uint64_t)TP_TURN_SEND_INDICATION << 48 | TP_STUN_MAGIC_COOKIE;
	const uint64_t attribute = (uint64_t)TP_ATTR_XOR_PEER_ADDRESS << 48 |
				   (v4 ? 8ull : 20ull) << 32 |
				   (v4 ? TP_FAMILY_IPV4 : TP_FAMILY_IPV6) << 16;
	uint32_t data, left;
	uint64_t peer;

	if (len < front || (len & 3) != 0 ||
		tp_load_be64(msg) != (head | (uint64_t)(len - TP_STUN_HEADER_LEN) << 32))
		return false;
	peer = tp_load_be64(msg + 20) & ~0xff000000ull; // the byte in front of the family is any
	data = tp_load_be32(msg + front - 4) ^ TP_ATTR_DATA << 16;
	left = len - front;
	if (peer >> 16 != attribute >> 16 || (uint16_t)peer == TP_STUN_MAGIC_COOKIE >> 16 ||
		data > left)
		return false;
	// An address that begins with eight zeros may be one of IPv4, mapped.
	if (!v4 && entry_sum_8(msg + 28) == entry_sum_8(msg + 4))
		return false;
	left -= (data + 3u) & ~3u;
	return left == 0 || (left == CORE_FINGERPRINT_LEN &&
				    tp_load_be32(msg + len - 8) == (TP_ATTR_FINGERPRINT << 16 | 4));
}

// The peer that it names, of IPv4, as stored.
CORE_INLINE uint32_t core_indication_peer_ip4(const uint8_t *msg)
{
	uint32_t ip;

	memcpy(&ip, msg + 28, sizeof(ip));
	return ip ^ tp_htonl(TP_STUN_MAGIC_COOKIE);
}

CORE_INLINE uint32_t core_indication_peer_port_be(const uint8_t *msg)
{
	return entry_sum_word(msg + 26) ^ entry_sum_be16(TP_STUN_MAGIC_COOKIE >> 16);
}

CORE_INLINE uint32_t core_indication_data_len(const uint8_t *msg, bool v4)
{
	return tp_load_be16(msg + core_indication_front(v4) - 2);
}

// The checksum that came, plus the headers that came and minus those that leave, as in
// core_channel4_csum: all but the message outside DATA, and the peer's port. More than 0xffff, less
// than ten times that. In 32 bits to be added up where it is, rather than in part and late.
CORE_INLINE uint32_t core_indication_changed(const uint8_t *udp, const struct tp_entry *arriving,
	const struct tp_entry *leaving, uint32_t udp_len_be)
{
	uint32_t sum = 5u * 0xffffu + entry_sum_word(udp + WIRE_UDP_CSUM);

	sum += arriving->sum_in + 2u * entry_sum_word(udp + WIRE_UDP_LEN);
	return sum - leaving->sum_out - 2u * udp_len_be;
}

// The sum of the bytes behind the data of a message of `len` bytes: padding and FINGERPRINT.
CORE_INLINE uint64_t core_indication_sum_behind(
	const uint8_t *msg, uint32_t len, uint32_t data_len, bool v4)
{
	uint32_t end = core_indication_front(v4) + ((data_len + 3u) & ~3u), word;
	uint64_t sum;

	memcpy(&word, msg + end - 4, sizeof(word));
	sum = word & core_indication_pad_mask(data_len);
	if (len != end)
		sum += entry_sum_4(msg + end) + entry_sum_4(msg + end + 4);
	return sum;
}

// Rewrites an exact and simple frame of `len` bytes with a message of that shape, by the client's
// ALLOCATION and its PERMISSION for the peer, whose header fits like a CHANNEL's. `eth` and the
// return value as in core_channel4_move: the frame begins core_indication_front bytes further on.
CORE_INLINE uint8_t *core_indication_send_move(uint32_t ip_id_be, uint8_t *frame, uint32_t len,
	const struct tp_entry *client, const struct tp_entry *permission, const uint8_t eth[16],
	uint32_t data_len, bool v4)
{
	const uint32_t ip_len = core_plain_ip_len(v4);
	uint8_t *in = frame + WIRE_ETH_LEN, *udp = in + ip_len;
	uint8_t *msg = udp + WIRE_UDP_HEADER_LEN, *out = in + core_indication_front(v4);
	uint32_t port_be = core_indication_peer_port_be(msg), csum;
	uint32_t udp_len_be = entry_sum_be16((uint16_t)(WIRE_UDP_HEADER_LEN + data_len));
	uint32_t changed = core_indication_changed(udp, client, permission, udp_len_be);
	uint64_t sum = changed - port_be +
		       core_indication_sum_behind(msg, len - core_plain_headers(v4), data_len, v4);
	struct core_move4 ip;
	uint64_t head;

	csum = entry_sum_fold(
		entry_sum_add(sum, v4 ? entry_sum_full_36(msg) : entry_sum_full_48(msg)));
	if (v4) {
		ip = core_move4_read(in, permission->sum_ip,
			entry_sum_be16((uint16_t)(ip_len + WIRE_UDP_HEADER_LEN + data_len)),
			ip_id_be);
		memcpy(out - WIRE_ETH_LEN, eth, 16);
		core_move4_write(&ip, out);
		memcpy(out + WIRE_IPV4_SRC, permission->header + WIRE_IPV4_SRC, 8);
	} else {
		head = core_move6_read(in, udp_len_be);
		memcpy(out - WIRE_ETH_LEN, eth, 16);
		memcpy(out, &head, sizeof(head));
		memcpy(out + WIRE_IPV6_SRC, permission->header + WIRE_IPV6_SRC, 32);
	}
	udp = out + ip_len;
	memcpy(udp, permission->header + ip_len, 2);
	core_channel4_put2(udp + WIRE_UDP_DPORT, port_be);
	core_channel4_put_udp(udp, udp_len_be, csum);
	return out - WIRE_ETH_LEN;
}

// Puts the front of a Data indication at `msg`; returns its sum.
CORE_INLINE uint64_t core_indication_put_front4(struct core_context *c, uint8_t *msg, uint32_t ip,
	uint32_t port_be, uint32_t data_len, uint32_t pad)
{
	const uint32_t cookie = tp_htonl(TP_STUN_MAGIC_COOKIE);
	const uint32_t attribute = tp_htonl(TP_ATTR_XOR_PEER_ADDRESS << 16 | 8);
	const uint32_t type = entry_sum_be16(TP_TURN_DATA_INDICATION);
	const uint32_t family = entry_sum_be16(TP_FAMILY_IPV4), data = entry_sum_be16(TP_ATTR_DATA);
	uint32_t len_be = entry_sum_be16(
		(uint16_t)(core_indication_front(true) - TP_STUN_HEADER_LEN + data_len + pad));
	uint32_t data_len_be = entry_sum_be16((uint16_t)data_len);
	uint32_t txid[3];

	core_txid_next(c, txid);
	ip ^= cookie;
	port_be ^= entry_sum_be16(TP_STUN_MAGIC_COOKIE >> 16);
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

// The same for a peer of IPv6, in words of eight bytes. Its sum is full.
CORE_INLINE uint64_t core_indication_put_front6(struct core_context *c, uint8_t *msg,
	const uint64_t ip[2], uint32_t port_be, uint32_t data_len, uint32_t pad)
{
	const uint64_t cookie = tp_htonl(TP_STUN_MAGIC_COOKIE);
	const uint64_t attribute = tp_htonl(TP_ATTR_XOR_PEER_ADDRESS << 16 | 20);
	const uint64_t type = entry_sum_be16(TP_TURN_DATA_INDICATION);
	const uint64_t family = entry_sum_be16(TP_FAMILY_IPV6), data = entry_sum_be16(TP_ATTR_DATA);
	uint32_t len_be = entry_sum_be16(
		(uint16_t)(core_indication_front(false) - TP_STUN_HEADER_LEN + data_len + pad));
	uint64_t data_len_be = entry_sum_be16((uint16_t)data_len), a, b, word[6], sum = 0;
	uint32_t txid[3];

	core_txid_next(c, txid);
	port_be ^= entry_sum_be16(TP_STUN_MAGIC_COOKIE >> 16);
	a = ip[0] ^ (cookie | (uint64_t)txid[0] << 32);
	b = ip[1] ^ (txid[1] | (uint64_t)txid[2] << 32);
	word[0] = type | len_be << 16 | cookie << 32;
	word[1] = txid[0] | (uint64_t)txid[1] << 32;
	word[2] = txid[2] | attribute << 32;
	word[3] = family | port_be << 16 | a << 32;
	word[4] = a >> 32 | b << 32;
	word[5] = b >> 32 | data << 32 | data_len_be << 48;
	for (unsigned i = 0; i < TP_ARRAY_LEN(word); i++) {
		memcpy(msg + 8 * i, &word[i], sizeof(word[i]));
		sum = entry_sum_add(sum, word[i]);
	}
	return sum;
}

// Clears the padding behind `data_len` bytes at `data`.
CORE_INLINE void core_indication_clear_pad(uint8_t *data, uint32_t data_len)
{
	uint8_t *last = data + data_len + core_indication_pad(data_len) - 4;
	uint32_t word;

	memcpy(&word, last, sizeof(word));
	word &= ~core_indication_pad_mask(data_len);
	memcpy(last, &word, sizeof(word));
}

// Rewrites an exact and simple frame with `data_len` bytes of payload, by the receiver's
// PERMISSION for the peer and its ALLOCATION, whose header fits like a CHANNEL's. The frame begins
// core_indication_front bytes earlier and ends core_indication_pad bytes later afterwards, for
// which there must be room; returns where it begins.
CORE_INLINE uint8_t *core_indication_data_move4(const struct core_context *first, uint32_t number,
	uint8_t *frame, const struct tp_entry *permission, const struct tp_entry *allocation,
	const uint8_t eth[16], uint32_t data_len)
{
	const uint32_t front = core_indication_front(true);
	uint8_t *in = frame + WIRE_ETH_LEN, *udp = in + WIRE_IPV4_HEADER_LEN;
	uint8_t *out = in - front, *msg = udp + WIRE_UDP_HEADER_LEN - front;
	uint32_t pad = core_indication_pad(data_len), ip, csum;
	uint32_t udp_len = WIRE_UDP_HEADER_LEN + front + data_len + pad;
	uint32_t udp_len_be = entry_sum_be16((uint16_t)udp_len);
	uint32_t port_be = entry_sum_word(udp + WIRE_UDP_SPORT);
	uint32_t changed = core_indication_changed(udp, permission, allocation, udp_len_be);
	struct core_context own = core_context_at(first, number);
	struct core_move4 header;

	memcpy(&ip, in + WIRE_IPV4_SRC, sizeof(ip));
	core_indication_clear_pad(udp + WIRE_UDP_HEADER_LEN, data_len);
	header = core_move4_read(in, allocation->sum_ip,
		entry_sum_be16((uint16_t)(WIRE_IPV4_HEADER_LEN + udp_len)),
		core_ip_id_at(first, number));
	memcpy(out - WIRE_ETH_LEN, eth, 16);
	core_move4_write(&header, out);
	memcpy(out + WIRE_IPV4_SRC, allocation->header + WIRE_IPV4_SRC, 12);
	csum = entry_sum_fold(CORE_SUM_ZERO_64 + changed + port_be -
			      core_indication_put_front4(&own, msg, ip, port_be, data_len, pad));
	udp = out + WIRE_IPV4_HEADER_LEN;
	core_channel4_put_udp(udp, udp_len_be, csum);
	return out - WIRE_ETH_LEN;
}

// The same for IPv6.
CORE_INLINE uint8_t *core_indication_data_move6(const struct core_context *first, uint32_t number,
	uint8_t *frame, const struct tp_entry *permission, const struct tp_entry *allocation,
	const uint8_t eth[16], uint32_t data_len)
{
	const uint32_t front = core_indication_front(false);
	uint8_t *in = frame + WIRE_ETH_LEN, *udp = in + WIRE_IPV6_HEADER_LEN;
	uint8_t *out = in - front, *msg = udp + WIRE_UDP_HEADER_LEN - front;
	uint32_t pad = core_indication_pad(data_len), csum;
	uint32_t udp_len_be =
		entry_sum_be16((uint16_t)(WIRE_UDP_HEADER_LEN + front + data_len + pad));
	uint32_t port_be = entry_sum_word(udp + WIRE_UDP_SPORT);
	uint64_t changed = core_indication_changed(udp, permission, allocation, udp_len_be);
	uint64_t head = core_move6_read(in, udp_len_be), ip[2], sum;
	struct core_context own = core_context_at(first, number);

	memcpy(ip, in + WIRE_IPV6_SRC, sizeof(ip));
	core_indication_clear_pad(udp + WIRE_UDP_HEADER_LEN, data_len);
	memcpy(out - WIRE_ETH_LEN, eth, 16);
	memcpy(out, &head, sizeof(head));
	memcpy(out + WIRE_IPV6_SRC, allocation->header + WIRE_IPV6_SRC, 36);
	sum = core_indication_put_front6(&own, msg, ip, port_be, data_len, pad);
	csum = entry_sum_fold(entry_sum_add(changed + port_be, ~sum));
	udp = out + WIRE_IPV6_HEADER_LEN;
	core_channel4_put_udp(udp, udp_len_be, csum);
	return out - WIRE_ETH_LEN;
}
