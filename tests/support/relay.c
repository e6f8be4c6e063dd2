// SPDX-License-Identifier: BSD-3-Clause
#include "relay.h"

#include <entry/template.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static void *zeroed(size_t n, size_t size)
{
	size_t len = (n * size + 63) & ~(size_t)63;
	void *p = aligned_alloc(64, len);

	if (p == NULL) {
		perror("aligned_alloc");
		abort();
	}
	memset(p, 0, len);
	return p;
}

struct tp_addr relay_addr4(const char *ip, uint16_t port)
{
	uint32_t be;

	if (inet_pton(AF_INET, ip, &be) != 1)
		abort();
	return tp_addr_ipv4(tp_load_be32(&be), port);
}

struct tp_addr relay_addr6(const char *ip, uint16_t port)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, ip, &a) != 1)
		abort();
	return tp_addr_ipv6(a.s6_addr, port);
}

static void local_set(struct relay *r, unsigned id, uint8_t role, struct tp_addr addr,
	struct tp_addr external, uint16_t port_index)
{
	r->locals[id] = (struct tp_local){.addr = addr,
		.external = external,
		.role = role,
		.transport = role == TP_ROLE_LISTENER ? TP_TRANSPORT_UDP : 0,
		.port_index = port_index};
}

static void locals_fill(struct relay *r)
{
	struct tp_addr v4 = relay_addr4("10.77.0.1", 0), v6 = relay_addr6("fd77::1", 0);
	struct tp_addr nat = relay_addr4("10.77.0.2", 0), out = relay_addr4("198.51.100.2", 0);
	struct tp_addr l4 = relay_addr4("10.77.0.1", 3478), l6 = relay_addr6("fd77::1", 3478);
	struct tp_addr low = relay_addr4("10.77.0.1", 49200);

	local_set(r, RELAY_LISTENER4, TP_ROLE_LISTENER, l4, l4, 0);
	local_set(r, RELAY_LISTENER6, TP_ROLE_LISTENER, l6, l6, 0);
	local_set(r, RELAY_RELAY4, TP_ROLE_RELAY, v4, v4, 0);
	local_set(r, RELAY_RELAY6, TP_ROLE_RELAY, v6, v6, 1);
	local_set(r, RELAY_RELAY4_NAT, TP_ROLE_RELAY, nat, out, 2);
	local_set(r, RELAY_LISTENER_LO, TP_ROLE_LISTENER, low, low, 0);
	r->path = (struct tp_path_config){.relay_port_min = 49152,
		.relay_port_max = 65535,
		.channel_max = TP_CHANNEL_MAX,
		.first_contact_rate = 0,
		.punt_key = {1, 2, 3, 4, 5, 6, 7, 8}};
}

static void worker_fill(struct relay *r, uint32_t hash_kind)
{
	static const uint8_t seed[32] = {7, 1, 8, 2, 9, 3};
	struct stage_worker *w = r->worker;
	const uint8_t mac1[6] = {0x02, 0, 0, 0, 1, 0x01};

	stage_worker_init(w, seed);
	w->id = 0;
	w->n_ports = 2;
	w->ports[0].mtu = 1500;
	memcpy(w->ports[0].mac, frame_mac_relay, 6);
	w->ports[1].mtu = 1280;
	memcpy(w->ports[1].mac, mac1, 6);
	w->table = (struct tp_table){.buckets = r->buckets,
		.entries = r->entries,
		.bucket_mask = r->n_main - 1,
		.n_buckets = r->n_main + r->n_overflow,
		.n_entries = r->n_entries,
		.hash_kind = hash_kind};
	for (unsigned i = 0; i < TP_HASH_KEY_LEN; i++)
		w->table.hash_key[i] = (uint8_t)(i * 73 + 5);
	w->next_hops = r->next_hops;
	w->n_next_hops = RELAY_NEXT_HOPS;
	w->port_indexes = r->port_indexes;
	w->n_port_indexes = RELAY_PORT_INDEXES;
	w->cells = r->cells;
	w->stats = r->stats;
	for (unsigned i = 0; i < TP_PUNT_CLASSES; i++)
		w->punt[i] = (struct tp_ring_producer){.slots = r->slots + i * TP_RING_SLOTS,
			.head = &r->heads[i].value,
			.tail = &r->tails[i].value,
			.n_slots = TP_RING_SLOTS};
	w->inject = (struct tp_ring_consumer){.slots = r->slots + TP_PUNT_CLASSES * TP_RING_SLOTS,
		.head = &r->heads[TP_PUNT_CLASSES].value,
		.tail = &r->tails[TP_PUNT_CLASSES].value,
		.n_slots = TP_RING_SLOTS};
}

