// SPDX-License-Identifier: BSD-3-Clause
#include "fake_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void breach(const char *what, uint32_t ref)
{
	fprintf(stderr, "turn_store: %s (reference %u)\n", what, ref);
	abort();
}

static void require(bool ok, const char *what, uint32_t ref)
{
	if (!ok)
		breach(what, ref);
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

// A free slot of an array that grows; references are never used twice in a row: a slot's next
// reference differs, so that one used after its deletion is noticed.
static void *slot_take(void **array, size_t *n, size_t size, size_t live_offset)
{
	uint8_t *a = *array;

	for (size_t i = 0; i < *n; i++) {
		if (!*(bool *)(void *)(a + i * size + live_offset))
			return a + i * size;
	}
	a = realloc(a, (*n + 64) * size);
	if (a == NULL)
		breach("no memory for the test", 0);
	memset(a + *n * size, 0, 64 * size);
	*array = a;
	*n += 64;
	return a + (*n - 64) * size;
}

static uint32_t ref_next(uint32_t ref, size_t index)
{
	return ref == 0 ? (uint32_t)index + 1 : ref + 0x100000;
}

static size_t ref_index(uint32_t ref)
{
	return (ref & 0xfffff) - 1;
}

static struct fake_allocation *allocation_at(struct fake_store *f, uint32_t ref)
{
	size_t i = ref_index(ref);

	require(i < f->n_allocations && f->allocations[i].live && f->allocations[i].ref == ref,
		"no such allocation", ref);
	return &f->allocations[i];
}

static struct fake_permission *permission_at(struct fake_store *f, uint32_t ref)
{
	size_t i = ref_index(ref);

	require(i < f->n_permissions && f->permissions[i].live && f->permissions[i].ref == ref,
		"no such permission", ref);
	return &f->permissions[i];
}

static struct fake_channel *channel_at(struct fake_store *f, uint32_t ref)
{
	size_t i = ref_index(ref);

	require(i < f->n_channels && f->channels[i].live && f->channels[i].ref == ref,
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
	require(slot->local.port_be != 0 && slot->advertised.port_be == slot->local.port_be,
		"a relay slot without a port", 0);
	for (size_t i = 0; i < f->n_allocations * TURN_RELAY_SLOTS; i++) {
		const struct fake_allocation *a = &f->allocations[i / TURN_RELAY_SLOTS];
		const struct turn_relay_slot *other = &a->rec.relay[i % TURN_RELAY_SLOTS];

		require(!a->live || other->expires_s == 0 ||
				!tp_addr_equal(&other->local, &slot->local),
			"a relayed transport address given twice", a->ref);
	}
}

static void record_check(const struct fake_store *f, const struct turn_allocation_record *rec)
{
	require(rec->relay[0].expires_s != 0, "an allocation without a relay slot", 0);
	require(rec->key_len > 0 && rec->key_len <= TURN_KEY_MAX &&
			rec->username_len <= TURN_USERNAME_MAX,
		"a bad user", 0);
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (rec->relay[i].expires_s != 0)
			slot_check(f, &rec->relay[i]);
	}
	require(rec->relay[1].expires_s == 0 ||
			rec->relay[0].local.family != rec->relay[1].local.family,
		"two relayed addresses of one family", 0);
}

static bool tuple_is_taken(const struct fake_store *f, const struct turn_tuple *client)
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
	if (tuple_is_taken(f, &rec->client))
		return -EEXIST;
	if (f->live_allocations >= f->max_allocations)
		return -ENOSPC;
	record_check(f, rec);
	a = slot_take((void **)&f->allocations, &f->n_allocations, sizeof(*a),
		offsetof(struct fake_allocation, live));
	a->ref = ref_next(a->ref, (size_t)(a - f->allocations));
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
	struct fake_allocation *a = allocation_at(f, ref);

	f->calls++;
	require(rec->key_len <= TURN_KEY_MAX && rec->username_len <= TURN_USERNAME_MAX,
		"a bad user", ref);
	require(tp_addr_equal(&a->rec.client.remote, &rec->client.remote) &&
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
	struct fake_allocation *a = allocation_at(f, ref);

	f->calls++;
	require(slot < TURN_RELAY_SLOTS && a->rec.relay[slot].expires_s != 0,
		"refresh of an unused slot", ref);
	a->rec.relay[slot].expires_s = expires_s;
	for (size_t i = 0; expires_s == 0 && i < f->n_permissions; i++) {
		const struct fake_permission *p = &f->permissions[i];

		require(!p->live || p->allocation != ref ||
				p->peer.family != a->rec.relay[slot].local.family,
			"a permission outlives its relay slot", p->ref);
	}
}

static void allocation_del(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;

	f->calls++;
	require(allocation_at(f, ref)->successor == 0, "the end of one that is moving", ref);
	allocation_at(f, ref)->live = false;
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
	allocation_at(f, allocation);
	require(peer->port_be == 0, "a permission with a port", allocation);
	if (fake_store_permission(f, allocation, peer) != NULL)
		return -EEXIST;
	if (f->live_permissions >= f->max_permissions)
		return -ENOSPC;
	p = slot_take((void **)&f->permissions, &f->n_permissions, sizeof(*p),
		offsetof(struct fake_permission, live));
	*p = (struct fake_permission){.live = true,
		.ref = ref_next(p->ref, (size_t)(p - f->permissions)),
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
		(ref_index(ref) >= f->n_permissions || !f->permissions[ref_index(ref)].live))
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
	allocation_at(f, allocation);
	require(fake_store_permission(f, allocation, peer) != NULL,
		"a channel without a permission", allocation);
	for (size_t i = 0; i < f->n_channels; i++) {
		c = &f->channels[i];
		if (c->live && c->allocation == allocation &&
			(c->number == number || tp_addr_equal(&c->peer, peer)))
			return -EEXIST;
	}
	if (f->live_channels >= f->max_channels)
		return -ENOSPC;
	c = slot_take((void **)&f->channels, &f->n_channels, sizeof(*c),
		offsetof(struct fake_channel, live));
	*c = (struct fake_channel){.live = true,
		.ref = ref_next(c->ref, (size_t)(c - f->channels)),
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
static uint32_t ref_moved(uint32_t ref)
{
	return ref + 0x100000;
}

static int move_begin(
	void *ctx, uint32_t allocation, const struct turn_tuple *client, uint32_t *successor)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = allocation_at(f, allocation);

	f->calls++;
	require(a->successor == 0, "a second move", allocation);
	if (tuple_is_taken(f, client))
		return -EEXIST;
	if (f->live_moves >= f->max_moves)
		return -ENOSPC;
	a->successor = *successor = ref_moved(allocation);
	a->next = *client;
	f->live_moves++;
	return 0;
}

static void move_cancel(void *ctx, uint32_t allocation)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = allocation_at(f, allocation);

	f->calls++;
	require(a->successor != 0, "no move to cancel", allocation);
	a->successor = 0;
	f->live_moves--;
}

static uint32_t move_ref(void *ctx, uint32_t ref)
{
	(void)ctx;
	return ref_moved(ref);
}

static void move_finish(void *ctx, uint32_t allocation)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = allocation_at(f, allocation);

	f->calls++;
	require(a->successor != 0, "no move to finish", allocation);
	a->ref = a->successor;
	a->rec.client = a->next;
	a->rec.connection = a->next.connection;
	a->path_mtu = 0;
	a->successor = 0;
	f->live_moves--;
	for (size_t i = 0; i < f->n_permissions; i++) {
		struct fake_permission *p = &f->permissions[i];

		if (p->live && p->allocation == allocation) {
			p->allocation = a->ref;
			p->ref = ref_moved(p->ref);
		}
	}
	for (size_t i = 0; i < f->n_channels; i++) {
		struct fake_channel *c = &f->channels[i];

		if (c->live && c->allocation == allocation) {
			c->allocation = a->ref;
			c->ref = ref_moved(c->ref);
		}
	}
}

