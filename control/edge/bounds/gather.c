// SPDX-License-Identifier: BSD-3-Clause
#include <bounds/gather.h>

#define PERIOD_NS  4000000u
#define STEP_NS	   250000u
// Calls of a period.
#define MANY	   120u
#define FEW	   60u
// Periods with the longest gap after which its use is judged, and the time without one if it had
// none.
#define TRIAL	   32u
#define USELESS_NS 1000000000u

static void trial_begin(struct gather *g)
{
	g->trial = 0;
	g->tried = (struct gather_count){0};
}

// Useful: five messages for four calls, or a handshake for eight of them. Each round wakes the
// worker that answers the first requests of new clients, and a handshake can wait for others.
static void trial_go_on(struct gather *g, uint64_t now_ns, const struct gather_count *period)
{
	g->tried.calls += period->calls;
	g->tried.messages += period->messages;
	g->tried.handshakes += period->handshakes;
	if (++g->trial < TRIAL)
		return;
	if (g->tried.messages < g->tried.calls + g->tried.calls / 4 &&
		g->tried.handshakes < g->tried.calls / 8) {
		g->gap_ns = 0;
		g->useless_ns = now_ns + USELESS_NS;
	}
	trial_begin(g);
}

static void shrink(struct gather *g, uint64_t by_ns)
{
	g->gap_ns -= by_ns < g->gap_ns ? by_ns : g->gap_ns;
	trial_begin(g);
}

static void judge(struct gather *g, uint64_t now_ns, const struct gather_count *period)
{
	uint64_t periods = (now_ns - g->judged_ns) / PERIOD_NS;

	if (period->calls < FEW * periods)
		shrink(g, periods * STEP_NS);
	else if (g->gap_ns == GATHER_GAP_MAX_NS)
		trial_go_on(g, now_ns, period);
	else if (period->calls > MANY * periods && now_ns >= g->useless_ns)
		g->gap_ns += STEP_NS;
}

void gather_begin(struct gather *g, uint64_t now_ns, const struct gather_count *now)
{
	const struct gather_count period = {.calls = now->calls - g->count.calls,
		.messages = now->messages - g->count.messages,
		.handshakes = now->handshakes - g->count.handshakes};

	if (now_ns - g->judged_ns >= PERIOD_NS) {
		judge(g, now_ns, &period);
		g->judged_ns = now_ns;
		g->count = *now;
	}
	g->due_ns = now_ns + g->gap_ns;
}
