// SPDX-License-Identifier: BSD-3-Clause
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t after(uint64_t now_ns, uint32_t lifetime_s)
{
	uint64_t s = now_ns / TP_NS_PER_S + (now_ns % TP_NS_PER_S != 0);

	return (uint32_t)s + lifetime_s;
}

static void close_allocation(struct model *m, uint64_t now_ns, unsigned client)
{
	struct model_allocation *a = &m->allocations[client];
	struct model_tombstone *tombstone = &m->tombstones[client][0];
	struct model_cooldown *cooldown = &m->cooldowns[0];
	unsigned user = a->user;

	// In the place of the one that ends first.
	for (unsigned i = 0; i < MODEL_TOMBSTONES; i++) {
		if (m->tombstones[client][i].until_s < tombstone->until_s)
			tombstone = &m->tombstones[client][i];
	}
	memcpy(tombstone->txid, a->txid, sizeof(tombstone->txid));
	tombstone->until_s = after(now_ns, 40);
	for (unsigned i = 0; i < MODEL_COOLDOWNS; i++) {
		if (m->cooldowns[i].until_s < cooldown->until_s)
			cooldown = &m->cooldowns[i];
	}
	cooldown->relayed = a->relayed;
	cooldown->until_s = after(now_ns, 60);
	cooldown->owner = m->users[user].quota_name;
	memset(a, 0, sizeof(*a));
}

static void client_expire(struct model *m, uint64_t now_ns, unsigned client)
{
	uint32_t now_s = (uint32_t)(now_ns / TP_NS_PER_S);
	struct model_allocation *a = &m->allocations[client];

	for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
		if (a->permissions[i].expires_s <= now_s)
			a->permissions[i].expires_s = 0;
	}
	for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
		if (a->channels[i].expires_s <= now_s)
			a->channels[i].expires_s = 0;
	}
	if (a->expires_s != 0 && a->expires_s <= now_s)
		close_allocation(m, now_ns, client);
}

static void cooldowns_expire(struct model *m, uint64_t now_ns)
{
	for (unsigned i = 0; i < MODEL_COOLDOWNS; i++) {
		if (m->cooldowns[i].until_s <= now_ns / TP_NS_PER_S)
			m->cooldowns[i].until_s = 0;
	}
}

void model_expire(struct model *m, uint64_t now_ns)
{
	for (unsigned c = 0; c < MODEL_CLIENTS; c++)
		client_expire(m, now_ns, c);
	cooldowns_expire(m, now_ns);
}

void model_kill(struct model *m, uint64_t now_ns, unsigned client)
{
	if (m->allocations[client].expires_s != 0)
		close_allocation(m, now_ns, client);
}

void model_restart(struct model *m, uint64_t now_ns)
{
	cooldowns_expire(m, now_ns);
	// Whose they were is not kept.
	for (unsigned i = 0; i < MODEL_COOLDOWNS; i++)
		m->cooldowns[i].owner = NULL;
}

static unsigned ports_live(const struct model *m, uint8_t family)
{
	unsigned n = 0;

	for (unsigned c = 0; c < MODEL_CLIENTS; c++)
		n += m->allocations[c].expires_s != 0 && m->allocations[c].family == family;
	return n;
}

static bool owner_is(const struct model_cooldown *cooldown, const char *owner)
{
	return cooldown->owner != NULL && strcmp(cooldown->owner, owner) == 0;
}

// A cooling port is given when none is free, or to its user with more of them than half of the
// free ones.
static bool cooling_may_be_given(
	const struct model *m, const struct model_cooldown *cooldown, const char *owner)
{
	uint8_t family = cooldown->relayed.family;
	// The one that is given is live in the model already.
	unsigned n_free = m->ports_per_family - (ports_live(m, family) - 1), n_own = 0;

	for (unsigned i = 0; i < MODEL_COOLDOWNS; i++) {
		if (m->cooldowns[i].until_s == 0)
			continue;
		n_free -= m->cooldowns[i].relayed.family == family;
		n_own += owner_is(&m->cooldowns[i], owner);
	}
	return n_free == 0 || (owner_is(cooldown, owner) && n_own > n_free / 2);
}