struct relay *relay_create(uint32_t n_entries, uint32_t hash_kind)
{
	struct relay *r = zeroed(1, sizeof(*r));

	r->n_entries = n_entries;
	r->n_main = 1;
	while (r->n_main < n_entries / 4)
		r->n_main *= 2;
	r->n_overflow = n_entries / 8 + 1;
	r->worker = zeroed(1, sizeof(*r->worker));
	r->buckets = zeroed(r->n_main + r->n_overflow, sizeof(*r->buckets));
	r->entries = zeroed(n_entries, sizeof(*r->entries));
	r->cells = zeroed(n_entries, sizeof(*r->cells));
	r->stats = zeroed(1, sizeof(*r->stats));
	r->port_indexes = zeroed(RELAY_PORT_INDEXES * 65536, sizeof(*r->port_indexes));
	r->slots = zeroed((TP_PUNT_CLASSES + 1) * TP_RING_SLOTS, sizeof(*r->slots));
	r->n_overflow = 0;
	r->now_ns = RELAY_NOW_S * TP_NS_PER_S;
	r->next_hops[RELAY_HOP] = tp_next_hop_pack(frame_mac_other, 0);
	r->next_hops[RELAY_HOP_SMALL] = tp_next_hop_pack(frame_mac_other, 1);
	r->next_hops[RELAY_HOP_ASTRAY] = tp_next_hop_pack(frame_mac_other, 7);
	locals_fill(r);
	worker_fill(r, hash_kind);
	relay_locals_change(r);
	return r;
}

void relay_destroy(struct relay *r)
{
	stage_locals_destroy((struct stage_locals *)(uintptr_t)r->worker->locals);
	free(r->slots);
	free((void *)(uintptr_t)r->port_indexes);
	free(r->stats);
	free(r->cells);
	free(r->entries);
	free(r->buckets);
	free(r->worker);
	free(r);
}

void relay_locals_change(struct relay *r)
{
	stage_locals_destroy((struct stage_locals *)(uintptr_t)r->worker->locals);
	r->worker->locals = stage_locals_create(r->locals, &r->path);
}

static struct tp_bucket *overflow_add(struct relay *r, struct tp_bucket *b)
{
	uint32_t number = r->n_main + r->n_overflow++;

	if (number >= r->n_main + r->n_entries / 8 + 1)
		abort();
	r->worker->table.n_buckets = number + 1;
	b->next = number;
	return &r->buckets[number];
}

static void insert(struct relay *r, uint32_t index)
{
	uint64_t hash = tp_table_hash(&r->worker->table, &r->entries[index].key);
	struct tp_bucket *b = &r->buckets[hash & (r->n_main - 1)];

	for (;;) {
		for (unsigned s = 0; s < TP_BUCKET_SLOTS; s++) {
			if (b->idx[s] == 0) {
				b->sig[s] = (uint16_t)(hash >> 48);
				b->idx[s] = index;
				return;
			}
		}
		b = b->next != 0 ? &r->buckets[b->next] : overflow_add(r, b);
	}
}

static struct tp_entry *entry_new(struct relay *r, uint32_t *index)
{
	struct tp_entry *e;

	*index = ++r->n_used;
	if (*index >= r->n_entries)
		abort();
	e = &r->entries[*index];
	e->egress = RELAY_HOP;
	return e;
}

static struct tp_addr client_of(const struct tp_entry *allocation)
{
	struct tp_addr a = {.port_be = allocation->key.port_be, .family = allocation->key.family};

	memcpy(a.ip, allocation->key.ip, 16);
	return a;
}

struct tp_addr relay_relayed(const struct relay *r, uint32_t allocation, unsigned slot)
{
	const struct tp_entry_relay *x = &r->entries[allocation].relay[slot];
	struct tp_addr a = r->locals[x->relay_id].addr;

	a.port_be = x->port_be;
	return a;
}

static void publish_port(struct relay *r, struct tp_entry_relay x, uint32_t index)
{
	if (x.relay_id != 0)
		r->port_indexes[r->locals[x.relay_id].port_index * 65536u + tp_ntohs(x.port_be)] =
			index;
}

uint32_t relay_allocation(struct relay *r, const struct tp_addr *client, uint16_t listener_id,
	struct tp_entry_relay first, struct tp_entry_relay second)
{
	uint32_t index;
	struct tp_entry *e = entry_new(r, &index);
	uint32_t now_s = (uint32_t)(r->now_ns / TP_NS_PER_S);

