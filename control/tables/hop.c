// SPDX-License-Identifier: BSD-3-Clause
// Next-hop slots: one per neighbour that entries or leases refer to. An entry names its slot in one
// word that is changed in place.
//
// The orders, as workers and the data plane's housekeeping see them:
//   made       neighbour; word; wanted = 1; next_hop_seq + 1; then entries name the slot
//   resolved   word, one 64-bit store: all its entries at once
//   given up   no entry names it; wanted = 0; next_hop_seq + 1; a grace period; word = 0;
//              family = 0
#include "hop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

int tables_hop_table_init(struct hop_table *h, uint32_t n_slots, uint32_t n_entries)
{
	uint32_t n_buckets = 16;

	memset(h, 0, sizeof(*h));
	while (n_buckets < n_slots)
		n_buckets *= 2;
	h->mask = n_buckets - 1;
	h->hops = calloc(n_slots, sizeof(*h->hops));
	h->buckets = calloc(n_buckets, sizeof(*h->buckets));
	h->links = calloc(n_entries, sizeof(*h->links));
	h->pending = calloc(n_entries, sizeof(*h->pending));
	h->pending_users = calloc(PENDING_USERS, sizeof(*h->pending_users));
	if (h->hops == NULL || h->buckets == NULL || h->links == NULL || h->pending == NULL ||
		h->pending_users == NULL || tables_pool_init(&h->pool, n_slots) < 0) {
		tables_hop_table_fini(h);
		return -ENOMEM;
	}
	// Neighbours on a link are clients: they choose their addresses.
	return getrandom(h->key, sizeof(h->key), 0) == sizeof(h->key) ? 0 : -EIO;
}

