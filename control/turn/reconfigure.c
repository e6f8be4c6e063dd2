// SPDX-License-Identifier: BSD-3-Clause
// A new configuration, or a ban, for the running server. What requests read is swapped at once;
// allocations and permissions that it no longer allows end in turn_advance, a bounded number per
// call.
//
// A relay address keeps its index for as long as the server runs: allocations hold it. The place of
// one that left is used again by none, since its ports may still be in use.
#include "allocation.h"

#include <errno.h>
#include <stdlib.h>

#include "cap.h"
#include "channel.h"
#include "data.h"
#include "mobility.h"
#include "permission.h"

// ---- the swap ---------------------------------------------------------------------------------

struct prepared {
	struct turn_relay_address *relays;
	size_t n_relays;
	struct turn_realms realms;
	struct turn_locals locals;
};

static bool relay_is_same(const struct turn_relay_address *a, const struct turn_relay_address *b)
{
	return a->id == b->id && tp_addr_same_ip(&a->local, &b->local) &&
	       tp_addr_same_ip(&a->advertised, &b->advertised);
}

static size_t relay_index(
	const struct turn_relay_address *relays, size_t n, const struct turn_relay_address *want)
{
	size_t i = 0;

	while (i < n && !relay_is_same(&relays[i], want))
		i++;
	return i;
}

// All addresses there were, then those that are new.
static int relays_prepare(
	const struct turn_server *s, const struct turn_conf *conf, struct prepared *p)
{
	p->relays = calloc(s->n_relays + conf->n_relays, sizeof(*p->relays));
	if (p->relays == NULL)
		return -ENOMEM;
	memcpy(p->relays, s->relays, s->n_relays * sizeof(*p->relays));
	p->n_relays = s->n_relays;
	for (size_t i = 0; i < conf->n_relays; i++) {
		if (relay_index(p->relays, p->n_relays, &conf->relays[i]) == p->n_relays)
			p->relays[p->n_relays++] = conf->relays[i];
	}
	return p->n_relays <= UINT16_MAX ? 0 : -ENOSPC;
}

static void prepared_drop(struct prepared *p)
{
	turn_locals_fini(&p->locals);
	turn_realms_fini(&p->realms);
	free(p->relays);
}

// Keys of databases stay, and the counts of each secret's uses go on.
static int uses_prepare(const struct turn_server *s, struct prepared *p)
{
	int err = 0;

	for (size_t i = 0; i < p->realms.n && err == 0; i++) {
		struct turn_realm *fresh = &p->realms.items[i];

		err = turn_keyring_carry(fresh, s->conf.nonce_key, &s->realms.items[i]);
		if (err == 0)
			err = turn_secret_uses_make(fresh, &s->realms.items[i]);
	}
	return err;
}

static int prepare(struct turn_server *s, const struct turn_conf *conf, struct prepared *p)
{
	uint8_t key[16];
	int err;

	s->random.env.random(s->random.env.ctx, key, sizeof(key));
	err = relays_prepare(s, conf, p);
	if (err == 0)
		err = turn_realms_init(&p->realms, key, s->crypto, conf);
	if (err == 0 && !turn_realms_are_same(&s->realms, &p->realms))
		err = -EINVAL;
	if (err == 0)
		err = uses_prepare(s, p);
	if (err == 0)
		err = turn_locals_init(&p->locals, key, conf);
	if (err == 0)
		err = turn_ports_extend(&s->ports, p->relays, p->n_relays);
	if (err != 0)
		prepared_drop(p);
	return err;
}

static bool secrets_are_same(const struct turn_realm_conf *a, const struct turn_realm_conf *b)
{
	if (a->n_secrets != b->n_secrets)
		return false;
	for (size_t i = 0; i < a->n_secrets; i++) {
		const struct turn_secret *x = &a->secrets[i], *y = &b->secrets[i];

		if (x->len != y->len || x->hmac != y->hmac ||
			memcmp(x->octets, y->octets, x->len) != 0)
			return false;
	}
	return true;
}

// Keys come from the realm's name, its secrets and its database.
static bool keys_are_same(const struct turn_realms *a, const struct turn_realms *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct turn_realm_conf *x = &a->items[i].conf, *y = &b->items[i].conf;

		if (strcmp(x->name, y->name) != 0 || x->source != y->source ||
			!secrets_are_same(x, y))
			return false;
	}
	return true;
}

static void caches_clear(struct turn_server *s)
{
	turn_key_cache_clear(&s->key_cache);
	turn_key_cache_clear(&s->answers);
	turn_key_cache_clear(&s->strangers);
}

static void relays_commit(struct turn_server *s, const struct turn_conf *conf, struct prepared *p)
{
	for (size_t i = 0; i < p->n_relays; i++) {
		bool open =
			relay_index(conf->relays, conf->n_relays, &p->relays[i]) < conf->n_relays;

		turn_ports_open(&s->ports, (uint16_t)i, open);
	}
	free(s->relays);
	s->relays = p->relays;
	s->n_relays = p->n_relays;
}

