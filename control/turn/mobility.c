// SPDX-License-Identifier: BSD-3-Clause
#include "mobility.h"

#include <errno.h>

#include "allocation.h"
#include "request.h"
#include "stream.h"
#include "ticket.h"
#include "tuple.h"

int turn_moves_init(struct turn_server *s, const uint8_t map_key[16])
{
	int err = ds_map_init(&s->moves_by_tuple, map_key);

	ds_pool_init(&s->move_pool, sizeof(struct turn_move));
	return err == 0 ? ds_map_init(&s->by_ticket, map_key) : err;
}

void turn_moves_fini(struct turn_server *s)
{
	ds_map_fini(&s->by_ticket);
	ds_map_fini(&s->moves_by_tuple);
	ds_pool_fini(&s->move_pool);
}

static bool is_offered(const struct turn_server *s)
{
	return s->conf.mobility && s->store.move_begin != NULL;
}

static bool tuple_is(const struct turn_tuple *a, const struct turn_tuple *b)
{
	return turn_tuple_equal(a, b) && a->connection == b->connection;
}

// ---- tickets ----------------------------------------------------------------------------------

static uint64_t ticket_hash(const struct turn_server *s, uint64_t number)
{
	uint64_t key = turn_ticket_allocation(number);

	return ds_map_hash(&s->by_ticket, &key, sizeof(key));
}

static struct turn_allocation *allocation_by_ticket(const struct turn_server *s, uint64_t number)
{
	struct ds_map_node *n = ds_map_first(&s->by_ticket, ticket_hash(s, number));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_allocation *a = DS_CONTAINER(n, struct turn_allocation, by_ticket);

		if (turn_ticket_allocation(a->ticket) == turn_ticket_allocation(number))
			return a;
	}
	return NULL;
}

void turn_mobility_start(struct turn_server *s, struct turn_allocation *a)
{
	uint64_t number;

	do {
		number = (uint64_t)turn_random_u32(&s->random) << 32 | turn_random_u32(&s->random);
		number = turn_ticket_allocation(number);
	} while (number == 0 || allocation_by_ticket(s, number) != NULL);
	a->ticket = number;
	a->flags |= TURN_RECORD_MOBILE;
}

void turn_mobility_link(struct turn_server *s, struct turn_allocation *a)
{
	if ((a->flags & TURN_RECORD_MOBILE) != 0)
		ds_map_add(&s->by_ticket, &a->by_ticket, ticket_hash(s, a->ticket));
}

void turn_mobility_unlink(struct turn_server *s, struct turn_allocation *a)
{
	if ((a->flags & TURN_RECORD_MOBILE) != 0)
		ds_map_del(&s->by_ticket, &a->by_ticket);
}

void turn_mobility_put(const struct turn_request *r, struct stun_writer *w)
{
	const struct turn_server *s = r->s;
	uint8_t ticket[TURN_TICKET_LEN];

	if ((r->a->flags & TURN_RECORD_MOBILE) == 0)
		return;
	if (turn_ticket_seal(s->conf.ticket_key, r->a->ticket, ticket))
		stun_put(w, stun_attr_table[STUN_MOBILITY_TICKET].type, ticket, sizeof(ticket));
}

// ---- moves ------------------------------------------------------------------------------------

static struct turn_move *move_find(const struct turn_server *s, const struct turn_tuple *client)
{
	struct ds_map_node *n =
		ds_map_first(&s->moves_by_tuple, turn_tuple_hash(&s->moves_by_tuple, client, NULL));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_move *move = DS_CONTAINER(n, struct turn_move, by_tuple);

		if (turn_tuple_equal(&move->client, client))
			return move;
	}
	return NULL;
}

struct turn_allocation *turn_move_by_tuple(
	const struct turn_server *s, const struct turn_tuple *client)
{
	const struct turn_move *move = move_find(s, client);

	return move != NULL ? move->allocation : NULL;
}

static void move_free(struct turn_server *s, struct turn_move *move)
{
	struct turn_allocation *a = move->allocation;

	turn_entries_count(s, a->account, -(int)turn_allocation_entries(a));
	a->move = NULL;
	ds_wheel_stop(&s->wheel, &move->timer);
	ds_map_del(&s->moves_by_tuple, &move->by_tuple);
	ds_pool_return(&s->move_pool, move->index);
}

static void refs_replace(struct turn_server *s, struct turn_allocation *a)
{
	const struct turn_store *store = &s->store;

	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next) {
		struct turn_permission *p = DS_CONTAINER(l, struct turn_permission, link);

		if (p->in_store)
			p->ref = store->move_ref(store->ctx, p->ref);
		p->leg = (struct turn_leg){0};
		for (struct ds_list *k = p->channels.next; k != &p->channels; k = k->next) {
			struct turn_channel *c = DS_CONTAINER(k, struct turn_channel, link);

			c->ref = store->move_ref(store->ctx, c->ref);
		}
	}
}