static void reconnect(void *ctx, uint32_t allocation, uint64_t connection)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = allocation_at(f, allocation);

	f->calls++;
	a->rec.client.connection = connection;
	a->rec.connection = connection;
}

static void ticket_set(void *ctx, uint32_t allocation, uint64_t ticket_id, const uint8_t txid[12])
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = allocation_at(f, allocation);

	f->calls++;
	a->rec.ticket_id = ticket_id;
	memcpy(a->rec.txid, txid, sizeof(a->rec.txid));
}

static void path_mtu(void *ctx, uint32_t allocation, const struct tp_addr *peer, uint16_t mtu)
{
	struct fake_store *f = ctx;
	struct fake_allocation *a = allocation_at(f, allocation);

	f->calls++;
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

static void port_cooldown(void *ctx, uint16_t relay_id, uint16_t port, uint32_t until_s)
{
	struct fake_remains *r = &((struct fake_store *)ctx)->remains;
	size_t i = r->n_ports++ % FAKE_REMAINS;

	r->relay_ids[i] = relay_id;
	r->ports[i] = port;
	r->ports_until_s[i] = until_s;
}

static void tombstone_add(
	void *ctx, const struct turn_tuple *client, const uint8_t txid[12], uint32_t until_s)
{
	struct fake_remains *r = &((struct fake_store *)ctx)->remains;
	size_t i = r->n_tombstones++ % FAKE_REMAINS;

	r->clients[i] = *client;
	memcpy(r->txids[i], txid, 12);
	r->tombstones_until_s[i] = until_s;
}

static struct fake_reservation *reservation_at(struct fake_store *f, uint32_t ref)
{
	size_t i = ref_index(ref);

	require(i < f->n_reservations && f->reservations[i].live && f->reservations[i].ref == ref,
		"no such reservation", ref);
	return &f->reservations[i];
}

static int reservation_add(void *ctx, const struct turn_reservation_record *rec, uint32_t *ref)
{
	struct fake_store *f = ctx;
	struct fake_reservation *v;

	f->calls++;
	require(!rec->used && rec->port != 0 && rec->username_len <= TURN_USERNAME_MAX,
		"a bad reservation", 0);
	for (size_t i = 0; i < f->n_reservations; i++) {
		const struct fake_reservation *other = &f->reservations[i];

		require(!other->live || memcmp(other->rec.token, rec->token, TURN_TOKEN_LEN) != 0,
			"a token given twice", other->ref);
		require(!other->live || other->rec.used || other->rec.port != rec->port ||
				other->rec.relay_id != rec->relay_id,
			"a port reserved twice", other->ref);
	}
	if (f->live_reservations >= f->max_reservations)
		return -ENOSPC;
	v = slot_take((void **)&f->reservations, &f->n_reservations, sizeof(*v),
		offsetof(struct fake_reservation, live));
	v->ref = ref_next(v->ref, (size_t)(v - f->reservations));
	v->live = true;
	v->rec = *rec;
	f->live_reservations++;
	*ref = v->ref;
	return 0;
}

static void reservation_use(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;
	struct fake_reservation *v = reservation_at(f, ref);

	f->calls++;
	require(!v->rec.used, "a reservation used twice", ref);
	v->rec.used = true;
}

static void reservation_del(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;

	f->calls++;
	reservation_at(f, ref)->live = false;
	f->live_reservations--;
}

// Oldest first.
static void remains_restore(const struct fake_remains *r, struct turn_server *s, uint64_t now_ns)
{
	size_t port = r->n_ports > FAKE_REMAINS ? r->n_ports - FAKE_REMAINS : 0;
	size_t tombstone = r->n_tombstones > FAKE_REMAINS ? r->n_tombstones - FAKE_REMAINS : 0;

	for (; port < r->n_ports; port++) {
		size_t i = port % FAKE_REMAINS;

		turn_restore_port_cooldown(
			s, now_ns, r->relay_ids[i], r->ports[i], (uint16_t)r->ports_until_s[i]);
	}
	for (; tombstone < r->n_tombstones; tombstone++) {
		size_t i = tombstone % FAKE_REMAINS;

		turn_restore_tombstone(
			s, now_ns, &r->clients[i], r->txids[i], r->tombstones_until_s[i]);
	}
}

// ---- limits -----------------------------------------------------------------------------------

const struct turn_limit *fake_store_limit(const struct fake_store *f, uint32_t number)
{
	const struct turn_limit *l, *parent;

	require(number <= FAKE_LIMITS && f->limits[number].live, "no such limit", number);
	l = &f->limits[number].limit;
	if (l->parent != 0) {
		require(l->parent <= FAKE_LIMITS && f->limits[l->parent].live,
			"no such wider limit", l->parent);
		parent = &f->limits[l->parent].limit;
		require(parent->kind > l->kind, "a limit that does not widen", number);
	}
	return l;
}

static void limit_set(void *ctx, uint32_t number, const struct turn_limit *limit)
{
	struct fake_store *f = ctx;

	require(number != 0 && number <= FAKE_LIMITS && f->limits[number].live, "no such limit",
		number);
	f->limits[number].limit = *limit;
}

static uint32_t limit_add(void *ctx, const struct turn_limit *limit)
{
	struct fake_store *f = ctx;

	for (uint32_t number = 1; number <= FAKE_LIMITS; number++) {
		if (f->limits[number].live)
			continue;
		f->limits[number].live = true;
		f->live_limits++;
		limit_set(f, number, limit);
		return number;
	}
	return 0;
}

static void limit_del(void *ctx, uint32_t number)
{
	struct fake_store *f = ctx;

	require(number != 0 && number <= FAKE_LIMITS && f->limits[number].live, "no such limit",
		number);
	f->limits[number].live = false;
	f->live_limits--;
}

static void allocation_limit(void *ctx, uint32_t ref, uint32_t number)
{
	struct fake_store *f = ctx;

	if (number != 0)
		(void)fake_store_limit(f, number);
	// Tests restore allocations that only they know; none of them has a limit.
	if (number != 0 ||
		(ref_index(ref) < f->n_allocations && f->allocations[ref_index(ref)].live))
		allocation_at(f, ref)->limit = number;
}

struct turn_store fake_store_ops(struct fake_store *f)
{
	return (struct turn_store){
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
		.move_begin = move_begin,
		.move_cancel = move_cancel,
		.move_finish = move_finish,
		.move_ref = move_ref,
		.reconnect = reconnect,
		.ticket_set = ticket_set,
		.path_mtu = path_mtu,
		.port_cooldown = port_cooldown,
		.tombstone_add = tombstone_add,
		.reservation_add = reservation_add,
		.reservation_use = reservation_use,
		.reservation_del = reservation_del,
		.limit_add = limit_add,
		.limit_set = limit_set,
		.limit_del = limit_del,
		.allocation_limit = allocation_limit,
	};
}

void fake_store_restore(struct fake_store *f, struct turn_server *s, uint64_t now_ns)
{
	memset(f->limits, 0, sizeof(f->limits));
	f->live_limits = 0;
	for (size_t i = 0; i < f->n_allocations; i++) {
		const struct fake_allocation *a = &f->allocations[i];

		if (a->live && turn_restore_allocation(s, now_ns, &a->rec, a->ref) != 0)
			breach("allocation not restored", a->ref);
	}
	for (size_t i = 0; i < f->n_permissions; i++) {
		const struct fake_permission *p = &f->permissions[i];

		if (p->live && turn_restore_permission(s, now_ns, p->allocation, &p->peer,
				       p->expires_s, p->ref) != 0)
			breach("permission not restored", p->ref);
	}
	for (size_t i = 0; i < f->n_channels; i++) {
		const struct fake_channel *c = &f->channels[i];

		if (c->live && turn_restore_channel(s, now_ns, c->allocation, c->number, &c->peer,
				       c->expires_s, c->ref) != 0)
			breach("channel not restored", c->ref);
	}
	for (size_t i = 0; i < f->n_allocations; i++) {
		struct fake_allocation *a = &f->allocations[i];

		if (!a->live || a->successor == 0)
			continue;
		a->successor = 0;
		f->live_moves--;
		if (turn_restore_move(s, now_ns, a->ref, &a->next) != 0)
			breach("move not restored", a->ref);
	}
	for (size_t i = 0; i < f->n_reservations; i++) {
		struct fake_reservation *v = &f->reservations[i];

		if (v->live && turn_restore_reservation(s, now_ns, &v->rec, v->ref) != 0)
			reservation_del(f, v->ref);
	}
	remains_restore(&f->remains, s, now_ns);
}
