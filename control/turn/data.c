// SPDX-License-Identifier: BSD-3-Clause
#include "data.h"

#include "allocation.h"
#include "cap.h"
#include "permission.h"

int turn_datas_init(struct turn_server *s, const uint8_t key[16])
{
	int err;

	ds_pool_init(&s->data_pool, sizeof(struct turn_data));
	s->data_max = TURN_DATA_MAX;
	err = ds_map_init(&s->data_by_key, key);
	if (err == 0)
		err = ds_map_init(&s->data_by_id, key);
	if (err == 0)
		err = ds_map_init(&s->tcp_by_local, key);
	return err;
}

void turn_datas_fini(struct turn_server *s)
{
	ds_map_fini(&s->data_by_key);
	ds_map_fini(&s->data_by_id);
	ds_map_fini(&s->tcp_by_local);
	ds_pool_fini(&s->data_pool);
}

static bool order(struct turn_server *s, const struct tp_session_order *o)
{
	return turn_outs_add(&s->outs, (struct turn_event){.kind = TURN_OUT_ORDER, .order = *o});
}

// ---- allocations --------------------------------------------------------------------------------

static uint64_t local_hash(const struct turn_server *s, const struct tp_addr *local)
{
	return ds_map_hash(&s->tcp_by_local, local, sizeof(*local));
}

struct turn_allocation *turn_data_allocation_at(
	const struct turn_server *s, const struct tp_addr *local)
{
	struct ds_map_node *n = ds_map_first(&s->tcp_by_local, local_hash(s, local));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_allocation *a = DS_CONTAINER(n, struct turn_allocation, by_local);
		struct tp_addr at = turn_slot_local(s, &a->slot[0]);

		if (tp_addr_equal(&at, local))
			return a;
	}
	return NULL;
}

void turn_data_begin(struct turn_server *s, struct turn_allocation *a)
{
	struct tp_addr local = turn_slot_local(s, &a->slot[0]);

	ds_map_add(&s->tcp_by_local, &a->by_local, local_hash(s, &local));
}

void turn_data_listen(struct turn_server *s, const struct turn_allocation *a)
{
	struct tp_session_order o = {
		.kind = TP_ORDER_LISTEN, .key = a->ref, .local = turn_slot_local(s, &a->slot[0])};

	turn_caps_list(s, a, o.caps);
	// Without memory for it nobody connects to the allocation.
	(void)order(s, &o);
}

void turn_data_end(struct turn_server *s, struct turn_allocation *a)
{
	(void)order(s, &(struct tp_session_order){.kind = TP_ORDER_UNLISTEN,
			       .key = a->ref,
			       .local = turn_slot_local(s, &a->slot[0])});
	while (!ds_list_is_empty(&a->data))
		turn_data_forget(s, DS_CONTAINER(a->data.next, struct turn_data, link));
	ds_map_del(&s->tcp_by_local, &a->by_local);
}

// ---- data connections ---------------------------------------------------------------------------

static uint64_t key_hash(const struct turn_server *s, uint64_t key)
{
	return ds_map_hash(&s->data_by_key, &key, sizeof(key));
}

static struct turn_data *by_key(const struct turn_server *s, uint64_t key)
{
	struct ds_map_node *n = ds_map_first(&s->data_by_key, key_hash(s, key));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_data *d = DS_CONTAINER(n, struct turn_data, by_key);

		if (d->key == key)
			return d;
	}
	return NULL;
}

struct turn_data *turn_data_by_id(const struct turn_server *s, uint32_t id)
{
	struct ds_map_node *n = ds_map_first(&s->data_by_id, key_hash(s, id));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_data *d = DS_CONTAINER(n, struct turn_data, by_id);

		if (d->note.id == id)
			return d;
	}
	return NULL;
}

struct turn_data *turn_data_by_peer(const struct turn_allocation *a, const struct tp_addr *peer)
{
	for (struct ds_list *l = a->data.next; l != &a->data; l = l->next) {
		struct turn_data *d = DS_CONTAINER(l, struct turn_data, link);

		if (tp_addr_equal(&d->peer, peer))
			return d;
	}
	return NULL;
}

static bool quota_is_left(const struct turn_server *s, const struct turn_allocation *a)
{
	const struct turn_realm *realm = a->account->realm;

	return a->n_data < TURN_DATA_ALLOCATION_MAX &&
	       (s->conf.data_per_user == 0 || a->account->n_data < s->conf.data_per_user) &&
	       (realm->conf.max_connections == 0 || realm->n_data < realm->conf.max_connections);
}

// Whether a user with `held` of the `taken` ones may take another, where `max` are the limit.
static bool share_is_left(uint32_t held, uint32_t taken, uint32_t max)
{
	return taken < max && held <= TURN_DATA_SHARE * (uint64_t)(max - taken - 1);
}

enum turn_data_room turn_data_room(const struct turn_server *s, const struct turn_allocation *a)
{
	const struct turn_realm *realm = a->account->realm;
	uint32_t n = a->account->n_data, realm_max = realm->conf.max_connections;

