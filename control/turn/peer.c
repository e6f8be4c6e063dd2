// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

#include "allocation.h"

// Whether the configuration opens a port of an own address, or any port of it.
static bool is_opened(const struct turn_server *s, const struct turn_local *local, uint16_t port)
{
	for (size_t i = 0; i < s->conf.n_local_peers; i++) {
		const struct turn_local_peer *p = &s->conf.local_peers[i];
		const struct turn_local *own = turn_locals_find(&s->locals, &p->ip);

		if (own != NULL && tp_addr_same_ip(&own->advertised, &local->advertised) &&
			(port == 0 || (port >= p->port_min && port <= p->port_max)))
			return true;
	}
	return false;
}

bool turn_realm_allows(
	const struct turn_server *s, const struct turn_realm *realm, const struct tp_addr *peer)
{
	const struct turn_local *local = turn_locals_find(&s->locals, peer);

	if (local != NULL)
		return local->is_relay || is_opened(s, local, 0);
	return policy_judge(realm->conf.policy, peer, NULL) == POLICY_ALLOWED;
}

bool turn_peer_is_allowed(
	const struct turn_server *s, uint32_t allocation, const struct tp_addr *peer)
{
	const struct turn_allocation *a = turn_allocation_by_ref(s, allocation);

	return a != NULL && turn_realm_allows(s, a->user->realm, peer);
}

// The policy knows no networks of the host: they come and go without a new configuration.
static bool is_broadcast(struct turn_request *r, const struct tp_addr *peer)
{
	const struct turn_env *env = &r->s->random.env;

	if (env->is_broadcast == NULL || !env->is_broadcast(env->ctx, peer))
		return false;
	r->refusal.why = policy_broadcast(peer);
	return true;
}

// The relayed ports of a relay address, and what is opened. A permission names no port.
static bool own_check(
	const struct turn_server *s, const struct turn_local *local, bool with_port, uint16_t port)
{
	if (!with_port)
		return local->is_relay || is_opened(s, local, 0);
	return (local->is_relay && port >= s->conf.port_min && port <= s->conf.port_max) ||
	       (port != 0 && is_opened(s, local, port));
}

unsigned turn_peer_check(struct turn_request *r, struct tp_addr *peer, bool with_port)
{
	struct turn_server *s = r->s;
	const struct turn_local *local = turn_locals_find(&s->locals, peer);
	uint16_t port = tp_addr_port(peer);

	if (local != NULL && own_check(s, local, with_port, port)) {
		uint16_t port_be = peer->port_be;

		// The packet path decides per packet whether that port is live.
		*peer = local->advertised;
		peer->port_be = port_be;
		return 0;
	}
	// The policy's verdict comes last because the operator sees its reason.
	if (policy_judge(r->realm->conf.policy, peer, &r->refusal.why) == POLICY_ALLOWED &&
		local == NULL && (!with_port || port != 0) && !is_broadcast(r, peer))
		return 0;
	s->counters.permissions_denied++;
	r->refusal.peer = *peer;
	return turn_refuse(r, TURN_REFUSED_PEER, 403);
}
