// SPDX-License-Identifier: BSD-3-Clause
#include <ds/wheel.h>

void ds_wheel_init(struct ds_wheel *w)
{
	w->at_s = 0;
	w->n = 0;
	memset(w->used, 0, sizeof(w->used));
	for (unsigned i = 0; i < DS_WHEEL_SLOTS; i++)
		ds_list_init(&w->slot[i]);
}

void ds_timer_init(struct ds_timer *t, unsigned kind)
{
	ds_list_init(&t->link);
	t->expires_s = 0;
	t->kind = kind;
}

static bool timer_is_set(const struct ds_timer *t)
{
	return !ds_list_is_empty(&t->link);
}

// Into the slot of its second; of this turn's first or last one when it lies outside.
static void timer_place(struct ds_wheel *w, struct ds_timer *t)
{
	uint32_t s = t->expires_s;
	unsigned i;

	if (s < w->at_s)
		s = w->at_s;
	if (s - w->at_s >= DS_WHEEL_SLOTS)
		s = w->at_s + DS_WHEEL_SLOTS - 1;
	i = s % DS_WHEEL_SLOTS;
	ds_list_add(&w->slot[i], &t->link);
	w->used[i / 64] |= UINT64_C(1) << i % 64;
}

void ds_wheel_set(struct ds_wheel *w, struct ds_timer *t, uint32_t expires_s)
{
	ds_wheel_stop(w, t);
	t->expires_s = expires_s;
	timer_place(w, t);
	w->n++;
}

void ds_wheel_stop(struct ds_wheel *w, struct ds_timer *t)
{
	if (!timer_is_set(t))
		return;
	ds_list_del(&t->link);
	w->n--;
}

// Seconds from at_s to the next slot that may hold timers; DS_WHEEL_SLOTS when there is none.
static unsigned slots_ahead(const struct ds_wheel *w)
{
	unsigned first = w->at_s % DS_WHEEL_SLOTS;
	unsigned n_words = DS_WHEEL_SLOTS / 64;

	for (unsigned k = 0; k <= n_words; k++) {
		unsigned i = (first / 64 + k) % n_words;
		uint64_t word = w->used[i];

		// The first word is seen twice: its upper part first, its lower part last.
		if (k == 0)
			word &= ~UINT64_C(0) << first % 64;
		if (k == n_words)
			word &= ~(~UINT64_C(0) << first % 64);
		if (word != 0) {
			unsigned slot = i * 64 + (unsigned)__builtin_ctzll(word);

			return (slot - first) % DS_WHEEL_SLOTS;
		}
	}
	return DS_WHEEL_SLOTS;
}

struct ds_timer *ds_wheel_pop(struct ds_wheel *w, uint32_t now_s, unsigned *budget)
{
	while (*budget > 0) {
		unsigned ahead = slots_ahead(w);
		unsigned i = (w->at_s + ahead) % DS_WHEEL_SLOTS;
		struct ds_timer *t;

		if (w->n == 0 || w->at_s + ahead > now_s || w->at_s > now_s) {
			if (w->at_s < now_s)
				w->at_s = now_s;
			return NULL;
		}
		w->at_s += ahead;
		if (ds_list_is_empty(&w->slot[i])) {
			w->used[i / 64] &= ~(UINT64_C(1) << i % 64);
			continue;
		}
		--*budget;
		t = DS_CONTAINER(w->slot[i].next, struct ds_timer, link);
		ds_list_del(&t->link);
		if (t->expires_s <= now_s) {
			w->n--;
			return t;
		}
		timer_place(w, t);
	}
	return NULL;
}

uint32_t ds_wheel_next_s(const struct ds_wheel *w)
{
	return w->n > 0 ? w->at_s + slots_ahead(w) : UINT32_MAX;
}
