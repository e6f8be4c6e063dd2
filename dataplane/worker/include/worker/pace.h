// SPDX-License-Identifier: BSD-3-Clause
// When a worker without packets sleeps, and with which of its two priorities it runs.
//
// A real-time worker is not kept waiting by other programs of its core. In return it leaves them
// some of the core: it polls for a short while only before it sleeps, and in each window it sleeps
// at the next empty poll once it was awake for most of it. A worker that is too busy to sleep at
// all goes on with the ordinary priority until it sleeps again, so neither the kernel's threads nor
// its limit for real-time threads ever stand against it.
//
// Where packets come less often than it polls beside other programs, polling only keeps the core
// from programs that may be the very senders. After some times in vain the worker sleeps at its
// first empty poll, until one sleep is so short that polling would have paid, and tries once a
// window.
//
// Spans and points are cycles of the time stamp counter. Used by the worker's thread alone.
#pragma once

#include <turnpike/base.h>

struct worker_pace {
	uint64_t spin;	      // polls so long for the next packet, alone on its core
	uint64_t shared_spin; // the same beside other programs
	uint64_t window;
	uint64_t awake;	     // of a window, before it sleeps at once
	uint64_t worn;	     // without sleep: too busy
	uint64_t since;	     // start of the window
	uint64_t slept;	     // in this window
	uint64_t woken;	     // end of the last sleep
	uint64_t idle_since; // first empty poll; 0: the last one was not empty
	uint32_t fruitless;  // times in a row that it polled for shared_spin in vain
};

void worker_pace_init(struct worker_pace *p, uint64_t hz, uint64_t now);

// After an empty poll: whether the worker sleeps now. `shared`: other programs want the core.
bool worker_pace_sleeps(struct worker_pace *p, uint64_t now, bool shared);

// After a sleep from `from` to `now`.
void worker_pace_slept(struct worker_pace *p, uint64_t from, uint64_t now);

// Whether the worker has not slept for so long that it has to give real time up. `now` may be from
// before its last sleep: the loop reads the counter once a turn.
static inline bool worker_pace_worn(const struct worker_pace *p, uint64_t now)
{
	return now > p->woken && now - p->woken > p->worn;
}

// A poll that was not empty.
static inline void worker_pace_busy(struct worker_pace *p)
{
	if (p->idle_since != 0)
		p->fruitless = 0;
	p->idle_since = 0;
}
