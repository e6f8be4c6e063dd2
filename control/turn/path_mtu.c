// SPDX-License-Identifier: BSD-3-Clause
#include "path_mtu.h"

#include "allocation.h"
#include "mobility.h"
#include "permission.h"

#include <stun/write.h>

// What is learnt again within this time is no news.
#define FRESH_S 60u

struct mtu_age {
	struct ds_list link;
	struct ds_list of_owner; // link
	struct turn_mtu_owner *owner;
	struct tp_addr peer; // family NONE: the leg to the client
	uint32_t allocation; // ref
	uint32_t until_s;
	uint32_t index; // in the pool
	uint16_t mtu;
};

int turn_mtus_init(struct turn_mtus *m, const uint8_t key[16])
{
	ds_pool_init(&m->pool, sizeof(struct mtu_age));
	ds_list_init(&m->queue);
	m->least = TURN_MTU_CLASSES;
	return turn_mtu_shares_init(&m->shares, key);
}

void turn_mtus_fini(struct turn_mtus *m)
{
	turn_mtu_shares_fini(&m->shares);
	ds_pool_fini(&m->pool);
}

static struct mtu_age *oldest(const struct turn_mtus *m)
{
	return ds_list_is_empty(&m->queue) ? NULL
					   : DS_CONTAINER(m->queue.next, struct mtu_age, link);
}

static void store_put(struct turn_server *s, const struct turn_allocation *a,
	const struct tp_addr *peer, uint16_t mtu)
{
	if (s->store.path_mtu != NULL)
		s->store.path_mtu(s->store.ctx, a->ref, peer, mtu);
}

// ---- the least of all ---------------------------------------------------------------------------

static void least_say(struct turn_server *s)
{
	struct turn_mtus *m = &s->mtus;
	uint32_t least = m->least * TURN_MTU_STEP;

	if (m->said && s->store.path_mtu_least != NULL)
		s->store.path_mtu_least(
			s->store.ctx, (uint16_t)(least > UINT16_MAX ? UINT16_MAX : least));
}

// To be called before the store learns the leg's.
static void least_add(struct turn_server *s, uint16_t mtu)
{
	struct turn_mtus *m = &s->mtus;

	m->of[mtu / TURN_MTU_STEP]++;
	if (mtu / TURN_MTU_STEP >= m->least)
		return;
	m->least = mtu / TURN_MTU_STEP;
	least_say(s);
}

// To be called after the store has forgotten it.
static void least_remove(struct turn_server *s, uint16_t mtu)
{
	struct turn_mtus *m = &s->mtus;

	m->of[mtu / TURN_MTU_STEP]--;
	if (m->least >= TURN_MTU_CLASSES || m->of[m->least] != 0)
		return;
	while (m->least < TURN_MTU_CLASSES && m->of[m->least] == 0)
		m->least++;
	least_say(s);
}

// ---- legs ---------------------------------------------------------------------------------------

// Nothing that was learnt later is forgotten; in the same second that is a smaller value.
static void leg_forget(struct turn_server *s, const struct turn_allocation *a, struct turn_leg *leg,
	const struct tp_addr *peer, const struct mtu_age *age)
{
	if (leg->mtu != age->mtu || leg->until_s > age->until_s)
		return;
	*leg = (struct turn_leg){0};
	store_put(s, a, peer, 0);
}

static void age_end(struct turn_server *s, struct mtu_age *age)
{
	struct turn_allocation *a = turn_allocation_by_ref(s, age->allocation);
	bool is_client = age->peer.family == TP_FAMILY_NONE;
	struct turn_permission *p =
		a == NULL || is_client ? NULL : turn_permission_of(s, a, &age->peer);

	if (a != NULL && is_client)
		leg_forget(s, a, &a->leg, NULL, age);
	else if (p != NULL)
		leg_forget(s, a, &p->leg, &age->peer, age);
	ds_list_del(&age->link);
	turn_mtu_take(&s->mtus.shares, age->owner, &age->of_owner);
	least_remove(s, age->mtu);
	ds_pool_return(&s->mtus.pool, age->index);
}

void turn_mtus_advance(struct turn_server *s, uint32_t now_s, unsigned *budget)
{
	if (!s->mtus.said) {
		s->mtus.said = true;
		least_say(s);
	}
	for (; *budget > 0; --*budget) {
		struct mtu_age *age = oldest(&s->mtus);

		if (age == NULL || age->until_s > now_s)
			return;
		age_end(s, age);
	}
}

uint32_t turn_mtus_next_s(const struct turn_mtus *m)
{
	const struct mtu_age *age = oldest(m);

	// Due; 0 is a sweep's.
	if (!m->said)
		return 1;
	return age != NULL ? age->until_s : UINT32_MAX;
}

// A larger value is not believed before the smaller one's time is over: routers on a path differ.
static bool is_news(const struct turn_leg *leg, uint32_t mtu, uint32_t until_s)
{
	return leg->mtu == 0 || mtu < leg->mtu ||
	       (mtu == leg->mtu && until_s > leg->until_s + FRESH_S);
}

// A client above its share loses its own oldest value. Where the memory is full, an owner of most
// loses his oldest: so there is always room for clients that have little.
static void room_make(struct turn_server *s, const struct tp_addr *client)
{
	const struct turn_mtu_owner *owner = turn_mtu_owner_of(&s->mtus.shares, client);
	struct ds_list *first;

	if (owner != NULL && owner->n >= TURN_MTU_SHARE) {
		first = owner->owns.next;
		s->counters.path_mtus_share++;
	} else if (s->mtus.pool.n_taken >= TURN_MTU_MAX) {
		first = turn_mtu_of_most(&s->mtus.shares);
		s->counters.path_mtus_full++;
	} else {
		return;
	}
	age_end(s, DS_CONTAINER(first, struct mtu_age, of_owner));
}

