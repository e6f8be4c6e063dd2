// SPDX-License-Identifier: BSD-3-Clause
#include "locals.h"

#include <core/packet.h>

#include <stdlib.h>

static void bad_first_set(struct stage_locals *l)
{
	for (unsigned first = 0; first < 256; first++) {
		const uint8_t ip[4] = {(uint8_t)first, 1, 1, 1};

		l->bad_first[first] = core_source_bad(TP_FAMILY_IPV4, ip);
	}
}

static unsigned ip_add(struct stage_locals *l, const struct tp_addr *a)
{
	struct local_ip ip = local_ip_of(a->ip, a->family);
	unsigned i = locals_ip_find(l, &ip, a->family);
	unsigned s = local_hash(ip.word[0], ip.word[1]) & l->ip_mask;

	if (i != 0)
		return i;
	while (l->ip_slots[s] != 0)
		s = (s + 1) & l->ip_mask;
	i = ++l->n_ips;
	l->ips[i] = (struct own_ip){.ip = ip, .family = a->family};
	if (a->family == TP_FAMILY_IPV4)
		l->suspects[locals_suspect_hash(local_ip4(&ip))] = true;
	l->ip_slots[s] = (uint16_t)i;
	return i;
}

static void listener_add(struct stage_locals *l, unsigned ip_index, unsigned id)
{
	uint16_t port_be = l->by_id[id].addr.port_be;
	unsigned s = local_hash(ip_index, port_be) & l->port_mask;

	if (locals_listener_find(l, ip_index, port_be) != 0)
		return;
	if (l->ips[ip_index].listener_id == 0) {
		l->ips[ip_index].listener_id = (uint16_t)id;
		l->ips[ip_index].port_be = port_be;
	}
	if (locals_port_relayed(l, tp_ntohs(port_be)))
		l->ips[ip_index].mixed = true;
	while (l->port_slots[s] != 0)
		s = (s + 1) & l->port_mask;
	l->port_slots[s] = (uint16_t)id;
	l->port_ips[s] = (uint16_t)ip_index;
}

static bool family_right(const struct tp_addr *a)
{
	return a->family == TP_FAMILY_IPV4 || a->family == TP_FAMILY_IPV6;
}

static bool record_right(const struct tp_local *r)
{
	if (!family_right(&r->addr) || r->external.family != r->addr.family)
		return false;
	if (r->role == TP_ROLE_LISTENER)
		return r->addr.port_be != 0 &&
		       (r->transport == TP_TRANSPORT_UDP || tp_transport_is_stream(r->transport));
	return r->role == TP_ROLE_RELAY && r->port_index < TP_RELAYS_MAX;
}

// Slots for `n` keys: sparse, so that strangers' addresses nearly always meet an empty one, and
// less than half full at worst.
static uint32_t mask_for(unsigned n, uint32_t most)
{
	uint32_t slots = 64;

	while (slots < most && slots < 16 * n)
		slots *= 2;
	return slots - 1;
}

static void masks_set(struct stage_locals *l, const struct tp_local locals[TP_LOCALS_MAX])
{
	unsigned n = 0;

	for (unsigned id = 1; id < TP_LOCALS_MAX; id++)
		n += record_right(&locals[id]);
	l->ip_mask = mask_for(2 * n, LOCALS_IP_SLOTS);
	l->port_mask = mask_for(n, LOCALS_PORT_SLOTS);
}

// A realm of an impossible length has no challenges.
static void challenge_set(struct stage_locals *l)
{
	const struct tp_path_config *path = &l->path;

	if (path->realm_len == 0 || path->realm_len > TP_PATH_REALM_MAX)
		return;
	if ((path->realm_flags & TP_REALM_SHA256) != 0)
		l->realm.features |= TP_FEATURE_PASSWORD_ALGORITHMS;
	if ((path->realm_flags & TP_REALM_USERHASH) != 0)
		l->realm.features |= TP_FEATURE_USERHASH;
	core_challenge_prepare(&l->challenge, path->realm, path->realm_len, l->realm.features);
	l->realm.hash = tp_nonce_realm_hash(path->nonce_key, path->realm, path->realm_len);
}

static void record_add(struct stage_locals *l, const struct tp_local *r, unsigned id)
{
	unsigned i;

	l->by_id[id] = (struct local_record){.addr = r->addr,
		.external = r->external,
		.port_index = r->port_index,
		.realm_id = r->realm_id,
		.role = r->role,
		.transport = r->transport};
	ip_add(l, &r->external);
	i = ip_add(l, &r->addr);
	// Clients of a stream listener do not come as datagrams.
	if (tp_transport_is_stream(r->transport) && r->role == TP_ROLE_LISTENER)
		return;
	l->ips[i].arrives = true;
	if (r->role == TP_ROLE_LISTENER)
		listener_add(l, i, id);
	else if (l->ips[i].relay_id == 0)
		l->ips[i].relay_id = (uint16_t)id;
}

// A DTLS listener has its port alone, or is behind the UDP listener there.
static void dtls_add(struct stage_locals *l, unsigned id)
{
	const struct tp_addr *addr = &l->by_id[id].addr;
	unsigned i = ip_add(l, addr);
	unsigned at = locals_listener_find(l, i, addr->port_be);

	if (at == 0) {
		l->ips[i].arrives = true;
		listener_add(l, i, id);
		at = id;
	}
	l->by_id[at].dtls_id = (uint16_t)id;
}

struct stage_locals *stage_locals_create(
	const struct tp_local locals[TP_LOCALS_MAX], const struct tp_path_config *path)
{
	struct stage_locals *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->path = *path;
	masks_set(l, locals);
	bad_first_set(l);
	challenge_set(l);
	if (l->path.channel_max > TP_CHANNEL_MAX_COMPAT)
		l->path.channel_max = TP_CHANNEL_MAX_COMPAT;
	if (l->path.ttl > UINT8_MAX)
		l->path.ttl = UINT8_MAX;
	for (unsigned id = 1; id < TP_LOCALS_MAX; id++)
		if (record_right(&locals[id]))
			record_add(l, &locals[id], id);
	for (unsigned id = 1; id < TP_LOCALS_MAX; id++)
		if (l->by_id[id].role == TP_ROLE_LISTENER &&
			l->by_id[id].transport == TP_TRANSPORT_DTLS)
			dtls_add(l, id);
	return l;
}

bool stage_locals_listener(
	const struct stage_locals *locals, uint16_t id, struct tp_addr *addr, uint8_t *transport)
{
	const struct local_record *r = locals == NULL ? NULL : locals_listener(locals, id);

	if (r == NULL)
		return false;
	*addr = r->addr;
	*transport = r->transport;
	return true;
}

void stage_locals_destroy(struct stage_locals *locals)
{
	free(locals);
}
