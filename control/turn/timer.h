// SPDX-License-Identifier: BSD-3-Clause
// Kinds of the timers on the server's wheel.
#pragma once

enum turn_timer_kind {
	TURN_TIMER_ALLOCATION,
	TURN_TIMER_PERMISSION,
	TURN_TIMER_CHANNEL,
	TURN_TIMER_CACHED_KEY,
	TURN_TIMER_LOOKUP,
	TURN_TIMER_CONNECTION,
	TURN_TIMER_RESERVATION,
	TURN_TIMER_BAN,
};
