// SPDX-License-Identifier: BSD-3-Clause
#include "fake_store_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void fake_breach(const char *what, uint32_t ref)
{
	fprintf(stderr, "turn_store: %s (reference %u)\n", what, ref);
	abort();
}

void fake_require(bool ok, const char *what, uint32_t ref)
{
	if (!ok)
		fake_breach(what, ref);
}

void fake_store_init(struct fake_store *f)
{
	*f = (struct fake_store){
		.max_allocations = SIZE_MAX,
		.max_permissions = SIZE_MAX,
		.max_channels = SIZE_MAX,
		.max_reservations = SIZE_MAX,
		.max_moves = SIZE_MAX,
	};
}

void fake_store_fini(struct fake_store *f)
{
	free(f->allocations);
	free(f->permissions);
	free(f->channels);
	free(f->reservations);
	*f = (struct fake_store){0};
}

void *fake_slot_take(void **array, size_t *n, size_t size, size_t live_offset)
{
	uint8_t *a = *array;

	for (size_t i = 0; i < *n; i++) {
		if (!*(bool *)(void *)(a + i * size + live_offset))
			return a + i * size;
	}
	a = realloc(a, (*n + 64) * size);
	if (a == NULL)
		fake_breach("no memory for the test", 0);
	memset(a + *n * size, 0, 64 * size);
	*array = a;
	*n += 64;
	return a + (*n - 64) * size;
}

uint32_t fake_ref_next(uint32_t ref, size_t index)
{
	return ref == 0 ? (uint32_t)index + 1 : ref + 0x100000;
}

size_t fake_ref_index(uint32_t ref)
{
	return (ref & 0xfffff) - 1;
}

struct fake_allocation *fake_allocation_at(struct fake_store *f, uint32_t ref)
{
	size_t i = fake_ref_index(ref);

	fake_require(i < f->n_allocations && f->allocations[i].live && f->allocations[i].ref == ref,
		"no such allocation", ref);
	return &f->allocations[i];
}

static struct fake_permission *permission_at(struct fake_store *f, uint32_t ref)
{
	size_t i = fake_ref_index(ref);

	fake_require(i < f->n_permissions && f->permissions[i].live && f->permissions[i].ref == ref,
		"no such permission", ref);
	return &f->permissions[i];
}

static struct fake_channel *channel_at(struct fake_store *f, uint32_t ref)
{
	size_t i = fake_ref_index(ref);

	fake_require(i < f->n_channels && f->channels[i].live && f->channels[i].ref == ref,
		"no such channel", ref);
	return &f->channels[i];
}

const struct fake_allocation *fake_store_allocation(
	const struct fake_store *f, const struct turn_tuple *client)
{
	for (size_t i = 0; i < f->n_allocations; i++) {
		const struct turn_tuple *t = &f->allocations[i].rec.client;

		if (f->allocations[i].live && t->listener_id == client->listener_id &&
			tp_addr_equal(&t->remote, &client->remote))
			return &f->allocations[i];
	}
	return NULL;
}

const struct fake_permission *fake_store_permission(
	const struct fake_store *f, uint32_t allocation, const struct tp_addr *peer)
{
	for (size_t i = 0; i < f->n_permissions; i++) {
		const struct fake_permission *p = &f->permissions[i];

		if (p->live && p->allocation == allocation && tp_addr_same_ip(&p->peer, peer))
			return p;
	}
	return NULL;
}

const struct fake_channel *fake_store_channel(
	const struct fake_store *f, uint32_t allocation, uint16_t number)
{
	for (size_t i = 0; i < f->n_channels; i++) {
		const struct fake_channel *c = &f->channels[i];

		if (c->live && c->allocation == allocation && c->number == number)
			return c;
	}
	return NULL;
}

