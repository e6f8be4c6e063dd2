// SPDX-License-Identifier: BSD-3-Clause
// Next-hop slots: one per neighbour that entries or leases refer to. An entry names its slot in one
// word that is changed in place; a slot given up rests for a grace period like any other.
#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define RESOLVE_PORTION 2048u // entries per call of tables_advance

int hop_table_init(struct hop_table *h, uint32_t n_slots)
{
	uint32_t n_buckets = 16;

	memset(h, 0, sizeof(*h));
	while (n_buckets < n_slots)
		n_buckets *= 2;
	h->mask = n_buckets - 1;
	h->hops = calloc(n_slots, sizeof(*h->hops));
	h->buckets = calloc(n_buckets, sizeof(*h->buckets));
	if (h->hops == NULL || h->buckets == NULL || pool_init(&h->pool, n_slots) < 0) {
		hop_table_fini(h);
		return -ENOMEM;
	}
	// Neighbours on a link are clients: they choose their addresses.
	return getrandom(h->key, sizeof(h->key), 0) == sizeof(h->key) ? 0 : -EIO;
}

void hop_table_fini(struct hop_table *h)
{
	pool_fini(&h->pool);
	free(h->hops);
	free(h->buckets);
	memset(h, 0, sizeof(*h));
}

static uint32_t *chain_of(
	const struct hop_table *h, const struct tp_addr *gateway, uint32_t ifindex)
{
	uint8_t key[sizeof(*gateway) + sizeof(ifindex)];

	memcpy(key, gateway, sizeof(*gateway));
	memcpy(key + sizeof(*gateway), &ifindex, sizeof(ifindex));
	return &h->buckets[tp_siphash13(h->key, key, sizeof(key)) & h->mask];
}

uint32_t tables_next_hop_find(
	const struct tables *t, const struct tp_addr *gateway, uint32_t ifindex)
{
	for (uint32_t i = *chain_of(&t->hop, gateway, ifindex); i != 0; i = t->hop.hops[i].next) {
		const struct tp_next_hop_info *info = &t->shm.next_hop_infos[i];

		if (info->ifindex == ifindex && tp_addr_equal(&info->addr, gateway))
			return i;
	}
	return 0;
}

static void wanted_set(struct tables *t, uint32_t slot, uint32_t wanted)
{
	atomic_store_explicit(&t->shm.next_hop_infos[slot].wanted, wanted, memory_order_release);
	atomic_fetch_add_explicit(&t->shm.header->next_hop_seq, 1, memory_order_release);
}

static void hash_add(struct tables *t, uint32_t slot)
{
	const struct tp_next_hop_info *info = &t->shm.next_hop_infos[slot];
	uint32_t *head = chain_of(&t->hop, &info->addr, info->ifindex);

	t->hop.hops[slot].next = *head;
	t->hop.hops[slot].used = true;
	*head = slot;
	t->hop.n_used++;
}

static uint32_t hop_make(struct tables *t, const struct tp_addr *gateway, uint32_t ifindex)
{
	struct tp_next_hop_info *info;
	uint64_t word = 0;
	uint32_t slot;

	if (t->hop.pool.n_free == 0)
		grace_reap(t, REAP_PORTION);
	slot = pool_take(&t->hop.pool);
	if (slot == 0)
		return 0;
	if (t->env.neighbour != NULL)
		word = t->env.neighbour(t->env.ctx, gateway, ifindex);
	info = &t->shm.next_hop_infos[slot];
	info->addr = *gateway;
	info->ifindex = ifindex;
	atomic_store_explicit(&t->shm.next_hops[slot], word, memory_order_relaxed);
	hash_add(t, slot);
	wanted_set(t, slot, 1);
	return slot;
}

static void hop_drop(struct tables *t, uint32_t slot)
{
	const struct tp_next_hop_info *info = &t->shm.next_hop_infos[slot];
	uint32_t *at = chain_of(&t->hop, &info->addr, info->ifindex);

	while (*at != slot)
		at = &t->hop.hops[*at].next;
	*at = t->hop.hops[slot].next;
	t->hop.hops[slot].used = false;
	t->hop.hops[slot].life++;
	t->hop.n_used--;
	wanted_set(t, slot, 0);
	pool_retire(&t->hop.pool, slot, grace_tag(t));
}

