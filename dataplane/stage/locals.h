// SPDX-License-Identifier: BSD-3-Clause
// Own addresses, made for look-up: open-addressing tables that are less than half full and never
// change. Strangers choose the keys looked up, but chains consist of our own addresses only, so
// they cannot be made long.
#pragma once

#include <core/challenge.h>
#include <stage/stage.h>

#define LOCALS_IPS_MAX	     (2 * TP_LOCALS_MAX) // each local has an address and an external one
#define LOCALS_IP_SLOTS	     4096u
#define LOCALS_PORT_SLOTS    2048u
#define LOCALS_SUSPECT_SHIFT 12u

// An IP address as two words, as stored; IPv4 in the first four bytes, the others zero.
struct local_ip {
	uint64_t word[2];
};

struct own_ip {
	struct local_ip ip;
	uint16_t relay_id;    // RELAY with this addr; 0: none
	uint16_t listener_id; // one of its listeners, the first to be tried; 0: none
	uint16_t port_be;     // of that listener
	uint8_t family;
	bool arrives; // some local's addr: packets to it are ours. Else external only
	bool mixed;   // a listener has a port inside the relay range
	uint8_t reserved[7];
};

struct local_record {
	struct tp_addr addr;
	struct tp_addr external;
	uint16_t port_index;
	uint16_t realm_id; // of a listener
	// Of a listener whose port takes DTLS: id of the DTLS listener, which may be its own; 0:
	// none.
	uint16_t dtls_id;
	uint8_t role; // TP_ROLE_LISTENER, TP_ROLE_RELAY or TP_ROLE_FREE
	uint8_t transport;
};

struct stage_locals {
	struct tp_path_config path;
	// Of the path's realm.
	struct core_challenge challenge;
	struct tp_nonce_realm realm;
	uint32_t n_ips;
	uint32_t ip_mask; // slots in use: few own addresses take few cache lines
	uint32_t port_mask;
	bool suspects[1u << LOCALS_SUSPECT_SHIFT]; // our own IPv4 addresses, by hash
	bool bad_first[256];			   // first bytes of core_source_bad's
	struct own_ip ips[LOCALS_IPS_MAX + 1];	   // from 1
	uint16_t ip_slots[LOCALS_IP_SLOTS];	   // index into ips; 0: empty
	uint16_t port_slots[LOCALS_PORT_SLOTS];	   // id of a listener; 0: empty
	uint16_t port_ips[LOCALS_PORT_SLOTS];	   // its index into ips
	struct local_record by_id[TP_LOCALS_MAX];  // from 1
};

static inline struct local_ip local_ip_of(const uint8_t *ip, uint8_t family)
{
	struct local_ip r;
	uint32_t v4;

	if (family == TP_FAMILY_IPV4) {
		memcpy(&v4, ip, sizeof(v4));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		r.word[0] = v4;
#else
		r.word[0] = (uint64_t)v4 << 32;
#endif
		r.word[1] = 0;
	} else {
		memcpy(r.word, ip, sizeof(r.word));
	}
	return r;
}

static inline uint32_t local_ip4(const struct local_ip *ip)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (uint32_t)ip->word[0];
#else
	return (uint32_t)(ip->word[0] >> 32);
#endif
}

static inline uint32_t local_hash(uint64_t a, uint64_t b)
{
	return (uint32_t)((a ^ (b << 29 | b >> 35)) * 0x9e3779b97f4a7c15ull >> 40);
}

// Index into ips, or 0.
static inline unsigned locals_ip_find(
	const struct stage_locals *l, const struct local_ip *ip, uint8_t family)
{
	unsigned s = local_hash(ip->word[0], ip->word[1]) & l->ip_mask;

	for (unsigned i; (i = l->ip_slots[s]) != 0; s = (s + 1) & l->ip_mask) {
		const struct own_ip *o = &l->ips[i];

		if (o->ip.word[0] == ip->word[0] && o->ip.word[1] == ip->word[1] &&
			o->family == family)
			return i;
	}
	return 0;
}

static inline unsigned locals_ip4_find(const struct stage_locals *l, uint32_t ip)
{
	struct local_ip word = local_ip_of((const uint8_t *)&ip, TP_FAMILY_IPV4);

	return locals_ip_find(l, &word, TP_FAMILY_IPV4);
}

static inline uint32_t locals_suspect_hash(uint32_t ip)
{
	return ip * 0x9e3779b1u >> (32 - LOCALS_SUSPECT_SHIFT);
}

// False: it is none of our own IPv4 addresses, nor one that no host may send from. True: it may be.
static inline bool locals_source4_suspect(const struct stage_locals *l, uint32_t ip)
{
	return l->bad_first[((const uint8_t *)&ip)[0]] || l->suspects[locals_suspect_hash(ip)];
}

// Id of the listener at this own address and port, or 0.
static inline unsigned locals_listener_find(
	const struct stage_locals *l, unsigned ip_index, uint16_t port_be)
{
	unsigned s = local_hash(ip_index, port_be) & l->port_mask;

	for (unsigned id; (id = l->port_slots[s]) != 0; s = (s + 1) & l->port_mask)
		if (l->port_ips[s] == ip_index && l->by_id[id].addr.port_be == port_be)
			return id;
	return 0;
}

static inline bool locals_port_relayed(const struct stage_locals *l, uint16_t port)
{
	return port >= l->path.relay_port_min && port <= l->path.relay_port_max;
}

// Id of the listener or relay that a packet to this own address and port is for, or 0: the
// kernel's. A listener goes before a relay.
static inline unsigned locals_role_find(
	const struct stage_locals *l, const struct own_ip *own, uint16_t port_be, bool *listener)
{
	bool relayed = own->relay_id != 0 && locals_port_relayed(l, tp_ntohs(port_be));
	unsigned id = own->listener_id;

	*listener = true;
	if (id != 0 && own->port_be == port_be)
		return id;
	if (!relayed || own->mixed)
		id = locals_listener_find(l, (unsigned)(own - l->ips), port_be);
	else
		id = 0;
	if (id != 0)
		return id;
	*listener = false;
	return relayed ? own->relay_id : 0;
}

// The record of a live relay address, or NULL; any id is allowed.
static inline const struct local_record *locals_relay(const struct stage_locals *l, uint16_t id)
{
	if (id >= TP_LOCALS_MAX || l->by_id[id].role != TP_ROLE_RELAY)
		return NULL;
	return &l->by_id[id];
}

static inline const struct local_record *locals_listener(const struct stage_locals *l, uint16_t id)
{
	if (id >= TP_LOCALS_MAX || l->by_id[id].role != TP_ROLE_LISTENER)
		return NULL;
	return &l->by_id[id];
}