	e->key = tp_key_allocation(client, listener_id);
	e->expires_s = now_s + 600;
	e->other_expires_s = second.relay_id != 0 ? now_s + 600 : 0;
	e->allocation = index;
	e->relay[0] = first;
	e->relay[1] = second;
	if (entry_template_allocation(e, &r->locals[listener_id].addr, client) != 0)
		abort();
	insert(r, index);
	publish_port(r, first, index);
	publish_port(r, second, index);
	return index;
}

// Whether the peer is this relay itself; the id of the relay whose address it is.
static bool peer_is_own(const struct relay *r, const struct tp_addr *peer, uint16_t *id)
{
	bool own = false;

	*id = 0;
	for (uint16_t i = 1; i < TP_LOCALS_MAX; i++) {
		const struct tp_local *l = &r->locals[i];

		if (l->role == TP_ROLE_FREE ||
			(!tp_addr_same_ip(&l->addr, peer) && !tp_addr_same_ip(&l->external, peer)))
			continue;
		own = true;
		if (l->role == TP_ROLE_RELAY)
			*id = i;
	}
	return own;
}

static void entry_relay(struct relay *r, struct tp_entry *e, uint32_t allocation, unsigned slot)
{
	e->allocation = allocation;
	e->relay_id = r->entries[allocation].relay[slot].relay_id;
	e->port_be = r->entries[allocation].relay[slot].port_be;
}

static void entry_hairpin(struct relay *r, struct tp_entry *e, const struct tp_addr *peer)
{
	uint16_t id;

	if (!peer_is_own(r, peer, &id))
		return;
	e->flags |= TP_ENTRY_HAIRPIN;
	e->hairpin_relay_id = id;
}

void relay_limit(struct tp_entry *e, uint32_t number)
{
	uint8_t flags = atomic_load(&e->flags) & (uint8_t)~TP_ENTRY_LIMITED;

	atomic_store(&e->limit, number);
	atomic_store(&e->flags, number != 0 ? flags | TP_ENTRY_LIMITED : flags);
}

uint32_t relay_channel(struct relay *r, uint32_t allocation, unsigned slot, uint16_t number,
	const struct tp_addr *peer)
{
	const struct tp_entry *a = &r->entries[allocation];
	struct tp_addr client = client_of(a), relayed = relay_relayed(r, allocation, slot);
	const struct tp_addr *listener = &r->locals[a->key.local_id].addr;
	uint32_t now_s = (uint32_t)(r->now_ns / TP_NS_PER_S), to_peer, to_client;
	struct tp_entry *out = entry_new(r, &to_peer), *in = entry_new(r, &to_client);

	entry_relay(r, out, allocation, slot);
	out->key = tp_key_channel(&client, a->key.local_id, number);
	out->expires_s = now_s + 600;
	out->other_expires_s = now_s + 300;
	out->partner = to_client;
	entry_hairpin(r, out, peer);
	entry_relay(r, in, allocation, slot);
	in->key = tp_key_peer(peer, out->relay_id, out->port_be);
	in->expires_s = now_s + 300;
	in->other_expires_s = now_s + 600;
	in->partner = to_peer;
	if (entry_template_channel(out, listener, &client, number, &relayed, peer) != 0 ||
		entry_template_peer(in, listener, &client, number, &relayed, peer) != 0)
		abort();
	insert(r, to_client);
	insert(r, to_peer);
	return to_peer;
}

uint32_t relay_permission(
	struct relay *r, uint32_t allocation, unsigned slot, const struct tp_addr *peer)
{
	struct tp_addr relayed = relay_relayed(r, allocation, slot);
	uint32_t index;
	struct tp_entry *e = entry_new(r, &index);

	entry_relay(r, e, allocation, slot);
	e->key = tp_key_permission(peer, allocation);
	e->expires_s = (uint32_t)(r->now_ns / TP_NS_PER_S) + 300;
	entry_hairpin(r, e, peer);
	if (entry_template_permission(e, &relayed, peer) != 0)
		abort();
	insert(r, index);
	return index;
}

struct stage_pkt relay_run(struct relay *r, struct frame *f)
{
	struct stage_pkt pkt = {.data = frame_data(f),
		.len = f->len,
		.headroom = FRAME_FRONT,
		.tailroom = (uint16_t)(FRAME_MAX - f->len),
		.cookie = f};

	stage_run(r->worker, &pkt, 1, r->now_ns);
	return pkt;
}

const struct tp_ring_slot *relay_punted(struct relay *r, unsigned ring)
{
	uint32_t tail = r->tails[ring].value;

	if (r->heads[ring].value == tail)
		return NULL;
	r->tails[ring].value = tail + 1;
	return &r->slots[ring * TP_RING_SLOTS + (tail & (TP_RING_SLOTS - 1))];
}
