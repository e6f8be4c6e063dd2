// SPDX-License-Identifier: BSD-3-Clause
// All associations of a thread: their times, their end.
#include "association.h"

#include <stdlib.h>
#include <sys/random.h>

static uint64_t list_expire(struct associations *all, struct ds_list *list, uint64_t limit_ns)
{
	while (!ds_list_is_empty(list)) {
		struct association *a = DS_CONTAINER(list->next, struct association, timed);

		if (a->since_ns + limit_ns > all->thread->now_ns)
			return a->since_ns + limit_ns;
		association_close(a, list == &all->idle ? SERVE_CLOSE_idle_timeout
							: SERVE_CLOSE_handshake_timeout);
	}
	return UINT64_MAX;
}

static void flights_tick(struct associations *all)
{
	for (struct ds_list *l = all->shaking.next, *next; l != &all->shaking; l = next) {
		struct association *a = DS_CONTAINER(l, struct association, timed);

		next = l->next;
		if (a->dtls != NULL && dtls_tick(a->dtls) == DTLS_ENDED)
			association_close(a, SERVE_CLOSE_handshake);
	}
	all->ticked_ns = all->thread->now_ns;
}

static void refused_close(struct associations *all)
{
	while (!ds_list_is_empty(&all->refused)) {
		struct association *a = DS_CONTAINER(all->refused.next, struct association, timed);

		association_close(a, a->fault);
	}
}

uint64_t associations_expire(struct associations *all)
{
	const struct serve_times *times = &all->thread->serve->times;
	uint64_t due_ns, idle_ns;

	refused_close(all);
	due_ns = bridges_expire(all);
	// Those that have a session here alone end by the time of the next process.
	if (!all->thread->serve->leaves) {
		idle_ns = list_expire(all, &all->idle, times->idle_ns);
		due_ns = idle_ns < due_ns ? idle_ns : due_ns;
		(void)list_expire(all, &all->shaking, times->handshake_ns);
	}
	if (ds_list_is_empty(&all->shaking))
		return due_ns;
	if (all->thread->now_ns >= all->ticked_ns + ASSOCIATION_TICK_NS)
		flights_tick(all);
	return all->ticked_ns + ASSOCIATION_TICK_NS;
}

void associations_end(struct associations *all)
{
	struct ds_list *lists[] = {&all->shaking, &all->idle};

	refused_close(all);
	for (size_t i = 0; i < TP_ARRAY_LEN(lists); i++) {
		while (!ds_list_is_empty(lists[i]))
			association_close(DS_CONTAINER(lists[i]->next, struct association, timed),
				SERVE_CLOSE_stopping);
	}
	bridges_end(all);
}

void associations_reap(struct associations *all)
{
	while (!ds_list_is_empty(&all->dead)) {
		struct association *a = DS_CONTAINER(all->dead.next, struct association, timed);

		ds_list_del(&a->timed);
		free(a);
	}
}

struct associations *associations_create(struct serve_thread *t)
{
	struct associations *all = calloc(1, sizeof(*all));
	uint8_t key[16];

	if (all == NULL)
		return NULL;
	all->thread = t;
	ds_list_init(&all->shaking);
	ds_list_init(&all->idle);
	ds_list_init(&all->refused);
	ds_list_init(&all->parting);
	ds_list_init(&all->dead);
	if (getrandom(key, sizeof(key), 0) == (ssize_t)sizeof(key) &&
		ds_map_init(&all->map, key) == 0)
		return all;
	free(all);
	return NULL;
}

void associations_destroy(struct associations *all)
{
	if (all == NULL)
		return;
	associations_reap(all);
	ds_map_fini(&all->map);
	free(all);
}
