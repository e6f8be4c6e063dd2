// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

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
	// The policy's verdict comes last because its reason is what the operator is told.
	if (policy_judge(s->conf.policy, peer, &r->refusal.why) == POLICY_ALLOWED && own == NULL &&
		(!with_port || port != 0))
		return 0;
	s->counters.permissions_denied++;
	r->refusal.peer = *peer;
	return turn_refuse(r, TURN_REFUSED_PEER, 403);
}