bool model_port_give(struct model *m, unsigned client, const struct tp_addr *relayed)
{
	const char *owner = m->users[m->allocations[client].user].quota_name;

	for (unsigned c = 0; c < MODEL_CLIENTS; c++) {
		if (m->allocations[c].expires_s != 0 &&
			tp_addr_equal(&m->allocations[c].relayed, relayed))
			return false;
	}
	for (unsigned i = 0; i < MODEL_COOLDOWNS; i++) {
		struct model_cooldown *cooldown = &m->cooldowns[i];

		if (cooldown->until_s == 0 || !tp_addr_equal(&cooldown->relayed, relayed))
			continue;
		if (!cooling_may_be_given(m, cooldown, owner))
			return false;
		cooldown->until_s = 0;
	}
	m->allocations[client].relayed = *relayed;
	return true;
}

static bool is_repeated(const struct model_allocation *a, const struct model_request *r)
{
	return a->expires_s != 0 && r->method == MSG_ALLOCATE && a->user == r->user &&
	       memcmp(a->txid, r->txid, sizeof(a->txid)) == 0;
}

static unsigned authenticate(
	const struct model *m, uint32_t now_s, uint64_t wall_s, const struct model_request *r)
{
	const struct model_allocation *a = &m->allocations[r->client];
	bool owner = a->expires_s != 0 && a->user == r->user;

	if (!r->is_signed)
		return 401;
	if (!r->password_ok || (!owner && m->users[r->user].expires_wall_s < wall_s))
		return 401;
	if (!is_repeated(a, r) && (!r->nonce_is_ours || now_s - r->nonce_at_s >= 600))
		return 438;
	return r->unknown_attr ? 420 : 0;
}

static uint32_t lifetime(const struct model_request *r)
{
	if (r->lifetime_s == MODEL_NO_LIFETIME || r->lifetime_s < 600)
		return 600;
	return r->lifetime_s > 3600 ? 3600 : r->lifetime_s;
}

static bool is_buried(const struct model *m, uint32_t now_s, const struct model_request *r)
{
	for (unsigned i = 0; i < MODEL_TOMBSTONES; i++) {
		const struct model_tombstone *t = &m->tombstones[r->client][i];

		if (t->until_s > now_s && memcmp(t->txid, r->txid, sizeof(t->txid)) == 0)
			return true;
	}
	return false;
}

static unsigned count(const struct model *m, const char *quota_name)
{
	unsigned n = 0;

	for (unsigned c = 0; c < MODEL_CLIENTS; c++)
		n += m->allocations[c].expires_s != 0 &&
		     (quota_name == NULL ||
			     strcmp(m->users[m->allocations[c].user].quota_name, quota_name) == 0);
	return n;
}

// Whether one port stays for each seven that the user has.
static bool share_is_left(const struct model *m, unsigned user, uint8_t family)
{
	unsigned n_held = 0, n_left = m->ports_per_family - ports_live(m, family);

	for (unsigned c = 0; c < MODEL_CLIENTS; c++) {
		const struct model_allocation *a = &m->allocations[c];

		n_held += a->expires_s != 0 && a->family == family &&
			  strcmp(m->users[a->user].quota_name, m->users[user].quota_name) == 0;
	}
	return n_left > n_held / 7;
}

static unsigned allocate(struct model *m, uint64_t now_ns, const struct model_request *r)
{
	struct model_allocation *a = &m->allocations[r->client];
	uint8_t family = r->family != 0 ? r->family : TP_FAMILY_IPV4;

	if (is_repeated(a, r))
		return 0;
	if (a->expires_s != 0 || is_buried(m, (uint32_t)(now_ns / TP_NS_PER_S), r))
		return 437;
	if (r->transport == 0)
		return 400;
	if (r->transport != 17)
		return 442;
	if (family > TP_FAMILY_IPV6)
		return 440;
	if (count(m, m->users[r->user].quota_name) >= m->user_quota)
		return 486;
	if (count(m, NULL) >= m->max_allocations || !share_is_left(m, r->user, family))
		return 508;
	a->expires_s = after(now_ns, lifetime(r));
	a->user = r->user;
	a->family = family;
	memcpy(a->txid, r->txid, sizeof(a->txid));
	return 0;
}

