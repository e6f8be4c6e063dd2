// SPDX-License-Identifier: BSD-3-Clause
// Rewriting, one function per direction. The payload stays where it is; the new header is written
// in front of it, over the old one. Each returns TP_DROP_none with `out` filled in, or the reason
// why not: ttl_expired, too_big (longer than it may be, <core/fit.h>), no_memory (no room in
// low..high), table_corrupt (the entry's header is none). A packet that fails is as it was.
//
// Header fields (RFC 8656 13 and 14, RFC 7915): TTL or hop limit less one, DSCP and ECN copied,
// flow label 0; IPv4 to IPv4 copies DF, IPv6 to IPv4 sets it above 1,260 bytes, neither for what
// came in fragments; the IPv4 id is 0 with DF and counts up without.
//
// UDP checksums are updated, see <entry/csum.h>: wrong ones stay wrong. A missing one (IPv4) stays
// missing towards IPv4 and is computed towards IPv6.
//
// Entries are the caller's choice and are not checked but for their header's shape:
//   channel     A client's CHANNEL          peer       a client's PEER
//   client      ALLOCATION of the sender    allocation ALLOCATION of the receiver
//   permission  PERMISSION of the sender for the peer
#pragma once

#include <core/payload.h>
#include <core/put.h>

// ---- to a peer outside --------------------------------------------------------------------------

CORE_INLINE enum tp_drop core_channel_to_peer(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *channel, struct core_out *out)
{
	struct core_payload d = core_take_channel(p, channel);

	return core_put_peer(c, p, channel, &d, out);
}

CORE_INLINE enum tp_drop core_send_to_peer(struct core_context *c, const struct core_packet *p,
	const struct core_send *send, const struct tp_entry *client,
	const struct tp_entry *permission, struct core_out *out)
{
	struct core_payload d = core_take_send(p, send, client);
	uint32_t csum = core_udp_csum(p, &d, out->ip_len, WIRE_UDP_HEADER_LEN + d.len,
		(uint32_t)permission->sum_out + send->peer.port_be);
	enum tp_drop why = core_put_header(c, p, permission, &d, 0, 0, out);

	if (why != TP_DROP_none)
		return why;
	memcpy(out->ip + out->ip_len + WIRE_UDP_DPORT, &send->peer.port_be, 2);
	core_put_udp(out, csum);
	return TP_DROP_none;
}

// ---- from a peer outside ------------------------------------------------------------------------

CORE_INLINE enum tp_drop core_peer_to_channel(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *peer, struct core_out *out)
{
	struct core_payload d = core_take_datagram(p, peer->sum_in);

	return core_put_channel(c, p, peer, &d, out);
}

// `in` is the receiver's PERMISSION for the peer.
CORE_INLINE enum tp_drop core_peer_to_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *in, const struct tp_entry *allocation, struct core_out *out)
{
	struct core_payload d = core_take_datagram(p, (uint32_t)in->sum_in + p->ports.src_be);
	struct core_peer from = {.ip = p->src_ip, .port_be = p->ports.src_be, .family = p->family};

	return core_put_data(c, p, allocation, &from, &d, out);
}

// ---- between two allocations of this relay ------------------------------------------------------

CORE_INLINE enum tp_drop core_channel_to_channel(struct core_context *c,
	const struct core_packet *p, const struct tp_entry *channel, const struct tp_entry *peer,
	struct core_out *out)
{
	struct core_payload d = core_take_channel(p, channel);

	return core_put_channel(c, p, peer, &d, out);
}

// `shown`: the sender's advertised relayed address.
CORE_INLINE enum tp_drop core_channel_to_data(struct core_context *c, const struct core_packet *p,
	const struct tp_entry *channel, const struct tp_entry *allocation,
	const struct tp_addr *shown, struct core_out *out)
{
	struct core_payload d = core_take_channel(p, channel);
	struct core_peer from = {
		.ip = shown->ip, .port_be = shown->port_be, .family = shown->family};

	return core_put_data(c, p, allocation, &from, &d, out);
}

CORE_INLINE enum tp_drop core_send_to_channel(struct core_context *c, const struct core_packet *p,
	const struct core_send *send, const struct tp_entry *client, const struct tp_entry *peer,
	struct core_out *out)
{
	struct core_payload d = core_take_send(p, send, client);

	return core_put_channel(c, p, peer, &d, out);
}

CORE_INLINE enum tp_drop core_send_to_data(struct core_context *c, const struct core_packet *p,
	const struct core_send *send, const struct tp_entry *client,
	const struct tp_entry *allocation, const struct tp_addr *shown, struct core_out *out)
{
	struct core_payload d = core_take_send(p, send, client);
	struct core_peer from = {
		.ip = shown->ip, .port_be = shown->port_be, .family = shown->family};

	return core_put_data(c, p, allocation, &from, &d, out);
}

// ---- datagrams of our own -----------------------------------------------------------------------

// A datagram of our own with `len` bytes of payload already at `payload`, in front of which there
// is room for the headers; the checksum is computed. One family for both addresses.
void core_datagram_write(struct core_context *c, uint8_t *payload, uint16_t len,
	const struct tp_addr *src, const struct tp_addr *dst, struct core_out *out);