static struct hop_memo *memo_of(struct hop_table *h, const struct tp_addr *dst)
{
	uint64_t a, b;

	// Not keyed: who makes destinations meet here has them looked up, as they would be anyway.
	memcpy(&a, dst->ip, sizeof(a));
	memcpy(&b, dst->ip + sizeof(a), sizeof(b));
	return &h->memos[(a * 0x9e3779b97f4a7c15u ^ b * 0xc2b2ae3d27d4eb4fu) >> 54];
}
_Static_assert(HOP_MEMOS == 1u << (64 - 54), "all of the memos are used");

static bool memo_holds(
	const struct hop_table *h, const struct hop_memo *memo, const struct tp_addr *dst)
{
	return memo->epoch == h->epoch && memo->dst.family != TP_FAMILY_NONE &&
	       memo->life == h->hops[memo->slot].life && tp_addr_same_ip(&memo->dst, dst);
}

// The slot for packets to dst, without a reference yet. `make`: a new one where there is none.
static int hop_resolve(struct tables *t, const struct tp_addr *dst, bool make, uint32_t *slot)
{
	struct hop_memo *memo = memo_of(&t->hop, dst);
	struct tp_addr gateway;
	uint32_t ifindex;
	int rc;

	if (memo_holds(&t->hop, memo, dst)) {
		*slot = memo->slot;
		return 0;
	}
	*slot = 0;
	rc = t->env.next_hop == NULL ? -ENETUNREACH
				     : t->env.next_hop(t->env.ctx, dst, &gateway, &ifindex);
	if (rc < 0)
		return rc;
	gateway.port_be = 0;
	*slot = tables_next_hop_find(t, &gateway, ifindex);
	if (*slot == 0 && make)
		*slot = hop_make(t, &gateway, ifindex);
	if (*slot != 0)
		*memo = (struct hop_memo){.dst = *dst,
			.slot = *slot,
			.life = t->hop.hops[*slot].life,
			.epoch = t->hop.epoch};
	return 0;
}

uint32_t hop_acquire(struct tables *t, const struct tp_addr *dst)
{
	uint32_t slot;

	hop_resolve(t, dst, true, &slot);
	if (slot != 0)
		t->hop.hops[slot].references++;
	return slot;
}

void hop_release(struct tables *t, uint32_t slot)
{
	struct hop *h = &t->hop.hops[slot];

	if (slot == 0)
		return;
	h->references--;
	if (h->references == 0 && h->lease_ns == 0)
		hop_drop(t, slot);
}

void hop_reap(struct tables *t, uint32_t gp_done)
{
	uint32_t slot;

	while ((slot = pool_reap(&t->hop.pool, gp_done)) != 0) {
		atomic_store_explicit(&t->shm.next_hops[slot], 0, memory_order_relaxed);
		t->shm.next_hop_infos[slot].addr.family = TP_FAMILY_NONE;
		pool_give(&t->hop.pool, slot);
	}
}

void tables_next_hop_set(struct tables *t, uint32_t slot, uint64_t word)
{
	if (slot != 0 && slot < t->shm.n_next_hops)
		atomic_store_explicit(&t->shm.next_hops[slot], word, memory_order_release);
}

// A peer that is ourselves is reached inside a worker.
static bool entry_stays_inside(const struct tp_entry *e)
{
	return (e->flags & TP_ENTRY_HAIRPIN) != 0;
}

// Resolves the entry's next hop once more; `counted`: its present one has a reference.
static void entry_resolve(struct tables *t, uint32_t entry, bool counted)
{
	struct tp_entry *e = entry_of(t, entry);
	uint32_t was = atomic_load_explicit(&e->next_hop, memory_order_relaxed), now = 0;
	struct tp_addr dst = content_destination(e);
	int rc;

	dst.port_be = 0;
	rc = entry_stays_inside(e) ? 0 : hop_resolve(t, &dst, true, &now);

	if (rc == -EAGAIN) {
		if (counted)
			return;
		now = was < t->shm.n_next_hops && t->hop.hops[was].used ? was : 0;
	}
	if (now != 0)
		t->hop.hops[now].references++;
	if (now != was)
		atomic_store_explicit(&e->next_hop, now, memory_order_release);
	if (counted)
		hop_release(t, was);
}

void tables_routes_changed(struct tables *t)
{
	t->hop.epoch++;
	if (t->hop.cursor != 0)
		t->hop.again = true;
	else
		t->hop.cursor = 1;
}

