// SPDX-License-Identifier: BSD-3-Clause
// The id <-> address table. Changes are stored word by word between two changes of config_seq; a
// writer killed in between leaves it odd, and the next one begins from there.
//
// An id is named by allocations (listener and relay addresses) and by hairpin entries (relay
// address of the peer). A removed one is RETIRED until none of them names it, then rests for a
// grace period, then is FREE.
#include "tables.h"

#include <errno.h>
#include <stdio.h>
#include <turnpike/stun.h>

typedef uint32_t __attribute__((may_alias)) word_alias;

static void words_store(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size / sizeof(word_alias); i++)
		__atomic_store_n(
			(word_alias *)to + i, ((const word_alias *)from)[i], __ATOMIC_RELAXED);
}

static void config_begin(struct tables *t)
{
	uint32_t seq = atomic_load_explicit(&t->shm.header->config_seq, memory_order_relaxed);

	// An exchange, for no later store to be seen before it.
	atomic_exchange_explicit(&t->shm.header->config_seq, seq | 1, memory_order_acq_rel);
}

static void config_end(struct tables *t)
{
	uint32_t seq = atomic_load_explicit(&t->shm.header->config_seq, memory_order_relaxed);

	atomic_store_explicit(&t->shm.header->config_seq, seq + 1, memory_order_release);
}

const struct tp_local *tables_local_of(const struct tables *t, uint16_t id, uint8_t role)
{
	return id != 0 && id < TP_LOCALS_MAX && t->locals[id].role == role ? &t->locals[id] : NULL;
}

// Never lower than it was: channels above a new limit go on, and none above it are bound.
static uint16_t channel_max(const struct tables *t, uint16_t max)
{
	uint16_t was = t->shm.header->path.channel_max;

	return was > max && was <= TP_CHANNEL_MAX_COMPAT ? was : max;
}

static void path_store(struct tables *t, const struct tp_path_config *path)
{
	const struct tables_secrets *secrets = &t->priv.header->secrets;
	struct tp_path_config with_keys = *path;

	with_keys.channel_max = channel_max(t, path->channel_max);
	memcpy(with_keys.punt_key, secrets->punt_key, sizeof(with_keys.punt_key));
	memcpy(with_keys.nonce_key, secrets->nonce_key, sizeof(with_keys.nonce_key));
	words_store(&t->shm.header->path, &with_keys, sizeof(with_keys));
}

static const struct tp_local *own_local(const struct tables *t, uint16_t own)
{
	return &t->locals[own & ~OWN_EXTERNAL];
}

static const struct tp_addr *own_addr(const struct tables *t, uint16_t own)
{
	const struct tp_local *l = own_local(t, own);

	return (own & OWN_EXTERNAL) != 0 ? &l->external : &l->addr;
}

// The slot of the IP address, or the empty one where it would go. Only the operator chooses its
// members, so strangers cannot slow it down.
static uint32_t own_slot(const struct tables *t, const struct tp_addr *ip)
{
	uint64_t a, b;
	uint32_t i;

	memcpy(&a, ip->ip, sizeof(a));
	memcpy(&b, ip->ip + sizeof(a), sizeof(b));
	i = (uint32_t)((a * 0x9e3779b97f4a7c15u ^ b * 0xc2b2ae3d27d4eb4fu) >> 40) % OWN_SLOTS;
	while (t->own_ids[i] != 0 && !tp_addr_same_ip(own_addr(t, t->own_ids[i]), ip))
		i = (i + 1) % OWN_SLOTS;
	return i;
}

// A relay address wins over a listener of the same IP address.
static void own_add(struct tables *t, uint16_t own)
{
	uint16_t *slot = &t->own_ids[own_slot(t, own_addr(t, own))];

	if (*slot == 0 || (own_local(t, *slot)->role != TP_ROLE_RELAY &&
				  own_local(t, own)->role == TP_ROLE_RELAY))
		*slot = own;
}

static void own_rebuild(struct tables *t)
{
	memset(t->own_ids, 0, sizeof(t->own_ids));
	for (uint32_t i = 0; i < t->n_locals; i++) {
		own_add(t, t->local_ids[i]);
		own_add(t, (uint16_t)(t->local_ids[i] | OWN_EXTERNAL));
	}
}