static unsigned refresh(struct model *m, uint64_t now_ns, const struct model_request *r)
{
	struct model_allocation *a = &m->allocations[r->client];

	if (r->family != 0 && r->family != a->family)
		return 443;
	if (r->lifetime_s == 0)
		close_allocation(m, now_ns, r->client);
	else
		a->expires_s = after(now_ns, lifetime(r));
	return 0;
}

static void permit(struct model_allocation *a, const struct tp_addr *peer, uint32_t expires_s)
{
	struct model_permission *p = NULL;

	for (unsigned i = 0; i < MODEL_PERMISSIONS; i++) {
		struct model_permission *at = &a->permissions[i];

		if (at->expires_s != 0 && tp_addr_same_ip(&at->ip, peer)) {
			p = at;
			break;
		}
		if (at->expires_s == 0)
			p = at;
	}
	if (p == NULL)
		abort();
	p->ip = *peer;
	p->ip.port_be = 0;
	if (expires_s > p->expires_s)
		p->expires_s = expires_s;
}

static unsigned create_permission(struct model *m, uint64_t now_ns, const struct model_request *r)
{
	struct model_allocation *a = &m->allocations[r->client];

	if (r->n_peers == 0)
		return 400;
	for (unsigned i = 0; i < r->n_peers; i++) {
		if (r->peers[i].family != a->family)
			return 443;
	}
	for (unsigned i = 0; i < r->n_peers; i++) {
		if (m->denied(&r->peers[i], false))
			return 403;
	}
	for (unsigned i = 0; i < r->n_peers; i++) {
		struct tp_addr peer = m->canonical(&r->peers[i]);

		permit(a, &peer, after(now_ns, 300));
	}
	return 0;
}

static unsigned bind_channel(struct model *m, uint64_t now_ns, const struct model_request *r)
{
	struct model_allocation *a = &m->allocations[r->client];
	struct model_channel *c = NULL;
	struct tp_addr peer;

	if (r->number < 0x4000 || r->number > 0x4fff || r->n_peers == 0)
		return 400;
	peer = m->canonical(&r->peers[0]);
	for (unsigned i = 0; i < MODEL_CHANNELS; i++) {
		struct model_channel *at = &a->channels[i];
		bool same_peer = tp_addr_equal(&at->peer, &peer);

		if (at->expires_s == 0)
			c = c != NULL && c->expires_s != 0 ? c : at;
		else if (at->number == r->number && same_peer)
			c = at;
		else if (at->number == r->number || same_peer)
			return 400;
	}
	if (peer.family != a->family)
		return 443;
	if (m->denied(&r->peers[0], true))
		return 403;
	if (c == NULL)
		abort();
	c->peer = peer;
	c->number = r->number;
	c->expires_s = after(now_ns, 600);
	permit(a, &peer, after(now_ns, m->permission_follows_channel ? 600 : 300));
	return 0;
}

unsigned model_handle(
	struct model *m, uint64_t now_ns, uint64_t wall_s, const struct model_request *r)
{
	const struct model_allocation *a = &m->allocations[r->client];
	unsigned code;

	client_expire(m, now_ns, r->client);
	code = authenticate(m, (uint32_t)(now_ns / TP_NS_PER_S), wall_s, r);
	if (code != 0)
		return code;
	if (r->method == MSG_ALLOCATE)
		return allocate(m, now_ns, r);
	if (a->expires_s == 0)
		return 437;
	if (a->user != r->user)
		return 441;
	switch (r->method) {
	case MSG_REFRESH:
		return refresh(m, now_ns, r);
	case MSG_CREATE_PERMISSION:
		return create_permission(m, now_ns, r);
	default:
		return bind_channel(m, now_ns, r);
	}
}