static void routes_advance(struct tables *t)
{
	uint32_t end = t->hop.cursor + RESOLVE_PORTION;

	if (t->hop.cursor == 0)
		return;
	if (end > t->shm.table.n_entries)
		end = t->shm.table.n_entries;
	for (; t->hop.cursor < end; t->hop.cursor++)
		if (t->slot_state[t->hop.cursor] == SLOT_LIVE)
			entry_resolve(t, t->hop.cursor, true);
	if (t->hop.cursor == t->shm.table.n_entries) {
		t->hop.cursor = t->hop.again ? 1 : 0;
		t->hop.again = false;
	}
}

uint32_t tables_next_hop_lease(struct tables *t, uint64_t now_ns, const struct tp_addr *dst)
{
	struct hop_table *h = &t->hop;
	uint32_t slot;

	hop_resolve(t, dst, h->n_leases < LEASES_MAX, &slot);
	if (slot == 0)
		return 0;
	if (h->hops[slot].lease_ns == 0) {
		if (h->n_leases == LEASES_MAX)
			return slot; // others refer to it: as good as wanted
		h->leases[h->n_leases++] = slot;
	}
	h->hops[slot].lease_ns = now_ns + LEASE_NS;
	return slot;
}

static void leases_advance(struct tables *t, uint64_t now_ns)
{
	struct hop_table *h = &t->hop;

	for (uint32_t i = 0; i < h->n_leases;) {
		uint32_t slot = h->leases[i];

		if (h->hops[slot].lease_ns > now_ns) {
			i++;
			continue;
		}
		h->leases[i] = h->leases[--h->n_leases];
		h->hops[slot].lease_ns = 0;
		if (h->hops[slot].references == 0)
			hop_drop(t, slot);
	}
}

void hop_advance(struct tables *t, uint64_t now_ns)
{
	routes_advance(t);
	leases_advance(t, now_ns);
}

uint64_t hop_deadline(const struct tables *t, uint64_t now_ns)
{
	uint64_t deadline = UINT64_MAX;

	if (t->hop.cursor != 0)
		return now_ns;
	for (uint32_t i = 0; i < t->hop.n_leases; i++)
		if (t->hop.hops[t->hop.leases[i]].lease_ns < deadline)
			deadline = t->hop.hops[t->hop.leases[i]].lease_ns;
	return deadline;
}

bool tables_next_hop_next(const struct tables *t, uint32_t *cursor, struct tables_next_hop *out)
{
	while (++*cursor < t->shm.n_next_hops) {
		const struct tp_next_hop_info *info = &t->shm.next_hop_infos[*cursor];

		if (!t->hop.hops[*cursor].used)
			continue;
		out->slot = *cursor;
		out->addr = info->addr;
		out->ifindex = info->ifindex;
		out->references = t->hop.hops[*cursor].references;
		out->wanted = atomic_load_explicit(&info->wanted, memory_order_relaxed) != 0;
		out->word = atomic_load_explicit(&t->shm.next_hops[*cursor], memory_order_relaxed);
		return true;
	}
	return false;
}

// A free slot went through its grace period before its family was cleared.
void hop_import(struct tables *t)
{
	for (uint32_t i = t->shm.n_next_hops - 1; i >= 1; i--) {
		const struct tp_next_hop_info *info = &t->shm.next_hop_infos[i];

		if (info->addr.family == TP_FAMILY_NONE)
			pool_give(&t->hop.pool, i);
		else if (atomic_load_explicit(&info->wanted, memory_order_relaxed) != 0 &&
			 tables_next_hop_find(t, &info->addr, info->ifindex) == 0)
			hash_add(t, i);
	}
}

void hop_adopt(struct tables *t, uint32_t entry)
{
	entry_resolve(t, entry, false);
}

void hop_settle(struct tables *t)
{
	for (uint32_t i = 1; i < t->shm.n_next_hops; i++) {
		if (t->hop.hops[i].used && t->hop.hops[i].references == 0) {
			hop_drop(t, i);
		} else if (!t->hop.hops[i].used &&
			   t->shm.next_hop_infos[i].addr.family != TP_FAMILY_NONE) {
			wanted_set(t, i, 0);
			pool_retire(&t->hop.pool, i, grace_tag(t));
		}
	}
}