void turn_move_finish(struct turn_server *s, struct turn_allocation *a)
{
	struct turn_move *move = a->move;
	uint32_t previous = a->ref;

	refs_replace(s, a);
	s->store.move_finish(s->store.ctx, a->ref);
	turn_allocation_readdress(s, a, &move->client, move->ref);
	move_free(s, move);
	s->counters.moves++;
	(void)turn_outs_add(&s->outs, (struct turn_event){
					      .allocation = a,
					      .kind = TURN_OUT_ALLOCATION_MOVED,
					      .ref = previous,
				      });
}

void turn_move_abandon(struct turn_server *s, struct turn_allocation *a)
{
	s->store.move_cancel(s->store.ctx, a->ref);
	move_free(s, a->move);
	s->counters.moves_abandoned++;
}

void turn_move_expire(struct turn_server *s, struct turn_move *move)
{
	turn_move_abandon(s, move->allocation);
}

// The sweep after a reload may not have come here yet.
static bool can_finish(const struct turn_server *s, const struct turn_move *move)
{
	return turn_locals_listener(&s->locals, move->client.listener_id) != NULL;
}

bool turn_move_reported(struct turn_server *s, const struct turn_report *r)
{
	const struct turn_tuple client = {.remote = r->remote, .listener_id = r->local_id};
	struct turn_move *move = move_find(s, &client);

	// The data plane may tell it once more than is needed, and is not trusted besides.
	if (move == NULL || move->ref != r->allocation) {
		s->counters.reports_stale++;
		return false;
	}
	if (can_finish(s, move))
		turn_move_finish(s, move->allocation);
	else
		turn_move_abandon(s, move->allocation);
	return true;
}

static unsigned move_begin(struct turn_request *r, struct turn_allocation *a)
{
	struct turn_server *s = r->s;
	struct turn_move *move;
	uint32_t index, n = turn_allocation_entries(a);

	if (!turn_entries_are_left(s, a->account, n))
		return turn_refuse(r, TURN_REFUSED_SHARE, 508);
	move = ds_pool_take(&s->move_pool, &index);
	if (move == NULL)
		return 508;
	turn_mobility_give_way(s, r->now_ns, r->from);
	if (s->store.move_begin(s->store.ctx, a->ref, r->from, &move->ref) != 0) {
		ds_pool_return(&s->move_pool, index);
		return turn_refuse(r, TURN_REFUSED_TABLES, 508);
	}
	move->index = index;
	move->allocation = a;
	move->client = *r->from;
	ds_timer_init(&move->timer, TURN_TIMER_MOVE);
	ds_map_add(&s->moves_by_tuple, &move->by_tuple,
		turn_tuple_hash(&s->moves_by_tuple, &move->client, NULL));
	ds_wheel_set(&s->wheel, &move->timer, tp_expiry_s(r->now_ns, TURN_MOVE_S));
	turn_entries_count(s, a->account, (int)n);
	a->move = move;
	s->counters.moves_begun++;
	return 0;
}

// Whether it may move once more; counts it.
static bool may_move(struct turn_allocation *a, uint64_t now_ns)
{
	const uint64_t cost_ns = TP_NS_PER_S / TURN_MOVES_PER_S;

	if (a->next_move_ns > now_ns + TURN_MOVES_AT_ONCE * cost_ns)
		return false;
	if (a->next_move_ns < now_ns)
		a->next_move_ns = now_ns;
	a->next_move_ns += cost_ns;
	return true;
}

// To another 5-tuple than it has.
static unsigned move_to(struct turn_request *r, struct turn_allocation *a)
{
	struct turn_server *s = r->s;
	unsigned code;

	if (a->move != NULL && tuple_is(&a->move->client, r->from)) {
		ds_wheel_set(&s->wheel, &a->move->timer, tp_expiry_s(r->now_ns, TURN_MOVE_S));
		return 0;
	}
	if (!may_move(a, r->now_ns)) {
		s->counters.moves_refused++;
		return turn_refuse(r, TURN_REFUSED_MOVES, 508);
	}
	if (a->move != NULL)
		turn_move_abandon(s, a);
	if (a->held && turn_tuple_equal(&a->client, r->from)) {
		s->store.reconnect(s->store.ctx, a->ref, r->from->connection);
		a->client.connection = r->from->connection;
		a->held = false;
		s->counters.moves++;
		return 0;
	}
	code = move_begin(r, a);
	// Nobody hears by the first 5-tuple.
	if (code == 0 && a->held)
		turn_move_finish(s, a);
	return code;
}

