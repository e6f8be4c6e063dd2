// SPDX-License-Identifier: BSD-3-Clause
#include "request.h"

#include <errno.h>

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

static struct turn_policies policies_of_user(
	const struct turn_realm *realm, struct stun_text user, const char **name)
{
	const struct turn_user_policy *own = turn_realm_policy(realm, user);

	if (name != NULL)
		*name = own != NULL ? own->name : NULL;
	if (own != NULL)
		return (struct turn_policies){.policy = own->policy, .trial = own->trial};
	return (struct turn_policies){.policy = realm->conf.policy, .trial = realm->conf.trial};
}

struct turn_policies turn_policies_of(const struct turn_account *account)
{
	const struct stun_text name = {account->name, account->name_len};

	return policies_of_user(account->realm, name, NULL);
}

bool turn_peer_may_stay(
	const struct turn_server *s, const struct turn_account *account, const struct tp_addr *peer)
{
	const struct turn_local *local = turn_locals_find(&s->locals, peer);

	if (local != NULL)
		return local->is_relay || is_opened(s, local, 0);
	return policy_judge(turn_policies_of(account).policy, peer, NULL) == POLICY_ALLOWED;
}

// `none`: what stands for no port at all, which a peer that is allowed never comes to.
static const struct tp_port_set *ports_of(const struct policy *p, const struct tp_addr *peer,
	struct tp_port_set *set, const struct tp_port_set *none)
{
	if (p == NULL || !policy_has_ports(p))
		return NULL;
	switch (policy_ports(p, peer, set)) {
	case POLICY_PORTS_SOME:
		return set;
	case POLICY_PORTS_NONE:
		return none;
	default:
		return NULL;
	}
}

void turn_peer_ports(const struct turn_server *s, const struct turn_allocation *a,
	const struct tp_addr *peer, struct turn_ports_allowed *out)
{
	static const struct tp_port_set none;
	struct turn_policies policies = turn_policies_of(a->account);

	out->allowed = out->trial = NULL;
	// Each connection of a TCP allocation is judged when it begins; the ports of own addresses
	// are the packet path's to know.
	if (a->is_tcp || turn_locals_find(&s->locals, peer) != NULL)
		return;
	out->allowed = ports_of(policies.policy, peer, &out->sets[0], &none);
	out->trial = ports_of(policies.trial, peer, &out->sets[1], NULL);
}

bool turn_peer_is_allowed(
	const struct turn_server *s, uint32_t allocation, const struct tp_addr *peer)
{
	const struct turn_allocation *a = turn_allocation_by_ref(s, allocation);

	return a != NULL && turn_peer_may_stay(s, a->account, peer);
}

// The policy knows no networks of the host: they come and go without a new configuration.
static bool is_broadcast(
	const struct turn_server *s, const struct tp_addr *peer, struct policy_decision *why)
{
	const struct turn_env *env = &s->random.env;

	if (env->is_broadcast == NULL || !env->is_broadcast(env->ctx, peer))
		return false;
	*why = policy_broadcast(peer);
	return true;
}

// An address of this host that is none of the relay's: by TCP its services would take the relay for
// a client on the host itself.
static bool is_host(
	const struct turn_server *s, const struct tp_addr *peer, struct policy_decision *why)
{
	const struct turn_env *env = &s->random.env;

	if (env->is_host == NULL || !env->is_host(env->ctx, peer))
		return false;
	*why = policy_host(peer);
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

// `why` is filled in, but for a relayed address of this server. The policy's verdict comes last
// because the operator sees its reason.
static bool is_allowed(const struct turn_server *s, const struct policy *policy,
	const struct tp_addr *peer, bool with_port, struct policy_decision *why)
{
	const struct turn_local *local = turn_locals_find(&s->locals, peer);
	uint16_t port = tp_addr_port(peer);

	if (local != NULL && own_check(s, local, with_port, port))
		return true;
	return policy_judge(policy, peer, why) == POLICY_ALLOWED && local == NULL &&
	       (!with_port || port != 0) && !is_broadcast(s, peer, why) && !is_host(s, peer, why);
}

// Counts a peer that a policy under trial would deny.
static void trial_judge(
	struct turn_request *r, const struct policy *trial, const struct tp_addr *peer)
{
	struct turn_outs *o = &r->s->outs;
	struct turn_refusal would = {.cause = TURN_REFUSED_TRIAL, .peer = *peer};

	if (trial == NULL || policy_judge(trial, peer, &would.why) != POLICY_DENIED)
		return;
	r->s->counters.permissions_would_deny++;
	would.method = r->m->method;
	would.realm_id = r->realm->conf.id;
	would.username = r->principal.name.chars;
	would.username_len = r->principal.name.len;
	o->to = *r->from;
	o->refusal = would;
	o->refused = true;
}

unsigned turn_peer_check(struct turn_request *r, struct tp_addr *peer, bool with_port)
{
	struct turn_server *s = r->s;
	const struct turn_local *local = turn_locals_find(&s->locals, peer);
	struct turn_policies policies = turn_policies_of(r->a->account);
	struct tp_addr judged = *peer;

	if (!with_port)
		judged.port_be = 0;
	if (is_allowed(s, policies.policy, &judged, with_port, &r->refusal.why)) {
		uint16_t port_be = peer->port_be;

		if (local == NULL) {
			trial_judge(r, policies.trial, &judged);
			return 0;
		}
		// The packet path decides per packet whether that port is live.
		*peer = local->advertised;
		peer->port_be = port_be;
		return 0;
	}
	s->counters.permissions_denied++;
	r->refusal.peer = *peer;
	return turn_refuse(r, TURN_REFUSED_PEER, 403);
}

int turn_peer_explain(const struct turn_server *s, uint16_t realm_id, const char *user,
	const struct tp_addr *peer, struct turn_explanation *out)
{
	const struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);
	struct turn_policies policies;

	if (realm == NULL)
		return -ENOENT;
	policies = policies_of_user(realm, turn_text(user != NULL ? user : ""), &out->policy);
	(void)policy_judge(policies.policy, peer, &out->why);
	out->allowed = is_allowed(s, policies.policy, peer, peer->port_be != 0, &out->why);
	out->would_deny = policies.trial != NULL &&
			  policy_judge(policies.trial, peer, &out->trial) == POLICY_DENIED;
	return 0;
}