	if (!quota_is_left(s, a))
		return TURN_DATA_QUOTA;
	return share_is_left(n, s->data_pool.n_taken, s->data_max) &&
			       (realm_max == 0 || share_is_left(n, realm->n_data, realm_max))
		       ? TURN_DATA_LEFT
		       : TURN_DATA_SHARED;
}

static struct turn_data *data_add(struct turn_server *s, struct turn_allocation *a, uint64_t key,
	uint32_t id, const struct tp_addr *peer)
{
	struct turn_data *d;
	uint32_t index;

	if (s->data_pool.n_taken >= TURN_DATA_MAX || by_key(s, key) != NULL)
		return NULL;
	d = ds_pool_take(&s->data_pool, &index);
	if (d == NULL)
		return NULL;
	d->index = index;
	d->allocation = a;
	d->key = key;
	d->note.id = id;
	d->peer = *peer;
	ds_map_add(&s->data_by_key, &d->by_key, key_hash(s, key));
	ds_map_add(&s->data_by_id, &d->by_id, key_hash(s, id));
	ds_list_add(&a->data, &d->link);
	a->n_data++;
	a->account->n_data++;
	a->account->realm->n_data++;
	return d;
}

struct turn_data *turn_data_new(
	struct turn_server *s, struct turn_allocation *a, uint64_t key, const struct tp_addr *peer)
{
	uint32_t id;

	// Nobody guesses it: the client's request names nothing else of the peer connection.
	do {
		id = turn_random_u32(&s->random);
	} while (id == 0 || turn_data_by_id(s, id) != NULL);
	return data_add(s, a, key != 0 ? key : id, id, peer);
}

void turn_data_forget(struct turn_server *s, struct turn_data *d)
{
	d->allocation->n_data--;
	d->allocation->account->n_data--;
	d->allocation->account->realm->n_data--;
	ds_list_del(&d->link);
	ds_map_del(&s->data_by_key, &d->by_key);
	ds_map_del(&s->data_by_id, &d->by_id);
	ds_pool_return(&s->data_pool, d->index);
	s->counters.data_closed++;
}

bool turn_data_connect(
	struct turn_server *s, const struct turn_data *d, const struct tp_addr *target)
{
	struct tp_session_order o = {.kind = TP_ORDER_CONNECT,
		.key = d->key,
		.local = turn_slot_local(s, &d->allocation->slot[0]),
		.peer = *target};

	memcpy(o.note, &d->note, sizeof(o.note));
	return order(s, &o);
}

static void close_order(struct turn_server *s, uint64_t key)
{
	(void)order(s, &(struct tp_session_order){.kind = TP_ORDER_CLOSE, .key = key});
}

unsigned turn_data_sweep(struct turn_server *s, struct turn_allocation *a)
{
	unsigned n = 0;

	for (struct ds_list *l = a->data.next, *next; l != &a->data; l = next) {
		struct turn_data *d = DS_CONTAINER(l, struct turn_data, link);

		next = l->next;
		n++;
		if (turn_peer_may_stay(s, a->account, &d->peer))
			continue;
		close_order(s, d->key);
		turn_data_forget(s, d);
	}
	return n;
}

// ---- reports ------------------------------------------------------------------------------------

// The peer as clients know it: a relay address of this server by its advertised name.
static struct tp_addr peer_named(const struct turn_server *s, const struct tp_addr *peer)
{
	const struct turn_local *own = turn_locals_find(&s->locals, peer);
	struct tp_addr named = *peer;

	if (own != NULL)
		memcpy(named.ip, own->advertised.ip, sizeof(named.ip));
	return named;
}

// RFC 6062 5.3. The edge has accepted the connection; without a permission it is closed.
static void arrived(struct turn_server *s, struct turn_allocation *a,
	const struct tp_session_peer *p, const struct tp_addr *peer)
{
	const struct turn_permission *permission = turn_permission_of(s, a, peer);
	struct tp_session_order keep = {.kind = TP_ORDER_KEEP, .key = p->key};
	struct turn_data *d = NULL;

	if (p->key > UINT32_MAX && permission != NULL && permission->in_store &&
		turn_peer_may_stay(s, a->account, peer) && turn_data_by_peer(a, peer) == NULL &&
		turn_data_room(s, a) == TURN_DATA_LEFT)
		d = turn_data_new(s, a, p->key, peer);
	if (d == NULL) {
		s->counters.data_refused++;
		close_order(s, p->key);
		return;
	}
	d->state = TP_PEER_WAITS;
	s->counters.data_arrived++;
	memcpy(keep.note, &d->note, sizeof(keep.note));
	(void)order(s, &keep);
	turn_attempt_tell(s, d);
}

