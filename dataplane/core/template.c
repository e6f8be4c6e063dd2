// SPDX-License-Identifier: BSD-3-Clause
#include <core/template.h>

#include <core/csum.h>
#include <core/wire.h>
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
	return core_sum_addresses(a->ip, b->ip, tp_family_ip_len(a->family)) + a->port_be +
	       b->port_be;
}

static void write_header(struct tp_entry *e, const struct tp_addr *src, const struct tp_addr *dst)
{
	uint8_t *h = e->header;
	uint8_t *udp;

	memset(h, 0, sizeof(e->header));
	if (src->family == TP_FAMILY_IPV4) {
		h[0] = 0x45;
		h[CORE_IPV4_PROTO] = CORE_PROTO_UDP;
		memcpy(h + CORE_IPV4_SRC, src->ip, 4);
		memcpy(h + CORE_IPV4_DST, dst->ip, 4);
		e->sum_ip = core_sum_fold(core_sum(h, CORE_IPV4_HEADER_LEN));
		udp = h + CORE_IPV4_HEADER_LEN;
	} else {
		h[0] = 0x60;
		h[CORE_IPV6_NEXT] = CORE_PROTO_UDP;
		memcpy(h + CORE_IPV6_SRC, src->ip, 16);
		memcpy(h + CORE_IPV6_DST, dst->ip, 16);
		e->sum_ip = 0;
		udp = h + CORE_IPV6_HEADER_LEN;
	}
	memcpy(udp + CORE_UDP_SPORT, &src->port_be, 2);
	memcpy(udp + CORE_UDP_DPORT, &dst->port_be, 2);
	e->header_len = (uint8_t)(udp + CORE_UDP_HEADER_LEN - h);
}

int core_template_allocation(
	struct tp_entry *e, const struct tp_addr *listener, const struct tp_addr *client)
{
	if (!same_family(listener, client))
		return -EINVAL;
	write_header(e, listener, client);
	e->sum_in = core_sum_fold(sum_between(client, listener));
	e->sum_out = e->sum_in;
	return 0;
}

int core_template_channel(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer)
{
	if (!same_family(listener, client) || !same_family(relayed, peer))
		return -EINVAL;
	write_header(e, relayed, peer);
	e->sum_in = core_sum_fold(sum_between(client, listener) + core_sum_be16(number));
	e->sum_out = core_sum_fold(sum_between(relayed, peer));
	return 0;
}

int core_template_peer(struct tp_entry *e, const struct tp_addr *listener,
	const struct tp_addr *client, uint16_t number, const struct tp_addr *relayed,
	const struct tp_addr *peer)
{
	if (!same_family(listener, client) || !same_family(relayed, peer))
		return -EINVAL;
	write_header(e, listener, client);
	tp_store_be16(e->header + e->header_len, number);
	e->header_len += TP_CHANNEL_HEADER_LEN;
	e->sum_in = core_sum_fold(sum_between(peer, relayed));
	e->sum_out = core_sum_fold(sum_between(listener, client) + core_sum_be16(number));
	return 0;
}

int core_template_permission(
	struct tp_entry *e, const struct tp_addr *relayed, const struct tp_addr *peer)
{
	struct tp_addr host = *peer;

	if (!same_family(relayed, peer))
		return -EINVAL;
	host.port_be = 0;
	write_header(e, relayed, &host);
	e->sum_in = core_sum_fold(sum_between(&host, relayed));
	e->sum_out = e->sum_in;
	return 0;
}
