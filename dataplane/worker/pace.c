// SPDX-License-Identifier: BSD-3-Clause
#include <worker/pace.h>

#define SPINS_PER_S	   10000u // 100 µs
#define SHARED_SPINS_PER_S 50000u // 20 µs
#define WINDOWS_PER_S	   100u	  // 10 ms
#define AWAKE_PART	   3u / 4u
#define WORNS_PER_S	   10u // 100 ms
#define FRUITLESS_MAX	   4u

void worker_pace_init(struct worker_pace *p, uint64_t hz, uint64_t now)
{
	*p = (struct worker_pace){.spin = hz / SPINS_PER_S,
		.shared_spin = hz / SHARED_SPINS_PER_S,
		.window = hz / WINDOWS_PER_S,
		.awake = hz / WINDOWS_PER_S * AWAKE_PART,
		.worn = hz / WORNS_PER_S,
		.since = now,
		.woken = now};
}

static uint64_t shared_spin(const struct worker_pace *p)
{
	return p->fruitless < FRUITLESS_MAX ? p->shared_spin : 0;
}

bool worker_pace_sleeps(struct worker_pace *p, uint64_t now, bool shared)
{
	if (p->idle_since == 0)
		p->idle_since = now;
	if (now - p->since >= p->window) {
		p->since = now;
		p->slept = 0;
		// Another try in each window.
		if (p->fruitless == FRUITLESS_MAX)
			p->fruitless--;
	}
	if (now - p->idle_since < (shared ? shared_spin(p) : p->spin))
		return now - p->since - p->slept >= p->awake;
	if (shared && p->fruitless < FRUITLESS_MAX)
		p->fruitless++;
	return true;
}

void worker_pace_slept(struct worker_pace *p, uint64_t from, uint64_t now)
{
	p->slept += now - from;
	p->woken = now;
	// Polling for as long would have found it.
	if (now - from < p->shared_spin)
		p->fruitless = 0;
	// It goes on looking as long as before it slept: packets mostly follow each other.
	p->idle_since = 0;
}
