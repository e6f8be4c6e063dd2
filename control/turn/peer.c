// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

// Whether the operator's policy lets clients of this server send to the peer.
static bool policy_allows(const struct turn_server *s, const struct tp_addr *peer, bool with_port)
{
	(void)s;
	(void)with_port;
	return peer->family != TP_FAMILY_NONE;
}

unsigned turn_peer_check(struct turn_request *r, struct tp_addr *peer, bool with_port)
{
	struct turn_server *s = r->s;
	const struct turn_own_address *own = turn_own_find(&s->own, peer);
	uint16_t port = tp_addr_port(peer);

	if (own != NULL && own->is_relay &&
		(!with_port || (port >= s->conf.port_min && port <= s->conf.port_max))) {
		uint16_t port_be = peer->port_be;

		// Whatever is behind that port, live or not, the packet path decides per packet.
		*peer = own->advertised;
		peer->port_be = port_be;
		return 0;
	}
	if (own != NULL || (with_port && port == 0) || !policy_allows(s, peer, with_port)) {
		s->counters.permissions_denied++;
		return 403;
	}
	return 0;
}

bool turn_client_is_tunnelled(const struct turn_request *r)
{
	const struct tp_addr *client = &r->from->remote;
	uint32_t prefix = tp_load_be32(client->ip);

	// 2001::/32 is Teredo, 2002::/16 is 6to4.
	return client->family == TP_FAMILY_IPV6 && (prefix == 0x20010000 || prefix >> 16 == 0x2002);
}
