// SPDX-License-Identifier: BSD-3-Clause
#include "known.h"

void stage_worker_init(struct stage_worker *w, const uint8_t seed[32])
{
	memcpy(w->limiter_key, seed, sizeof(w->limiter_key));
	memcpy(&w->context.txid_state, seed + 16, sizeof(w->context.txid_state));
	memcpy(&w->context.ip_id, seed + 24, sizeof(w->context.ip_id));
}

static void count_paths(struct burst *b)
{
	struct tp_worker_stats *s = b->w->stats;

	for (unsigned i = 0; i < TP_PATH_COUNT; i++) {
		if (b->path_packets[i] == 0)
			continue;
		tp_count(&s->path_packets[i], b->path_packets[i]);
		tp_count(&s->path_octets[i], b->path_octets[i]);
	}
}

CORE_INLINE void run_burst(struct burst *b, struct stage_pkt *pkts, unsigned n, struct stopwatch *t)
{
	memset(b->path_packets, 0, sizeof(b->path_packets));
	memset(b->path_octets, 0, sizeof(b->path_octets));
	b->next = b->open[0];
	for (unsigned s = 0; s < STEPS; s++)
		b->next[s].n = 0;
	burst_classify(b, pkts, n);
	lap_end(t, STAGE_LAP_CLASSIFY);
	if (t != NULL)
		burst_lookup_timed(b, t);
	else
		burst_lookup(b);
	count_paths(b);
}

CORE_INLINE void run(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns,
	struct stopwatch *t)
{
	struct burst b;

	b.w = w;
	b.locals = w->locals;
	b.last_own = w->locals == NULL ? NULL : &w->locals->ips[0];
	known_init(&b.known);
	b.last_relay_id = 0;
	b.now_ns = now_ns;
	b.now_s = (uint32_t)(now_ns / TP_NS_PER_S);
	for (unsigned done = 0; done < n; done += STAGE_BURST)
		run_burst(&b, pkts + done, n - done < STAGE_BURST ? n - done : STAGE_BURST, t);
}

void stage_run(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	run(w, pkts, n, now_ns, NULL);
}

void stage_run_timed(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns,
	uint64_t (*cycles)(void), uint64_t laps[STAGE_LAPS])
{
	struct stopwatch t = {.cycles = cycles, .last = cycles(), .laps = laps};

	run(w, pkts, n, now_ns, &t);
}
