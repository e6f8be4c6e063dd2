// SPDX-License-Identifier: BSD-3-Clause
// Resting ports, tombstones and reservations of the fake store.
#include "fake_store_parts.h"

#include <errno.h>

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
	size_t i = fake_ref_index(ref);

	fake_require(
		i < f->n_reservations && f->reservations[i].live && f->reservations[i].ref == ref,
		"no such reservation", ref);
	return &f->reservations[i];
}

static int reservation_add(void *ctx, const struct turn_reservation_record *rec, uint32_t *ref)
{
	struct fake_store *f = ctx;
	struct fake_reservation *v;

	f->calls++;
	fake_require(!rec->used && rec->port != 0 && rec->username_len <= TURN_USERNAME_MAX,
		"a bad reservation", 0);
	for (size_t i = 0; i < f->n_reservations; i++) {
		const struct fake_reservation *other = &f->reservations[i];

		fake_require(
			!other->live || memcmp(other->rec.token, rec->token, TURN_TOKEN_LEN) != 0,
			"a token given twice", other->ref);
		fake_require(!other->live || other->rec.used || other->rec.port != rec->port ||
				     other->rec.relay_id != rec->relay_id,
			"a port reserved twice", other->ref);
	}
	if (f->live_reservations >= f->max_reservations)
		return -ENOSPC;
	v = fake_slot_take((void **)&f->reservations, &f->n_reservations, sizeof(*v),
		offsetof(struct fake_reservation, live));
	v->ref = fake_ref_next(v->ref, (size_t)(v - f->reservations));
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
	fake_require(!v->rec.used, "a reservation used twice", ref);
	v->rec.used = true;
}

static void reservation_del(void *ctx, uint32_t ref)
{
	struct fake_store *f = ctx;

	f->calls++;
	reservation_at(f, ref)->live = false;
	f->live_reservations--;
}

void fake_remains_restore(struct fake_store *f, struct turn_server *s, uint64_t now_ns)
{
	const struct fake_remains *r = &f->remains;
	size_t port = r->n_ports > FAKE_REMAINS ? r->n_ports - FAKE_REMAINS : 0;
	size_t tombstone = r->n_tombstones > FAKE_REMAINS ? r->n_tombstones - FAKE_REMAINS : 0;

	for (size_t i = 0; i < f->n_reservations; i++) {
		struct fake_reservation *v = &f->reservations[i];

		if (v->live && turn_restore_reservation(s, now_ns, &v->rec, v->ref) != 0)
			reservation_del(f, v->ref);
	}
	// Oldest first.
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

void fake_remains_fill(struct turn_store *store)
{
	store->port_cooldown = port_cooldown;
	store->tombstone_add = tombstone_add;
	store->reservation_add = reservation_add;
	store->reservation_use = reservation_use;
	store->reservation_del = reservation_del;
}
