// SPDX-License-Identifier: BSD-3-Clause
#include <core/hole.h>

// Packets closer together than this are of one flight.
#define FLIGHT_MS  100u
// A wait longer than any retransmission timer's: another exchange.
#define FORGET_MS  70000u
// More packets than a flight has, or than pass while one is repeated: they are answered.
#define PASSED_MAX 16u

static bool begin(struct core_hole *h, uint32_t len, uint32_t now_ms, uint64_t others)
{
	*h = (struct core_hole){.others = others, .last_ms = now_ms, .len = (uint16_t)len};
	return false;
}

bool core_hole_step(struct core_hole *h, uint32_t len, uint32_t now_ms, uint64_t others)
{
	uint32_t wait_ms = now_ms - h->last_ms;

	if (len > h->len || wait_ms > FORGET_MS)
		return begin(h, len, now_ms, others);
	if (len < h->len || wait_ms < FLIGHT_MS)
		return ++h->passed > PASSED_MAX && begin(h, len, now_ms, others);
	h->passed = 0;
	h->last_ms = now_ms;
	// Timers double; half as much again leaves room for delays.
	h->repeats = (uint8_t)(2 * wait_ms >= 3 * h->wait_ms ? h->repeats + 1 : 0);
	h->wait_ms = wait_ms;
	if (h->repeats < CORE_HOLE_REPEATS || others <= h->others)
		return false;
	*h = (struct core_hole){0};
	return true;
}