// Of a peer connection from before this process began. False: it is not to be.
static struct turn_data *adopt(struct turn_server *s, struct turn_allocation *a,
	const struct tp_session_peer *p, const struct tp_addr *peer)
{
	struct turn_data_note note;
	struct turn_data *d;

	memcpy(&note, p->note, sizeof(note));
	if (note.id == 0 || turn_data_by_id(s, note.id) != NULL ||
		!turn_peer_may_stay(s, a->account, peer) || !quota_is_left(s, a))
		return NULL;
	d = data_add(s, a, p->key, note.id, peer);
	if (d == NULL)
		return NULL;
	d->note = note;
	// The answer of a connected one may not have left: another does no harm.
	d->state = (note.flags & TURN_NOTE_CONNECT) != 0 ? TP_PEER_CONNECTS : TP_PEER_WAITS;
	return d;
}

static void gone(struct turn_server *s, struct turn_data *d, const struct tp_session_peer *p)
{
	if (d->state == TP_PEER_CONNECTS && p->failed != 0) {
		s->counters.data_failed++;
		turn_connect_answer(s, d, 447);
	}
	turn_data_forget(s, d);
}

static void state_take(struct turn_server *s, struct turn_data *d, const struct tp_session_peer *p)
{
	d->stale = false;
	switch ((enum tp_peer_state)p->state) {
	case TP_PEER_WAITS:
		if (d->state == TP_PEER_CONNECTS)
			turn_connect_answer(s, d, 0);
		d->state = TP_PEER_WAITS;
		break;
	case TP_PEER_JOINED:
		d->state = TP_PEER_JOINED;
		break;
	case TP_PEER_GONE:
		gone(s, d, p);
		break;
	case TP_PEER_CONNECTS:
	case TP_PEER_ARRIVED:
		break;
	}
}

void turn_peer_reported(struct turn_server *s, uint64_t now_ns, const struct tp_session_peer *p)
{
	struct turn_allocation *a = turn_data_allocation_at(s, &p->local);
	struct turn_data *d = by_key(s, p->key);
	struct tp_addr peer = peer_named(s, &p->peer);

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	s->outs.message_len = 0;
	s->outs.join.kind = 0;
	s->outs.refused = false;
	if (d != NULL && d->allocation != a)
		return;
	if (d == NULL && a != NULL && p->state == TP_PEER_ARRIVED) {
		arrived(s, a, p, &peer);
		return;
	}
	if (d == NULL && a != NULL)
		d = adopt(s, a, p, &peer);
	if (d != NULL)
		state_take(s, d, p);
	else if (p->state != TP_PEER_GONE)
		close_order(s, p->key);
}

static void last_tell(struct turn_server *s, uint64_t ref, const struct tp_session_relay *r)
{
	if (s->store.allocation_last != NULL && ref <= UINT32_MAX)
		s->store.allocation_last(
			s->store.ctx, (uint32_t)ref, &r->local, r->to_peer, r->to_client);
}

// The edge has forgotten the port, and tells no end of it.
static void relay_failed(struct turn_server *s, uint64_t now_ns, struct turn_allocation *a,
	const struct tp_session_relay *r)
{
	uint32_t ref = a->ref;

	turn_allocation_close(s, now_ns, a, TURN_CLOSE_RELAY);
	last_tell(s, ref, r);
}

void turn_relay_reported(struct turn_server *s, uint64_t now_ns, const struct tp_session_relay *r)
{
	struct turn_allocation *a = turn_data_allocation_at(s, &r->local);

	ds_wheel_start(&s->wheel, turn_seconds(now_ns));
	if (r->state == TP_RELAY_ENDED) {
		last_tell(s, r->key, r);
		return;
	}
	if (a != NULL && s->store.allocation_octets != NULL)
		s->store.allocation_octets(s->store.ctx, a->ref, r->to_peer, r->to_client);
	if (a != NULL && r->state == TP_RELAY_FAILED)
		relay_failed(s, now_ns, a, r);
	else if (a == NULL && r->state == TP_RELAY_LISTENS)
		(void)order(
			s, &(struct tp_session_order){
				   .kind = TP_ORDER_UNLISTEN, .key = r->key, .local = r->local});
}

void turn_edge_room(struct turn_server *s, uint64_t peers_max)
{
	s->data_max =
		peers_max > 0 && peers_max < TURN_DATA_MAX ? (uint32_t)peers_max : TURN_DATA_MAX;
}

void turn_edge_synced(struct turn_server *s, uint64_t peers_max)
{
	turn_edge_room(s, peers_max);
	for (uint32_t i = 0; i < ds_pool_end(&s->data_pool); i++) {
		struct turn_data *d = ds_pool_at(&s->data_pool, i);

		// A free one is all zero.
		if (d->allocation != NULL && d->stale)
			turn_data_forget(s, d);
	}
	for (uint32_t i = 0; i < ds_pool_end(&s->allocation_pool); i++) {
		struct turn_allocation *a = ds_pool_at(&s->allocation_pool, i);

		// Those that the edge has may have other caps since this process began.
		if (a->live && a->is_tcp)
			turn_data_listen(s, a);
	}
}
