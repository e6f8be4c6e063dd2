// SPDX-License-Identifier: BSD-3-Clause
// Grace periods: the number that tags slots retired now, and the request for the next one. One
// request at a time is open; it covers all slots retired before it was made.
#include "tables.h"

#include <shm/futex.h>

uint32_t tables_grace_tag(const struct tables *t)
{
	return atomic_load_explicit(&t->shm.header->gp_req, memory_order_relaxed) + 1;
}

uint32_t tables_grace_done(const struct tables *t)
{
	return atomic_load_explicit(&t->state->header->gp_done, memory_order_acquire);
}

bool tables_grace_is_open(const struct tables *t)
{
	uint32_t asked = atomic_load_explicit(&t->shm.header->gp_req, memory_order_relaxed);

	return t->state != NULL && !tp_gp_passed(tables_grace_done(t), asked);
}

void tables_grace_ask(struct tables *t)
{
	atomic_store_explicit(&t->shm.header->gp_req, tables_grace_tag(t), memory_order_release);
	shm_futex_wake(&t->shm.header->gp_req);
}