// `peer` NULL: the leg to the client.
static void leg_learn(struct turn_server *s, const struct turn_allocation *a, struct turn_leg *leg,
	const struct tp_addr *peer, uint32_t mtu, uint32_t until_s, enum turn_mtu_source source)
{
	struct mtu_age *age;
	uint32_t index;

	if (mtu == 0 || mtu > UINT16_MAX || !is_news(leg, mtu, until_s))
		return;
	room_make(s, &a->client.remote);
	age = ds_pool_take(&s->mtus.pool, &index);
	// Without memory nothing is learnt that nothing would forget.
	if (age == NULL)
		return;
	age->owner = turn_mtu_give(&s->mtus.shares, &a->client.remote, &age->of_owner);
	if (age->owner == NULL) {
		ds_pool_return(&s->mtus.pool, index);
		return;
	}
	age->index = index;
	age->allocation = a->ref;
	age->until_s = until_s;
	age->mtu = (uint16_t)mtu;
	age->peer = (struct tp_addr){.family = TP_FAMILY_NONE};
	if (peer != NULL)
		age->peer = *peer;
	ds_list_add(&s->mtus.queue, &age->link);
	*leg = (struct turn_leg){
		.until_s = until_s, .mtu = (uint16_t)mtu, .source = (uint8_t)source};
	least_add(s, (uint16_t)mtu);
	store_put(s, a, peer, (uint16_t)mtu);
	s->counters.path_mtus_learnt++;
}

void turn_mtu_renew(struct turn_server *s, const struct turn_permission *p)
{
	const struct turn_allocation *a = p->allocation;

	if (p->leg.mtu != 0)
		store_put(s, a, &p->peer, p->leg.mtu);
	if (a->leg.mtu != 0)
		store_put(s, a, NULL, a->leg.mtu);
}

void turn_restore_path_mtu(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct tp_addr *peer, uint16_t mtu)
{
	struct turn_allocation *a = turn_allocation_by_ref(s, allocation);
	struct turn_permission *p =
		a == NULL || peer == NULL ? NULL : turn_permission_of(s, a, peer);
	uint32_t until_s = tp_expiry_s(now_ns, TURN_MTU_LIFETIME_S);

	if (a != NULL && peer == NULL)
		leg_learn(s, a, &a->leg, NULL, mtu, until_s, TURN_MTU_ICMP);
	else if (p != NULL)
		leg_learn(s, a, &p->leg, &p->peer, mtu, until_s, TURN_MTU_ICMP);
}

// ---- reports of the packet path -----------------------------------------------------------------

// RFC 8656 11.5: a Data indication with the ICMP attribute.
static void icmp_indicate(
	struct turn_server *s, const struct turn_allocation *a, const struct turn_report *r)
{
	struct turn_outs *o = &s->outs;
	uint8_t value[8] = {0, 0, r->type, r->code};
	struct stun_writer w;
	uint32_t txid[3];

	for (size_t i = 0; i < TP_ARRAY_LEN(txid); i++)
		txid[i] = turn_random_u32(&s->random);
	tp_store_be32(value + 4, r->value);
	stun_writer_start(
		&w, o->message, sizeof(o->message), TP_TURN_DATA_INDICATION, (const uint8_t *)txid);
	stun_put_xor_address(&w, TP_ATTR_XOR_PEER_ADDRESS, &r->remote);
	stun_put(&w, stun_attr_table[STUN_ICMP].type, value, sizeof(value));
	o->to = a->client;
	o->message_len = stun_writer_len(&w);
	s->counters.icmp_relayed++;
}

static bool has_relayed(const struct turn_server *s, const struct turn_allocation *a,
	uint16_t relay_id, uint16_t port)
{
	for (unsigned i = 0; i < TURN_RELAY_SLOTS; i++) {
		if (a->slot[i].expires_s != 0 && a->slot[i].port == port &&
			s->conf.relays[a->slot[i].relay].id == relay_id)
			return true;
	}
	return false;
}

bool turn_report(struct turn_server *s, uint64_t now_ns, const struct turn_report *r)
{
	struct turn_allocation *a = turn_allocation_by_ref(s, r->allocation);
	uint32_t until_s = tp_expiry_s(now_ns, TURN_MTU_LIFETIME_S);
	bool is_hole = r->type == TP_REPORT_BLACK_HOLE;
	enum turn_mtu_source source = is_hole ? TURN_MTU_BLACK_HOLE : TURN_MTU_ICMP;
	struct turn_permission *p;

	s->outs.message_len = 0;
	s->outs.refused = false;
	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	if (r->type == TP_REPORT_MOVED)
		return turn_move_reported(s, r);
	if (r->type != TP_REPORT_SCAN && a != NULL && a->client.listener_id == r->local_id &&
		tp_addr_equal(&a->client.remote, &r->remote)) {
		leg_learn(s, a, &a->leg, NULL, r->mtu, until_s, source);
		return true;
	}
	// The data plane is not trusted to have looked.
	p = a != NULL && has_relayed(s, a, r->local_id, r->port)
		    ? turn_permission_of(s, a, &r->remote)
		    : NULL;
	if (p == NULL || !p->in_store) {
		s->counters.reports_stale++;
		return false;
	}
	if (r->type == TP_REPORT_SCAN)
		return true;
	leg_learn(s, a, &p->leg, &p->peer, r->mtu, until_s, source);
	if (!is_hole)
		icmp_indicate(s, a, r);
	return true;
}
