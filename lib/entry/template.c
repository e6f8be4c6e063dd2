// SPDX-License-Identifier: BSD-3-Clause
#include <entry/template.h>

#include <entry/csum.h>
#include <entry/wire.h>
#include <turnpike/stun.h>

#include <errno.h>

static bool same_family(const struct tp_addr *a, const struct tp_addr *b)
{
	return a->family == b->family &&
	       (a->family == TP_FAMILY_IPV4 || a->family == TP_FAMILY_IPV6);
}

// Addresses, protocol and ports; the same whichever of the two is the source.
static uint64_t sum_between(const struct tp_addr *a, const struct tp_addr *b)
{
	return entry_sum_addresses(a->ip, b->ip, tp_family_ip_len(a->family)) + a->port_be +
	       b->port_be;
}

static void write_header(struct tp_entry *e, const struct tp_addr *src, const struct tp_addr *dst)
{
	uint8_t *h = e->header;
	uint8_t *udp;

	memset(h, 0, sizeof(e->header));
	if (src->family == TP_FAMILY_IPV4) {
		h[0] = 0x45;
		h[WIRE_IPV4_PROTO] = WIRE_PROTO_UDP;
		memcpy(h + WIRE_IPV4_SRC, src->ip, 4);
		memcpy(h + WIRE_IPV4_DST, dst->ip, 4);
		e->sum_ip = entry_sum_fold(entry_sum(h, WIRE_IPV4_HEADER_LEN));
		udp = h + WIRE_IPV4_HEADER_LEN;
	} else {
		h[0] = 0x60;
		h[WIRE_IPV6_NEXT] = WIRE_PROTO_UDP;
		memcpy(h + WIRE_IPV6_SRC, src->ip, 16);
		memcpy(h + WIRE_IPV6_DST, dst->ip, 16);
		e->sum_ip = 0;
		udp = h + WIRE_IPV6_HEADER_LEN;
	}
	memcpy(udp + WIRE_UDP_SPORT, &src->port_be, 2);
	memcpy(udp + WIRE_UDP_DPORT, &dst->port_be, 2);
	e->header_len = (uint8_t)(udp + WIRE_UDP_HEADER_LEN - h);
}

int entry_template_allocation(
	struct tp_entry *e, const struct tp_addr *listener, const struct tp_addr *client)
{
	if (!same_family(listener, client))
		return -EINVAL;
	write_header(e, listener, client);
	e->sum_in = entry_sum_fold(sum_between(client, listener));
	e->sum_out = e->sum_in;
	return 0;
}

int entry_template_channel(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer)
{
	if (!same_family(listener, client) || !same_family(relayed, peer))
		return -EINVAL;
	write_header(e, relayed, peer);
	e->sum_in = entry_sum_fold(sum_between(client, listener) + entry_sum_be16(number));
	e->sum_out = entry_sum_fold(sum_between(relayed, peer));
	return 0;
}

int entry_template_peer(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer)
{
	if (!same_family(listener, client) || !same_family(relayed, peer))
		return -EINVAL;
	write_header(e, listener, client);
	tp_store_be16(e->header + e->header_len, number);
	e->header_len += TP_CHANNEL_HEADER_LEN;
	e->sum_in = entry_sum_fold(sum_between(peer, relayed));
	e->sum_out = entry_sum_fold(sum_between(listener, client) + entry_sum_be16(number));
	return 0;
}

int entry_template_permission(
	struct tp_entry *e, const struct tp_addr *relayed, const struct tp_addr *peer)
{
	struct tp_addr host = *peer;

	if (!same_family(relayed, peer))
		return -EINVAL;
	host.port_be = 0;
	write_header(e, relayed, &host);
	e->sum_in = entry_sum_fold(sum_between(&host, relayed));
	e->sum_out = e->sum_in;
	return 0;
}

static void write_stream(struct tp_entry *e, uint64_t connection)
{
	memset(e->header, 0, sizeof(e->header));
	e->stream.connection = connection;
	e->header_len = 0;
	e->sum_in = e->sum_out = e->sum_ip = 0;
}

int entry_template_stream_allocation(struct tp_entry *e, uint64_t connection)
{
	if (!tp_connection_valid(connection))
		return -EINVAL;
	write_stream(e, connection);
	return 0;
}

int entry_template_stream_channel(
	struct tp_entry *e, const struct tp_addr *relayed, const struct tp_addr *peer)
{
	if (!same_family(relayed, peer))
		return -EINVAL;
	write_header(e, relayed, peer);
	e->sum_in = 0;
	e->sum_out = entry_sum_fold(sum_between(relayed, peer));
	return 0;
}

int entry_template_stream_peer(struct tp_entry *e, uint64_t connection, uint16_t number,
	const struct tp_addr *relayed, const struct tp_addr *peer)
{
	if (!same_family(relayed, peer) || !tp_connection_valid(connection))
		return -EINVAL;
	write_stream(e, connection);
	tp_store_be16(e->stream.channel_header, number);
	e->header_len = TP_CHANNEL_HEADER_LEN;
	e->sum_in = entry_sum_fold(sum_between(peer, relayed));
	return 0;
}
