// SPDX-License-Identifier: BSD-3-Clause
// The id <-> address table. What changes is stored word by word between two changes of config_seq;
// a writer killed in between leaves it odd, and the next one begins from there.
#include "tables.h"

#include <errno.h>
#include <stdio.h>

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

const struct tp_local *local_of(const struct tables *t, uint16_t id, uint8_t role)
{
	return id != 0 && id < TP_LOCALS_MAX && t->locals[id].role == role ? &t->locals[id] : NULL;
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

// The slot of the IP address, or the empty one where it would go. Nobody but the operator chooses
// what is in there, so nobody makes it slow.
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

bool local_is_own(const struct tables *t, const struct tp_addr *ip, uint16_t *relay_id)
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
	t->local_tags[id] = grace_tag(t);
	t->n_local_retired++;
}

void local_reference(struct tables *t, uint16_t id)
{
	if (id != 0)
		t->local_references[id]++;
}

void local_unreference(struct tables *t, uint16_t id)
{
	if (id == 0)
		return;
	t->local_references[id]--;
	local_rest(t, id);
}

void local_settle(struct tables *t)
{
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++)
		local_rest(t, id);
}

void local_reap(struct tables *t, uint32_t gp_done)
{
	if (t->n_local_retired == 0)
		return;
	for (uint16_t id = 1; id < TP_LOCALS_MAX; id++) {
		struct tp_local none;

		if (!t->local_resting[id] || !tp_gp_passed(gp_done, t->local_tags[id]))
			continue;
		memset(&none, 0, sizeof(none));
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
		memset(&plan[id], 0, sizeof(plan[id]));
		plan[id].addr = want->addr;
		plan[id].transport = want->transport;
		plan[id].port_index = index;
	}
	plan[id].external = want->external;
	plan[id].role = want->role;
	want->id = id;
	return 0;
}

static void plan_apply(
	struct tables *t, const struct tp_local *plan, const struct tp_path_config *path)
{
	struct tp_path_config with_key = *path;

	memcpy(with_key.punt_key, t->priv.header->secrets.punt_key, sizeof(with_key.punt_key));
	config_begin(t);
	words_store(&t->shm.header->path, &with_key, sizeof(with_key));
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
