// SPDX-License-Identifier: BSD-3-Clause
// Timers of whole seconds on a wheel: setting, moving and stopping one is O(1) at any number. What
// lies further ahead than one turn waits at the far end and is put on again when its turn comes.
#pragma once

#include <turnpike/base.h>

#include "list.h"

#define TURN_WHEEL_SLOTS 4096u // seconds of one turn: more than the longest default lifetime

enum turn_timer_kind {
	TURN_TIMER_ALLOCATION,
	TURN_TIMER_PERMISSION,
	TURN_TIMER_CHANNEL,
	TURN_TIMER_KEPT_KEY,
};

struct turn_timer {
	struct turn_list link;
	uint32_t expires_s;
	enum turn_timer_kind kind;
};

struct turn_wheel {
	uint32_t at_s; // slots before this second are empty
	size_t n;
	uint64_t used[TURN_WHEEL_SLOTS / 64]; // bit per slot that may hold timers
	struct turn_list slot[TURN_WHEEL_SLOTS];
};

void turn_wheel_init(struct turn_wheel *w);
void turn_timer_init(struct turn_timer *t, enum turn_timer_kind kind);

// Tells an idle wheel the time, so that the next timer is placed from there.
static inline void turn_wheel_start(struct turn_wheel *w, uint32_t now_s)
{
	if (w->n == 0 && w->at_s < now_s)
		w->at_s = now_s;
}

// Starts or moves a timer.
void turn_wheel_set(struct turn_wheel *w, struct turn_timer *t, uint32_t expires_s);
void turn_wheel_stop(struct turn_wheel *w, struct turn_timer *t);
// The next timer with expires_s <= now_s, stopped; NULL when there is none, or when *budget steps
// are used up.
struct turn_timer *turn_wheel_pop(struct turn_wheel *w, uint32_t now_s, unsigned *budget);
// The second when to pop next, never late; UINT32_MAX without timers.
uint32_t turn_wheel_next_s(const struct turn_wheel *w);