int turn_reconfigure(struct turn_server *s, const struct turn_conf *conf)
{
	struct prepared p = {0};
	int err;

	// Relayed ports are those of the whole life: live allocations hold them.
	if (!turn_conf_is_usable(conf) || conf->port_min != s->conf.port_min ||
		conf->port_max != s->conf.port_max)
		return -EINVAL;
	err = prepare(s, conf, &p);
	if (err != 0)
		return err;
	if (!keys_are_same(&s->realms, &p.realms))
		caches_clear(s);
	relays_commit(s, conf, &p);
	turn_realms_replace(&s->realms, &p.realms);
	turn_locals_fini(&s->locals);
	s->locals = p.locals;
	turn_nonces_init(&s->nonces, conf);
	s->conf = *conf;
	s->conf.relays = s->relays;
	s->conf.n_relays = s->n_relays;
	turn_caps_change(s);
	s->sweep = (struct turn_sweep){.under_way = true};
	return 0;
}

int turn_keys_set(struct turn_server *s, uint16_t realm_id, const struct turn_keys *keys)
{
	struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);
	int rc;

	if (realm == NULL || !realm->conf.keys_looked_up)
		return -ENOENT;
	rc = turn_keyring_set(realm, s->conf.nonce_key, keys);
	// Cached keys name their secret by its place.
	if (rc == 1)
		turn_key_cache_clear(&s->key_cache);
	return rc;
}

void turn_relay_set_present(struct turn_server *s, uint16_t id, bool present)
{
	for (size_t i = 0; i < s->n_relays; i++) {
		if (s->relays[i].id == id)
			turn_ports_set_present(&s->ports, (uint16_t)i, present);
	}
}

// ---- the sweep --------------------------------------------------------------------------------

static bool listener_is_known(const struct turn_server *s, uint16_t id)
{
	for (size_t i = 0; i < s->conf.n_listeners; i++) {
		if (s->conf.listeners[i].id == id)
			return true;
	}
	return false;
}

// Finishes a move away from a listener that left; gives up one that may not go on.
static void move_sweep(struct turn_server *s, struct turn_allocation *a)
{
	const struct turn_tuple *to = &a->move->client;

	if (!listener_is_known(s, to->listener_id) || turn_bans_hold_client(&s->bans, &to->remote))
		turn_move_abandon(s, a);
	else if (!listener_is_known(s, a->client.listener_id))
		turn_move_finish(s, a);
	else if (!s->conf.mobility)
		turn_move_abandon(s, a);
}

// Ends an allocation whose listener left or that waits in vain, and relayed addresses that
// left. False: nothing of it is there any more.
static bool addresses_sweep(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a)
{
	if (a->move != NULL)
		move_sweep(s, a);
	if (!listener_is_known(s, a->client.listener_id)) {
		turn_allocation_close(s, now_ns, a, TURN_CLOSE_CONFIG);
		return false;
	}
	// Its client cannot come back with a ticket.
	if (a->held && !s->conf.mobility) {
		turn_allocation_close(s, now_ns, a, TURN_CLOSE_CONFIG);
		return false;
	}
	for (unsigned i = 0; a->live && i < TURN_RELAY_SLOTS; i++) {
		const struct turn_slot *slot = &a->slot[i];

		if (slot->expires_s != 0 && !turn_ports_are_open(&s->ports, slot->relay))
			turn_allocation_end_family(s, now_ns, a,
				s->conf.relays[slot->relay].local.family, TURN_CLOSE_CONFIG);
	}
	return a->live;
}

// Ends channels to ports that the policy denies. The last of them takes a permission along that is
// not in the store.
static unsigned channels_sweep(struct turn_server *s, struct turn_permission *p)
{
	const struct turn_account *account = p->allocation->account;
	struct ds_list *l = p->channels.next;
	unsigned n = 0;

	if (!policy_has_ports(turn_policies_of(account).policy))
		return 0;
	for (bool last = l == &p->channels; !last; n++) {
		struct turn_channel *c = DS_CONTAINER(l, struct turn_channel, link);

		l = l->next;
		last = l == &p->channels;
		if (turn_peer_may_stay(s, account, &c->peer))
			continue;
		turn_channel_end(s, c);
		s->counters.channels_revoked++;
	}
	return n;
}

static unsigned permissions_sweep(struct turn_server *s, struct turn_allocation *a)
{
	struct ds_list *l = a->permissions.next;
	unsigned n = 0;

	while (l != &a->permissions) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		l = l->next;
		n++;
		if (turn_peer_may_stay(s, a->account, &p->peer) &&
			turn_permission_renew_ports(s, p) == 0) {
			n += channels_sweep(s, p);
			continue;
		}
		turn_permission_revoke(s, p);
		s->counters.permissions_revoked++;
	}
	return n;
}

void turn_sweep(struct turn_server *s, uint64_t now_ns, unsigned *budget)
{
	struct turn_sweep *sweep = &s->sweep;

	while (sweep->under_way && *budget > 0) {
		struct turn_allocation *a;
		unsigned cost = 1;

		if (sweep->next == ds_pool_end(&s->allocation_pool)) {
			sweep->under_way = false;
			break;
		}
		a = ds_pool_at(&s->allocation_pool, sweep->next++);
		if (a->live && turn_bans_hold(&s->bans, a))
			turn_allocation_close(s, now_ns, a, TURN_CLOSE_BANNED);
		else if (a->live && addresses_sweep(s, now_ns, a)) {
			// Without a budget nobody charges the allocation.
			if (a->account->realm->conf.budget.octets == 0)
				a->capped = a->account->capped = false;
			turn_caps_change_of(s, a);
			cost += permissions_sweep(s, a) + turn_data_sweep(s, a);
		}
		*budget -= cost < *budget ? cost : *budget;
	}
}