bool tables_local_is_own(const struct tables *t, const struct tp_addr *ip, uint16_t *relay_id)
{
	uint16_t own = t->own_ids[own_slot(t, ip)];

	*relay_id = 0;
	if (own != 0 && own_local(t, own)->role == TP_ROLE_RELAY)
		*relay_id = (uint16_t)(own & ~OWN_EXTERNAL);
	return own != 0;
}

// The id begins to rest: nothing refers to it any more, but workers may still.
static void local_rest(struct tables *t, uint16_t id)
{
	if (!t->settled || t->local_resting[id] || t->locals[id].role != TP_ROLE_RETIRED ||
		t->local_references[id] != 0)
		return;
	t->local_resting[id] = true;
	t->local_tags[id] = tables_grace_tag(t);
	t->n_local_retired++;
}

void tables_local_reference(struct tables *t, uint16_t id)
{
	if (id == 0 || id >= TP_LOCALS_MAX)
		return;
	t->local_references[id]++;
	if (t->local_resting[id]) {
		t->local_resting[id] = false;
		t->n_local_retired--;
	}
}

void tables_local_unreference(struct tables *t, uint16_t id)
{
	if (id == 0 || id >= TP_LOCALS_MAX)
		return;
	t->local_references[id]--;
	local_rest(t, id);
}

void tables_local_settle(struct tables *t)
{
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		local_rest(t, id);
}

// The next relay address that gets the array of ports begins with none that cools down.
static void cooldowns_forget(struct tables *t, const struct tp_local *l)
{
	_Atomic uint16_t *ports = &t->priv.cooldowns[(size_t)l->port_index << 16];

	if (l->addr.port_be != 0 || l->port_index >= t->priv.n_port_indexes)
		return;
	for (uint32_t port = 0; port < 65536; port++)
		atomic_store_explicit(&ports[port], 0, memory_order_relaxed);
}

void tables_local_reap(struct tables *t, uint32_t gp_done)
{
	if (t->n_local_retired == 0)
		return;
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++) {
		struct tp_local none;

		if (!t->local_resting[id] || !tp_gp_passed(gp_done, t->local_tags[id]))
			continue;
		cooldowns_forget(t, &t->locals[id]);
		memset(&none, 0, sizeof(none));
		none.generation = t->locals[id].generation;
		config_begin(t);
		words_store(&t->shm.locals[id], &none, sizeof(none));
		config_end(t);
		t->locals[id] = none;
		t->local_resting[id] = false;
		t->n_local_retired--;
	}
}

// A relay has no port, a listener has one: their addresses never meet.
static uint16_t id_of(const struct tp_local *plan, const struct tables_local *want)
{
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		if (plan[id].role != TP_ROLE_FREE && plan[id].transport == want->transport &&
			tp_addr_equal(&plan[id].addr, &want->addr))
			return id;
	return 0;
}

static uint16_t id_free(const struct tp_local *plan)
{
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		if (plan[id].role == TP_ROLE_FREE)
			return id;
	return 0;
}

// An array of ports that no relay has, resting ones included.
static bool port_index_free(const struct tables *t, const struct tp_local *plan, uint16_t *index)
{
	for (uint32_t i = 0; i < t->shm.n_port_indexes; i++) {
		bool taken = false;

		for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
			taken |= plan[id].role != TP_ROLE_FREE && plan[id].addr.port_be == 0 &&
				 plan[id].port_index == i;
		if (!taken) {
			*index = (uint16_t)i;
			return true;
		}
	}
	return false;
}

static int plan_add(const struct tables *t, struct tp_local *plan, struct tables_local *want,
	struct shm_error *err)
{
	uint16_t id = id_of(plan, want), index = 0;

	if (id == 0) {
		id = id_free(plan);
		if (id == 0 || (want->role == TP_ROLE_RELAY && !port_index_free(t, plan, &index))) {
			err->cause = SHM_NO_SPACE;
			snprintf(err->text, sizeof(err->text),
				"the tables have no room for another %s (%u there are)",
				want->role == TP_ROLE_RELAY ? "relay address" : "listener",
				want->role == TP_ROLE_RELAY ? t->shm.n_port_indexes
							    : TP_LOCALS_MAX - 1);
			snprintf(err->remedy, sizeof(err->remedy),
				"stop turnpike-dataplane and turnpike-control, start both: calls "
				"end");
			return -ENOSPC;
		}
		plan[id] = (struct tp_local){.addr = want->addr,
			.transport = want->transport,
			.port_index = index,
			.generation = plan[id].generation + 1};
	}
	plan[id].external = want->external;
	plan[id].role = want->role;
	plan[id].realm_id = want->realm_id;
	plan[id].flags = want->flags;
	want->id = id;
	return 0;
}

