// SPDX-License-Identifier: BSD-3-Clause
// Timers of whole seconds on a wheel: setting, moving and stopping one is O(1) at any number. A
// timer more than one revolution ahead waits in the last slot and is placed again when that slot
// comes up.
#pragma once

#include <turnpike/base.h>

#include <ds/list.h>

#define DS_WHEEL_SLOTS 4096u // seconds of one turn: more than the longest default lifetime

struct ds_timer {
	struct ds_list link;
	uint32_t expires_s;
	unsigned kind; // the owner's
};

struct ds_wheel {
	uint32_t at_s; // slots before this second are empty
	size_t n;
	uint64_t used[DS_WHEEL_SLOTS / 64]; // bit per slot that may hold timers
	struct ds_list slot[DS_WHEEL_SLOTS];
};

void ds_wheel_init(struct ds_wheel *w);
void ds_timer_init(struct ds_timer *t, unsigned kind);

// Tells an idle wheel the time, so that the next timer is placed from there.
static inline void ds_wheel_start(struct ds_wheel *w, uint32_t now_s)
{
	if (w->n == 0 && w->at_s < now_s)
		w->at_s = now_s;
}

// Starts or moves a timer.
void ds_wheel_set(struct ds_wheel *w, struct ds_timer *t, uint32_t expires_s);
void ds_wheel_stop(struct ds_wheel *w, struct ds_timer *t);
// The next timer with expires_s <= now_s, stopped; NULL when there is none, or when *budget steps
// are used up.
struct ds_timer *ds_wheel_pop(struct ds_wheel *w, uint32_t now_s, unsigned *budget);
// The second when to pop next, never late; UINT32_MAX without timers.
uint32_t ds_wheel_next_s(const struct ds_wheel *w);