static void slot_check(const struct fake_store *f, const struct turn_relay_slot *slot)
{
	fake_require(slot->local.port_be != 0 && slot->advertised.port_be == slot->local.port_be,
		"a relay slot without a port", 0);
	for (size_t i = 0; i < f->n_allocations * TURN_RELAY_SLOTS; i++) {
		const struct fake_allocation *a = &f->allocations[i / TURN_RELAY_SLOTS];
		const struct turn_relay_slot *other = &a->rec.relay[i % TURN_RELAY_SLOTS];

		fake_require(!a->live || other->expires_s == 0 ||
				     !tp_addr_equal(&other->local, &slot->local),
			"a relayed transport address given twice", a->ref);
	}
}

static void record_check(const struct fake_store *f, const struct turn_allocation_record *rec)
{
	fake_require(rec->relay[0].expires_s != 0, "an allocation without a relay slot", 0);
	fake_require(rec->key_len > 0 && rec->key_len <= TURN_KEY_MAX &&
			     rec->username_len <= TURN_USERNAME_MAX,
		"a bad user", 0);
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (rec->relay[i].expires_s != 0)
			slot_check(f, &rec->relay[i]);
	}
	fake_require(rec->relay[1].expires_s == 0 ||
			     rec->relay[0].local.family != rec->relay[1].local.family,
		"two relayed addresses of one family", 0);
}

bool fake_tuple_is_taken(const struct fake_store *f, const struct turn_tuple *client)
{
	for (size_t i = 0; i < f->n_allocations; i++) {
		const struct fake_allocation *a = &f->allocations[i];

		if (a->live && a->successor != 0 && a->next.listener_id == client->listener_id &&
			tp_addr_equal(&a->next.remote, &client->remote))
			return true;
	}
	return fake_store_allocation(f, client) != NULL;
}

static int allocation_add(void *ctx, const struct turn_allocation_record *rec, uint32_t *ref)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a;

	f->calls++;
	if (fake_tuple_is_taken(f, &rec->client))
		return -EEXIST;
	if (f->live_allocations >= f->max_allocations)
		return -ENOSPC;
	record_check(f, rec);
	a = fake_slot_take((void **)&f->allocations, &f->n_allocations, sizeof(*a),
		offsetof(struct fake_allocation, live));
	a->ref = fake_ref_next(a->ref, (size_t)(a - f->allocations));
	a->live = true;
	a->path_mtu = 0;
	a->limit = 0;
	a->successor = 0;
	a->rec = *rec;
	f->live_allocations++;
	*ref = a->ref;
	return 0;
}

static int allocation_own(void *ctx, uint32_t ref, const struct turn_allocation_record *rec)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, ref);

	f->calls++;
	fake_require(rec->key_len <= TURN_KEY_MAX && rec->username_len <= TURN_USERNAME_MAX,
		"a bad user", ref);
	fake_require(tp_addr_equal(&a->rec.client.remote, &rec->client.remote) &&
			     memcmp(a->rec.txid, rec->txid, sizeof(rec->txid)) == 0,
		"another user's record is another allocation's", ref);
	if (f->live_allocations > f->max_allocations)
		return -ENOSPC;
	a->rec = *rec;
	return 0;
}

static void allocation_refresh(void *ctx, uint32_t ref, unsigned slot, uint32_t expires_s)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, ref);

	f->calls++;
	fake_require(slot < TURN_RELAY_SLOTS && a->rec.relay[slot].expires_s != 0,
		"refresh of an unused slot", ref);
	a->rec.relay[slot].expires_s = expires_s;
	for (size_t i = 0; expires_s == 0 && i < f->n_permissions; i++) {
		const struct fake_permission *p = &f->permissions[i];

		fake_require(!p->live || p->allocation != ref ||
				     p->peer.family != a->rec.relay[slot].local.family,
			"a permission outlives its relay slot", p->ref);
	}
}

