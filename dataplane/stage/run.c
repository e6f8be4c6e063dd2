// SPDX-License-Identifier: BSD-3-Clause
// Runs the stages over a burst: the fast path first, then the slow path over all that is pending.
#include "fast.h"
#include "fast_rx.h"
#include "stream.h"

// A client's Send to another client of this relay needs four look-ups; no packet needs more.
#define ROUNDS_MAX 4u

void stage_worker_init(struct stage_worker *w, const uint8_t seed[32])
{
	memcpy(w->limiter_key, seed, sizeof(w->limiter_key));
	memcpy(&w->context.txid_state, seed + 16, sizeof(w->context.txid_state));
	memcpy(&w->context.ip_id, seed + 24, sizeof(w->context.ip_id));
}

static void pending_clear(struct pending_list lists[SLOW_STEPS])
{
	for (unsigned s = 0; s < SLOW_STEPS; s++)
		lists[s].n = 0;
}

// Looks up and settles on the slow path until nothing is pending.
static void slow_rounds(struct burst *b)
{
	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		if (b->n_pending == 0)
			return;
		b->n_pending = 0;
		b->next = b->pending[~round & 1];
		pending_clear(b->next);
		slow_settle(b, b->pending[round & 1]);
	}
	// With sane code nothing is pending here.
	for (unsigned s = 0; s < SLOW_STEPS; s++)
		for (unsigned i = 0; i < b->next[s].n; i++)
			pkt_drop(b, &b->ctx[b->next[s].at[i]], TP_DROP_table_corrupt);
}

static void run_slow(struct burst *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		b->rx_bytes += b->pkts[i].len;
		slow_classify(b, &b->pkts[i]);
	}
	slow_rounds(b);
}

static void run_messages(struct burst *b, const struct stage_message *messages, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		b->rx_bytes += b->pkts[i].len;
		stream_classify(b, &b->pkts[i], &messages[i]);
	}
	slow_rounds(b);
}

#if STAGE_HAS_FAST
STAGE_TARGET CORE_INLINE void run_fast(struct burst *b, unsigned n, hash_words *words)
{
	uint8_t key[TP_HASH_KEY_LEN] TP_ALIGNED(16);
	const struct hasher h = {
		.words = words,
		.key = key,
		.buckets = b->w->table.buckets,
		.bucket_mask = b->w->table.bucket_mask,
	};
	struct stage_pkt *pkt = b->pkts;
	const struct stage_pkt *end = pkt + n;
	uint64_t bytes = 0;

	memcpy(key, b->w->table.hash_key, sizeof(key));
	fast_rx_begin(&b->rx);
	fast_lists_clear(b->fast4);
	b->any6 = false;
	for (; pkt < end; pkt++) {
		bytes += pkt->len;
		// There is never news in the same packet twice.
		while (STAGE_UNLIKELY(!fast_classify(b, pkt, &h))) {
			if (fast_rx_learn(b, pkt))
				continue;
			slow_classify(b, pkt);
			break;
		}
	}
	b->rx_bytes += bytes;
	fast_settle(b, &h, true);
	if (b->any6)
		fast_settle(b, &h, false);
	slow_rounds(b);
}

#if TP_HASH_HAS_AES
__attribute__((target("aes,sse4.1"))) static void run_burst_aes(struct burst *b, unsigned n)
{
	run_fast(b, n, tp_hash_aes_vectors);
}
#endif

STAGE_TARGET static void run_burst_siphash(struct burst *b, unsigned n)
{
	run_fast(b, n, hash_words_siphash);
}
#endif

static void run_burst(struct burst *b, unsigned n)
{
#if STAGE_HAS_FAST
	if (STAGE_UNLIKELY(b->w->slow_only))
		run_slow(b, n);
	else if (b->w->table.hash_kind == TP_HASH_KIND_AES)
		run_burst_aes(b, n);
	else if (__builtin_cpu_supports("sse4.1"))
		run_burst_siphash(b, n);
	else
#endif
		run_slow(b, n);
}

static void run_local(struct burst *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		b->rx_bytes += b->pkts[i].len;
		local_classify(b, &b->pkts[i]);
	}
	slow_rounds(b);
}

static void run(struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, bool local, unsigned n, uint64_t now_ns)
{
	struct burst b;

	b.w = w;
	b.locals = w->locals;
	b.last_relay_id = 0;
	b.now_ns = now_ns;
	b.now_s = (uint32_t)(now_ns / TP_NS_PER_S);
	b.rx_bytes = 0;
	for (unsigned done = 0; done < n; done += STAGE_BURST) {
		unsigned some = n - done < STAGE_BURST ? n - done : STAGE_BURST;

		b.pkts = pkts + done;
		b.context = w->context;
		b.n_pending = 0;
		b.next = b.pending[0];
		pending_clear(b.next);
		if (STAGE_UNLIKELY(local))
			run_local(&b, some);
		else if (messages == NULL)
			run_burst(&b, some);
		else
			run_messages(&b, messages + done, some);
		if (STAGE_UNLIKELY(b.locals != NULL && b.locals->path.ttl != 0))
			burst_put_ttl(&b, some);
		w->context = core_context_at(&b.context, some);
	}
	// Datagrams out of fragments were counted as these.
	if (STAGE_UNLIKELY(w->whole))
		return;
	tp_count(&w->stats->rx_packets, n);
	tp_count(&w->stats->rx_octets, b.rx_bytes);
}

void stage_run(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	run(w, pkts, NULL, false, n, now_ns);
}

void stage_run_messages(struct stage_worker *w, struct stage_pkt *pkts,
	const struct stage_message *messages, unsigned n, uint64_t now_ns)
{
	run(w, pkts, messages, false, n, now_ns);
}

void stage_run_local(struct stage_worker *w, struct stage_pkt *pkts, unsigned n, uint64_t now_ns)
{
	run(w, pkts, NULL, true, n, now_ns);
}
