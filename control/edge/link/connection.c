// SPDX-License-Identifier: BSD-3-Clause
// A thread's connections: a slot each, named by a handle.
#include "state.h"

static struct slot *slot_take(struct edge_link_thread *t, uint32_t *index)
{
	if (t->first_free != 0) {
		*index = t->first_free;
		t->first_free = t->slots[*index].next_free;
	} else if (t->n_fresh < t->link->settings.connections_max) {
		*index = ++t->n_fresh;
	} else {
		return NULL;
	}
	return &t->slots[*index];
}

// 0 stands for no connection.
static uint32_t generation_next(struct edge_link_thread *t)
{
	uint32_t g = atomic_load_explicit(&t->generation, memory_order_relaxed) + 1;

	g += g == 0;
	atomic_store_explicit(&t->generation, g, memory_order_relaxed);
	return g;
}

struct slot *connection_slot(struct edge_link_thread *t, uint64_t connection, uint32_t *index)
{
	uint32_t egress = tp_connection_egress(connection);
	struct slot *s;

	*index = tp_egress_slot(egress);
	if (!tp_connection_valid(connection) || tp_egress_thread(egress) != t->number ||
		*index == 0 || *index > t->n_fresh)
		return NULL;
	s = &t->slots[*index];
	return s->owner != NULL && s->generation == tp_connection_generation(connection) ? s : NULL;
}

uint64_t edge_link_open(struct edge_link_thread *t, uint16_t listener_id,
	const struct tp_addr *remote, uint16_t flags, void *owner)
{
	struct tp_session_report is = {
		.remote = *remote, .listener_id = listener_id, .flags = flags};
	struct slot *s;
	uint32_t index;

	if (listener_id == 0 || owner == NULL || remote->port_be == 0 ||
		(remote->family != TP_FAMILY_IPV4 && remote->family != TP_FAMILY_IPV6))
		return 0;
	s = slot_take(t, &index);
	if (s == NULL) {
		counter_add(&t->counters.refused, 1);
		return 0;
	}
	s->owner = owner;
	s->generation = generation_next(t);
	is.connection = tp_connection(t->number, index, s->generation);
	session_mark(t->link, s, &is);
	t->untold = true;
	counter_add(&t->counters.opened, 1);
	return is.connection;
}

uint16_t edge_link_listener_of(struct edge_link_thread *t, uint64_t connection)
{
	uint32_t index;
	const struct slot *s = connection_slot(t, connection, &index);

	return s == NULL ? 0 : s->is.listener_id;
}

void *edge_link_owner_of(struct edge_link_thread *t, uint64_t connection)
{
	uint32_t index;
	const struct slot *s = connection_slot(t, connection, &index);

	return s == NULL ? NULL : s->owner;
}

void edge_link_close(struct edge_link_thread *t, uint64_t connection)
{
	static const struct tp_session_report none;
	uint32_t index;
	struct slot *s = connection_slot(t, connection, &index);

	if (s == NULL)
		return;
	s->owner = NULL;
	s->next_free = t->first_free;
	t->first_free = index;
	session_mark(t->link, s, &none);
	t->untold = true;
	counter_add(&t->counters.closed, 1);
}