static void allocation_del(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;

	f->calls++;
	fake_require(
		fake_allocation_at(f, ref)->successor == 0, "the end of one that is moving", ref);
	fake_allocation_at(f, ref)->live = false;
	f->live_allocations--;
	for (size_t i = 0; i < f->n_permissions; i++) {
		if (f->permissions[i].live && f->permissions[i].allocation == ref) {
			f->permissions[i].live = false;
			f->live_permissions--;
		}
	}
	for (size_t i = 0; i < f->n_channels; i++) {
		if (f->channels[i].live && f->channels[i].allocation == ref) {
			f->channels[i].live = false;
			f->live_channels--;
		}
	}
}

static int permission_add(void *ctx, uint32_t allocation, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t *ref)
{
	struct fake_store *f = ctx;
	struct fake_permission *p;

	f->calls++;
	fake_allocation_at(f, allocation);
	fake_require(peer->port_be == 0, "a permission with a port", allocation);
	if (fake_store_permission(f, allocation, peer) != NULL)
		return -EEXIST;
	if (f->live_permissions >= f->max_permissions)
		return -ENOSPC;
	p = fake_slot_take((void **)&f->permissions, &f->n_permissions, sizeof(*p),
		offsetof(struct fake_permission, live));
	*p = (struct fake_permission){.live = true,
		.ref = fake_ref_next(p->ref, (size_t)(p - f->permissions)),
		.allocation = allocation,
		.peer = *peer,
		.expires_s = expires_s,
		.ports = FAKE_ALL_PORTS,
		.trial = FAKE_ALL_PORTS};
	f->live_permissions++;
	*ref = p->ref;
	return 0;
}

static int permission_ports(
	void *ctx, uint32_t ref, const struct tp_port_set *allowed, const struct tp_port_set *trial)
{
	struct fake_store *f = ctx;
	struct fake_permission *p;

	f->calls++;
	// Restored by a test that made the reference up.
	if (allowed == NULL && trial == NULL &&
		(fake_ref_index(ref) >= f->n_permissions ||
			!f->permissions[fake_ref_index(ref)].live))
		return 0;
	p = permission_at(f, ref);
	if (f->no_port_sets && (allowed != NULL || trial != NULL))
		return -ENOSPC;
	p->ports = allowed == NULL ? FAKE_ALL_PORTS
				   : (uint64_t)allowed->bits[1] << 32 | allowed->bits[0];
	p->trial = trial == NULL ? FAKE_ALL_PORTS : (uint64_t)trial->bits[1] << 32 | trial->bits[0];
	return 0;
}

static void permission_refresh(void *ctx, uint32_t ref, uint32_t expires_s)
{
	struct fake_store *f = ctx;

	f->calls++;
	permission_at(f, ref)->expires_s = expires_s;
}

static void permission_del(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;

	f->calls++;
	permission_at(f, ref)->live = false;
	f->live_permissions--;
}

static int channel_add(void *ctx, uint32_t allocation, uint16_t number, const struct tp_addr *peer,
	uint32_t expires_s, uint32_t permission_expires_s, uint32_t *ref)
{
	struct fake_store *f = ctx;
	struct fake_channel *c;

	f->calls++;
	fake_allocation_at(f, allocation);
	fake_require(fake_store_permission(f, allocation, peer) != NULL,
		"a channel without a permission", allocation);
	for (size_t i = 0; i < f->n_channels; i++) {
		c = &f->channels[i];
		if (c->live && c->allocation == allocation &&
			(c->number == number || tp_addr_equal(&c->peer, peer)))
			return -EEXIST;
	}
	if (f->live_channels >= f->max_channels)
		return -ENOSPC;
	c = fake_slot_take((void **)&f->channels, &f->n_channels, sizeof(*c),
		offsetof(struct fake_channel, live));
	*c = (struct fake_channel){.live = true,
		.ref = fake_ref_next(c->ref, (size_t)(c - f->channels)),
		.allocation = allocation,
		.peer = *peer,
		.expires_s = expires_s,
		.permission_expires_s = permission_expires_s,
		.number = number};
	f->live_channels++;
	*ref = c->ref;
	return 0;
}