// The DTLS listener of a UDP listener's address and port, 0 without one.
static uint16_t dtls_of(const struct tp_local *plan, uint16_t udp)
{
	if (plan[udp].role != TP_ROLE_LISTENER || plan[udp].transport != TP_TRANSPORT_UDP)
		return 0;
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		if (plan[id].role == TP_ROLE_LISTENER && plan[id].transport == TP_TRANSPORT_DTLS &&
			tp_addr_equal(&plan[id].addr, &plan[udp].addr))
			return id;
	return 0;
}

// Stores the records that differ, and the path where it is not NULL.
static void plan_apply(struct tables *t, struct tp_local *plan, const struct tp_path_config *path)
{
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		plan[id].dtls_id = dtls_of(plan, id);
	config_begin(t);
	if (path != NULL)
		path_store(t, path);
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		if (memcmp(&t->locals[id], &plan[id], sizeof(plan[id])) != 0)
			words_store(&t->shm.locals[id], &plan[id], sizeof(plan[id]));
	config_end(t);
	t->n_locals = 0;
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++) {
		t->locals[id] = plan[id];
		if (plan[id].role == TP_ROLE_LISTENER || plan[id].role == TP_ROLE_RELAY) {
			t->local_ids[t->n_locals++] = id;
			if (t->local_resting[id]) {
				t->local_resting[id] = false; // it came back
				t->n_local_retired--;
			}
		}
		local_rest(t, id);
	}
	own_rebuild(t);
}

int tables_configure(struct tables *t, struct tables_local *locals, size_t n,
	const struct tp_path_config *path, struct shm_error *err)
{
	struct tp_local plan[TP_LOCALS_MAX];

	memcpy(plan, t->locals, sizeof(plan));
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		if (plan[id].role != TP_ROLE_FREE)
			plan[id].role = TP_ROLE_RETIRED;
	for (size_t i = 0; i < n; i++) {
		int rc = plan_add(t, plan, &locals[i], err);

		if (rc < 0)
			return rc;
	}
	plan_apply(t, plan, path);
	return 0;
}

int tables_local_add(struct tables *t, struct tables_local *local, struct shm_error *err)
{
	struct tp_local plan[TP_LOCALS_MAX];
	int rc;

	memcpy(plan, t->locals, sizeof(plan));
	rc = plan_add(t, plan, local, err);
	if (rc == 0)
		plan_apply(t, plan, NULL);
	return rc;
}

int tables_local_remove(struct tables *t, uint16_t id)
{
	struct tp_local plan[TP_LOCALS_MAX];

	if (tables_local_of(t, id, TP_ROLE_LISTENER) == NULL &&
		tables_local_of(t, id, TP_ROLE_RELAY) == NULL)
		return -ENOENT;
	memcpy(plan, t->locals, sizeof(plan));
	plan[id].role = TP_ROLE_RETIRED;
	plan_apply(t, plan, NULL);
	return 0;
}

void tables_path_set(struct tables *t, const struct tp_path_config *path)
{
	config_begin(t);
	path_store(t, path);
	config_end(t);
}

static bool allocation_uses(const struct tp_entry *e, uint16_t id)
{
	return e->key.local_id == id || e->relay[0].relay_id == id || e->relay[1].relay_id == id;
}

uint32_t tables_local_user(const struct tables *t, uint16_t id, uint32_t *cursor, unsigned budget)
{
	uint32_t n = t->shm.table.n_entries, i = *cursor != 0 ? *cursor : 1;

	*cursor = 0;
	if (id == 0 || id >= TP_LOCALS_MAX || t->local_references[id] == 0)
		return 0;
	for (; i < n; i++, budget--) {
		if (budget == 0) {
			*cursor = i;
			return 0;
		}
		if (ref_is(t, i, TP_KIND_ALLOCATION) && allocation_uses(entry_of(t, i), id)) {
			*cursor = i + 1 < n ? i + 1 : 0;
			return i;
		}
	}
	return 0;
}
