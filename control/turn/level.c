// SPDX-License-Identifier: BSD-3-Clause
#include "level.h"

#include <stdlib.h>

#include "cap.h"

int turn_levels_init(struct turn_levels *l, const uint8_t key[16])
{
	ds_list_init(&l->all);
	return ds_map_init(&l->by_limit, key);
}

void turn_levels_fini(struct turn_levels *l)
{
	while (l->all.next != NULL && !ds_list_is_empty(&l->all)) {
		struct turn_level_split *d =
			DS_CONTAINER(l->all.next, struct turn_level_split, link);

		ds_list_del(&d->link);
		free(d);
	}
	ds_map_fini(&l->by_limit);
}

void turn_limit_settle(
	struct turn_server *s, uint32_t *number, const struct turn_limit *limit, bool needed)
{
	const struct turn_store *store = &s->store;

	if (needed && *number == 0)
		*number = store->limit_add(store->ctx, limit);
	else if (needed)
		store->limit_set(store->ctx, *number, limit);
	else if (*number != 0)
		store->limit_del(store->ctx, *number);
	if (!needed)
		*number = 0;
}

// ---- both sides ---------------------------------------------------------------------------------

// The burst goes with the rate: it stays as long in time.
static uint64_t burst_of(const struct turn_cap *cap, uint64_t bits_per_s)
{
	return (uint64_t)((double)cap->burst_bits * (double)bits_per_s / (double)cap->bits_per_s);
}

static struct tp_session_cap streams_cap(
	uint32_t number, const struct turn_cap *cap, uint64_t bits_per_s, uint32_t flags)
{
	return (struct tp_session_cap){.id = number,
		.bits_per_s = bits_per_s,
		.burst_bits = burst_of(cap, bits_per_s),
		.flags = flags};
}

// Without memory for the order the edge's rates stay as they are.
static void streams_tell(struct turn_server *s, const struct tp_session_cap *cap)
{
	(void)turn_outs_add(&s->outs, (struct turn_event){.kind = TURN_OUT_ORDER,
					      .order = {.kind = TP_ORDER_CAPS, .caps = {*cap}}});
}

static struct turn_limit packets_limit(const struct turn_level_split *d)
{
	struct turn_limit limit = d->limit;

	limit.cap.bits_per_s = d->split.packets.rate;
	limit.cap.burst_bits = burst_of(&d->limit.cap, limit.cap.bits_per_s);
	limit.sessions = d->split.n_packets;
	return limit;
}

static void both_tell(struct turn_server *s, const struct turn_level_split *d)
{
	const struct turn_limit limit = packets_limit(d);
	const struct tp_session_cap cap =
		streams_cap(d->number, &d->limit.cap, d->split.streams.rate, TP_CAP_WATCHED);

	s->store.limit_set(s->store.ctx, d->number, &limit);
	streams_tell(s, &cap);
}

// ---- levels -------------------------------------------------------------------------------------

static uint64_t number_hash(const struct turn_server *s, uint32_t number)
{
	return ds_map_hash(&s->levels.by_limit, &number, sizeof(number));
}

static void split_set(struct turn_level *level, const struct turn_limit *limit)
{
	struct turn_level_split *d = level->split;

	d->limit = *limit;
	d->split.bits_per_s = limit->cap.bits_per_s;
	d->split.n_streams = level->n_streams;
	d->split.n_packets = limit->sessions - level->n_streams;
}

// Without memory both sides have the whole cap.
static void split_begin(
	struct turn_server *s, struct turn_level *level, const struct turn_limit *limit)
{
	struct turn_level_split *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return;
	level->split = d;
	d->number = level->limit;
	split_set(level, limit);
	turn_split_begin(&d->split);
	ds_map_add(&s->levels.by_limit, &d->by_limit, number_hash(s, d->number));
	ds_list_add(&s->levels.all, &d->link);
	both_tell(s, d);
}

static void split_end(struct turn_server *s, struct turn_level *level)
{
	struct turn_level_split *d = level->split;
	const struct tp_session_cap whole =
		streams_cap(d->number, &d->limit.cap, d->limit.cap.bits_per_s, 0);

	if (level->n_streams > 0)
		streams_tell(s, &whole);
	ds_map_del(&s->levels.by_limit, &d->by_limit);
	ds_list_del(&d->link);
	free(d);
	level->split = NULL;
}

void turn_level_settle(struct turn_server *s, struct turn_level *level,
	const struct turn_limit *limit, bool needed)
{
	bool both = needed && s->store.limit_octets != NULL && limit->cap.bits_per_s != 0 &&
		    level->n_streams > 0 && level->n_streams < limit->sessions;
	struct turn_limit packets;

	if (level->split != NULL && !both)
		split_end(s, level);
	if (level->split != NULL) {
		bool changed;

		split_set(level, limit);
		changed = turn_split_settle(&level->split->split);
		packets = packets_limit(level->split);
		turn_limit_settle(s, &level->limit, &packets, true);
		if (changed)
			both_tell(s, level->split);
		return;
	}
	turn_limit_settle(s, &level->limit, limit, needed);
	if (both && level->limit != 0)
		split_begin(s, level, limit);
}

struct tp_session_cap turn_level_cap(const struct turn_level *level, const struct turn_cap *cap)
{
	const struct turn_level_split *d = level->split;

	if (level->limit == 0 || cap->bits_per_s == 0)
		return (struct tp_session_cap){0};
	if (d != NULL)
		return streams_cap(d->number, &d->limit.cap, d->split.streams.rate, TP_CAP_WATCHED);
	return streams_cap(level->limit, cap, cap->bits_per_s, 0);
}

void turn_cap_used(struct turn_server *s, uint64_t now_ns, const struct tp_session_used *u)
{
	struct ds_map_node *n = ds_map_first(&s->levels.by_limit, number_hash(s, u->id));

	for (; n != NULL; n = ds_map_next(n)) {
		struct turn_level_split *d = DS_CONTAINER(n, struct turn_level_split, by_limit);
		uint64_t octets;

		if (d->number != u->id)
			continue;
		octets = s->store.limit_octets(s->store.ctx, d->number);
		if (turn_split_look(&d->split, now_ns, octets, u->octets, u->at_ns))
			both_tell(s, d);
		return;
	}
}

void turn_caps_streams_lost(struct turn_server *s)
{
	for (struct ds_list *k = s->levels.all.next; k != &s->levels.all; k = k->next) {
		struct turn_level_split *d = DS_CONTAINER(k, struct turn_level_split, link);

		if (turn_split_streams_lost(&d->split))
			both_tell(s, d);
	}
}