static void channel_refresh(
	void *ctx, uint32_t ref, uint32_t expires_s, uint32_t permission_expires_s)
{
	struct fake_store *f = ctx;
	struct fake_channel *c = channel_at(f, ref);

	f->calls++;
	c->expires_s = expires_s;
	c->permission_expires_s = permission_expires_s;
}

static void channel_del(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;

	f->calls++;
	channel_at(f, ref)->live = false;
	f->live_channels--;
}

// A moved object has the reference that its slot would have next.
static void path_mtu(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = fake_allocation_at(f, allocation);

	f->calls++;
	fake_require(mtu == 0 || mtu >= f->path_mtu_least, "path MTU below the least", allocation);
	if (peer == NULL)
		a->path_mtu = mtu;
	for (size_t i = 0; i < f->n_permissions; i++) {
		struct fake_permission *p = &f->permissions[i];

		if (p->live && p->allocation == allocation && peer != NULL &&
			tp_addr_same_ip(&p->peer, peer))
			p->path_mtu = mtu;
	}
	for (size_t i = 0; i < f->n_channels; i++) {
		struct fake_channel *c = &f->channels[i];

		if (!c->live || c->allocation != allocation)
			continue;
		if (peer == NULL)
			c->client_path_mtu = mtu;
		else if (tp_addr_same_ip(&c->peer, peer))
			c->path_mtu = mtu;
	}
}

static void path_mtu_least(void *ctx, uint16_t mtu)
{
	struct fake_store *f = ctx;

	fake_require(mtu != 0, "a least path MTU of 0", 0);
	f->path_mtu_least = mtu;
}

struct turn_store fake_store_ops(struct fake_store *f)
{
	struct turn_store store = {
		.ctx = f,
		.allocation_add = allocation_add,
		.allocation_own = allocation_own,
		.allocation_refresh = allocation_refresh,
		.allocation_del = allocation_del,
		.permission_add = permission_add,
		.permission_refresh = permission_refresh,
		.permission_del = permission_del,
		.permission_ports = permission_ports,
		.channel_add = channel_add,
		.channel_refresh = channel_refresh,
		.channel_del = channel_del,
		.path_mtu = path_mtu,
		.path_mtu_least = path_mtu_least,
	};

	fake_moves_fill(&store);
	fake_remains_fill(&store);
	fake_limits_fill(&store);
	return store;
}

void fake_store_restore(struct fake_store *f, struct turn_server *s, uint64_t now_ns)
{
	memset(f->limits, 0, sizeof(f->limits));
	f->live_limits = 0;
	for (size_t i = 0; i < f->n_allocations; i++) {
		const struct fake_allocation *a = &f->allocations[i];

		if (a->live && turn_restore_allocation(s, now_ns, &a->rec, a->ref) != 0)
			fake_breach("allocation not restored", a->ref);
	}
	for (size_t i = 0; i < f->n_permissions; i++) {
		const struct fake_permission *p = &f->permissions[i];

		if (p->live && turn_restore_permission(s, now_ns, p->allocation, &p->peer,
				       p->expires_s, p->ref) != 0)
			fake_breach("permission not restored", p->ref);
	}
	for (size_t i = 0; i < f->n_channels; i++) {
		const struct fake_channel *c = &f->channels[i];

		if (c->live && turn_restore_channel(s, now_ns, c->allocation, c->number, &c->peer,
				       c->expires_s, c->ref) != 0)
			fake_breach("channel not restored", c->ref);
	}
	for (size_t i = 0; i < f->n_allocations; i++) {
		struct fake_allocation *a = &f->allocations[i];

		if (!a->live || a->successor == 0)
			continue;
		a->successor = 0;
		f->live_moves--;
		if (turn_restore_move(s, now_ns, a->ref, &a->next) != 0)
			fake_breach("move not restored", a->ref);
	}
	fake_remains_restore(f, s, now_ns);
}