void tables_hop_table_fini(struct hop_table *h)
{
	tables_pool_fini(&h->pool);
	free(h->hops);
	free(h->buckets);
	free(h->links);
	free(h->pending);
	free(h->pending_users);
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

void tables_next_hop_ask(struct tables *t, uint32_t slot)
{
	uint32_t wanted =
		atomic_load_explicit(&t->shm.next_hop_infos[slot].wanted, memory_order_relaxed);

	if (wanted != 0)
		wanted_set(t, slot, wanted == UINT32_MAX ? 1 : wanted + 1);
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

void tables_hop_drop(struct tables *t, uint32_t slot)
{
	const struct tp_next_hop_info *info = &t->shm.next_hop_infos[slot];
	uint32_t *at = chain_of(&t->hop, &info->addr, info->ifindex);

	tables_pending_end(t, slot);
	while (*at != slot)
		at = &t->hop.hops[*at].next;
	*at = t->hop.hops[slot].next;
	t->hop.hops[slot].used = false;
	t->hop.hops[slot].life++;
	t->hop.n_used--;
	wanted_set(t, slot, 0);
	tables_pool_retire(&t->hop.pool, slot, tables_grace_tag(t));
}

// The entries of a failed neighbour lose it; with the last one the slot is given up.
static void failed_drop(struct tables *t, uint32_t slot)
{
	struct hop *h = &t->hop.hops[slot];

	while (h->first != 0) {
		uint32_t entry = h->first;

		atomic_store_explicit(&entry_of(t, entry)->egress, 0, memory_order_release);
		tables_egress_detach(t, entry, slot);
	}
	if (h->lease_ns == 0)
		tables_hop_drop(t, slot);
	else
		tables_pending_end(t, slot);
}

// Gives up failed neighbours of the same user, or where all have reached a bound those of
// everybody.
static void failed_make_room(struct tables *t, uint32_t allocation)
{
	uint32_t user = tables_record_user(t, allocation, PENDING_USERS);
	bool all = t->hop.pending[allocation] < PENDING_PER_ALLOCATION &&
		   t->hop.pending_users[user] < PENDING_PER_USER;

	for (uint32_t i = 1; i < t->shm.n_next_hops && t->hop.n_failed != 0; i++)
		if (t->hop.hops[i].failed && (all || t->hop.hops[i].user == user))
			failed_drop(t, i);
}

// Whether a peer of the allocation may bring in a neighbour. `pending`: one without an answer.
static bool peer_has_room(struct tables *t, uint32_t allocation, bool pending)
{
	for (unsigned tries = 0; tries < 2; tries++) {
		if (t->hop.pool.n_free > t->hop.pool.capacity / CLIENTS_SHARE &&
			(!pending || tables_pending_has_room(t, allocation)))
			return true;
		failed_make_room(t, allocation);
	}
	return false;
}

// `allocation`: the one whose peer needs it; 0: a client or the control process itself does.
static uint32_t hop_make(struct tables *t, const struct tp_addr *gateway, uint32_t ifindex,
	bool on_link, uint32_t allocation)
{
	struct tp_next_hop_info *info;
	uint64_t word = 0;
	uint32_t slot;
	bool pending;

	if (t->env.neighbour != NULL)
		word = t->env.neighbour(t->env.ctx, gateway, ifindex);
	pending = on_link && word == 0 && allocation != 0;
	if (allocation != 0 && !peer_has_room(t, allocation, pending))
		return 0;
	slot = tables_pool_take(&t->hop.pool);
	if (slot == 0)
		return 0;
	info = &t->shm.next_hop_infos[slot];
	info->addr = *gateway;
	info->ifindex = ifindex;
	atomic_store_explicit(&t->shm.next_hops[slot], word, memory_order_relaxed);
	hash_add(t, slot);
	wanted_set(t, slot, 1);
	if (pending)
		tables_pending_begin(t, slot, allocation);
	return slot;
}

static struct hop_memo *memo_of(struct hop_table *h, const struct tp_addr *dst)
{
	uint64_t a, b;

	// Not keyed: colliding destinations only cost a look-up that they need anyway.
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

int tables_hop_resolve(
	struct tables *t, const struct tp_addr *dst, bool make, uint32_t allocation, uint32_t *slot)
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
		*slot = hop_make(t, &gateway, ifindex, tp_addr_same_ip(&gateway, dst), allocation);
	if (*slot != 0)
		*memo = (struct hop_memo){.dst = *dst,
			.slot = *slot,
			.life = t->hop.hops[*slot].life,
			.epoch = t->hop.epoch};
	return *slot != 0 || !make ? 0 : -ENOSPC;
}

unsigned tables_hop_reap(struct tables *t, uint32_t gp_done)
{
	uint32_t slot;
	unsigned n = 0;

	for (; (slot = tables_pool_reap(&t->hop.pool, gp_done)) != 0; n++) {
		atomic_store_explicit(&t->shm.next_hops[slot], 0, memory_order_relaxed);
		t->shm.next_hop_infos[slot].addr.family = TP_FAMILY_NONE;
		tables_pool_give(&t->hop.pool, slot);
	}
	return n;
}

void tables_next_hop_set(struct tables *t, uint32_t slot, uint64_t word)
{
	if (slot == 0 || slot >= t->shm.n_next_hops)
		return;
	atomic_store_explicit(&t->shm.next_hops[slot], word, memory_order_release);
	if (word != 0)
		tables_pending_end(t, slot);
}

uint32_t tables_next_hop_lease(struct tables *t, uint64_t now_ns, const struct tp_addr *dst)
{
	struct hop_table *h = &t->hop;
	uint32_t slot;

	tables_hop_resolve(t, dst, h->n_leases < LEASES_MAX, 0, &slot);
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
			tables_hop_drop(t, slot);
	}
}

void tables_hop_advance(struct tables *t, uint64_t now_ns)
{
	tables_egress_advance(t);
	leases_advance(t, now_ns);
}

uint64_t tables_hop_deadline(const struct tables *t, uint64_t now_ns)
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
		out->pending = t->hop.hops[*cursor].pending;
		out->wanted = atomic_load_explicit(&info->wanted, memory_order_relaxed) != 0;
		out->word = atomic_load_explicit(&t->shm.next_hops[*cursor], memory_order_relaxed);
		return true;
	}
	return false;
}

// A free slot went through its grace period before its family was cleared.
void tables_hop_import(struct tables *t)
{
	for (uint32_t i = t->shm.n_next_hops - 1; i >= 1; i--) {
		const struct tp_next_hop_info *info = &t->shm.next_hop_infos[i];

		if (info->addr.family == TP_FAMILY_NONE)
			tables_pool_give(&t->hop.pool, i);
		else if (atomic_load_explicit(&info->wanted, memory_order_relaxed) != 0 &&
			 tables_next_hop_find(t, &info->addr, info->ifindex) == 0)
			hash_add(t, i);
	}
}

void tables_hop_settle(struct tables *t)
{
	for (uint32_t i = 1; i < t->shm.n_next_hops; i++) {
		if (t->hop.hops[i].used && t->hop.hops[i].references == 0) {
			tables_hop_drop(t, i);
		} else if (!t->hop.hops[i].used &&
			   t->shm.next_hop_infos[i].addr.family != TP_FAMILY_NONE) {
			wanted_set(t, i, 0);
			tables_pool_retire(&t->hop.pool, i, tables_grace_tag(t));
		}
	}
}