void turn_mobility_hold(
	struct turn_server *s, struct turn_allocation *a, const struct turn_tuple *gone)
{
	if (!turn_tuple_equal(&a->client, gone)) {
		turn_move_abandon(s, a);
		return;
	}
	if (a->move != NULL && can_finish(s, a->move)) {
		turn_move_finish(s, a);
		return;
	}
	if (a->move != NULL)
		turn_move_abandon(s, a);
	a->held = true;
	s->counters.allocations_held++;
}

void turn_mobility_give_way(struct turn_server *s, uint64_t now_ns, const struct turn_tuple *client)
{
	struct turn_allocation *a = turn_allocation_held(s, client);

	if (a != NULL)
		turn_allocation_close(s, now_ns, a, TURN_CLOSE_CONNECTION);
}

// ---- requests ---------------------------------------------------------------------------------

// The number of the request's ticket; false: it is none of ours.
static bool ticket_read(const struct turn_request *r, uint64_t *number)
{
	struct stun_value value = r->m->attr[STUN_MOBILITY_TICKET];

	return value.octets != NULL &&
	       turn_ticket_open(r->s->conf.ticket_key, value.octets, value.len, number);
}

struct turn_allocation *turn_mobility_owned(struct turn_request *r)
{
	struct turn_allocation *a;
	uint64_t number;

	if (!is_offered(r->s) || !ticket_read(r, &number))
		return NULL;
	a = allocation_by_ticket(r->s, number);
	if (a != NULL && a->timer.expires_s <= r->now_s &&
		!turn_allocation_expire(r->s, r->now_ns, a))
		return NULL;
	r->ticket = number;
	return a;
}

unsigned turn_mobility_wish(const struct turn_request *r, bool *wanted)
{
	*wanted = stun_has(r->m, STUN_MOBILITY_TICKET);
	if (!*wanted)
		return 0;
	if (!is_offered(r->s))
		return 405;
	return r->m->attr[STUN_MOBILITY_TICKET].len != 0 ? 400 : 0;
}

// The answer to the request that used the ticket before the last may be lost.
static bool is_repeated(const struct turn_request *r, const struct turn_allocation *a)
{
	const struct turn_tuple *last = a->move != NULL ? &a->move->client : &a->client;

	return turn_ticket_next(r->ticket) == a->ticket && tuple_is(last, r->from) &&
	       memcmp(a->txid, r->m->txid, sizeof(a->txid)) == 0;
}

static unsigned ticket_refuse(struct turn_request *r)
{
	r->s->counters.tickets_refused++;
	return turn_refuse(r, TURN_REFUSED_TICKET, 437);
}

unsigned turn_mobility_check(struct turn_request *r)
{
	struct turn_allocation *a = r->moved;

	if (!is_offered(r->s))
		return 405;
	if (r->m->attr[STUN_MOBILITY_TICKET].len == 0)
		return 400;
	if (a == NULL)
		return ticket_refuse(r);
	if (!turn_identity_is(a->user, &r->principal))
		return 441;
	if (r->a != NULL && r->a != a)
		return 437;
	if (r->ticket != a->ticket && !is_repeated(r, a))
		return ticket_refuse(r);
	r->a = a;
	return 0;
}

unsigned turn_mobility_move(struct turn_request *r)
{
	struct turn_server *s = r->s;
	struct turn_allocation *a = r->a;
	unsigned code = 0;

	if (r->ticket != a->ticket) {
		s->counters.retransmissions++;
		return 0;
	}
	if (policy_client_is_tunnel(&r->from->remote))
		return turn_refuse(r, TURN_REFUSED_TUNNEL, 403);
	if (a->held || !tuple_is(&a->client, r->from))
		code = move_to(r, a);
	else if (a->move != NULL)
		turn_move_abandon(s, a);
	if (code != 0)
		return code;
	a->ticket = turn_ticket_next(a->ticket);
	memcpy(a->txid, r->m->txid, sizeof(a->txid));
	s->store.ticket_set(s->store.ctx, a->ref, a->ticket, a->txid);
	return 0;
}

// ---- after a restart ----------------------------------------------------------------------------

int turn_restore_move(struct turn_server *s, uint64_t now_ns, uint32_t allocation,
	const struct turn_tuple *client)
{
	struct turn_allocation *a = turn_allocation_by_ref(s, allocation);
	struct turn_request r = {
		.s = s, .now_ns = now_ns, .now_s = turn_seconds(now_ns), .from = client};
	const struct turn_listener *l = turn_locals_listener(&s->locals, client->listener_id);
	int err = 0;

	if (a == NULL || a->move != NULL || (a->flags & TURN_RECORD_MOBILE) == 0 || l == NULL ||
		turn_allocation_by_tuple(s, client) != NULL || !is_offered(s))
		return -EINVAL;
	ds_wheel_start(&s->wheel, r.now_s);
	if (turn_listener_is_stream(l))
		err = turn_stream_restore(s, now_ns, client);
	if (err != 0)
		return err;
	return move_begin(&r, a) == 0 ? 0 : -ENOSPC;
}
